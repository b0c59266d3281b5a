"""Transposed convolutions give what torch's give, the bias's gradient too."""

import pytest
import torch
from torch import nn

from embedseg.device import autocast
from embedseg.inference.folding import fold_norms
from embedseg.models.blocks import Layers
from embedseg.models.transposed_conv import ConvTranspose2d, ConvTranspose3d

CPU = torch.device("cpu")
FORMS = [
    {"kernel": 2},
    {"kernel": 4, "padding": 1},
    {"kernel": 3, "padding": 1, "output_padding": 1},
    {"kernel": 4, "stride": 4},
    {"kernel": 2, "groups": 2},
    {"kernel": 2, "bias": False},
]


def pair(ndim: int, **form) -> tuple[nn.Module, nn.Module]:
    """Return torch's layer and ours, of the same weights."""
    torch.manual_seed(0)
    ours = Layers(ndim).up(6, 4, **form).double()
    theirs = nn.ConvTranspose2d if ndim == 2 else nn.ConvTranspose3d
    keys = ("stride", "padding", "output_padding", "groups")
    options = {k: getattr(ours, k) for k in keys}
    same = theirs(6, 4, ours.kernel_size, **options, bias=ours.bias is not None).double()
    same.load_state_dict(ours.state_dict())
    return same, ours


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("form", FORMS)
def test_values_and_gradients_are_those_of_torch(ndim, form):
    image = torch.randn(2, 6, *(5, 7, 4)[:ndim], dtype=torch.double, requires_grad=True)
    found = []
    for layer in pair(ndim, **form):
        out = layer(image)
        weights = torch.cos(torch.arange(out.numel(), dtype=torch.double)).view_as(out)
        inputs = (image, *layer.parameters())
        found.append((out, *torch.autograd.grad((out * weights).sum(), inputs)))
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("ndim", [2, 3])
def test_gradients_by_finite_differences_and_of_second_order(ndim):
    layer = Layers(ndim).up(2, 3).double()
    image = torch.randn(1, 2, *(3, 2, 2)[:ndim], dtype=torch.double, requires_grad=True)
    parameters = tuple(layer.parameters())

    def call(x, weight, bias):
        values = {"weight": weight, "bias": bias}
        return torch.func.functional_call(layer, values, x).sin()

    assert torch.autograd.gradcheck(call, (image, *parameters))
    assert torch.autograd.gradgradcheck(call, (image, *parameters))


def test_what_follows_may_work_in_place():
    image, found = torch.randn(2, 6, 5, 7, dtype=torch.double), []
    for layer in pair(2):
        row = nn.Sequential(layer, nn.ReLU(inplace=True))
        found.append(torch.autograd.grad(row(image).square().sum(), tuple(row.parameters())))
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_bias_in_mixed_precision_is_summed_in_float32():
    layer = Layers().up(1, 1)
    image = torch.randn(1, 1, 64, 63)
    with autocast(CPU, "bf16"):
        out = layer(image)
    assert out.dtype == torch.bfloat16
    out.backward(torch.full_like(out, 1.0078125))  # in bfloat16 a sum stops growing at 256
    assert layer.bias.grad.dtype == torch.float32
    assert layer.bias.grad.item() == 1.0078125 * 128 * 126  # bfloat16 has 16256


def test_a_bias_that_does_not_learn_gets_no_gradient():
    theirs, ours = pair(2)
    image = torch.randn(1, 6, 4, 4, dtype=torch.double)
    ours.bias.requires_grad_(False)
    ours(image).sum().backward()
    assert ours.bias.grad is None and ours.weight.grad is not None
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image))
        wide = [layer(image, output_size=[10, 9]) for layer in pair(2, kernel=3)]
    torch.testing.assert_close(*wide)


@pytest.mark.parametrize(("ndim", "kind"), [(2, ConvTranspose2d), (3, ConvTranspose3d)])
def test_other_parts_know_the_layer(ndim, kind):
    layers = Layers(ndim)
    row = nn.Sequential(layers.up(3, 4), layers.norm(4)).eval()
    assert type(row[0]) is kind
    row[1].running_mean.uniform_(), row[1].running_var.uniform_(0.5, 2)
    image = torch.randn(1, 3, *(4, 4, 4)[:ndim])
    folded = fold_norms(row)
    assert isinstance(folded[1], nn.Identity)
    torch.testing.assert_close(folded(image), row(image))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.jit is an old way
def test_a_tracer_sees_torch_s_own_layer():
    layer, image = Layers().up(3, 2), torch.randn(1, 3, 4, 5)
    traced = torch.jit.trace(layer, image)
    assert torch.equal(traced(image), layer(image))

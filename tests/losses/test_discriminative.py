"""The discriminative loss against golden numbers, a slow oracle and finite differences."""

import pytest
import torch

from embedseg.losses.discriminative import DiscriminativeLoss, discriminative_loss
from tests.losses.oracle_discriminative import oracle

GOLDEN = {  # image, background as an instance: pull, push, push hinged at delta_d, reg
    (0, False): (1.607646, 1.492623, 0.126525, 2.349260),
    (1, False): (4.408447, 6.764281, 1.211811, 0.975441),
    (0, True): (2.556736, 1.061949, 0.063263, 1.793960),
    (1, True): (4.767684, 4.778594, 0.536448, 0.680904),
}

VARIANTS = {
    "paper": {},
    "asymmetric": {"alpha": 0.7, "beta": 1.9, "gamma": 0.3, "delta_v": 0.2, "delta_d": 0.9},
    "lanenet": {"hinge": "lanenet", "delta_d": 3.0},
    "released": {"normalization": "released", "gamma": 0.0},
    "released-lanenet": {"normalization": "released", "gamma": 0.0, "hinge": "lanenet"},
    "l1": {"norm": "l1", "gamma": 0.2},
    "cosine": {"distance": "cosine", "delta_v": 0.1, "delta_d": 0.8},
    "background": {"background_as_instance": True},
    "neighbours-1": {"push_neighbours": 1},
    "neighbours-2.3": {"push_neighbours": 2.3},
    "neighbours-far": {"push_neighbours": 30.0},
    "neighbours-released": {"push_neighbours": 2, "normalization": "released", "gamma": 0.0},
    "by-area": {"size_weighting": 1.0},
    "small-first": {"size_weighting": -0.5, "normalization": "released", "gamma": 0.0},
    "cosine-background": {
        "distance": "cosine",
        "delta_v": 0.05,
        "delta_d": 1.0,
        "background_as_instance": True,
        "push_neighbours": 3,
        "size_weighting": 0.5,
    },
}


def golden_input():
    axes = [torch.arange(n, dtype=torch.float64) for n in (2, 4, 32, 32)]
    b, e, i, j = torch.meshgrid(*axes, indexing="ij")
    embedding = 2 * torch.sin(0.9 * b + 1.1 * e + 0.31 * i + 0.17 * j)
    labels = torch.zeros(2, 32, 32, dtype=torch.long)
    labels[0, 0:10, 0:9] = 1
    labels[0, 12:14, 5:10] = 2
    labels[0, 20:28, 20:25] = 5
    labels[1, 3:6, 3:30] = 7
    labels[1, 15:30, 15:20] = 9
    return embedding, labels


def small_input(seed=0):
    """Unequal sizes, gappy ids, a one-pixel instance, ignored pixels, an image with nothing."""
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(3, 3, 7, 8, generator=generator, dtype=torch.float64)
    labels = torch.zeros(3, 7, 8, dtype=torch.int32)
    flat = labels.view(3, -1)
    flat[0, :9], flat[0, 9:12], flat[0, 20:37], flat[0, 50] = 4, 11, 2, 90
    flat[1, 3:5], flat[1, 5:30], flat[1, 40:47] = 7, 1, 300
    flat[0, 30:33], flat[1, 50:] = -1, -1
    return embedding.requires_grad_(), labels


def small_classes(labels):
    """Two classes; id 2 of image 0 lies in both; some pixels of instances have no class."""
    semantic = torch.where(labels % 4 == 3, 1, 2)
    semantic.view(len(labels), -1)[0, 24:36] = 1
    semantic.view(len(labels), -1)[1, 8:12] = torch.tensor([0, -1, 0, -1])
    return semantic


@pytest.mark.parametrize(("image", "background"), GOLDEN)
def test_golden_table(image, background):
    embedding, labels = (tensor[image : image + 1] for tensor in golden_input())
    pull, push, lanenet, reg = GOLDEN[image, background]
    terms = discriminative_loss(embedding, labels, background_as_instance=background)
    assert terms.pull.item() == pytest.approx(pull, abs=1e-6)
    assert terms.push.item() == pytest.approx(push, abs=1e-6)
    assert terms.reg.item() == pytest.approx(reg, abs=1e-6)
    assert terms.total.item() == pytest.approx(pull + push + 0.001 * reg, abs=2e-6)
    at_delta_d = discriminative_loss(
        embedding, labels, background_as_instance=background, hinge="lanenet"
    )
    assert at_delta_d.push.item() == pytest.approx(lanenet, abs=1e-6)


def test_golden_batch_total():
    assert discriminative_loss(*golden_input()).total.item() == pytest.approx(7.138160804, abs=1e-8)


def assert_equals_oracle(embedding, labels, **options):
    ours = discriminative_loss(embedding, labels, **options)
    theirs = oracle(embedding, labels, **options)
    assert [t.item() for t in ours] == pytest.approx([t.item() for t in theirs], abs=1e-9)
    for got, expected in zip(ours, theirs, strict=True):
        (gradient,) = torch.autograd.grad(got, embedding, retain_graph=True)
        (reference,) = torch.autograd.grad(expected, embedding, retain_graph=True)
        torch.testing.assert_close(gradient, reference, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_equals_the_oracle(name):
    assert_equals_oracle(*small_input(), **VARIANTS[name])


@pytest.mark.parametrize("name", [n for n in VARIANTS if "background" not in n])
def test_every_variant_per_class(name):
    embedding, labels = small_input(1)
    assert_equals_oracle(embedding, labels, semantic=small_classes(labels), **VARIANTS[name])


@pytest.mark.parametrize("shape", [(41,), (3, 4, 5)])
@pytest.mark.parametrize("name", ["asymmetric", "neighbours-2.3"])
def test_other_numbers_of_dimensions(shape, name):
    generator = torch.Generator().manual_seed(3)
    embedding = torch.randn(2, 3, *shape, dtype=torch.float64, generator=generator)
    labels = torch.randint(-1, 5, (2, *shape), generator=generator)
    embedding.requires_grad_()
    assert_equals_oracle(embedding, labels, **VARIANTS[name])


@pytest.mark.parametrize("name", ["paper", "l1", "cosine-background"])
def test_gradcheck(name):
    generator = torch.Generator().manual_seed(4)
    embedding = torch.randn(1, 2, 3, 5, dtype=torch.float64, generator=generator)
    embedding.requires_grad_()
    labels = torch.tensor([1, 1, 1, 1, 1, 5, 5, 5, 0, 0, 8, 8, -1, -1, 8]).view(1, 3, 5)
    total = lambda x: discriminative_loss(x, labels, **VARIANTS[name]).total  # noqa: E731
    assert torch.autograd.gradcheck(total, embedding)
    assert torch.autograd.gradgradcheck(total, embedding, fast_mode=True)


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", ["paper", "released", "neighbours-1", "cosine"])
def test_no_instance_gives_zero_attached_to_the_graph(value, name):
    embedding, labels = small_input()
    terms = discriminative_loss(embedding, torch.full_like(labels, value), **VARIANTS[name])
    for term in terms:
        assert term.item() == 0
        (gradient,) = torch.autograd.grad(term, embedding, retain_graph=True)
        assert not gradient.any()


def test_one_instance_is_not_pushed():
    embedding, labels = small_input()
    labels = (labels == 4).int()
    terms = discriminative_loss(embedding, labels)
    assert terms.push.item() == 0
    assert terms.pull.item() > 0
    assert_equals_oracle(embedding, labels)


def test_images_without_instances_do_not_dilute_the_mean():
    embedding, labels = small_input()  # image 2 is empty
    both = discriminative_loss(embedding, labels).total
    assert both.item() == pytest.approx(
        discriminative_loss(embedding[:2], labels[:2]).total.item(), abs=1e-12
    )


def test_ignored_and_background_pixels_have_no_influence():
    embedding, labels = small_input()
    terms = discriminative_loss(embedding, labels)
    out = (labels <= 0)[:, None].expand_as(embedding)
    terms.total.backward()
    assert not embedding.grad[out].any()
    changed = torch.where(out, 1e3, embedding)
    torch.testing.assert_close(discriminative_loss(changed, labels), terms)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_label_types(dtype):
    embedding, labels = small_input()
    labels = labels.clamp(0, 255)
    expected = discriminative_loss(embedding, labels.long()).total
    assert discriminative_loss(embedding, labels.to(dtype)).total == expected


@pytest.mark.parametrize("ids", [{4: 1, 11: 2, 2: 3}, {4: 2**31 - 1, 11: 70_000_000, 2: 12}])
@pytest.mark.parametrize("name", ["paper", "background", "neighbours-2.3"])
def test_renumbered_labels_give_the_same(ids, name):
    embedding, labels = small_input()
    renumbered = labels.clone()
    for old, new in ids.items():
        renumbered[labels == old] = new
    one = discriminative_loss(embedding, labels, **VARIANTS[name])
    two = discriminative_loss(embedding, renumbered, **VARIANTS[name])
    assert [t.item() for t in one] == pytest.approx([t.item() for t in two], abs=1e-12)
    gradients = [torch.autograd.grad(terms.total, embedding)[0] for terms in (one, two)]
    torch.testing.assert_close(*gradients)


def test_order_of_pixels_does_not_matter():
    embedding, labels = small_input()
    order = torch.randperm(56, generator=torch.Generator().manual_seed(1))
    shuffled = embedding.flatten(2)[:, :, order], labels.flatten(1)[:, order]
    torch.testing.assert_close(
        discriminative_loss(*shuffled), discriminative_loss(embedding, labels)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"norm": "l1"}, VARIANTS["cosine"]], ids=str)
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_nan_is_not_hidden(backend, options, dtype):
    """Neither of all pixels nor of one: every term that reads it is NaN."""
    embedding, labels = small_input()
    everywhere = torch.full_like(embedding, float("nan"))
    one = embedding.detach().clone()
    one[0, 1].view(-1)[10] = float("nan")
    for values in (everywhere, one):
        terms = discriminative_loss(values.to(dtype), labels, backend=backend, **options)
        assert all(term.isnan() for term in terms)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["paper", "l1", "lanenet", "cosine", "background"])
def test_collapsed_embeddings_part(value, dtype, name):
    """All pixels equal: every gradient is finite, and pushing parts the instances."""
    labels = golden_input()[1]
    embedding = torch.full((2, 4, 32, 32), value, dtype=dtype, requires_grad=True)
    options = {"gamma": 0.0, **VARIANTS[name]}
    terms = discriminative_loss(embedding, labels, **options)
    (gradient,) = torch.autograd.grad(terms.total, embedding)
    assert gradient.isfinite().all()
    for ids in ([1, 2, 5], [7, 9]):
        means = [gradient.movedim(1, -1)[labels == i].mean(0) for i in ids]
        assert all((a - b).norm() > 1e-5 for a in means for b in means if a is not b)
    moved = (embedding - 0.5 * gradient).detach().requires_grad_()
    after = discriminative_loss(moved, labels, **options)
    assert after.push < terms.push
    assert torch.autograd.grad(after.total, moved)[0].isfinite().all()


def test_collapsed_embeddings_part_the_same_way_each_time():
    embedding, labels = torch.zeros(2, 4, 32, 32, requires_grad=True), golden_input()[1]
    first, second = (
        torch.autograd.grad(discriminative_loss(embedding, labels).total, embedding)[0]
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(dtype):
    embedding = torch.full((1, 2, 64, 512), 3.0, dtype=dtype)  # its sum is beyond float16
    embedding[:, :, :, ::2] = 5.0
    labels = torch.ones(1, 64, 512, dtype=torch.long)
    labels[:, :, :50] = 2
    half = embedding.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = discriminative_loss(half, labels, delta_v=0.2)
    exact = discriminative_loss(embedding.double(), labels, delta_v=0.2)
    assert all(term.dtype == torch.float32 for term in terms)
    assert [t.item() for t in terms] == pytest.approx([t.item() for t in exact], rel=1e-5)
    terms.total.backward()
    assert half.grad.dtype == dtype
    assert half.grad.isfinite().all()


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_large_instances_do_not_lose_digits(backend):
    """One sequential float32 sum of 1e6 equal numbers is wrong in the third digit."""
    embedding = torch.full((1, 1, 1000, 1000), 0.1)
    labels = torch.ones(1, 1000, 1000, dtype=torch.int32)
    reg = discriminative_loss(embedding, labels, backend=backend).reg.item()
    assert reg == pytest.approx(0.1, rel=1e-5)


def test_module_stores_the_options():
    embedding, labels = small_input()
    options = {"delta_v": 0.3, "beta": 2.0, "norm": "l1", "push_neighbours": 2.0}
    module = DiscriminativeLoss(**options)
    assert torch.equal(
        module(embedding, labels).total, discriminative_loss(embedding, labels, **options).total
    )
    semantic = small_classes(labels)
    assert torch.equal(
        module(embedding, labels, semantic).total,
        discriminative_loss(embedding, labels, semantic=semantic, **options).total,
    )
    assert "norm='l1'" in repr(module)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hinge": "papper"}, "unknown hinge 'papper'; did you mean 'paper'"),
        ({"norm": "l3"}, "unknown norm"),
        ({"distance": "cos"}, "unknown distance"),
        ({"normalization": "sum"}, "unknown normalization"),
        ({"normalization": "released"}, "pass gamma=0"),
        ({"distance": "cosine"}, "lower delta_d"),
        ({"distance": "cosine", "norm": "l1", "delta_d": 0.5}, "norm='l1' has no effect"),
        ({"push_neighbours": 0.5}, "push_neighbours"),
        ({"delta_v": -0.1}, "delta_v must be >= 0, got -0.1"),
        ({"delta_d": 0.0}, "delta_d must be > 0"),
        ({"delta_v": float("nan")}, "delta_v must be a finite number, got nan"),
        ({"delta_d": float("nan")}, "delta_d must be a finite number, got nan"),
        ({"delta_d": float("inf")}, "delta_d must be a finite number, got inf"),
        ({"alpha": float("nan")}, "alpha must be a finite number, got nan"),
        ({"beta": float("-inf")}, "beta must be a finite number, got -inf"),
        ({"gamma": float("nan")}, "gamma must be a finite number, got nan"),
        ({"size_weighting": float("nan")}, "size_weighting must be a finite number, got nan"),
        ({"push_neighbours": float("nan")}, "push_neighbours must be a distance"),
    ],
)
def test_contradictions_raise(options, message):
    embedding, labels = small_input()
    with pytest.raises(ValueError, match=message):
        discriminative_loss(embedding, labels, **options)
    with pytest.raises(ValueError, match=message):
        DiscriminativeLoss(**options)


def test_bad_inputs_raise():
    embedding, labels = small_input()
    with pytest.raises(ValueError, match="background_as_instance"):
        discriminative_loss(embedding, labels, semantic=labels, background_as_instance=True)
    with pytest.raises(ValueError, match="labels must have shape"):
        discriminative_loss(embedding, labels[:, 1:])
    with pytest.raises(ValueError, match="labels must be integer"):
        discriminative_loss(embedding, labels.float())
    with pytest.raises(ValueError, match="embedding must be"):
        discriminative_loss(labels, labels)

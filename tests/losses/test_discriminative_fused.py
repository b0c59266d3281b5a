"""The fused CPU kernels against the torch path: values, gradients, layouts, threads, memory."""

import subprocess
import sys

import pytest
import torch

from embedseg.losses.discriminative import discriminative_loss
from embedseg.losses.discriminative_fused import _Buffers
from scripts import benchmark_loss

VARIANTS = {
    "paper": {},
    "weighted": {"alpha": 0.7, "beta": 1.9, "gamma": 0.3, "delta_v": 0.2, "delta_d": 0.9},
    "l1": {"norm": "l1", "delta_v": 1.5},
    "lanenet": {"hinge": "lanenet", "delta_d": 3.0},
    "released": {"normalization": "released", "gamma": 0.0},
    "background": {"background_as_instance": True},
    "neighbours": {"push_neighbours": 3.0},
    "by-area": {"size_weighting": 0.5},
}
LAYOUTS = {
    "contiguous": lambda x: x.clone(),
    "channels last": lambda x: x.clone(memory_format=torch.channels_last),
    "cropped": lambda x: torch.nn.functional.pad(x, (2, 3, 1, 4))[:, :, 1:-4, 2:-3],
    "cropped channels last": lambda x: LAYOUTS["cropped"](
        torch.nn.functional.pad(x, (2, 3, 1, 4)).contiguous(memory_format=torch.channels_last)
    )[:, :, : x.shape[2], : x.shape[3]],
    "transposed": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    "some channels": lambda x: torch.cat([x, x], 1)[:, : x.shape[1]],
}


def blobs(*shape, channels=5, instances=6, seed=0):
    """Noisy embeddings of rectangles with gappy ids, single pixels and ignored stripes."""
    generator = torch.Generator().manual_seed(seed)
    batch, *size = shape
    labels = torch.zeros(shape, dtype=torch.long)
    for image in range(batch):
        for instance in range(instances):
            corner = [int(torch.randint(n, (1,), generator=generator)) for n in size]
            extent = [int(torch.randint(1, n + 1, (1,), generator=generator)) // 3 for n in size]
            box = tuple(slice(c, c + e + 1) for c, e in zip(corner, extent, strict=True))
            labels[(image, *box)] = 3 * instance + 2
    labels[..., 4:5] = -1
    labels[0].view(-1)[3:4] = 50
    embedding = torch.randn(batch, channels, *size, generator=generator)
    centres = torch.randn(64, channels, generator=generator)[labels.clamp(min=0)].movedim(-1, 1)
    return embedding * 0.7 + centres, labels


def run(embedding, labels, backend, **options):
    embedding = embedding.detach().requires_grad_()
    terms = discriminative_loss(embedding, labels, backend=backend, **options)
    gradients = [
        torch.autograd.grad(term, embedding, retain_graph=True)[0].clone() for term in terms
    ]
    return terms, gradients


def assert_same(embedding, labels, **options):
    terms, gradients = run(embedding, labels, "numba", **options)
    references, expected = run(embedding.double(), labels, "torch", **options)
    for got, reference in zip(terms, references, strict=True):
        assert got.item() == pytest.approx(reference.item(), rel=1e-5, abs=1e-7)
    for got, reference in zip(gradients, expected, strict=True):
        scale = reference.abs().max().item()
        torch.testing.assert_close(got.double(), reference, rtol=1e-5, atol=2e-6 * scale + 1e-12)
    return gradients


@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name):
    assert_same(*blobs(2, 37, 41), **VARIANTS[name])


def test_classes():
    embedding, labels = blobs(2, 37, 41)
    assert_same(embedding, labels, semantic=labels % 3)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_memory_layouts(layout, norm):
    embedding, labels = blobs(2, 23, 31)
    labels[:, 10:13] = 9  # goes on from row to row
    (gradient, *_) = assert_same(LAYOUTS[layout](embedding), labels, norm=norm)
    assert gradient.shape == embedding.shape


def test_the_gradient_keeps_channels_last():
    embedding, labels = blobs(2, 23, 31)
    embedding = embedding.contiguous(memory_format=torch.channels_last).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminative_loss(embedding, labels).total, embedding)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (2, 1, 1), (1, 3, 1100), (2, 5, 6, 7)])
def test_shapes(shape):
    embedding, labels = blobs(*shape)
    assert_same(embedding, labels)
    if len(shape) == 4:  # a crop of a volume has no single row stride
        assert_same(embedding[:, :, 1:, 1:, 2:], labels[:, 1:, 1:, 2:])


@pytest.mark.parametrize("channels", [1, 2, 16, 33])
def test_channels(channels):
    assert_same(*blobs(1, 30, 30, channels=channels))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_label_types_and_large_ids(dtype):
    embedding, labels = blobs(2, 60, 40)
    assert_same(embedding, labels.clamp(0).to(dtype))
    if dtype != torch.uint8:
        assert_same(embedding, torch.where(labels == 5, 2**31 - 1, labels * 300).to(dtype))


def test_many_instances():
    embedding, labels = blobs(2, 60, 90)
    labels = 7 * torch.arange(60 * 5).repeat_interleave(18).view(1, 60, 90).expand_as(labels)
    assert_same(embedding, labels)


def test_sums_over_many_pairs_are_accurate():
    embedding = blobs(1, 30, 50)[0]
    labels = torch.arange(750).repeat(2).view(1, 30, 50)
    exact = discriminative_loss(embedding.double(), labels).push.item()
    for backend in ("numba", "torch"):
        push = discriminative_loss(embedding, labels, backend=backend).push.item()
        assert push == pytest.approx(exact, rel=2e-6)


@pytest.mark.parametrize("value", [0, -1])
def test_no_instance(value):
    embedding, labels = blobs(2, 30, 30)
    terms, gradients = run(embedding, torch.full_like(labels, value), "numba")
    assert all(term.item() == 0 for term in terms)
    assert not any(gradient.any() for gradient in gradients)


def test_zero_distances_and_collapse():
    embedding = torch.zeros(1, 3, 20, 20)
    labels = torch.arange(400).view(1, 20, 20) // 150 + 1
    for options in ({"delta_v": 0.0}, {"norm": "l1"}):
        gradients = assert_same(embedding, labels, **options)
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_nan_is_not_hidden():
    embedding, labels = blobs(1, 30, 30)
    embedding[0, 1][labels[0] > 0] = float("nan")
    assert run(embedding, labels, "numba")[0].total.isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    embedding, labels = blobs(1, 40, 40)
    embedding = embedding.to(dtype).requires_grad_()
    terms = discriminative_loss(embedding, labels, backend="numba")
    exact = discriminative_loss(embedding.double(), labels)
    assert terms.total.item() == pytest.approx(exact.total.item(), rel=1e-5)
    terms.total.backward()
    assert embedding.grad.dtype == dtype


def test_any_number_of_threads_gives_the_same_bits():
    embedding, labels = blobs(2, 200, 210, channels=4)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(run(embedding, labels, "numba"))
    finally:
        torch.set_num_threads(before)
    for terms, gradients in results[1:]:
        assert torch.equal(terms.total, results[0][0].total)
        assert torch.equal(gradients[0], results[0][1][0])


def test_second_derivative_is_that_of_torch():
    embedding, labels = blobs(1, 9, 10, channels=2)
    products = []
    for backend, x in (("numba", embedding), ("torch", embedding.double())):
        x = x.detach().requires_grad_()
        total = discriminative_loss(x, labels, backend=backend).total
        (gradient,) = torch.autograd.grad(total, x, create_graph=True)
        products.append(torch.autograd.grad(gradient.square().sum(), x)[0].double())
    assert products[1].abs().max() > 0
    torch.testing.assert_close(*products, rtol=1e-3, atol=1e-5 * products[1].abs().max().item())


def test_gradients_of_two_losses_do_not_share_memory():
    embedding, labels = blobs(1, 30, 30)
    one, two = (embedding.clone().requires_grad_() for _ in range(2))
    first = discriminative_loss(one, labels).total
    second = discriminative_loss(two, labels).total * 2
    first.backward()
    kept = one.grad.clone()
    second.backward()
    assert torch.equal(one.grad, kept)
    torch.testing.assert_close(two.grad, 2 * kept)
    assert one.grad.data_ptr() != two.grad.data_ptr()


def test_memory_is_lent_again_only_when_free():
    buffers, like = _Buffers(), torch.zeros(2, 3, 4)
    first = buffers.lend(like)
    address, view = first.data_ptr(), first[1:]
    del first
    assert buffers.lend(like).data_ptr() != address  # `view` still holds it
    del view
    address = buffers.lend(like).data_ptr()
    assert buffers.lend(like).data_ptr() == address


def test_labels_may_change_before_backward():
    embedding, labels = blobs(1, 30, 30)
    labels = labels.int()
    expected = run(embedding, labels, "numba")[1][0]
    embedding.requires_grad_()
    total = discriminative_loss(embedding, labels).total
    labels.zero_()
    assert torch.equal(torch.autograd.grad(total, embedding)[0], expected)


def test_what_the_kernels_cannot_do():
    embedding, labels = blobs(1, 30, 30)
    with pytest.raises(ValueError, match="backend='numba' needs a float32"):
        discriminative_loss(embedding.double(), labels, backend="numba")
    with pytest.raises(ValueError, match="distance='cosine'"):
        discriminative_loss(embedding, labels, backend="numba", distance="cosine", delta_d=0.5)
    with pytest.raises(ValueError, match="unknown backend 'nunba'"):
        discriminative_loss(embedding, labels, backend="nunba")


def test_transforms_of_torch_func():
    """They hand over tensors without memory, which the kernels cannot read."""
    embedding, labels = blobs(1, 9, 10, channels=2)
    total = lambda x: discriminative_loss(x, labels).total  # noqa: E731
    expected = run(embedding, labels, "torch")[1][0]
    for transform in (torch.func.grad, torch.func.jacrev):
        torch.testing.assert_close(transform(total)(embedding), expected)
    value, slope = torch.func.jvp(total, (embedding,), (embedding,))
    torch.testing.assert_close(value, total(embedding))
    assert slope.item() == pytest.approx((expected * embedding).sum().item(), rel=1e-4)


def test_import_loads_no_numba():
    code = "import sys, embedseg.losses.discriminative; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("last", [False, True])
def test_all_codes_of_the_benchmark_agree(last):
    rows, floor = benchmark_loss.benchmark(benchmark_loss.CASES["quick"], 1, "cpu", last)
    assert len(rows) == 5
    for row in rows:
        assert row.value_error < 1e-5, row.name
        assert row.gradient_error < 1e-5, row.name
    assert "ours, fused" in benchmark_loss.table(rows, floor)

"""Equal results on threads, layouts and devices; read-only, half and memory-mapped input."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone

from clustering import (
    CLUSTERERS,
    DBSCAN,
    HDBSCAN,
    MeanShift,
    ThresholdClustering,
    base,
    borders,
    jit,
)
from clustering import pixels as pixel_view
from clustering.nearest import assign, extend
from clustering.pixels import rows, spread
from tests.clusterers.blobs import image, points

ALL = [
    MeanShift(1.5),
    MeanShift(1.5, kernel="gaussian", cluster_all=False),
    ThresholdClustering(1.5, min_points=10),
    HDBSCAN(200, min_samples=20),
    DBSCAN(0.5, min_samples=20),
]


@pytest.mark.parametrize("estimator", ALL, ids=str)
def test_results_do_not_depend_on_the_number_of_threads(estimator, monkeypatch):
    monkeypatch.setattr("clustering.pixels.WORK", 0)
    X, _ = points(np.random.default_rng(1), [9000, 8000, 4000], 4, gap=2.2, radius=1.0)
    fits = [estimator.set_params(n_threads=n).fit(X) and
            (estimator.labels_, estimator.cluster_centers_) for n in (1, 2, 7)]  # fmt: skip
    for labels, centres in fits[1:]:
        np.testing.assert_array_equal(labels, fits[0][0])
        np.testing.assert_array_equal(centres, fits[0][1])


@pytest.mark.parametrize("estimator", ALL, ids=str)
@pytest.mark.parametrize("shape", [(128, 200), (20, 30, 44)])
def test_device_path_equals_the_compiled_one(estimator, shape, monkeypatch):
    embedding, labels = image(np.random.default_rng(2), shape)
    host = estimator.fit_image(embedding, labels > 0).labels_
    monkeypatch.setattr(base, "on_device", lambda values: isinstance(values, torch.Tensor))
    fitted = estimator.fit_image(torch.from_numpy(embedding), torch.from_numpy(labels > 0))
    assert isinstance(fitted.labels_, torch.Tensor)
    np.testing.assert_array_equal(fitted.labels_.numpy(), host)


@pytest.mark.gpu
@pytest.mark.parametrize("estimator", ALL, ids=str)
def test_cuda_equals_the_host(estimator):
    embedding, labels = image(np.random.default_rng(2), (128, 200))
    host = estimator.fit_image(embedding, labels > 0).labels_
    fitted = estimator.fit_image(torch.tensor(embedding).cuda(), torch.tensor(labels > 0).cuda())
    assert fitted.labels_.is_cuda
    np.testing.assert_array_equal(fitted.labels_.cpu().numpy(), host)


def test_image_and_points_of_either_order_agree():
    embedding, labels = image(np.random.default_rng(3))
    mask = labels > 0
    wanted = MeanShift(1.5).fit_image(embedding, mask).labels_
    flat = embedding[:, mask]
    for X in (flat.T, np.ascontiguousarray(flat.T), flat.T.astype(np.float64) + 1e6):
        np.testing.assert_array_equal(MeanShift(1.5).fit_predict(X), wanted)


def test_memory_mapped_and_half_precision_input(tmp_path):
    embedding, labels = image(np.random.default_rng(4))
    np.save(tmp_path / "e.npy", embedding)
    mapped = np.load(tmp_path / "e.npy", mmap_mode="r")
    wanted = MeanShift(1.5).fit_image(embedding, labels > 0).labels_
    half = torch.from_numpy(embedding).bfloat16()
    np.testing.assert_array_equal(MeanShift(1.5).fit_image(mapped, labels > 0).labels_, wanted)
    got = MeanShift(1.5).fit_image(half, torch.from_numpy(labels > 0)).labels_
    np.testing.assert_array_equal(got.numpy(), wanted)


def test_a_batch_numbers_clusters_on():
    rng = np.random.default_rng(5)
    images = [image(rng, count=count) for count in (3, 5)]
    embeddings = np.stack([embedding for embedding, _ in images])
    masks = np.stack([labels > 0 for _, labels in images])
    masks[0, :, :4] = False
    fitted = MeanShift(1.5).fit_images(embeddings, masks)
    np.testing.assert_array_equal(fitted.cluster_images_, [0] * 3 + [1] * 5)
    first = masks[0].sum()
    assert set(fitted.labels_[:first]) == {0, 1, 2}
    assert set(fitted.labels_[first:]) == {3, 4, 5, 6, 7}


@pytest.mark.parametrize("name", CLUSTERERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_pixel_among_many_is_refused(name, bad):
    X, _ = points(np.random.default_rng(6), [9000, 5000], 3)
    embedding = np.ascontiguousarray(X.T).reshape(3, 100, 140)
    embedding[1, 57, 3] = bad
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 14000 points"):
        CLUSTERERS[name]().fit_image(embedding, np.ones((100, 140), bool))


@pytest.mark.parametrize("first_within", [False, True])
def test_assignment_equals_the_slow_one(first_within):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(3000, 5)).astype(np.float32)
    centres = rng.normal(size=(40, 5)).astype(np.float32)
    found = assign(rows(X), centres, 1.2, first_within=first_within)
    gaps = np.linalg.norm(X[:, None].astype(float) - centres[None], axis=2)
    wanted = gaps.argmin(axis=1)
    if first_within:
        wanted = np.where((gaps <= 1.2).any(axis=1), (gaps <= 1.2).argmax(axis=1), wanted)
    far = gaps[np.arange(3000), wanted] > 1.2
    np.testing.assert_array_equal(found.labels, np.where(far, ~wanted, wanted))
    np.testing.assert_array_equal(found.counts, np.bincount(wanted[~far], minlength=40))
    for index in np.unique(wanted[~far]):
        mean = X[~far & (wanted == index)].mean(axis=0)
        np.testing.assert_allclose(found.means[index], mean, atol=1e-5)


def test_spread_ranks_are_distinct_and_cover():
    for count, size in ((1, 5), (7, 7), (1000, 64), (10**9, 1024)):
        ranks = spread(count, size)
        assert len(ranks) == min(count, size)
        assert (np.diff(ranks) > 0).all()
        assert ranks[0] >= 0
        assert ranks[-1] < count


def test_import_compiles_nothing():
    code = (
        "import clustering\n"
        "from clustering import borders, climbing, kernels, masks, spanning\n"
        "modules = borders, climbing, kernels, masks, spanning\n"
        "print(sum(len(f.compiled.signatures) for m in modules\n"
        "          for f in vars(m).values() if hasattr(f, 'compiled')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_a_slow_first_call_is_announced_and_works_without_a_cache(monkeypatch, caplog):
    monkeypatch.setattr(jit, "PATIENCE", 0.001)
    jit._said.clear()
    space: dict = {}  # a function of no file has no place for a cache
    exec("def double(x):\n    for i in range(len(x)):\n        x[i] *= 2\n    return x", space)
    with caplog.at_level("WARNING"):
        assert jit.kernel(space["double"])(np.ones(3)).sum() == 6
    assert "compiling the clustering kernels" in caplog.text


def test_a_cache_folder_that_cannot_be_written_is_no_error():
    """An installation that is read-only, in an account without a writable home."""
    code = (
        "import numba.core.caching as caching, numpy as np\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from clustering.pixels import rows\n"
        "print(rows(np.ones((5, 2), np.float32)).take(np.arange(3)).sum())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "6.0"


@pytest.mark.parametrize("seed", range(4))
def test_joining_centres_equals_assigning_to_all(seed):
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=(5, 60, 170)).astype(np.float32)
    mask = rng.random((60, 170)) < (0.9 if seed % 2 else 0.1)
    centres = rng.normal(size=(30, 5)).astype(np.float32)
    pixels = pixel_view.image(embedding, mask)
    whole = assign(pixels, centres, 1.1)
    parts = assign(pixels, centres[:21], 1.1, keep=True, n_threads=1)
    parts = extend(pixels, parts, centres[21:], 1.1, n_threads=2)
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_array_equal(parts.counts, whole.counts)
    np.testing.assert_allclose(parts.means, whole.means, atol=1e-5)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_masks_are_walked_in_words_and_bytes(share):
    rng = np.random.default_rng(8)
    mask = rng.random((41, 211)) < share
    mask[5:9], mask[20:22] = True, False
    embedding = rng.normal(size=(3, *mask.shape)).astype(np.float32)
    for given in (mask, np.where(mask, 255, 0).astype(np.uint8).view(bool)):
        pixels = pixel_view.image(embedding, given)
        ranks = spread(len(pixels), 700)
        np.testing.assert_array_equal(pixels.take(ranks), embedding[:, mask][:, ranks])
        sums = assign(pixels, np.zeros((1, 3), np.float32), 99.0).means[0]
        np.testing.assert_allclose(sums, embedding[:, mask].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(("share", "step"), [(0.05, 1.0), (0.5, 2.0), (0.99, 3.0)])
def test_few_pixels_side_by_side_are_those_of_the_mask(share, step, monkeypatch):
    monkeypatch.setattr("clustering.pixels.SPARSE", 0)
    rng = np.random.default_rng(9)
    mask = rng.random((41, 211)) < share
    mask[-1, -1] = True  # beyond the last word
    embedding = rng.normal(size=(3, *mask.shape)).astype(np.float32)
    view = pixel_view.image(embedding, mask)
    few = view.gathered()
    assert few.axis_step == len(few) == mask.sum()  # no longer the image's own memory
    ranks = spread(len(few), 70)
    np.testing.assert_array_equal(few.take(ranks), embedding[:, mask][:, ranks])
    found, wanted = (pixels.candidates(ranks, step) for pixels in (few, view))
    np.testing.assert_array_equal(found.places, np.flatnonzero(mask)[ranks])
    for some in (found, wanted):
        borders.bar(some.founders(), some.barred)
    assert 0 < wanted.barred.sum() < len(ranks)
    np.testing.assert_array_equal(found.barred, wanted.barred)


@pytest.mark.parametrize("estimator", ALL, ids=str)
def test_results_do_not_depend_on_where_the_pixels_lie(estimator, monkeypatch):
    embedding, labels = image(np.random.default_rng(10), (70, 301))
    assert (labels > 0).mean() > 0.5
    view = estimator.fit_image(embedding, labels > 0).labels_
    monkeypatch.setattr("clustering.pixels.SPARSE", 0)
    np.testing.assert_array_equal(estimator.fit_image(embedding, labels > 0).labels_, view)


@pytest.mark.parametrize("size", [1, 7, 240, 16384, 40_001])
def test_true_pixels_are_counted_whatever_bytes_mean_true(size):
    mask = np.random.default_rng(size).random(size) < 0.6
    mask[-1] = True
    for true in (1, 2, 255):
        given = np.where(mask, true, 0).astype(np.uint8).view(bool)
        pixels = pixel_view.image(np.zeros((1, size), np.float32), given)
        wanted = [np.count_nonzero(mask[:stop]) for stop in pixels.starts]
        np.testing.assert_array_equal(pixels.offsets, wanted)


@pytest.mark.parametrize("kind", ["nearest", "groups", "first within"])
def test_a_distance_that_is_sure_leaves_no_choice(kind):
    rng = np.random.default_rng(11)
    centres = rng.normal(size=(12, 2)).astype(np.float32)
    reach = rng.uniform(0.1, 1.0, 12).astype(np.float32)
    groups = np.arange(12, dtype=np.int32) // 3
    gaps = np.linalg.norm(centres[:, None] - centres, axis=2)
    if kind == "nearest":
        wanted = np.where(np.eye(12), np.inf, gaps).min(axis=1) / 2
    elif kind == "groups":
        others = np.where(groups[:, None] == groups, np.inf, gaps)
        wanted = np.minimum(others.min(axis=1) / 2, reach)
    else:
        earlier = [(gaps[c, :c] - reach[:c]).min(initial=np.inf) for c in range(12)]
        wanted = np.clip(earlier, 0, reach)
    sure = pixel_view._sure(
        centres, reach, kind == "first within", groups if kind == "groups" else None
    )
    np.testing.assert_allclose(np.sqrt(sure), wanted, rtol=1e-5)
    assert (np.sqrt(sure.astype(float)) <= wanted).all()


@pytest.mark.parametrize("share", [0.05, 0.9], ids=["few", "many"])
def test_the_order_of_the_embedding_in_memory_does_not_matter(share: float) -> None:
    """Networks in `channels_last` leave the coordinates of a pixel side by side."""
    rng = np.random.default_rng(7)
    embedding, labels = image(rng, (128, 200))
    mask = (labels > 0) & (rng.random(labels.shape) < share)
    by_pixel = np.moveaxis(np.ascontiguousarray(np.moveaxis(embedding, 0, -1)), -1, 0)
    assert not by_pixel.flags.c_contiguous
    for estimator in (MeanShift(bandwidth=1.0), ThresholdClustering(bandwidth=1.0)):
        expected = clone(estimator).fit_image(embedding, mask)
        found = clone(estimator).fit_image(by_pixel, mask)
        np.testing.assert_array_equal(found.labels_, expected.labels_)
        np.testing.assert_array_equal(found.cluster_centers_, expected.cluster_centers_)


def test_reading_kernels_from_disk_is_not_called_compiling(monkeypatch, caplog):
    monkeypatch.setattr(jit, "on_disk", lambda _: True)
    jit._said.clear()
    with caplog.at_level("WARNING"):
        jit._say(type("Compiled", (), {"signatures": []})())
    assert not caplog.text


def test_a_kernel_on_disk_is_known(tmp_path):
    file = tmp_path / "doubling.py"
    file.write_text(
        "def double(x):\n    for i in range(len(x)):\n        x[i] *= 2\n    return x\n"
    )
    spec = importlib.util.spec_from_file_location("doubling", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    double = jit.kernel(module.double)
    assert not jit.on_disk(double.compiled)
    assert double(np.ones(3)).sum() == 6
    assert jit.on_disk(double.compiled)

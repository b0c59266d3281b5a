"""Equal results on threads, layouts and devices; read-only, half and memory-mapped input."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from clustering import CLUSTERERS, DBSCAN, HDBSCAN, MeanShift, ThresholdClustering, base, jit
from clustering.nearest import assign
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


def test_import_compiles_nothing_and_a_bad_cache_folder_is_no_error():
    code = (
        "import numba\n"
        "real = numba.njit\n"
        "def njit(*a, **k):\n"
        "    if k.pop('cache', False): raise RuntimeError('no locator available')\n"
        "    return real(*a, **k)\n"
        "numba.njit = njit\n"
        "from clustering import kernels\n"
        "import numpy as np\n"
        "print(len(kernels.take.compiled.signatures))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_a_slow_first_call_is_announced(monkeypatch, caplog):
    monkeypatch.setattr(jit, "PATIENCE", 0.01)
    jit._said.clear()
    fresh = jit.kernel(_loop)
    with caplog.at_level("WARNING"):
        fresh(np.ones(3))
    assert "compiling the clustering kernels" in caplog.text


def _loop(values):
    total = 0.0
    for value in values:
        total += value
    return total

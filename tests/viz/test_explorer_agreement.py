"""What the explorer finds at a bandwidth is what Python finds there, on trained networks' output.

Beside the small network that the suite trains, EMBEDSEG_RUN may name a run trained on CVPPP: its
20 validation plants are then compared too.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from clustering import MeanShift
from embedseg.data import open_dataset
from embedseg.inference.segment import instances
from embedseg.inference.spec import ModelSpec
from embedseg.model import Model
from embedseg.visualize import Seen, explore
from embedseg.viz import write_explorer
from embedseg.viz.explorer_data import pack

from .explorer_page import labels_of, show, text
from .scenes import discs, embed, photo

pytestmark = pytest.mark.browser


CLUSTERS = """((bandwidth) => {
  const { found } = clusterFounders(explorer.data.groups[0], explorer.data, bandwidth);
  return [found.centers.length, Array.from(found.labels)]; })"""


def clusters(browser, result, bandwidth):
    """Clusters in the browser and in Python of the same points, and the ARI of their labels."""
    packed = pack(result.embedding, 1 - result.semantic[0])
    python = MeanShift(bandwidth).fit_image(packed.unpack(), packed.mask & result.core)
    count, labels = browser.run(f"{CLUSTERS}({bandwidth})")
    return count, len(python.cluster_centers_), adjusted_rand_score(labels, python.labels_)


def agreement(browser, model, sample, folder, bandwidths):
    """Per bandwidth: instances in the browser and in Python, and the ARI of their labels."""
    result = model.segment(sample.image).renamed(sample.name)
    show(browser, explore(folder, Seen(result, sample.labels), model.spec, {}))
    for bandwidth in bandwidths:
        python = model.segment(sample.image, clusterer=MeanShift(bandwidth))
        assert browser.run(f"explorer.recluster({bandwidth})")
        found = labels_of(browser)
        size = python.labels.shape
        wanted = python.labels if found.shape == size else None
        assert wanted is not None, "the page shows the picture at its own size"
        both = (found > 0) | (wanted > 0)
        ari = adjusted_rand_score(found[both], wanted[both]) if both.any() else 1.0
        yield int(text(browser, "#count")), len(python), ari
    assert browser.errors == []


def test_on_a_small_trained_network(browser, tiny_run, scenes, tmp_path):
    model = Model.load(tiny_run, device="cpu", amp="off")
    bandwidth = model.spec.default_bandwidth
    for sample in open_dataset(f"folder:{scenes}"):
        for mine, theirs, ari in agreement(browser, model, sample, tmp_path, (bandwidth,)):
            assert mine == theirs, sample.name
            assert ari >= 0.99, sample.name
        result = model.segment(sample.image)
        for other in (bandwidth, 0.6 * bandwidth):  # on the same values, any bandwidth
            mine, theirs, ari = clusters(browser, result, other)
            assert mine == theirs, (sample.name, other)
            assert ari == 1.0, (sample.name, other)


@pytest.mark.parametrize("merge", [0.0, 1.1])
def test_classes_are_clustered_by_themselves_and_near_means_merged(browser, tmp_path, merge):
    labels = discs(9, 96)
    spec = ModelSpec(backbone="unet", classes=3, core_step=0.0, merge=merge, min_size=5)
    rng = np.random.default_rng(0)
    means = np.array([[0, 0], [1, 0], [2, 0], [5, 0], [0, 5]])  # three in a row, nearer than 1.1
    embedding = means[labels % 5].transpose(2, 0, 1) + rng.normal(0, 0.05, (2, *labels.shape))
    classes = np.where(labels > 5, 2, labels > 0)  # ids 6.. have the vectors of 1.. in class 2
    semantic = np.eye(3, dtype=np.float32)[classes].transpose(2, 0, 1)
    python = instances(
        torch.tensor(embedding, dtype=torch.float32), semantic, labels.shape, spec,
        image=photo(labels), name="classes", clusterer=MeanShift(0.5),
    )  # fmt: skip
    assert len(python) == (9 if merge == 0 else 7)
    show(browser, explore(tmp_path, Seen(python, None), spec, {}))
    assert browser.run("explorer.recluster(0.5)")
    found = labels_of(browser)
    inside = labels > 0
    assert int(text(browser, "#count")) == len(python)
    assert adjusted_rand_score(found[inside], python.labels[inside]) == 1.0
    assert browser.errors == []


@pytest.mark.slow
def test_on_twenty_real_plants(browser, data_root, tmp_path, artifacts):
    run = os.environ.get("EMBEDSEG_RUN")
    if not run or not Path(run).is_dir():
        pytest.skip("no network trained on CVPPP; name its run in EMBEDSEG_RUN")
    model = Model.load(run, device="cpu")
    plants = open_dataset(f"cvppp:{data_root / 'cvppp'}#val")
    lines, points = [], []
    for sample in list(plants)[:20]:
        [(mine, theirs, ari)] = agreement(
            browser, model, sample, tmp_path, (model.spec.default_bandwidth,)
        )
        result = model.segment(sample.image)
        points.append((sample.name, *clusters(browser, result, model.spec.default_bandwidth)))
        lines.append((sample.name, mine, theirs, round(ari, 4)))
    (artifacts / "agreement.txt").write_text("\n".join(map(str, points + lines)) + "\n")
    assert len(points) == 20
    assert [line for line in points if line[1] != line[2] or line[3] < 0.99] == []
    assert np.mean([line[3] for line in lines]) > 0.98  # whole pictures, quantised, upsampled


def test_where_too_few_pixels_may_found_a_cluster_all_may(browser, tmp_path):
    labels = discs(4, 64)
    core = np.zeros(labels.shape, bool)
    core[labels > 0] = np.arange((labels > 0).sum()) < 3  # three pixels: fewer than min_points
    page = write_explorer(
        tmp_path / "few.html", photo(labels), embed(labels), labels > 0, np.zeros_like(labels),
        bandwidth=1.5, core=core,
    )  # fmt: skip
    show(browser, page)
    assert browser.run("explorer.recluster(1.5)")
    found, inside = labels_of(browser), labels > 0
    assert adjusted_rand_score(found[inside], labels[inside]) == 1.0

"""Time, agreement and memory of the clusterers on pixel embeddings, against common libraries.

    python scripts/benchmark_clustering.py [--case leaf ...] [--run RUN --data cvppp:DIR#val]
    python scripts/benchmark_clustering.py --quick
    python scripts/benchmark_clustering.py --device cuda

Every code clusters the same foreground pixels in one process. Ours are medians over --repeats
calls, in turn with one read of the foreground embedding, the floor (`reads`). A rival is run as
often as fits into --patience seconds, at least once (column `runs`), on one thread: its joblib
workers cost more than they save here. `ratio` is its time to that of the line of ours below it,
which is measured again after each run of the rival: the median over these pairs, since a machine
may be twice as slow for a second. ARI and recall (share of the true instances matched at IoU > 0.5)
are against the truth; `MB` is the peak of one call beyond what was in use before. With --run, the
clusterers see what the network of that run makes of labelled pictures of --data, at the run's own
bandwidth. With --device, a batch of lane images is clustered by one call on that device.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from benchmark_cases import Scene, simulate, trained
from measuring import Work, medians, peak_memory, timed
from numpy.typing import NDArray
from sklearn import cluster
from sklearn.metrics import adjusted_rand_score

from clustering import DBSCAN, HDBSCAN, MeanShift, PixelClusterer, ThresholdClustering
from clustering.pixels import image
from embedseg.metrics.instance import symmetric_best_dice

BANDWIDTH = 1.0  # the product's own for margins of 0.5 and 1.5
DENSITY = {"min_cluster_size": 200, "min_samples": 20}
EPS, CORE = 0.45, 20
CASES = ("leaf", "lane", "city", "volume")
BATCH = 8  # images in one call
PAIRED = 5  # calls of ours after each run of a rival
WITHOUT_RIVAL = ("volume",)  # hours

Labels = NDArray[Any]
Fit = Callable[[NDArray[np.float32]], Any]


class Row(NamedTuple):
    """One line of the table; `runs` is how often it was run, `ratio` is 0 for ours."""

    name: str
    seconds: float
    ratio: float
    reads: float
    ari: float
    recall: float
    sbd: float
    clusters: int
    memory: int
    runs: int


def rivals(bandwidth: float) -> dict[str, dict[str, Fit]]:
    """Return the libraries' clusterers of points (N, E) by the name of ours that they rival."""

    def mean_shift(points: NDArray[np.float32]) -> Labels:
        fitted = cluster.MeanShift(bandwidth=bandwidth, bin_seeding=True).fit(points)
        return np.asarray(fitted.labels_)

    def hdbscan_package(points: NDArray[np.float32]) -> Labels:
        import hdbscan

        return np.asarray(hdbscan.HDBSCAN(core_dist_n_jobs=1, **DENSITY).fit_predict(points))

    def hdbscan_sklearn(points: NDArray[np.float32]) -> Labels:
        return np.asarray(cluster.HDBSCAN(copy=True, **DENSITY).fit_predict(points))

    def dbscan(points: NDArray[np.float32]) -> Labels:
        return np.asarray(cluster.DBSCAN(eps=EPS, min_samples=CORE).fit_predict(points))

    return {
        "MeanShift": {"scikit-learn MeanShift, bins": mean_shift},
        "HDBSCAN": {"hdbscan": hdbscan_package, "scikit-learn HDBSCAN": hdbscan_sklearn},
        "DBSCAN": {"scikit-learn DBSCAN": dbscan},
    }


def ours(bandwidth: float, threads: int) -> dict[str, PixelClusterer]:
    """Return the product's clusterers."""
    return {
        "MeanShift": MeanShift(bandwidth, n_threads=threads),
        "MeanShift, Gaussian": MeanShift(bandwidth, kernel="gaussian", n_threads=threads),
        "ThresholdClustering": ThresholdClustering(bandwidth, min_points=10, n_threads=threads),
        "HDBSCAN": HDBSCAN(**DENSITY, n_threads=threads),
        "DBSCAN": DBSCAN(EPS, min_samples=CORE, n_threads=threads),
    }


def benchmark(
    scene: Scene, repeats: int, patience: float, threads: int, families: tuple[str, ...]
) -> tuple[list[Row], float]:
    """Measure the codes on one scene: (rows, seconds of one read of the foreground)."""
    mask = scene.mask
    pixels = image(scene.embedding, mask)

    def one_read() -> None:
        pixels.over_chunks(lambda first, last: read(*pixels.layout(), first, last), threads)

    rows: list[Row] = []
    floor = 0.0
    for name, estimator in ours(scene.bandwidth, threads).items():
        if not name.startswith(families):
            continue

        def fit(estimator: PixelClusterer = estimator) -> Any:
            return estimator.fit_image(scene.embedding, mask)

        fit(), one_read()  # compile
        memory = peak_memory(fit)
        seconds = medians({"fit": fit, "read": one_read}, repeats)
        floor = floor or seconds["read"]
        own = score(name, scene, estimator.labels_, seconds["fit"], seconds["read"])
        if scene.name not in WITHOUT_RIVAL:
            for rival, other in rivals(scene.bandwidth).get(name, {}).items():
                rows.append(run_rival(rival, other, fit, scene, patience, floor))
        rows.append(own._replace(memory=memory, runs=repeats))
    return rows, floor


def run_rival(name: str, fit: Fit, own: Work, scene: Scene, patience: float, floor: float) -> Row:
    """Return the line of a library's clusterer, run for `patience` seconds, each time with ours."""
    points = np.ascontiguousarray(scene.embedding[:, scene.mask].T)
    found: list[Labels] = []
    seconds: list[float] = []
    ratios: list[float] = []

    def work() -> None:
        found[:] = [fit(points)]

    def compare() -> None:
        own()  # its kernels and data come back into the caches
        ratios.append(seconds[-1] / medians({"own": own}, PAIRED)["own"])

    start = time.perf_counter()
    memory = peak_memory(lambda: seconds.append(timed(work)))
    compare()
    while time.perf_counter() - start + seconds[-1] <= patience:
        seconds.append(timed(work))
        compare()
    row = score(name, scene, found[0], statistics.median(seconds), floor)
    return row._replace(ratio=statistics.median(ratios), memory=memory, runs=len(seconds))


def score(name: str, scene: Scene, labels: Labels, seconds: float, floor: float) -> Row:
    """Return the line of labels (N,) of the foreground pixels, NOISE -1."""
    truth = scene.labels[scene.mask]
    predicted = np.asarray(labels) + 1
    table = np.zeros((predicted.max() + 1, truth.max() + 1), np.int64)
    np.add.at(table, (predicted, truth), 1)
    union = table.sum(1, keepdims=True) + table.sum(0, keepdims=True) - table
    present = table.sum(0) > 0
    matched = (table[1:] > 0.5 * union[1:]).any(axis=0)[present]
    return Row(
        name=name,
        seconds=seconds,
        ratio=0.0,
        reads=seconds / floor,
        ari=float(adjusted_rand_score(truth, labels)),
        recall=float(matched.mean()),
        sbd=symmetric_best_dice(predicted, truth),
        clusters=int(predicted.max()),
        memory=-1,
        runs=1,
    )


@numba.njit(nogil=True, fastmath=True)  # never cached: this file has several module names
def read(
    values: Any, mask: Any, words: Any, by_pixel: int, by_axis: int, starts: Any, _: Any,
    first: int, last: int,
) -> float:  # fmt: skip
    """Add up all coordinates of the True pixels, run by run: as fast as memory is read."""
    total = np.zeros(64, np.float32)
    dims = len(values) // len(mask)
    for chunk in range(first, last):
        pixel = starts[chunk]
        stop = starts[chunk + 1]
        while pixel < stop:
            if pixel % 8 == 0 and pixel + 8 <= stop and words[pixel // 8] == 0:
                pixel += 8
                continue
            end = pixel
            while end < min(stop, pixel + 64) and mask[end]:
                end += 1
            for axis in range(dims):
                row = values[pixel * by_pixel + axis * by_axis : end + axis * by_axis]
                for i in range(len(row)):
                    total[i] += row[i]
            pixel = max(end, pixel + 1)
    return total.sum()


def batch(device: str, repeats: int) -> tuple[float, float]:
    """Time one call for BATCH lane images on `device`: (median seconds, least ARI to the host).

    A GPU has to have ended its work before a clock is read.
    """
    scene = simulate("lane", BANDWIDTH)
    host = MeanShift(BANDWIDTH).fit_image(scene.embedding, scene.mask).labels_
    embeddings = torch.from_numpy(np.stack([scene.embedding] * BATCH)).to(device)
    masks = torch.from_numpy(np.stack([scene.mask] * BATCH)).to(device)
    estimator = MeanShift(BANDWIDTH)

    def fit() -> None:
        estimator.fit_images(embeddings, masks)
        if embeddings.is_cuda:
            torch.cuda.synchronize(embeddings.device)

    fit()  # compile
    seconds = medians({"fit": fit}, repeats)["fit"]
    labels = estimator.labels_.cpu().numpy().reshape(BATCH, -1)
    return seconds, min(adjusted_rand_score(host, own) for own in labels)


def mean_of(tables: list[list[Row]]) -> list[Row]:
    """Return the rows of several scenes as one: means of scores, medians of times and ratios."""
    rows = []
    for same in zip(*tables, strict=True):
        middle = {
            key: statistics.median([getattr(row, key) for row in same])
            for key in ("seconds", "ratio", "reads", "memory")
        }
        scores = {
            key: statistics.mean([getattr(row, key) for row in same])
            for key in ("ari", "recall", "sbd", "clusters")
        }
        rows.append(same[0]._replace(**middle, **scores))
    return rows


def table(rows: list[Row], floor: float) -> str:
    """Lay the rows out."""
    lines = [
        f"{'code':30}{'ms':>11}{'ratio':>8}{'reads':>9}{'ARI':>8}{'recall':>8}{'SBD':>8}"
        f"{'found':>7}{'MB':>8}{'runs':>6}"
    ]
    for row in rows:
        name = row.name if row.ratio else f"ours: {row.name}"
        ratio = f"{row.ratio:.0f}" if row.ratio else ""
        lines.append(
            f"{name:30}{row.seconds * 1e3:11.2f}{ratio:>8}{row.reads:9.1f}{row.ari:8.4f}"
            f"{row.recall:8.3f}{row.sbd:8.4f}{row.clusters:7.0f}{row.memory / 1e6:8.1f}{row.runs:6}"
        )
    return "\n".join([*lines, f"{'one read of the foreground':30}{floor * 1e3:11.2f}"])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--case", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--quick", action="store_true", help="one small case, in a minute")
    parser.add_argument("--run", type=Path, help="run folder of a trained network")
    parser.add_argument("--data", help="labelled pictures for --run, as in cvppp:DIR#val")
    parser.add_argument("--pictures", type=int, default=5, help="of --data, evenly chosen")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--patience", type=float, help="seconds for a rival; 20, with --quick 5")
    parser.add_argument("--device", help="time a batch of lane images there instead, as cuda")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    if bool(arguments.run) != bool(arguments.data):
        parser.error("--run and --data go together")
    if arguments.patience is None:
        arguments.patience = 5.0 if arguments.quick else 20.0
    if arguments.device:
        seconds, ari = batch(arguments.device, arguments.repeats)
        print(f"{BATCH} lane images in one call on {arguments.device}: {seconds * 1e3:.2f} ms,")
        print(f"the labels against the host's one by one: least ARI {ari:.4f}")
        return
    report(arguments)


def report(arguments: argparse.Namespace) -> None:
    """Print the tables that were asked for."""
    threads = arguments.threads
    print(f"ours on {threads} threads, rivals on 1; eps {EPS}, min_samples {CORE}, {DENSITY}")
    if arguments.run:
        scenes = trained(arguments.run, arguments.data, arguments.pictures)
        measured = [
            benchmark(s, arguments.repeats, 0.0, threads, ("MeanShift", "Threshold", "HDBSCAN"))
            for s in scenes
        ]
        print(f"\n{arguments.run}, {len(scenes)} pictures, the first {scenes[0]}")
        floor = statistics.median([floor for _, floor in measured])
        print(table(mean_of([rows for rows, _ in measured]), floor))
        return
    for name in ["quick"] if arguments.quick else arguments.case:
        scene = simulate(name, BANDWIDTH)
        families = ("MeanShift", "Threshold", "HDBSCAN", "DBSCAN")
        if name in ("city", "volume"):  # the others take minutes to hours and gigabytes
            families = ("MeanShift", "Threshold")
        rows, floor = benchmark(scene, arguments.repeats, arguments.patience, threads, families)
        print(f"\n{scene}\n{table(rows, floor)}", flush=True)


if __name__ == "__main__":
    main()

"""Mean-shift on a volume that lies in a file: time and memory against the number of points.

    python scripts/benchmark_volume.py [--points 1e8] [--dims 4] [--folder DIR]

Writes an embedding (E, D, H, W) float32 of 300 touching boxes into a file in DIR (16 bytes a point
at 4-D; removed at the end), with a plane of values half way between two boxes at each border, which
the ARI does not count; maps it, and clusters it in place. `extra` is the most anonymous memory
during the call beyond that before, so labels and all tables count and the mapped file does not.
"""

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from clustering import MeanShift

BOXES = (12, 5, 5)
NOISE = 0.2  # of one coordinate
EVERY = 997  # one point in so many is compared with the truth


def main() -> None:
    """Make the volume, cluster it, print one line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--points", type=float, default=1e8)
    parser.add_argument("--dims", type=int, default=4)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    side = round((arguments.points / 1.6) ** (1 / 3))
    shape = (round(arguments.points / side**2), side, side)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        file = Path(folder) / "embedding.npy"
        labels = write(file, shape, arguments.dims)
        report(np.load(file, mmap_mode="r"), labels, arguments.threads)


def write(file: Path, shape: tuple[int, ...], dims: int) -> NDArray[np.int16]:
    """Write the embedding (E, *shape) slice by slice; return the labels (*shape), -1 on borders."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(5) * 3.2] * dims, indexing="ij"), -1).reshape(-1, dims)
    places = grid[rng.choice(len(grid), np.prod(BOXES), replace=False)].astype(np.float32)
    at = [np.arange(n) * count // n for n, count in zip(shape, BOXES, strict=True)]
    labels = (at[0][:, None, None] * BOXES[1] + at[1][:, None]) * BOXES[2] + at[2]
    labels = labels.astype(np.int16)
    out = np.lib.format.open_memmap(file, "w+", np.float32, (dims, *shape))
    noise = rng.uniform(-NOISE, NOISE, (dims, *shape[1:])).astype(np.float32)
    truth = labels.copy()
    for depth, here in enumerate(labels):
        values = places[here]
        for near, far in ((labels[max(depth - 1, 0)], here), (here[:-1], here[1:])):
            edge = near != far
            first = values[: len(edge)]
            first[edge] = (places[near[edge]] + places[far[edge]]) / 2
            truth[depth, : len(edge)][edge] = -1
        turned = np.roll(noise, depth * 31, axis=2)
        out[:, depth] = np.moveaxis(values, -1, 0) + turned
    out.flush()
    return truth


def report(embedding: NDArray[np.float32], labels: NDArray[np.int16], threads: int) -> None:
    """Cluster and print seconds, memory and agreement."""
    mask = np.ones(labels.shape, bool)
    small = np.ascontiguousarray(embedding[:, :2, :40, :40])
    MeanShift(1.0, n_threads=threads).fit_image(small, mask[:2, :40, :40])  # compile
    before, most, done = anonymous(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, busy = time.perf_counter(), time.process_time()
    fitted = MeanShift(1.0, n_threads=threads).fit_image(embedding, mask)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    done.set()
    watcher.join()
    truth, found = labels.reshape(-1)[::EVERY], fitted.labels_[::EVERY]
    ari = adjusted_rand_score(truth[truth >= 0], found[truth >= 0])
    print(
        f"{embedding.shape}, {labels.size:.3g} points, {embedding.nbytes / 1e9:.2f} GB: "
        f"{seconds:.2f} s ({busy:.2f} s of processors, {threads} threads), extra "
        f"{(most[0] - before) / 1e6:.0f} MB of which labels {fitted.labels_.nbytes / 1e6:.0f}, "
        f"{len(fitted.cluster_centers_)} of {np.prod(BOXES)} clusters, ARI {ari:.4f}"
    )


def anonymous() -> int:
    """Return the bytes of this process that belong to no file."""
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in status if line.startswith("RssAnon")).split()[1])


if __name__ == "__main__":
    main()

"""Whole prediction against the network alone: what everything around the network costs.

    python scripts/benchmark_pipeline.py [--run RUN] [--images FOLDER] [--repeats 5]
    python scripts/benchmark_pipeline.py --quick

Without --run an ENet of random weights is used, with an embedding made of the true labels' ids in
its place, so that clustering and cleaning work on as many pixels and instances as in earnest.
Prints medians: the network alone, as it was trained and as `predict` runs it (its norms folded, in
full precision), picture by picture with all threads and a picture for each thread; `segment`
(picture to labels); `predict` (files to files); and the medians of their ratios to both ways of
running the network as `predict` does. `MB` is the peak of one call beyond what was in use before.
Below stands of how many pictures the label files hold what `segment` finds, and, without --run, the
SBD against the truth. --quick takes small pictures and few repeats.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from measuring import peak_memory

from embedseg._cv2 import cv2
from embedseg.data import Dataset, open_dataset
from embedseg.device import keep_memory
from embedseg.inference.folding import fold_norms
from embedseg.inference.segment import picture_batch
from embedseg.inference.spec import ModelSpec
from embedseg.io import list_images, read_image, read_labels, write_image
from embedseg.metrics.instance import symmetric_best_dice
from embedseg.model import Model, build_from_spec
from embedseg.predict import predict_files
from embedseg.side_by_side import kept_threads, share

Batch = torch.Tensor
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
GENERATED = "leaves:8,3,size=512,leaves=12-20"
QUICK, QUICK_REPEATS = "leaves:2,3,size=160,leaves=4-6", 1


class Ideal(Model):
    """A model that runs its network in full and then answers with the truth of each picture."""

    def __init__(self, spec: ModelSpec, samples: Dataset, **options: str) -> None:
        super().__init__(build_from_spec(spec), spec, **options)
        if self.amp == "off":  # as Model.load does
            self.compute = fold_norms(self.network)
        generator = torch.Generator().manual_seed(0)
        centres = 1.5 * torch.randn(64, spec.embedding_dim, generator=generator)
        self.ideal = []
        for sample in samples:
            shape = (*sample.labels.shape, spec.embedding_dim)
            noise = 0.03 * torch.randn(shape, generator=generator)
            labels = torch.from_numpy(sample.labels)
            embedding = (centres[labels] + noise).permute(2, 0, 1)  # channels last, as a network's
            semantic = 20.0 * (labels > 0).float() - 10
            rims = cv2.morphologyEx(sample.labels.astype(np.uint8), cv2.MORPH_GRADIENT, CROSS) > 0
            seed = semantic - 20.0 * torch.from_numpy(
                rims
            )  # no trust in pixels beside another label
            outputs = {"embedding": embedding, "semantic": semantic[None], "seed": seed[None]}
            self.ideal.append((thumbnail(sample.image), {k: v[None] for k, v in outputs.items()}))

    def __call__(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return perfect outputs, after the network's own work."""
        super().__call__(batch)
        seen = thumbnail(batch[0].permute(1, 2, 0).numpy())
        gaps = [np.abs(seen - known).sum() for known, _ in self.ideal]
        return self.ideal[int(np.argmin(gaps))][1]


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Return a few pixels of a picture (H, W, 3), by which it is known again."""
    return image[::37, ::41].astype(int)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, help="a trained run, instead of ENet and ideal outputs")
    parser.add_argument("--images", type=Path, help="pictures for --run")
    parser.add_argument("--backbone", default="enet")
    parser.add_argument("--amp", default="auto")
    parser.add_argument("--repeats", type=int, help="5, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="small pictures, in a minute")
    arguments = parser.parse_args()
    keep_memory()
    repeats = arguments.repeats or (QUICK_REPEATS if arguments.quick else 5)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.run:
            model = Model.load(arguments.run, amp=arguments.amp)
            files = list_images([str(arguments.images)])
            truth = None
        else:
            samples = open_dataset(QUICK if arguments.quick else GENERATED).in_memory()
            files = written(samples, Path(folder) / "images")
            truth = [sample.labels for sample in samples]
            size = max(samples[0].labels.shape)
            spec = ModelSpec(backbone=arguments.backbone, working_size=size, seed_head=True)
            model = Ideal(spec, samples, device="cpu", amp=arguments.amp)
        report(model, files, Path(folder) / "out", repeats)
        same, dice = agreement(model, files, Path(folder) / "out", truth)
        print(f"label files as `segment` has them: {same} of {len(files)}; SBD {dice:.4f}")


def written(samples: Dataset, folder: Path) -> list[Path]:
    """Write the pictures of `samples` as PNG files and return these."""
    files = [folder / f"{sample.name}.png" for sample in samples]
    for sample, file in zip(samples, files, strict=True):
        write_image(file, sample.image)
    return files


def agreement(
    model: Model, files: list[Path], out: Path, truth: list[np.ndarray] | None
) -> tuple[int, float]:
    """Return how many label files in `out` hold what `segment` finds, and the SBD, nan if unknown.

    `truth` are the pictures' true labels, where they are known.
    """
    stored = [read_labels(out / f"{file.stem}_labels.tif") for file in files]
    found = [model.segment(read_image(file)).labels for file in files]
    same = sum(np.array_equal(a, b) for a, b in zip(stored, found, strict=True))
    if truth is None:
        return same, float("nan")
    return same, statistics.mean(map(symmetric_best_dice, stored, truth))


def report(model: Model, files: list[Path], out: Path, repeats: int) -> None:
    """Print the table for these pictures."""
    pictures = [read_image(file) for file in files]
    jpegs = [out.with_name("jpegs") / f"{file.stem}.jpg" for file in files]
    for picture, file in zip(pictures, jpegs, strict=True):
        write_image(file, picture)
    batches = [picture_batch(p, model.spec)[0] for p in pictures]
    one_by_one, paired = "network, picture by picture", "network, a picture for each thread"
    works: dict[str, Callable[[], object]] = {
        "network, norms not folded": lambda: [as_trained(model, b) for b in batches],
        one_by_one: lambda: [Model.__call__(model, b) for b in batches],
        paired: lambda: beside_each_other(lambda b: Model.__call__(model, b), batches),
        "segment: picture to labels": lambda: [model.segment(p) for p in pictures],
        "predict: file to label file": lambda: predict_files(
            model, files, out, products=["labels"]
        ),
        "predict: and overlay": lambda: predict_files(model, files, out),
        "predict: of JPEG, and overlay": lambda: predict_files(model, jpegs, out / "jpegs"),
    }
    memory = {name: peak_memory(work) for name, work in works.items()}
    seconds = in_turns(works, repeats)
    count = sum(len(model.segment(p)) for p in pictures)
    print(
        f"{model.spec.backbone} at {tuple(batches[0].shape[2:])}, mixed precision {model.amp}, "
        f"{torch.get_num_threads()} threads, {len(files)} pictures, {count} instances found"
    )
    print(f"{'':<36}{'ms a picture':>14}{'/ one by one':>14}{'/ each thread':>15}{'MB':>8}")
    for name, times in seconds.items():
        ratios = [
            statistics.median(a / b for a, b in zip(times, seconds[other], strict=True))
            for other in (one_by_one, paired)
        ]
        each = 1000 * statistics.median(times) / len(files)
        print(
            f"{name:<36}{each:>14.1f}{ratios[0]:>14.2f}{ratios[1]:>15.2f}{memory[name] / 1e6:>8.1f}"
        )


def as_trained(model: Model, batch: Batch) -> None:
    """Run the network as it was trained, its norms not folded."""
    compute, model.compute = model.compute, model.network
    Model.__call__(model, batch)
    model.compute = compute


def in_turns(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each work in each of the repeats, after one that is not counted.

    They take turns, so that a slow moment of the machine falls on all of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def beside_each_other(work: Callable[[Batch], object], batches: list[Batch]) -> None:
    """Do the work on each batch, a thread for each of torch's threads."""
    with (
        kept_threads(),
        ThreadPoolExecutor(torch.get_num_threads(), initializer=share, initargs=(1,)) as pool,
    ):
        list(pool.map(work, batches))


if __name__ == "__main__":
    main()

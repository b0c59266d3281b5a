"""The demonstration: generated leaves in, a trained model, its scores and its pictures out."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote

from embedseg.data import Dataset, Sample, open_dataset
from embedseg.inference.result import Segmentation
from embedseg.io import InputError, make_folder, write_image, write_labels
from embedseg.metrics import Scores, score_images
from embedseg.model import Model
from embedseg.training.loop import train
from embedseg.training.options import read_config
from embedseg.viz import SummaryRow, compare, overlay, pca_rgb, write_summary_page

# another seed than training and validation
HELD_OUT = "leaves:16,1000,size=192,leaves=4-8,reach=58-70"
MARK = "made-by-embedseg-demo"  # a folder with this file in it may be replaced
EARLIER = ".earlier"  # where an earlier demonstration waits until the new one is whole


def demo(out: Path, *, minutes: float = 1.5, device: str = "auto") -> str:
    """Train, score, segment and draw into the folder `out`; return what to tell the user.

    Training takes at most `minutes`; the schedule runs down within them on a slow machine too.
    An earlier demonstration in `out` is replaced once this one is whole; a folder that holds
    something else raises InputError.
    """
    if not minutes > 0:
        raise ValueError(f"--minutes must be > 0, got {minutes:g}")
    with replacing(out):
        return run_demo(out, minutes, device)


def run_demo(out: Path, minutes: float, device: str) -> str:
    """Do what `demo` does, in a folder that is there."""
    config = read_config(["--config", "demo", "--run", str(out / "run"), "--device", device])
    run = train(replace(config, time_limit=minutes))
    model = Model.load(run, device=device)
    samples = open_dataset(HELD_OUT)
    results = [model.segment(sample.image).renamed(sample.name) for sample in samples]
    scores = score_images(
        (sample.name, result.labels, sample.labels, result.scores)
        for sample, result in zip(samples, results, strict=True)
    )
    page = write_pictures(out, samples, results, scores)
    return tell(scores, out, page)


@contextmanager
def replacing(out: Path) -> Iterator[None]:
    """Let the block fill `out`, which is new, empty or an earlier demonstration's.

    That one is put back if an error or the user ends the block, and deleted otherwise.
    """
    ours = (out / MARK).is_file()
    if out.exists() and not ours and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: holds something else than a demo; choose another --out")
    earlier = make_folder(out) / EARLIER
    if ours and not earlier.is_dir():  # there already: put aside by one that was killed
        move_all(out, make_folder(earlier))
    empty(out)
    (out / MARK).touch()
    try:
        yield
    except BaseException as error:
        if earlier.is_dir():
            empty(out)
            move_all(earlier, out)
            earlier.rmdir()
        elif isinstance(error, KeyboardInterrupt) and (out / "run" / "config.yaml").is_file():
            go_on = f"its training goes on with: embedseg train --resume {quote(str(out / 'run'))}"
            raise KeyboardInterrupt(go_on) from None
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def empty(out: Path) -> None:
    """Remove everything in a folder but what was put aside."""
    for path in out.iterdir():
        if path.name != EARLIER:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def move_all(folder: Path, to: Path) -> None:
    """Move everything in a folder, but what was put aside, into another on the same disk."""
    for path in folder.iterdir():
        if path.name != EARLIER:
            path.rename(to / path.name)


def write_pictures(
    out: Path, samples: Dataset, results: list[Segmentation], scores: Scores
) -> Path:
    """Write images, truth, labels, overlays and embeddings as files, and the page over them."""
    cards = []
    figures = dict(scores.rows)
    for sample, result in zip(samples, results, strict=True):
        write_image(out / "images" / f"{sample.name}.png", sample.image)
        write_labels(out / "truth" / f"{sample.name}.png", sample.labels)
        result.save_products(out / "predictions", ["labels", "overlay", "pca"])
        row = figures[sample.name]
        cards.append(
            SummaryRow(
                sample.name,
                overlay(sample.image, result.labels),
                {
                    "overlay": f"predictions/{sample.name}_overlay.jpg",
                    "embedding": f"predictions/{sample.name}_pca.png",
                    "image": f"images/{sample.name}.png",
                },
                {"SBD": row["SBD"], "leaves": len(result), "DiC": row["DiC"]},
            )
        )
    first: Sample = samples[0]
    mask = results[0].semantic[0] < 0.5
    return write_summary_page(
        out,
        cards,
        title="embedseg demo",
        intro="A network learned leaves from generated plants; these plants it never saw.",
        facts={key: scores.summary[key] for key in ("SBD", "|DiC|", "FgBgDice", "AP50")},
        figures=[
            ("the picture", first.image),
            (
                "its embedding: the first three principal components",
                pca_rgb(results[0].embedding, mask)[0],
            ),
            (
                "prediction against truth",
                compare(first.image, results[0].labels, first.labels, key=True),
            ),
        ],
    )


def tell(scores: Scores, out: Path, page: Path) -> str:
    """Return the scores and where to look."""
    s = scores.summary
    return (
        f"on {len(scores.images)} generated plants the network never saw:\n"
        f"  SBD {s['SBD']:.3f}   |DiC| {s['|DiC|']:.2f}   foreground Dice {s['FgBgDice']:.3f}   "
        f"AP50 {s['AP50']:.3f}\n"
        f"look at    {page}\n"
        f"pictures   {out / 'predictions'}\n"
        f"the run    {out / 'run'} (curves in results.html)\n"
        f"next       embedseg predict {out / 'run'} YOUR_IMAGES --out predictions"
    )

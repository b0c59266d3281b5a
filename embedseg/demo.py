"""The demonstration: generated leaves in, a trained model, its scores and its pictures out."""

import shutil
from dataclasses import replace
from pathlib import Path

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


def demo(out: Path, *, minutes: float = 1.5, device: str = "auto") -> str:
    """Train, score, segment and draw into the folder `out`; return what to tell the user.

    Training takes at most `minutes`; the schedule runs down within them on a slow machine too.
    A folder of an earlier demonstration is replaced, any other raises InputError.
    """
    prepare_folder(out)
    config = read_config(["--config", "demo", "--run", str(out / "run"), "--device", device])
    run = train(replace(config, time_limit=minutes))
    model = Model.load(run, device=device)
    samples = open_dataset(HELD_OUT)
    results = [replace(model.segment(sample.image), name=sample.name) for sample in samples]
    scores = score_images(
        (sample.name, result.labels, sample.labels, result.scores)
        for sample, result in zip(samples, results, strict=True)
    )
    page = write_pictures(out, samples, results, scores)
    return tell(scores, out, page)


def prepare_folder(out: Path) -> None:
    """Make `out` empty if it is ours or new."""
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: holds something else than a demo; choose another --out")
    shutil.rmtree(out, ignore_errors=True)
    (make_folder(out) / MARK).touch()


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

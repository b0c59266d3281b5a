"""The leaf figures of this project beside the published ones, on your own copy of CVPPP.

    python scripts/reproduce_cvppp.py CVPPP/A1 --folds 5 --minutes 25       # trains, plants grouped
    python scripts/reproduce_cvppp.py CVPPP/A1 --train-list F --val-list G  # trains on a split
    python scripts/reproduce_cvppp.py CVPPP/A1 --run runs/leaves --val-list G  # scores a run

Words after the options go to `embedseg train --config leaves`. A second call goes on where the
first stopped; other pictures or options want another --out. Nothing is tuned on the pictures that
are scored. OUT/table.md holds the table with protocol, seed and hardware and what went wrong in the
worst pictures, which OUT/worst.png shows; OUT/foldN/*.csv has every picture.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from leaf_folds import Lists, describe_groups, keep_list, spread, write_folds
from leaf_worst import show_worst, worst_of

from embedseg.data.of_run import trained_on
from embedseg.data.splits import read_names
from embedseg.evaluate import evaluate_model
from embedseg.io import InputError, atomic_path, write_text
from embedseg.model import Model, find_weights
from embedseg.training.config import TrainConfig
from embedseg.training.loop import train
from embedseg.training.options import read_config, resumed_config
from embedseg.training.run_folder import environment

WORST = 5  # pictures that are shown
PUBLISHED = (  # who, SBD, |DiC|, foreground, pictures
    ("De Brabandere 2017, the paper", "84.2", "1.0", "true", "official test"),
    ("best open port: U-Net with CBAM, KMeans with known count", "88.13", "0.714", "predicted",
     "public 100/28 split, plants in both parts"),
    ("best published of any kind: GMT, COCO-pretrained", "90.07", "0.485", "predicted",
     "official test"),
)  # fmt: skip


def reproduce(
    data: str,
    out: Path,
    *,
    folds: int = 0,
    lists: tuple[Path | None, Path] | None = None,
    run: Path | None = None,
    minutes: float = 0.0,
    base: Sequence[str] = (),
) -> str:
    """Train and score what is not yet scored in `out`; return the table.

    Either `folds` of grouped plants, or the `lists` of names (training, validation), or a `run`
    that was trained already, scored on the second list. Raises ValueError where none of these is
    given, InputError where `out` holds what other pictures or options gave. `minutes` (0: the
    preset's epochs) is the time of each training, `base` more of its options.
    """
    if not folds and (lists is None or not (run or lists[0])):
        raise ValueError("give --folds K, or --val-list G with --train-list F or --run RUN")
    parts = write_folds(data, folds, out) if folds else [lists]
    found: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        folder = out / f"fold{number}"
        keep_lists(folder, part)
        scores = folder / "scores.json"
        config = None if run else config_of(folder / "run", data, part, minutes, base)
        if not scores.is_file():
            if config:
                trained_run(config)
            score(run or folder / "run", data, part[1], folder)
        found.append(json.loads(scores.read_text()))
        if run and found[-1]["run"] != str(run):
            raise InputError(f"{out} holds the scores of {found[-1]['run']}; choose another --out")
        protocol = describe_groups(data, folds) if folds else f"one split, {part[1].name}"
        text = table(found, protocol, len(parts), run or folder / "run")
        write_text(out / "table.md", text)
    tables = [
        (out / f"fold{number}" / "predicted_foreground.csv", Path(part["run"]))
        for number, part in enumerate(found)
    ]
    text += "\n" + show_worst(data, worst_of(tables, WORST), out) + "\n"
    write_text(out / "table.md", text)
    return text


def keep_lists(folder: Path, lists: tuple[Path | None, Path]) -> None:
    """Keep the names of the lists beside the scores; InputError where others are kept there."""
    for name, file in zip(("train.txt", "val.txt"), lists, strict=True):
        if file:
            keep_list(folder / name, read_names(file))


def config_of(
    run: Path, data: str, lists: Lists, minutes: float, base: Sequence[str]
) -> TrainConfig:
    """Return how to train on the first list; InputError where the run is there with other options.

    Of an earlier call of the same kind only the places of files may differ.
    """
    words = ["--config", "leaves", "--data", data, "--run", str(run), "--tune=false", *base]
    config = read_config([*words, "--train-list", str(lists[0]), "--val-list", str(lists[1])])
    if minutes:
        config = replace(config, epochs=0, time_limit=minutes, validate_every=0)
    if (run / "config.yaml").is_file():
        old = resumed_config(run)
        places = {key: getattr(old.data, key) for key in ("train", "train_list", "val_list")}
        same = replace(
            config,
            run=old.run,
            amp=old.amp if config.amp == "auto" else config.amp,
            data=replace(config.data, **places),
            network=replace(config.network, init=old.network.init),
        )
        if same != old:
            raise InputError(f"{run}: was trained with other options; choose another --out")
    return config


def trained_run(config: TrainConfig) -> None:
    """Train the run, or train it on from where it was stopped."""
    begun = (Path(config.run) / "config.yaml").is_file()
    train(resumed_config(Path(config.run)) if begun else config, resume=begun)


def score(run: Path, data: str, names: Path, folder: Path) -> None:
    """Write the scores of a run, without its tuning, with predicted and with true foreground.

    Raises InputError where its folder tells that it was trained on some of the pictures.
    """
    model = Model.load(find_weights(run))  # the file: what a tuning chose is not looked at
    scored = read_names(names)
    if seen := trained_on(run, data, scored):
        raise InputError(
            f"{run}: was trained on {len(seen)} of the {len(scored)} pictures in {names} "
            f"({min(seen)}, ...), and the table is of pictures never seen; name others"
        )
    summary: dict[str, Any] = {"pictures": len(scored), "run": str(run)}
    for word, given in (("predicted", False), ("true", True)):
        scores, failures = evaluate_model(model, data, names, true_foreground=given)
        if failures:  # a figure is of all pictures or of none
            raise InputError(next(iter(failures.values())))
        with atomic_path(folder / f"{word}_foreground.csv") as temporary:
            scores.to_csv(temporary)
        summary[word] = scores.summary
    write_text(folder / "scores.json", json.dumps(summary, indent=1))


def table(found: Sequence[Any], protocol: str, count: int, run: Path) -> str:
    """Return the table in Markdown: the published figures and ours, percent as usual."""
    lines = ["| | SBD | \\|DiC\\| | foreground | pictures |", "|---|---:|---:|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in PUBLISHED]
    pictures = sum(part["pictures"] for part in found)
    for word in ("predicted", "true"):
        sbd = spread([100 * part[word]["SBD"] for part in found], 1)
        dic = spread([part[word]["|DiC|"] for part in found], 2)
        lines.append(f"| ours | {sbd} | {dic} | {word} | {pictures} never seen in training |")
    config, env = run / "config.yaml", environment()
    seed = resumed_config(run).seed if config.is_file() else "unknown"
    hardware = f"{env['system']}, {env['threads']} of {env['cores']} cores"
    done = f"{len(found)} of {count} parts scored" if len(found) < count else "all parts scored"
    spreads = "; mean ± standard deviation over the parts" if len(found) > 1 else ""
    notes = [
        f"Ours: {protocol}; {done}{spreads}; seed {seed};",
        f"{hardware}, torch {env['packages']['torch']}. The pictures of the rows differ.",
    ]
    return "\n".join([*lines, "", *notes, ""])


def main() -> None:
    """Train and score what is missing, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cvppp", type=Path, help="folder with plantNNN_rgb.png, plantNNN_label.png")
    parser.add_argument("--out", type=Path, default=Path("reproduced"))
    parser.add_argument("--folds", type=int, default=0, help="grouped folds to train on")
    parser.add_argument("--train-list", type=Path)
    parser.add_argument("--val-list", type=Path)
    parser.add_argument("--run", type=Path, help="score this run on --val-list; train nothing")
    parser.add_argument("--minutes", type=float, default=0.0, help="of each training")
    options, base = parser.parse_known_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    lists = (options.train_list, options.val_list) if options.val_list else None
    try:
        text = reproduce(
            f"cvppp:{options.cvppp}", options.out, folds=options.folds, lists=lists,
            run=options.run, minutes=options.minutes, base=base,
        )  # fmt: skip
    except (InputError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    print(text)


if __name__ == "__main__":
    main()

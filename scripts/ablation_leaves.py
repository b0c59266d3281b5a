"""What each ingredient of the recipe for leaves is worth: on and off, one budget, grouped folds.

    python scripts/ablation_leaves.py cvppp:CVPPP/A1 --minutes 10 --folds 5 --out ablation
    python scripts/ablation_leaves.py cvppp:CVPPP/A1 --minutes 3 --only 0 --cells "recipe,no EMA"

Words after the options go to `embedseg train` for every cell. A second call trains what is missing.
The table (OUT/ablation.md) holds what was trained so far and says so.
"""

import argparse
import logging
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leaf_folds import describe_groups, spread, write_folds

from embedseg.comparison.cells import Cell
from embedseg.comparison.run import compare, describe, plan, read_results
from embedseg.io import InputError, write_text
from embedseg.names import unknown

COLOURS = ("brightness", "contrast", "saturation", "hue", "blur", "noise")
STILL = {"scale": "[1, 1]", "rotation": "0", "translation": "0"}
PLAIN = {
    f"augment.{k}": v
    for k, v in {**STILL, **dict.fromkeys(COLOURS, "0"),
                 "flip_horizontal": "0", "flip_vertical": "0"}.items()
}  # fmt: skip
RECIPE = "recipe"
CELLS: dict[str, dict[str, str]] = {  # what a cell changes in the recipe, the preset "leaves"
    RECIPE: {},
    "no augmentation": PLAIN,
    "flips and colours only": {f"augment.{k}": v for k, v in STILL.items()},
    "copy-paste 0.5": {"copy_paste": "0.5"},
    "no coordinates": {"network.coordinates": "false"},
    "waves 20, 60, 180": {"network.waves": "[20, 60, 180]"},
    "no EMA": {"optimizer.ema": "0"},
    "embedding of 8": {"network.embedding_dim": "8"},
    "embedding of 32": {"network.embedding_dim": "32"},
    "no seed head": {"network.seed_head": "false"},
    "output stride 2": {"network.output_stride": "2"},
    "boundary loss": {"loss.foreground": "{cross_entropy: 1, dice: 1, boundary: 0.1}"},
    "band at borders": {"loss.foreground": "{cross_entropy: 1, dice: 1, band: 0.5}"},
    "border head": {"loss.foreground": "{cross_entropy: 1, dice: 1, border: 0.1}"},
    "push among neighbours": {"loss.options": "{push_neighbours: 24}"},
    "learned bandwidth": {"method": "spatial", "data.zoom": "0"},
    "random weights": {"network.init": ""},
    "one look": {"data.zoom": "0"},
    "bending 0.02": {"augment.elastic": "0.02"},
    "centre head": {"network.centre_head": "true"},
    "U-Net++": {"network.backbone": "unet++"},  # this and the next two: not from `leaf`
    "U-Net++, deep supervision": {
        "network.backbone": "unet++",
        "network.options": "{deep_supervision: true}",
        "loss.foreground": "{cross_entropy: 1, dice: 1, deep_supervision: 0.3}",
    },
    "pretrained encoder": {
        "network.backbone": "unet-efficientnet-lite0",
        "network.options": "{pretrained: true}",
    },
}


def ablate(
    data: str,
    out: Path,
    *,
    minutes: float = 0.0,
    steps: int = 0,
    folds: int = 5,
    only: Sequence[int] = (),
    cells: Sequence[str] = (),
    base: Sequence[str] = (),
) -> str:
    """Train the named `cells` (all) on the folds `only` (all); return the table of `out`.

    Each run has `minutes` or `steps`; `base` are more training options for all. Raises ValueError
    for a cell or a fold that does not exist.
    """
    for name in cells:
        if name not in CELLS:
            raise unknown("cell", name, CELLS)
    if not {*only} <= {*range(folds)}:
        raise ValueError(f"folds are numbered 0 to {folds - 1}, got --only {list(only)}")
    chosen = [Cell(name, CELLS[name]) for name in cells or CELLS]
    words = ["--config", "leaves", "--data", data, "--clock", "cpu", *base]
    for number, (training, validation) in enumerate(write_folds(data, folds, out)):
        if only and number not in only:
            continue
        here = [*words, "--train-list", str(training), "--val-list", str(validation)]
        budget: dict[str, Any] = {"seeds": [0], "minutes": minutes, "steps": steps}
        compare(chosen, here, out / f"fold{number}", **budget)
        tasks = plan(chosen[:1], here, out / f"fold{number}", **budget)
        note = describe(tasks, out / f"fold{number}", [0], minutes, steps)
        text = to_markdown(out, folds, f"{note}\n{describe_groups(data, folds)}.")
        write_text(out / "ablation.md", text)
    return (out / "ablation.md").read_text()


def to_markdown(out: Path, folds: int, note: str) -> str:
    """Return the table of all results in `out`: means over folds, and the mean gain per fold."""
    found = {
        (result["cell"], number): result
        for number in range(folds)
        for result in read_results(out / f"fold{number}")
    }
    lines = ["| | SBD | against the recipe | \\|DiC\\| | foreground Dice | steps | folds |",
             "|---|---:|---:|---:|---:|---:|---|"]  # fmt: skip
    for cell in CELLS:
        own = {fold: r for (name, fold), r in found.items() if name == cell}
        done = {fold: r for fold, r in own.items() if "failed" not in r}
        if own and not done:
            lines.append(f"| {cell} | failed: {next(iter(own.values()))['failed']} | | | | | |")
        if done:
            lines.append(f"| {cell} | {row_of(done, found)} |")
    return "\n".join([*lines, "", note, ""])


def row_of(done: dict[int, Any], found: dict[tuple[str, int], Any]) -> str:
    """Return a cell's figures; the gain is over the recipe on the same folds."""
    scores = [r["scores"] for r in done.values()]
    gains = [
        r["scores"]["SBD"] - found[RECIPE, fold]["scores"]["SBD"]
        for fold, r in done.items()
        if r["cell"] != RECIPE and "scores" in found.get((RECIPE, fold), {})
    ]
    return " | ".join(
        [
            spread([s["SBD"] for s in scores]),
            spread(gains, sign="+") if gains else "",
            spread([s["|DiC|"] for s in scores], 2),
            spread([s["FgBgDice"] for s in scores]),
            f"{statistics.fmean(r['steps'] for r in done.values()):.0f}",
            ", ".join(map(str, done)),
        ]
    )


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="cvppp:DIR")
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    parser.add_argument("--minutes", type=float, default=0.0, help="CPU minutes of a training")
    parser.add_argument("--steps", type=int, default=0, help="or its optimiser steps")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="+", default=[], metavar="FOLD")
    parser.add_argument("--cells", default="", help="names with commas: " + "; ".join(CELLS))
    options, base = parser.parse_known_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        text = ablate(
            options.data,
            options.out,
            minutes=options.minutes,
            steps=options.steps,
            folds=options.folds,
            only=options.only,
            cells=named(options.cells),
            base=base,
        )
    except (InputError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    print(text)


def named(text: str) -> list[str]:
    """Cut "a,b" at its commas; the names of cells hold commas followed by a space only."""
    joined = text.replace(", ", "\0")
    return [name.replace("\0", ", ") for name in joined.split(",") if name]


if __name__ == "__main__":
    main()

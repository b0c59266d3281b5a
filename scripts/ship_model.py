r"""From a run to a model that ships: embedseg/weights/NAME.safetensors and its card NAME.md.

    python scripts/ship_model.py RUN NAME --title "nuclei in light microscopy" \\
        --data folder:NUCLEI --list NUCLEI/val.txt \\
        --trained-on "2018 Data Science Bowl, stage 1, 465 images" --data-licence CC0-1.0 \\
        --protocol "validation list of 99 images, never trained on" --preset nuclei

The weights are the run's best (averages over steps where the run has them), in half precision, with
the tuned clusterer in their description. --average joins runs of one network that began at the same
weights: the mean of their weights (arXiv:2203.05482). What is joined and the shipped file are both
scored on --data; the model ships only if SBD, AP50 and PQ agree within TOLERANCE and it is not
larger than LIMIT.
"""

import argparse
import json
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import torch
import yaml

from embedseg.evaluate import evaluate_model
from embedseg.io import InputError, atomic_path, write_text
from embedseg.metrics import Scores
from embedseg.model import Model, save_weights
from embedseg.weights import FOLDER, LIMIT

TOLERANCE = 0.005  # of a score in [0, 1]: half precision may move single pixels
SCORES = ("SBD", "|DiC|", "FgBgDice", "AP50", "AP75", "mAP", "PQ", "F1")
COMPARED = ("SBD", "AP50", "PQ")

CARD = """# {name}: {title}

    embedseg predict --model {name} IMAGE

| | |
|---|---|
| network | {backbone} {options}, {parameters:,} parameters, {size:.1f} MB in half precision |
| embedding | {spec.embedding_dim} dimensions, margins {spec.delta_v} and {spec.delta_d} |
| sees a picture at | {working_size} |
| trained on | {trained_on} |
| licence of that data | {data_licence} |
| licence of the weights | Apache-2.0, as the package |
| training | {training} |
| made | {today}, embedseg run `{run}` |

## Scores

{protocol}; {count} images, on {machine}.

| {heads} |
|{rules}
| {values} |

## Use

It finds {title}. Pictures that look different from what it was trained on (another magnification,
stain, crop or camera) may need training of your own: start from these weights with
`embedseg train --config {preset} --network.init {name} --data folder:YOURS`.
{notes}"""


def ship(
    run: Path,
    name: str,
    *,
    data: str,
    names: Path | None,
    words: dict[str, str],
    average: Sequence[Path] = (),
    folder: Path = FOLDER,
    tolerance: float = TOLERANCE,
) -> Scores:
    """Write the shipped form of `run` into `folder` and return its scores on `data`.

    `words` holds title, trained_on, data_licence, protocol, preset and notes of the card; the runs
    of `average` are joined with `run`. Raises InputError, and leaves nothing behind, where the file
    is too large or scores differently by more than `tolerance`.
    """
    model = Model.load(run, device="cpu", amp="off")
    if average:
        model.network.load_state_dict(mean_weights([run, *average]))
    before = scores_of_all(model, data, names)
    file = folder / f"{name}.safetensors"
    with atomic_path(file) as temporary:
        save_weights(temporary, model.network.state_dict(), model.spec, half=True)
        if temporary.stat().st_size > LIMIT:
            raise InputError(
                f"{run}: {temporary.stat().st_size:,} bytes in half precision, more than "
                f"{LIMIT:,}; train a narrower network"
            )
        after = scores_of_all(Model.load(temporary, device="cpu", amp="off"), data, names)
        for key in COMPARED:
            if abs(after.summary[key] - before.summary[key]) > tolerance:
                raise InputError(
                    f"{run}: {key} is {before.summary[key]:.4f}, but {after.summary[key]:.4f} in "
                    "half precision"
                )
        text = fill_card(model, run, name, temporary.stat().st_size, after, words)
    write_text(file.with_suffix(".md"), text)
    return after


def scores_of_all(model: Model, data: str, names: Path | None) -> Scores:
    """Return the scores on all pictures; InputError where one cannot be scored."""
    scores, failures = evaluate_model(model, data, names)
    if failures:
        raise InputError(next(iter(failures.values())))
    return scores


def mean_weights(runs: Sequence[Path]) -> dict[str, torch.Tensor]:
    """Return the mean of the runs' weights; InputError where their networks differ."""
    states = [Model.load(run, device="cpu", amp="off").network.state_dict() for run in runs]
    shapes = [{key: value.shape for key, value in state.items()} for state in states]
    for run, shape in zip(runs, shapes, strict=True):
        if shape != shapes[0]:
            raise InputError(f"{run}: another network than that of {runs[0]}; average equal ones")
    return {
        key: torch.stack([state[key].double() for state in states]).mean(0).to(value.dtype)
        for key, value in states[0].items()
    }


def fill_card(
    model: Model, run: Path, name: str, size: int, scores: Scores, words: dict[str, str]
) -> str:
    """Return the card's text."""
    spec = model.spec
    heads = [key for key in SCORES if key in scores.summary]
    return CARD.format(
        **words,
        name=name,
        spec=spec,
        backbone=spec.backbone,
        options=json.dumps(dict(spec.options)),
        parameters=sum(p.numel() for p in model.network.parameters()),
        size=size / 1e6,
        working_size=working_size(spec.working_size),
        training=training_facts(run),
        today=date.today().isoformat(),
        run=run.name,
        count=len(scores.images),
        machine=platform.machine(),
        heads=" | ".join(heads).replace("|DiC|", r"\|DiC\|"),
        rules="---|" * len(heads),
        values=" | ".join(f"{scores.summary[key]:.3f}" for key in heads),
    )


def working_size(size: int | tuple[int, int]) -> str:
    """Return the working size in words."""
    if not isinstance(size, int):
        return f"{size[1]} x {size[0]} px"
    return f"{size} px, longer side" if size else "its own size"


def training_facts(run: Path) -> str:
    """Return what the run's config.yaml says of its length, or that it is not known."""
    file = run / "config.yaml"
    if not file.is_file():
        return "not recorded"
    config = yaml.safe_load(file.read_text())
    hardware = {}
    if (run / "env.json").is_file():
        hardware = json.loads((run / "env.json").read_text())
    steps = config["steps_per_epoch"] or "one pass"
    length = f"{config['epochs']} epochs of {steps} steps"
    if not config["epochs"]:
        length = f"{config['time_limit']:g} minutes ({config['clock']} time)"
    return (
        f"{length}, batch {config['batch']}, seed "
        f"{config['seed']}, on {hardware.get('device', 'cpu')} "
        f"({hardware.get('threads', '?')} threads); averaged weights, decay "
        f"{config['optimizer']['ema']}"
    )


def main() -> None:
    """Parse the command line, ship, print the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("name", help="name of the shipped model")
    parser.add_argument("--data", required=True, help="data set to score on: folder:DIR, ...")
    parser.add_argument("--list", type=Path, dest="names", help="file with the names to score")
    parser.add_argument("--title", required=True, help="what it segments, in a few words")
    parser.add_argument("--trained-on", required=True, help="the training data, in words")
    parser.add_argument("--data-licence", required=True)
    parser.add_argument("--protocol", required=True, help="how the scores were taken")
    parser.add_argument("--preset", required=True, help="the preset that has its network")
    parser.add_argument(
        "--average", type=Path, nargs="+", default=[], metavar="RUN", help="runs to join with it"
    )
    parser.add_argument("--notes", default="", help="more text at the card's end")
    arguments = parser.parse_args()
    keys = ("title", "trained_on", "data_licence", "protocol", "preset", "notes")
    words = {key: getattr(arguments, key) for key in keys}
    scores = ship(
        arguments.run,
        arguments.name,
        data=arguments.data,
        names=arguments.names,
        words=words,
        average=arguments.average,
    )
    print(scores.to_table())
    print(f"shipped as {FOLDER / arguments.name}.safetensors; git add it with its card")


if __name__ == "__main__":
    main()

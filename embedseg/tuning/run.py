"""Tuning a run folder: its validation images in, tuning.json and tuning.png out."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from embedseg.data import Dataset, open_dataset
from embedseg.data.of_run import stored_data, trained_on
from embedseg.data.splits import read_names
from embedseg.device import Amp
from embedseg.inference.spec import ModelSpec
from embedseg.io import InputError, atomic_path, write_text
from embedseg.model import Model, find_weights
from embedseg.tuning.tune import LEAST_IMAGES, Tuning, tune, worded
from embedseg.viz.tuning import Landscape, plot_landscape


def tune_run(  # noqa: PLR0913  (the options of the command, flat)
    run: Path,
    *,
    samples: Dataset | None = None,
    data: str | None = None,
    names: Path | None = None,
    metric: str = "sbd",
    tta: Sequence[str] = ("none",),
    quick: bool = False,
    device: str = "auto",
    amp: Amp = "auto",
) -> Tuning:
    """Tune the run and store the choice in it, in place of an earlier one, which `reason` names.

    The images are `samples`, or those of `data` and the list `names`, or the run's validation
    images. An earlier choice is not what the search starts from. Raises InputError where `run` is
    no run folder, where an image is of a test split or was trained on, or where the images are too
    few to search and the run was tuned before, which then stays as it is.
    """
    if not run.is_dir():
        raise InputError(f"{run}: no run folder; tuning is stored in the folder of a run")
    model = Model.load(find_weights(run), device=device, amp=amp)  # the file: no earlier tuning
    if samples is None:
        samples = images_of(run, data, names)
    refuse_test(samples)
    earlier = stored_choice(run, model.spec)
    if earlier is not None and len(samples) < LEAST_IMAGES:
        raise InputError(
            f"{run}: its earlier tuning ({worded(earlier)}) is kept, for tuning needs "
            f"{LEAST_IMAGES} images or more, got {len(samples)}; name more with --data, --list"
        )
    outcome = tune(model, samples, metric=metric, tta=tta, quick=quick)
    if earlier and earlier != outcome.chosen:
        reason = f"{outcome.reason}; this replaces the earlier choice: {worded(earlier)}"
        outcome = replace(outcome, reason=reason)
    store(run, outcome)
    return outcome


def stored_choice(run: Path, spec: ModelSpec) -> dict[str, Any] | None:
    """Return what an earlier tuning of the run chose for `spec`; None: there is none to be read."""
    try:
        chosen: dict[str, Any] = json.loads((run / "tuning.json").read_text())["chosen"]
        spec.with_tuning(chosen)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return chosen


def store(run: Path, outcome: Tuning) -> None:
    """Write tuning.json and, where something was searched, tuning.png; no older picture stays."""
    (run / "tuning.png").unlink(missing_ok=True)
    write_text(run / "tuning.json", json.dumps(outcome.to_json(), indent=1) + "\n")
    if outcome.curves:
        panels = [
            Landscape(c.axis.name, c.axis.values, c.scores, c.errors, c.chosen, c.axis.default)
            for c in outcome.curves
        ]
        with atomic_path(run / "tuning.png") as temporary:
            plot_landscape(panels, temporary, metric=outcome.metric, title=outcome.describe())


def images_of(run: Path, data: str | None, names: Path | None) -> Dataset:
    """Return the images to tune on: those named, else the run's own validation images.

    Raises InputError where the run was trained on some of those named.
    """
    named = data is not None or names is not None
    if data is None:
        config = stored_data(run)
        data, listed = str(config["val"] or config["train"]), config["val_list"]
        drawn = not listed and not config["val"]
        if names is None and drawn and not (run / "val.txt").is_file():
            raise InputError(
                f"{run}: no val.txt names its validation images, which were drawn at random; name "
                "some with --data, --list"
            )
        names = names or (run / "val.txt" if drawn else Path(listed) if listed else None)
    samples = open_dataset(data)
    if names is not None:
        samples = samples.subset(dict.fromkeys(read_names(names, samples.names)))
    elif "test" in samples.splits:
        held = set(samples.splits["test"])
        samples = samples.subset([name for name in samples.names if name not in held])
    if named:
        refuse_training(run, data, samples)
    return samples


def refuse_training(run: Path, data: str, samples: Dataset) -> None:
    """Refuse images that the run was trained on; InputError."""
    seen = trained_on(run, data, samples.names)
    if seen:
        held = quote(str(run / "val.txt"))
        raise InputError(
            f"{run} was trained on {len(seen)} of these {len(samples)} images ({min(seen)}, ...), "
            f"where other settings are best than on new ones; name others: --list {held}"
        )


def refuse_test(samples: Dataset) -> None:
    """Refuse images of the data set's own test list; InputError."""
    held = sorted(set(samples.names) & set(samples.splits.get("test", ())))
    if held:
        raise InputError(
            f"{held[0]} and {len(held) - 1} more images are in the data set's test list, which "
            "tuning never looks at; tune on validation images"
        )

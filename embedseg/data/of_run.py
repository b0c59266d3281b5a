"""What the folder of a run tells of the data that it was trained on."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from embedseg.data.overlap import is_gone, located, shared_names
from embedseg.data.splits import read_names
from embedseg.io import InputError

_log = logging.getLogger(__name__)


def begun_in(run: Path) -> Path:
    """Return the folder in which a run was started, from which its data are named, or this one."""
    try:
        return Path(json.loads((run / "env.json").read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, LookupError, TypeError):
        return Path()


def stored_data(run: Path) -> Mapping[str, str]:
    """Return "train", "val" and "val_list" of a run's config.yaml, where they lie seen from here.

    Raises InputError where the file is missing or damaged.
    """
    file = run / "config.yaml"
    if not file.is_file():
        raise InputError(f"{run}: no config.yaml names its validation images; give --data")
    try:
        data = yaml.safe_load(file.read_text())["data"]
        stored = {key: str(data[key] or "") for key in ("train", "val", "val_list")}
    except (yaml.YAMLError, LookupError, TypeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: damaged, it names no validation images; give --data, and --list"
        ) from error
    folder = begun_in(run)
    listed = folder / stored["val_list"]
    return {
        "train": located(stored["train"], folder),
        "val": located(stored["val"], folder),
        "val_list": str(listed) if listed.is_file() else stored["val_list"],
    }


def trained_on(run: Path, data: str, names: Sequence[str]) -> set[str]:
    """Return those of the `names` of `data` that a run was trained on, as far as its folder tells.

    A model without a folder, or with a damaged one, tells nothing. Where the training images are
    gone (moved, or on another machine) and some of the `names` are theirs, a warning says so.
    """
    try:
        trained, stored = read_names(run / "train.txt", names), stored_data(run)["train"]
    except InputError:
        return set()
    seen = shared_names(stored, trained, data, names)
    alike = (set(trained) & set(names)) - seen
    if alike and is_gone(stored):
        _log.warning(
            "%s was trained on %s, which is not there; %d of these images have names of its "
            "training images (%s, ...): if they are the same, their scores say little",
            run, stored, len(alike), min(alike),
        )  # fmt: skip
    return seen

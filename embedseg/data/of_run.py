"""What the folder of a run tells of the data that it was trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from embedseg.data.overlap import shared_names
from embedseg.data.splits import read_names
from embedseg.io import InputError


def stored_data(run: Path) -> Mapping[str, Any]:
    """Return the part `data` of a run's config.yaml; InputError where there is none."""
    file = run / "config.yaml"
    if not file.is_file():
        raise InputError(f"{run}: no config.yaml names its validation images; give --data")
    try:
        data = yaml.safe_load(file.read_text())["data"]
        return {key: data[key] for key in ("train", "val", "val_list")}
    except (yaml.YAMLError, LookupError, TypeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: damaged, it names no validation images; give --data, and --list"
        ) from error


def trained_on(run: Path, data: str, names: Sequence[str]) -> set[str]:
    """Return those of the `names` of `data` that a run was trained on, as far as its folder tells.

    A model without a folder, or with a damaged one, tells nothing.
    """
    try:
        trained = read_names(run / "train.txt", names)
        return shared_names(str(stored_data(run)["train"]), trained, data, names)
    except InputError:
        return set()

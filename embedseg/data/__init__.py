"""Labelled pictures: data sets by name, augmentation, generated plants, checks of files."""

from collections.abc import Callable

from embedseg.data.check import DataReport, check_data
from embedseg.data.copy_paste import copy_paste
from embedseg.data.cvppp import cvppp
from embedseg.data.folder import folder
from embedseg.data.leaves import leaves
from embedseg.data.sample import SEMANTIC_IGNORE, Dataset, Sample
from embedseg.data.splits import grouped_folds
from embedseg.data.synthetic import draw_plant
from embedseg.data.transforms import AugmentConfig, augment, resize
from embedseg.names import unknown

DATASETS: dict[str, Callable[[str], Dataset]] = {
    "cvppp": cvppp,
    "folder": folder,
    "leaves": leaves,
}

__all__ = [
    "DATASETS",
    "SEMANTIC_IGNORE",
    "AugmentConfig",
    "DataReport",
    "Dataset",
    "Sample",
    "augment",
    "check_data",
    "copy_paste",
    "cvppp",
    "draw_plant",
    "folder",
    "grouped_folds",
    "leaves",
    "open_dataset",
    "resize",
]


def open_dataset(spec: str) -> Dataset:
    """Open the data set that `spec`, "name:where" or "name:where#split", describes.

    "cvppp:DIR", "folder:DIR", "leaves:N[,seed]"; "cvppp:DIR#val" is the split that DIR/val.txt
    lists. Raises ValueError for an unknown name or split.
    """
    name, colon, where = spec.partition(":")
    if not colon or not where:
        raise ValueError(
            f"data set {spec!r} must be written name:where, as in cvppp:DIR, folder:DIR or "
            "leaves:100"
        )
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    where, mark, split = where.partition("#")
    dataset = DATASETS[name](where)
    return dataset.split(split) if mark else dataset

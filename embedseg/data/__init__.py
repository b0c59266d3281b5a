"""Labelled pictures: data sets by name, augmentation, generated plants, checks of files."""

from collections.abc import Callable

from embedseg.augmentation import AugmentConfig
from embedseg.data.check import DataReport, check_data
from embedseg.data.copy_paste import copy_paste
from embedseg.data.cvppp import cvppp
from embedseg.data.folder import folder
from embedseg.data.geometry import resize
from embedseg.data.joined import open_joined
from embedseg.data.lanes_specs import LANE_DATASETS
from embedseg.data.leaves import leaves
from embedseg.data.sample import SEMANTIC_IGNORE, Dataset, Sample
from embedseg.data.splits import grouped_folds
from embedseg.data.synthetic import draw_plant
from embedseg.data.transforms import augment

DATASETS: dict[str, Callable[[str], Dataset]] = {
    "cvppp": cvppp,
    "folder": folder,
    "leaves": leaves,
    **LANE_DATASETS,
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
    """Open the data set that `spec` describes: "name:where", "name:where#split", or a sum of them.

    "cvppp:DIR", "folder:DIR", "leaves:N[,seed]", "roads:N", "tusimple:DIR", ...; "cvppp:DIR#val" is
    the split that DIR/val.txt lists; "roads:2000 + 40*tusimple:DIR" joins two, the samples of the
    second forty times each. Raises ValueError for an unknown name or split.
    """
    return open_joined(spec, DATASETS)

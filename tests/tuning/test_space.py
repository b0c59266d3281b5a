"""What tuning may change of each kind of model, and how a choice reads in its settings."""

import pytest

from embedseg.inference.spec import COMPONENTS, ModelSpec
from embedseg.tuning.space import (
    BANDWIDTHS,
    FOREGROUND,
    MERGES,
    SEED,
    Axis,
    axes_of,
    changes,
    moved,
    start_of,
)

GAUSSIAN = ModelSpec(
    backbone="unet", delta_v=1.0, delta_d=3.0, min_size=30, core_step=0.45,
    clusterer_options={"kernel": "gaussian"},
)  # fmt: skip


def named(spec: ModelSpec) -> dict[str, Axis]:
    return {axis.name: axis for axis in axes_of(spec)}


def chosen(spec: ModelSpec, **values: object) -> dict[str, object]:
    """What the setting with these `values`, all others as they are, changes."""
    axes = axes_of(spec)
    names, setting = [axis.name for axis in axes], start_of(axes)
    for name, value in values.items():
        setting = moved(setting, names.index(name), value)
    return changes(axes, setting, spec)


def test_lengths_follow_the_margins_and_sizes_the_model() -> None:
    axes, unit = named(GAUSSIAN), GAUSSIAN.default_bandwidth
    assert unit != 1
    assert axes["bandwidth"].values == pytest.approx([unit * b for b in BANDWIDTHS])
    assert axes["merge"].values == pytest.approx([unit * m for m in MERGES])
    assert axes["min_size"].values == (8, 15, 30, 60, 120, 240)
    assert named(ModelSpec(backbone="unet", min_size=1))["min_size"].values == (1, 2, 4, 8)
    assert axes["core_step"].values == (0.0, 0.4, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7), "its own, too"
    assert axes["foreground_threshold"].values == FOREGROUND


def test_axes_come_in_the_order_of_their_effect() -> None:
    last = ["foreground_threshold", "min_size", "merge", "components"]
    assert list(named(GAUSSIAN)) == ["bandwidth", "core_step", "clusterer", *last]
    centres = ModelSpec(backbone="unet", centre_head=True, seed_head=True)
    assert list(named(centres)) == ["bandwidth", "seed_threshold", "clusterer", "centre", *last]
    other = ModelSpec(backbone="unet", clusterer="hdbscan", seed_head=True)
    assert list(named(other)) == ["seed_threshold", *last]
    assert set(named(other)["seed_threshold"].values) == {*SEED, other.seed_threshold}


def test_only_names_are_in_no_order() -> None:
    axes = named(GAUSSIAN)
    names = {name for name, axis in axes.items() if not axis.ordered}
    assert names == {"clusterer", "components"} and axes["components"].values == COMPONENTS
    assert axes["clusterer"].default == "gaussian"
    assert axes["clusterer"].values == ("mean_shift", "gaussian", "threshold")
    centres = named(ModelSpec(backbone="unet", centre_head=True))["clusterer"]
    assert centres.values == ("mean_shift", "gaussian", "threshold", "centres")
    assert centres.default == "mean_shift"


def test_a_clusterer_keeps_its_options_and_another_starts_without() -> None:
    assert chosen(GAUSSIAN, bandwidth=0.7) == {
        "clusterer": "mean_shift",
        "clusterer_options": {"kernel": "gaussian", "bandwidth": 0.7},
    }
    assert chosen(GAUSSIAN, clusterer="threshold", merge=0.5) == {
        "merge": 0.5,
        "clusterer": "threshold",
        "clusterer_options": {"bandwidth": GAUSSIAN.bandwidth},
    }
    assert chosen(GAUSSIAN, clusterer="mean_shift")["clusterer_options"] == {
        "bandwidth": GAUSSIAN.bandwidth
    }

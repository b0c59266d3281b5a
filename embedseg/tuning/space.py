"""What tuning may change, and the values it tries.

A setting is a tuple of values, one for each axis. Lengths in embedding space are tried as multiples
of the model's own default bandwidth, so that the axes fit any margins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embedseg.inference.spec import COMPONENTS, WITH_BANDWIDTH, ModelSpec

Setting = tuple[Any, ...]

FOREGROUND = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SEED = (0.0, 0.2, 0.35, 0.5, 0.607, 0.7, 0.8, 0.85, 0.9)
CORE = (0.0, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7)
BANDWIDTHS = (0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4, 1.7)  # of the default bandwidth
MERGES = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5)  # of the default bandwidth
SIZES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the smallest instance's pixels
CLUSTERERS: dict[str, tuple[str, dict[str, Any]]] = {
    "mean_shift": ("mean_shift", {}),
    "gaussian": ("mean_shift", {"kernel": "gaussian"}),
    "threshold": ("threshold", {}),
    "centres": ("centres", {}),  # where there is a centre head
}
CENTRES = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4)  # height of the lowest peak that counts
OVERLAPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # at which a cluster of "spatial" is no new one
OF_CLUSTERS = (
    "foreground_threshold", "seed_threshold", "core_step", "clusterer", "bandwidth", "centre",
    "max_overlap",
)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """One value that may change: `values` in order, where neighbours are alike if `ordered`."""

    name: str
    values: tuple[Any, ...]
    default: Any
    ordered: bool = True


def axes_of(spec: ModelSpec) -> list[Axis]:
    """Return the axes that matter for a model, those of most effect first.

    A clusterer without a bandwidth keeps its options.
    """
    unit = spec.default_bandwidth
    axes = []
    if spec.clusterer in WITH_BANDWIDTH:
        kind = spec.clusterer
        if spec.clusterer_options.get("kernel") == "gaussian":
            kind = "gaussian"
        axes = [
            _ordered("bandwidth", [round(unit * b, 4) for b in BANDWIDTHS], spec.bandwidth),
            Axis("clusterer", clusterers_for(spec), kind, ordered=False),
        ]
        if spec.centre_head:
            axes.append(_ordered("centre", CENTRES, spec.centre_threshold))
    elif spec.clusterer == "spatial":
        axes = [_ordered("max_overlap", OVERLAPS, spec.build_clusterer().max_overlap)]
    trust = ("seed_threshold", SEED) if spec.seed_head else ("core_step", CORE)
    axes.insert(1, _ordered(trust[0], trust[1], getattr(spec, trust[0])))
    sizes = [max(1, round(spec.min_size * s)) for s in SIZES]
    return [
        *axes,
        _ordered("foreground_threshold", FOREGROUND, spec.foreground_threshold),
        _ordered("min_size", sizes, spec.min_size),
        _ordered("merge", [round(unit * m, 4) for m in MERGES], spec.merge),
        Axis("components", COMPONENTS, spec.components, ordered=False),
    ]


def clusterers_for(spec: ModelSpec) -> tuple[str, ...]:
    """Return the names of the clusterers that can read what the model predicts."""
    return tuple(name for name in CLUSTERERS if name != "centres" or spec.centre_head)


def _ordered(name: str, values: Sequence[float], default: float) -> Axis:
    return Axis(name, tuple(sorted({*values, default})), default)


def start_of(axes: Sequence[Axis]) -> Setting:
    """Return the untuned setting."""
    return tuple(axis.default for axis in axes)


def moved(setting: Setting, place: int, value: Any) -> Setting:
    """Return `setting` with another value of the axis at `place`."""
    return (*setting[:place], value, *setting[place + 1 :])


def changes(axes: Sequence[Axis], setting: Setting, spec: ModelSpec) -> dict[str, Any]:
    """Return what `setting` changes in `spec`, as `ModelSpec.with_tuning` and tuning.json take it.

    Only what differs from the defaults is there.
    """
    differs = {a.name: v for a, v in zip(axes, setting, strict=True) if v != a.default}
    chosen: dict[str, Any] = {
        k: v
        for k, v in differs.items()
        if k not in ("bandwidth", "clusterer", "centre", "max_overlap")
    }
    if "max_overlap" in differs:
        own = {"max_overlap": differs["max_overlap"]}
        chosen["clusterer_options"] = {**spec.clusterer_options, **own}
    if differs.keys() & {"bandwidth", "clusterer", "centre"}:
        now = dict(zip((a.name for a in axes), setting, strict=True))
        name, options = CLUSTERERS[now["clusterer"]]
        kept = spec.clusterer_options if "clusterer" not in differs else {}
        height = {"threshold": now["centre"]} if name == "centres" else {}
        chosen["clusterer"] = name
        chosen["clusterer_options"] = {
            **kept, **options, **height, "bandwidth": now["bandwidth"],
        }  # fmt: skip
    return chosen


def cluster_key(axes: Sequence[Axis], setting: Setting) -> Setting:
    """Return the part of a setting that clusters depend on; the rest works on what was found.

    The clusterer "spatial", alone to have the axis max_overlap, reads the smallest size as well.
    """
    names = {axis.name for axis in axes}
    read = {*OF_CLUSTERS, "min_size"} if "max_overlap" in names else {*OF_CLUSTERS}
    return tuple(v for a, v in zip(axes, setting, strict=True) if a.name in read)

"""What inference must know of a model beside its weights: stored in the checkpoint."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from inspect import signature
from typing import Any, Self

from clustering import CLUSTERERS
from clustering.centres import THRESHOLD
from embedseg.inference.normalise import MEAN, STD
from embedseg.inference.views import views_of
from embedseg.kinds import check_kinds
from embedseg.names import unknown

METHODS = ("discriminative", "spatial")
WITH_BANDWIDTH = ("mean_shift", "threshold", "centres")  # clusterers
COMPONENTS = ("all", "largest", "split")
LARGEST_SCALE = 16  # of a view: a picture's pixels and the memory they take grow with the square
FORMAT = 1  # of the checkpoint; raised when an older reader could not understand a newer file


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Everything but the weights.

    `method`: "discriminative" (arXiv:1708.02551) or "spatial" (arXiv:1906.11109), whose network
    predicts places in the picture with bandwidths, for the clusterer "spatial" or any other;
    `place_unit` is how many pixels a unit of these places is (0: a twentieth of the longer side).
    `backbone` .. `training_heads` rebuild the network; `working_size` is the longer side, in
    pixels, at which it sees a whole image (0: as it is), or just (height, width), whatever the
    image's; `training_size` is the side of the squares that training showed it, to which smaller
    pictures are completed (0: they are not; `embedseg.inference.mount`); `zoom` > 0 lets it look
    twice, the second time at a square of this times the extent of the objects
    (`embedseg.inference.zoom`); its contrast is stretched if `stretch`, bright ground inverted if
    `dark_ground`; `mean`, `std` normalise; `delta_v`, `delta_d` are the margins of its loss. The
    rest is how its output becomes
    instances: probability threshold of the foreground; clusterer with its options;
    `seed_threshold`, the closeness above which a pixel may found a cluster where there is a seed
    head, else `core_step` (its embedding differs
    from its neighbours' by less than this many delta_v; 0: all may); `merge` (clusters whose
    centres are nearer than this become one; 0: none); `components`, what becomes of an instance in
    several pieces ("all" are kept, "largest" only, or "split" into instances); the smallest
    instance in pixels of the working size; and the views and scales of test-time augmentation
    (`embedseg.inference.views`; "none" and 1 by default).
    """

    backbone: str
    method: str = "discriminative"
    place_unit: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    in_channels: int = 3
    embedding_dim: int = 16
    classes: int = 1
    coordinates: bool = True
    waves: tuple[float, ...] = ()
    decoder: str = "auto"
    output_stride: int = 1
    seed_head: bool = False
    centre_head: bool = False
    training_heads: tuple[str, ...] = ()
    working_size: int | tuple[int, int] = 0
    training_size: int = 0
    zoom: float = 0.0
    stretch: bool = False
    dark_ground: bool = False
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    delta_v: float = 0.5
    delta_d: float = 1.5
    class_names: tuple[str, ...] = ("background", "foreground")
    pixel_size: float = 0.0
    foreground_threshold: float = 0.5
    clusterer: str = "mean_shift"
    clusterer_options: Mapping[str, Any] = field(default_factory=dict)
    seed_threshold: float = 0.607  # exp(-1/2): predicted to lie within delta_v of its mean
    core_step: float = 0.8
    merge: float = 0.0
    components: str = "all"
    min_size: int = 16
    tta: str = "none"
    tta_scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        check_choices(self)
        if self.method == "spatial" and not self.seed_head:
            raise ValueError("the method 'spatial' needs its seed map; leave network.seed_head on")
        if self.centre_head and self.method == "spatial":
            raise ValueError(
                "the method 'spatial' has centres of its own; leave network.centre_head off"
            )
        if self.training_size < 0:
            raise ValueError(f"training_size is a side in pixels or 0, got {self.training_size}")
        if self.training_size and self.method == "spatial":
            raise ValueError(
                "training_size goes with the method 'discriminative' alone, leave it 0"
            )
        if self.zoom:
            check_zoom(self.zoom, self.working_size, self.method)
        if not self.tta_scales or not all(0 < s <= LARGEST_SCALE for s in self.tta_scales):
            raise ValueError(
                f"scales must be positive and at most {LARGEST_SCALE}, got {list(self.tta_scales)}"
            )
        if not 0 < self.foreground_threshold < 1:
            raise ValueError(
                f"foreground_threshold is a probability in (0, 1), got {self.foreground_threshold}"
            )

    def build_clusterer(self) -> Any:
        """Return the clusterer; its bandwidth follows from the margins unless it is stored."""
        options = dict(self.clusterer_options)
        if self.clusterer in WITH_BANDWIDTH:
            options.setdefault("bandwidth", self.default_bandwidth)
        if self.clusterer == "spatial":
            options.setdefault("seed_threshold", self.seed_threshold)
            options.setdefault("min_points", self.least_size)
        return CLUSTERERS[self.clusterer](**options)

    @property
    def least_size(self) -> int:
        """Smallest instance in pixels of the grid on which instances are found.

        `min_size` counts pixels of the working size; outputs may lie on a coarser grid, or on the
        one of a single scale of the only look.
        """
        scale = self.tta_scales[0] if len(self.tta_scales) == 1 and not self.zoom else 1.0
        return math.ceil(self.min_size * (scale / self.output_stride) ** 2)

    def with_bandwidth(self, bandwidth: float) -> Self:
        """Return this with another bandwidth of its clusterer; ValueError where that has none."""
        if self.clusterer not in WITH_BANDWIDTH:
            raise ValueError(
                f"the clusterer {self.clusterer!r} of this model has no bandwidth to be set; "
                "leave it out"
            )
        if not 0 < bandwidth < math.inf:
            raise ValueError(
                f"bandwidth must be > 0, got {bandwidth}; this model's own is {self.bandwidth:g}"
            )
        return replace(self, clusterer_options={**self.clusterer_options, "bandwidth": bandwidth})

    @property
    def centre_threshold(self) -> float:
        """Height of the lowest peak at which the clusterer "centres" founds a cluster."""
        own = self.clusterer_options if self.clusterer == "centres" else {}
        return float(own.get("threshold", THRESHOLD))

    @property
    def bandwidth(self) -> float:
        """Of the clusterer, or of mean-shift where that has none: the stored or the default one."""
        return float(self.clusterer_options.get("bandwidth", self.default_bandwidth))

    @property
    def default_bandwidth(self) -> float:
        """Half way between the margins, (delta_v + delta_d) / 2.

        At zero loss every point of an instance is within delta_v of its mean, and every point of
        another at least 2 delta_d - delta_v away: any value between separates. Trained networks
        leave points further out than delta_v and means nearer than 2 delta_d; on leaves the middle
        of the two margins scored best against delta_v and delta_d.
        """
        return 0.5 * (self.delta_v + self.delta_d)

    def with_tuning(self, tuning: Mapping[str, Any]) -> Self:
        """Return this with the post-processing that tuning chose."""
        known = (
            "foreground_threshold", "clusterer", "clusterer_options", "seed_threshold", "core_step",
            "merge", "components", "min_size", "tta", "tta_scales",
        )  # fmt: skip
        for key in tuning:
            if key not in known:
                raise unknown("tuned value", key, known)
        scales = tuple(tuning.get("tta_scales", self.tta_scales))
        return replace(self, **{**tuning, "tta_scales": scales})

    def to_json(self) -> str:
        """Return the text that goes into the checkpoint."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of `to_json`; ValueError for anything else."""
        values = json.loads(text)
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise ValueError(f"not the description of an embedseg model of format {FORMAT}")
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise unknown("entry of the model description", key, known)
        for key in {
            "waves", "mean", "std", "class_names", "tta_scales", "training_heads",
        } & values.keys():  # fmt: skip
            values[key] = tuple(values[key])
        if isinstance(values.get("working_size"), list):
            values["working_size"] = tuple(values["working_size"])
        return cls(**values)


def check_choices(spec: ModelSpec) -> None:
    """Refuse a name that does not exist; ValueError."""
    if spec.method not in METHODS:
        raise unknown("method", spec.method, METHODS)
    if spec.clusterer not in CLUSTERERS:
        raise unknown("clusterer", spec.clusterer, CLUSTERERS)
    options = signature(CLUSTERERS[spec.clusterer]).parameters
    for option in spec.clusterer_options:
        if option not in options:
            raise unknown(f"option of {spec.clusterer}", option, options)
    check_kinds(f"clusterer {spec.clusterer!r}", CLUSTERERS[spec.clusterer], spec.clusterer_options)
    if spec.components not in COMPONENTS:
        raise unknown("components", spec.components, COMPONENTS)
    views_of(spec.tta)


def check_zoom(zoom: float, working_size: int | tuple[int, int], method: str) -> None:
    """Refuse a second look where it cannot be; ValueError."""
    if zoom < 1:
        raise ValueError(f"zoom must be 0 or >= 1, the share of the objects' extent, got {zoom}")
    if not working_size or not isinstance(working_size, int):
        raise ValueError(f"zoom needs a working_size of one number > 0, got {working_size}")
    if method == "spatial":
        raise ValueError("zoom goes with the method 'discriminative', whose embedding is no place")

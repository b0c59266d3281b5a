"""What augmentation may change; `embedseg.data.augment` draws it. No array is needed to say so."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

Size = int | tuple[int, int]
Border = Literal["reflect", "constant"]
Outside = Literal["ignore", "background"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What `augment` draws, and from where; the defaults suit leaves seen from above.

    Geometry: `size` of the output, (height, width) or one number for a square, None for the size
    of the input; `fit`: a magnification of 1 makes the whole input just fit the output, else it
    keeps the pixels' size; `scale`: range of the magnification, drawn evenly in its logarithm;
    `rotation`: largest angle in degrees, either way; `translation`: largest shift, a fraction of
    the output's size, either way; `flip_horizontal`, `flip_vertical`: probabilities;
    `random_crop`: where the magnified picture is larger or smaller than the output, its place is
    drawn, else it is in the middle; `elastic`: largest deviation of a smooth bending, a fraction of
    the output's longer side (0.02 is much; not for lanes).
    Outside the input the image is mirrored (`border` "reflect") or filled with `fill` RGB
    ("constant"); labels there are `outside`, "ignore" or "background".
    `min_pixels`: instances that are cut to fewer pixels become IGNORE (0: none).

    Colour: `brightness`, `contrast`, `saturation`: largest relative change, either way; `hue`:
    largest turn of the colour circle in degrees; `blur`: largest sigma in pixels; `noise`: largest
    standard deviation of Gaussian noise in grey levels. 0 switches any of them off.

    Weather: `shadow`, `rain`, `motion`: probabilities of a shadow cast over the picture, of rain
    streaks, and of a blur along the direction of driving.
    """

    size: Size | None = None
    fit: bool = False
    scale: tuple[float, float] = (0.8, 1.25)
    rotation: float = 180.0
    translation: float = 0.0
    flip_horizontal: float = 0.5
    flip_vertical: float = 0.5
    random_crop: bool = True
    elastic: float = 0.0
    border: Border = "reflect"
    fill: tuple[int, int, int] = (0, 0, 0)
    outside: Outside = "ignore"
    min_pixels: int = 0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 10.0
    blur: float = 0.7
    noise: float = 4.0
    shadow: float = 0.0
    rain: float = 0.0
    motion: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(f"{item.name} must be >= 0, got {value}")
        for name in ("flip_horizontal", "flip_vertical", "shadow", "rain", "motion"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is a probability, 0 to 1, got {getattr(self, name)}")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale must be (low, high) with 0 < low <= high, got {self.scale}")
        if self.size is not None and min(as_pair(self.size)) < 1:
            raise ValueError(f"size must be >= 1 pixel, got {self.size}; None keeps the input's")
        _one_of("border", self.border, get_args(Border))
        _one_of("outside", self.outside, get_args(Outside))


def as_pair(size: Size) -> tuple[int, int]:
    """Return (height, width); one number means a square."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _one_of(argument: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{argument} must be one of {', '.join(choices)}, got {value!r}")

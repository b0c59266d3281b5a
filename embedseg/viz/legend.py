"""A strip below a picture that says what its colours mean."""

from collections.abc import Sequence

import numpy as np

from embedseg.viz.arrays import Picture
from embedseg.viz.colors import ground
from embedseg.viz.maps import color_scale
from embedseg.viz.text import text_width, write

HEIGHT = 26  # pixels of the strip
_SIZES = (13, 8)  # largest and smallest letters, pixels
_GAP = 6  # pixels between words and the bar
_BAR = 0.28  # of the picture's width


def with_scale(picture: Picture, stops: Sequence[str], low: str, high: str) -> Picture:
    """Copy of `picture` (H, W, 3) above a strip with the words `low`, a colour bar and `high`."""
    width = picture.shape[1]
    bar = max(12, round(_BAR * width))
    room = width - bar - 4 * _GAP
    size = next(
        (s for s in range(*_SIZES, -1) if text_width(low, s) + text_width(high, s) <= room),
        _SIZES[1],
    )
    strip = ground(HEIGHT, width)
    left = _GAP + text_width(low, size) + _GAP
    colors = color_scale(tuple(stops), np.linspace(0, 1, bar))
    end = min(width, left + bar)
    strip[8:18, left:end] = colors[: max(0, end - left)]
    words = [(low, float(_GAP), HEIGHT / 2), (high, float(left + bar + _GAP), HEIGHT / 2)]
    return np.vstack([picture, write(strip, words, size=size, anchor="lm")])

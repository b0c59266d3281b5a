"""Writing words on pictures with fonts that come with packages: every machine draws the same."""

from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from embedseg.viz.arrays import Picture

INK = (240, 242, 245)
SHADOW = (0, 0, 0)


@cache
def _font(size: int, plain: bool) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font, which has ASCII alone, or Matplotlib's where that will not do."""
    if plain:
        return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


def text_width(text: str, size: int) -> int:
    """Width of `text` in pixels."""
    return round(_font(size, text.isascii()).getlength(text))


def write(
    picture: Picture,
    words: list[tuple[str, float, float]],
    *,
    size: int = 14,
    color: tuple[int, int, int] = INK,
    anchor: str = "la",
    halo: int = 0,
) -> Picture:
    """Copy of `picture` (H, W, 3) with each (text, x, y) written at its place.

    `anchor` is Pillow's: "la" left and top, "mm" the middle. `halo` pixels of black surround
    the letters, which keeps them readable on any ground.
    """
    canvas = Image.fromarray(np.ascontiguousarray(picture))
    draw = ImageDraw.Draw(canvas)
    for text, x, y in words:
        font = _font(size, text.isascii())
        draw.text((x, y), text, color, font, anchor, stroke_width=halo, stroke_fill=SHADOW)
    return np.asarray(canvas).copy()

"""Pieces of the HTML pages: escaping, pictures as data, tables, and the page around them.

Nothing on a page is loaded from a network: styles, scripts and pictures stand in the file itself.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from embedseg._cv2 import cv2
from embedseg.io import atomic_path
from embedseg.viz.arrays import Picture

HERE = Path(__file__).parent
Value = str | int | float | None
_JPEG_QUALITY = 88
_PLAIN = (0.01, 100.0)  # sizes of floats that are written with three decimals


def page(title: str, body: str, *, head: str = "") -> str:
    """Whole page around `body` (HTML), with the common style and script."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{head}<title>{escape(title)}</title>\n"
        f"<style>\n{asset('theme.css')}{asset('page.css')}</style>\n</head>\n"
        f"<body>\n<main>\n{body}</main>\n<script>\n{asset('page.js')}</script>\n"
        "</body>\n</html>\n"
    )


def asset(name: str) -> str:
    """Text of a file of this package."""
    return (HERE / name).read_text(encoding="utf-8")


def save_page(path: Path, text: str) -> Path:
    """Write a page whole or not at all."""
    return save_bytes(path, text.encode())


def save_picture(path: Path, picture: Picture) -> Path:
    """Write a picture (H, W, 3) as PNG, whole or not at all."""
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    return save_bytes(path, cv2.imencode(".png", bgr)[1].tobytes())


def save_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def data_uri(picture: Picture, *, side: int | None = None) -> str:
    """JPEG of `picture` (H, W, 3) as a data URI, its longer side at most `side` pixels."""
    bgr = cv2.cvtColor(picture if side is None else shrunk(picture, side), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def shrunk(picture: Picture, side: int) -> Picture:
    """Return a picture whose longer side is at most `side` pixels."""
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(1, round(scale * length)) for length in picture.shape[1::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def tiles(facts: Mapping[str, Value]) -> str:
    """Row of large figures with their names below."""
    each = "".join(
        f'<div class="tile"><b>{number(value)}</b><span>{escape(name)}</span></div>\n'
        for name, value in facts.items()
    )
    return f'<div class="tiles">\n{each}</div>\n' if each else ""


def table(rows: Sequence[Mapping[str, Value]]) -> str:
    """Sortable table of rows; columns in the order of their first appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    heads = "".join(f"<th><button>{escape(name)}</button></th>" for name in names)
    lines = "".join(
        "<tr>" + "".join(_cell(row.get(name)) for name in names) + "</tr>\n" for row in rows
    )
    return (
        '<div class="scroll"><table class="sortable">\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}</tbody></table></div>\n"
    )


def number(value: Value) -> str:
    """Text of a value: floats with three decimals or digits, a dash for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return (
            f"{value:.3f}" if value == 0 or _PLAIN[0] <= abs(value) < _PLAIN[1] else f"{value:.3g}"
        )
    return escape(str(value))


def _cell(value: Value) -> str:
    raw = "" if value is None else str(value)
    return f'<td data-value="{escape(raw)}">{number(value)}</td>'

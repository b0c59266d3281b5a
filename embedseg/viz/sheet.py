"""The sample sheet of an epoch: a row per image of image | truth | prediction | PCA | errors."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from embedseg._cv2 import cv2
from embedseg.viz.arrays import Array, Picture
from embedseg.viz.colors import ground
from embedseg.viz.compare import compare, judge, key_strip
from embedseg.viz.html import save_page, save_picture
from embedseg.viz.overlay import overlay
from embedseg.viz.pca import PcaBasis, align, fit_basis, pca_rgb
from embedseg.viz.text import write

BASIS = "colours.json"  # beside the sheets of a run
_GAP = 6  # pixels between tiles
_HEAD = 24  # pixels of the line with the columns' names
_NAME = 20  # pixels above each row for its name
_DIM = (150, 156, 164)


@dataclass(frozen=True)
class SheetRow:
    """One image of a sheet. `truth`, `prediction` and `embedding` may be absent."""

    image: Picture  # (H, W, 3)
    name: str = ""
    truth: Array | None = None  # (H, W) labels
    prediction: Array | None = None  # (H, W) labels
    embedding: Array | None = None  # (E, h, w), of any size; nearest pixels are shown
    foreground: Array | None = None  # (h, w) of the embedding's size: what its PCA is fitted to
    note: str = ""  # such as the image's score, written beside its name


def sample_sheet(
    rows: Sequence[SheetRow], *, tile: int = 320, reference: PcaBasis | None = None
) -> tuple[Picture, PcaBasis | None]:
    """RGB uint8 picture of the rows, and the basis of its PCA column (None without one).

    Every tile is `tile` pixels wide or high, whichever is the longer side. All rows share the
    basis, fitted to the foreground of all; `reference` is the last epoch's basis, so that
    colours are comparable between epochs (see `pca`).
    """
    if not rows:
        raise ValueError("rows is empty; a sheet needs at least one image")
    basis = _shared_basis(rows, reference)
    strips = [{title: _fit(p, tile) for title, p in _panels(row, basis).items()} for row in rows]
    titles = [t for t in ("image", "truth", "prediction", "PCA", "errors") if _any(strips, t)]
    width = max(p.shape[1] for strip in strips for p in strip.values())
    lines = [_line(row, strip, titles, width) for row, strip in zip(rows, strips, strict=True)]
    head = ground(_HEAD, lines[0].shape[1])
    words = [(t, float(_GAP + i * (width + _GAP)), _HEAD - 5.0) for i, t in enumerate(titles)]
    return np.vstack([write(head, words, size=14, anchor="ls"), *lines]), basis


def write_sample_sheet(path: Path, rows: Sequence[SheetRow], *, tile: int = 320) -> None:
    """Write the sheet of an epoch; its colours agree with those of the last sheet in the folder.

    The basis of the last sheet lies beside it, in colours.json, and is the reference of the next.
    """
    kept = path.with_name(BASIS)
    sheet, basis = sample_sheet(rows, tile=tile, reference=read_basis(kept))
    save_picture(path, sheet)
    if basis is not None:
        save_page(kept, json.dumps({key: v.tolist() for key, v in basis._asdict().items()}))


def read_basis(path: Path) -> PcaBasis | None:
    """Read what `write_sample_sheet` left; None where there is none or it cannot be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return PcaBasis(**{key: np.asarray(values[key], float) for key in PcaBasis._fields})
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the first sheet, or a damaged file: this sheet sets the colours


def _shared_basis(rows: Sequence[SheetRow], reference: PcaBasis | None) -> PcaBasis | None:
    vectors = [
        row.embedding.reshape(len(row.embedding), -1)
        if row.foreground is None or not row.foreground.any()
        else row.embedding[:, row.foreground > 0]
        for row in rows
        if row.embedding is not None
    ]
    if not vectors:
        return None
    basis = fit_basis(np.concatenate(vectors, axis=1))
    return basis if reference is None else align(basis, reference)


def _panels(row: SheetRow, basis: PcaBasis | None) -> dict[str, Picture]:
    panels = {"image": overlay(row.image, np.zeros(row.image.shape[:2], np.int32))}
    if row.truth is not None:
        panels["truth"] = overlay(row.image, row.truth)
    if row.prediction is not None:
        panels["prediction"] = overlay(row.image, row.prediction)
    if row.embedding is not None:
        panels["PCA"], _ = pca_rgb(row.embedding, row.foreground, basis)
    if row.truth is not None and row.prediction is not None:
        panels["errors"] = compare(row.image, row.prediction, row.truth)
    return panels


def _line(row: SheetRow, strip: dict[str, Picture], titles: list[str], width: int) -> Picture:
    """Draw a row of tiles below its name, note and the key of its errors."""
    height = max(p.shape[0] for p in strip.values())
    line = ground(_NAME + height + _GAP, _GAP + len(titles) * (width + _GAP))
    for column, title in enumerate(titles):
        if title in strip:
            picture = strip[title]
            left = _GAP + column * (width + _GAP)
            line[_NAME : _NAME + picture.shape[0], left : left + picture.shape[1]] = picture
    if "errors" in strip and row.prediction is not None and row.truth is not None:
        left = _GAP + titles.index("errors") * (width + _GAP)
        key = key_strip(judge(row.prediction, row.truth)[0], width)
        line[:_NAME, left : left + width] = key[3 : 3 + _NAME]
    words = [(f"{row.name}   {row.note}".strip(), float(_GAP), _NAME / 2)]
    return write(line, words, size=12, color=_DIM, anchor="lm")


def _fit(picture: Picture, tile: int) -> Picture:
    scale = tile / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cast(Picture, cv2.resize(picture, size, interpolation=how))


def _any(strips: list[dict[str, Picture]], title: str) -> bool:
    return any(title in strip for strip in strips)

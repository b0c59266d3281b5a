"""Test-time augmentation: a picture as flips and quarter turns show it, and how to undo each.

A view is (turns, flip): `turns` quarter turns against the clock, then, with `flip`, the columns in
reverse. All eight together are the symmetries of the square, d4.
"""

from collections.abc import Sequence

import torch

from embedseg.names import unknown

View = tuple[int, bool]
VIEWS: dict[str, tuple[View, ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, True), (2, False)),
    "d4": tuple((turns, flip) for flip in (False, True) for turns in range(4)),
}


def views_of(name: str) -> tuple[View, ...]:
    """Return the views that `--tta name` takes; ValueError for a name that is not in VIEWS."""
    if name not in VIEWS:
        raise unknown("test-time augmentation", name, VIEWS)
    return VIEWS[name]


def look(values: torch.Tensor, view: View) -> torch.Tensor:
    """Return `values` (..., H, W) as seen in `view`; (..., W, H) after an odd number of turns."""
    turns, flip = view
    turned = turn(values, turns)
    return turned.flip(-1) if flip else turned


def unlook(values: torch.Tensor, view: View) -> torch.Tensor:
    """Return what `look` was given: `unlook(look(x, view), view)` equals x."""
    turns, flip = view
    straight = values.flip(-1) if flip else values
    return turn(straight, -turns)


def turn(values: torch.Tensor, turns: int) -> torch.Tensor:
    """Return `values` turned; themselves where there is nothing to turn, which torch would copy."""
    return torch.rot90(values, turns, (-2, -1)) if turns % 4 else values


def by_shape(views: Sequence[View]) -> list[list[View]]:
    """Return `views` in groups whose pictures have one shape and so fit in one batch."""
    groups = [[v for v in views if v[0] % 2 == odd] for odd in (0, 1)]
    return [group for group in groups if group]

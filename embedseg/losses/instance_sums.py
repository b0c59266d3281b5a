"""Instances of a batch of label images as index tensors: sums, pairs and neighbours, no one-hot.

Every function works on any device and for any number of spatial dimensions, loops over no image and
no instance, and reads back to the host only the sizes of its results.
"""

import math
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

_NO_MAXIMUM = (torch.uint16, torch.uint32)  # torch finds no largest of these
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, *_NO_MAXIMUM)
_BLOCK = 512  # pixels summed one after the other in float32; bounds rounding, and races on a GPU
_BLOCK_MEMORY = 4  # partial sums take at most 1 / this of the memory of the embedding
_SMALL_TABLE = 1 << 16  # ids up to this are counted in a table, larger ones are sorted first
_CHUNK = 1 << 22  # pixel-offset pairs tested at once in `neighbours`


class Keys(NamedTuple):
    """A number for every pixel, `key` (B, N), that tells class and id; below `low`: takes no part.

    The key is class * ids + id and less than `table`.
    """

    key: Tensor
    low: int
    table: int
    ids: int


class Instances(NamedTuple):
    """The C instances of a batch, ordered by image, then class, then id.

    `image`, `key`, `rank`, `group` and `size` (C,) give for every instance its image, its key, its
    number within its image, its group (instances of one image and one class) and its pixels.
    `group_image` (G,) gives the image of every group, `width` the most instances of an image, and
    `slots` (B, table) the rank for every key, or `width` where there is no instance.
    """

    image: Tensor
    key: Tensor
    rank: Tensor
    group: Tensor
    size: Tensor
    group_image: Tensor
    width: int
    slots: Tensor


def number_pixels(labels: Tensor, semantic: Tensor | None, background: bool) -> Keys:
    """Give keys to the pixels of `labels` (B, *S): ids >= 1, and 0 too if `background`.

    With `semantic` (B, *S) an instance is the set of pixels of one image with one class and one id
    (so ids may start again in each class); pixels whose class is 0 or negative take no part.
    """
    labels = labels.long() if labels.dtype in _NO_MAXIMUM else labels
    labels, ids = _small_ids(labels.flatten(1))
    low = 0 if background else 1
    if semantic is None:
        return Keys(labels, low, ids, ids)
    semantic = semantic.flatten(1).long()
    part = (labels >= low) & (semantic > 0)
    key = torch.where(part, labels.long() + ids * semantic, -1)
    return Keys(key, 0, ids * (_top(semantic) + 1), ids)


def count_pixels(keys: Keys) -> Tensor:
    """Count the pixels (B, table) of every key that takes part."""
    key = _fold(keys)
    rows = torch.arange(len(key), device=key.device)[:, None] * (keys.table + 1)
    counts = torch.bincount((key + rows).flatten(), minlength=len(key) * (keys.table + 1))
    return counts.view(len(key), keys.table + 1)[:, : keys.table]


def find_instances(keys: Keys, counts: Tensor, min_size: int = 1) -> Instances:
    """List the instances of at least `min_size` pixels from the `counts` (B, table)."""
    present = counts >= max(min_size, 1)
    present[:, : keys.low] = False
    number = present.cumsum(1) - 1
    width = _top(number) + 1
    image, key = present.nonzero(as_tuple=True)
    classes = max(keys.table // max(keys.ids, 1), 1)
    of_class = image * classes + key // max(keys.ids, 1)
    groups, group = torch.unique_consecutive(of_class, return_inverse=True)
    return Instances(
        image,
        key,
        number[image, key],
        group,
        counts[image, key],
        groups // classes,
        width,
        torch.where(present, number, width),
    )


def pixel_slots(keys: Keys, instances: Instances) -> Tensor:
    """Return for every pixel (B, N) the rank of its instance, or `width` where it has none."""
    slots = pad(instances.slots, (0, 1), value=instances.width)
    return slots.gather(1, _fold(keys))


def _fold(keys: Keys) -> Tensor:
    """Keys as int64, with `table` for all pixels that take no part."""
    return torch.where(keys.key >= keys.low, keys.key.long(), keys.table)


def block_slots(slot: Tensor, width: int) -> tuple[Tensor, int]:
    """Slots (B, 1, N) that differ from block to block of an image's pixels, and the block count.

    Summing into `blocks * (width + 1)` slots and adding the blocks up afterwards keeps the rounding
    error of a float32 sum over a large instance small.
    """
    pixels = slot.shape[1]
    blocks = max(1, min(pixels // _BLOCK, pixels // _BLOCK_MEMORY // (width + 1)))
    place = torch.arange(pixels, device=slot.device)
    block = place.mul_(blocks).div_(max(pixels, 1), rounding_mode="floor")
    return (slot + block.mul_(width + 1))[:, None], blocks


def sum_by_slot(values: Tensor, slots: Tensor, blocks: int, width: int) -> Tensor:
    """Return the sums (B, E, width + 1) of `values` (B, E, N) over the pixels of every slot."""
    batch, channels, _ = values.shape
    sums = values.new_zeros(batch, channels, blocks * (width + 1))
    sums = sums.scatter_add(2, slots.expand_as(values), values)
    return sums.view(batch, channels, blocks, width + 1).sum(2)


def spread_by_slot(values: Tensor, slots: Tensor, blocks: int) -> Tensor:
    """Give every pixel the value (B, E, width + 1) of its slot: (B, E, N)."""
    channels = values.shape[1]
    values = values[:, :, None].expand(-1, -1, blocks, -1).flatten(2)
    return values.gather(2, slots.expand(-1, channels, -1))


def means_and_own(
    x: Tensor, slot: Tensor, instances: Instances
) -> tuple[Tensor, Tensor, tuple[Tensor, int]]:
    """Return the means (C, E) of x (B, E, N), each pixel's own mean (B, E, N), and block slots.

    `slot` (B, N) is that of `pixel_slots`; the pixels of no instance have mean 0.
    """
    image, rank, width = instances.image, instances.rank, instances.width
    slots, blocks = block_slots(slot, width)
    sums = sum_by_slot(x, slots, blocks, width)[image, :, rank]
    means = sums / instances.size.to(x.dtype)[:, None]
    table = x.new_zeros(x.shape[0], x.shape[1], width + 1)
    table[image, :, rank] = means
    return means, spread_by_slot(table, slots, blocks), (slots, blocks)


def sum_by_group(values: Tensor, instances: Instances) -> Tensor:
    """Return the sums (G,) over groups of one value (C,) per instance."""
    sums = values.new_zeros(instances.group_image.numel())
    return sums.index_add(0, instances.group, values)


def mean_of_groups(groups: Tensor, instances: Instances) -> Tensor:
    """Mean of `groups` (G,) within each image, then over the images that have one; 0 if none."""
    shares = torch.bincount(instances.group_image)[instances.group_image]
    first = instances.group_image.diff(prepend=instances.group_image.new_full((1,), -1)) != 0
    return (groups / shares).sum() / first.sum().clamp(min=1)


def pairs_within_groups(instances: Instances) -> tuple[Tensor, Tensor]:
    """All unordered pairs (P,), (P,) of instances that share a group, as first < second."""
    group = instances.group
    order = torch.arange(group.numel(), device=group.device)
    end = torch.bincount(group).cumsum(0)[group]
    partners = end - order - 1
    first = torch.repeat_interleave(order, partners)
    start = partners.cumsum(0) - partners
    second = torch.arange(first.numel(), device=group.device) - start[first] + first + 1
    return first, second


def neighbours(slot: Tensor, width: int, distance: float) -> Tensor:
    """Which instances of an image come within `distance` pixels of each other: bool (B, L, L).

    The distance of two instances is the smallest Euclidean distance between pixel centres, so side
    by side is 1. Only boundary pixels are looked at: the nearest pixels of two instances are such.
    `slot` is (B, *S) with `width` for no instance; the answer is symmetric.
    """
    radius = math.floor(distance)
    grid = pad(slot, (radius, radius) * (slot.ndim - 1), value=width)
    boundary = torch.zeros_like(grid, dtype=torch.bool)
    for axis in range(1, grid.ndim):
        boundary |= (grid != grid.roll(1, axis)) | (grid != grid.roll(-1, axis))
    flat = grid.flatten()
    pixel = (boundary.flatten() & (flat < width)).nonzero()
    row = pixel // max(grid[0].numel(), 1) * (width + 1) + flat[pixel]
    near = torch.zeros(len(slot) * (width + 1) ** 2, dtype=torch.bool, device=grid.device)
    shifts = torch.tensor(_half_ball(grid, distance), dtype=torch.long, device=grid.device)
    for some in shifts.split(max(1, _CHUNK // max(1, pixel.numel()))):
        near[row * (width + 1) + flat[pixel + some]] = True
    near = near.view(len(slot), width + 1, width + 1)[:, :width, :width]
    return near | near.transpose(1, 2)


def _half_ball(grid: Tensor, distance: float) -> list[int]:
    """Shifts in the flattened `grid` to the half of the ball that lies ahead in memory order."""
    radius = range(-math.floor(distance), math.floor(distance) + 1)
    shifts = []
    for offset in product(radius, repeat=grid.ndim - 1):
        if any(offset) and sum(o * o for o in offset) <= distance * distance:
            shifts.append(sum(o * s for o, s in zip(offset, grid.stride()[1:], strict=True)))
    return [shift for shift in shifts if shift > 0]


def _top(values: Tensor) -> int:
    """Return the largest value, or -1 if all are negative or there is none."""
    return max(-1, int(values.max())) if values.numel() else -1


def _small_ids(labels: Tensor) -> tuple[Tensor, int]:
    """Renumber `labels` by rank if their ids are too large for a table; and return their count."""
    ids = _top(labels) + 1
    if labels.shape[0] * (ids + 1) <= max(labels.numel(), _SMALL_TABLE):
        return labels, ids
    labels = labels.long() if labels.dtype == torch.uint8 else labels  # which has no -1
    fixed = labels.new_tensor([-1, 0])
    known, rank = torch.unique(
        torch.cat([fixed, labels.clamp(min=-1).flatten()]), return_inverse=True
    )
    return (rank[2:] - 1).view_as(labels), len(known) - 1

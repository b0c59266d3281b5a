"""Channels that tell a convolution where it is: coordinates over the image, waves over its pixels.

A convolution gives equal objects equal features wherever they lie; instances that look alike part
only by position. `coordinate_maps` (R. Liu et al., CoordConv, arXiv:1807.03247) suit images with
one scene each, as a plant; their slope falls with the image's size. `wave_maps` are guide functions
of fixed wavelengths in pixels (V. Kulikov, V. Lempitsky, arXiv:1904.05257): they look alike in a
crop and in an image of any size, and suit many small objects, as nuclei.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def position_channels(ndim: int, coordinates: bool, waves: Sequence[float]) -> int:
    """Return how many channels `position_maps` gives: ndim + 1 and 2 ndim per wavelength."""
    return (ndim + 1 if coordinates else 0) + 2 * ndim * len(waves)


def position_maps(
    size: Sequence[int],
    coordinates: bool,
    waves: Sequence[float],
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    """Return (channels, *size): the coordinates, if wanted, then the waves."""
    if not waves and coordinates:  # an exporter cannot join a map of no channels
        return coordinate_maps(size, device, dtype)
    maps = [coordinate_maps(size, device, dtype)] if coordinates else []
    return torch.cat([*maps, wave_maps(size, waves, device, dtype)])


def coordinate_maps(size: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return (n + 1, *size): x, y (, z) from -1 to 1, last axis first, then the radius."""
    lines = [_line(s, device) for s in size]
    grids = torch.meshgrid(*lines, indexing="ij")[::-1]
    radius = torch.stack([g * g for g in grids]).sum(0).sqrt()
    return torch.stack([*grids, radius]).to(dtype)


def wave_maps(
    size: Sequence[int], waves: Sequence[float], device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Return (2 n W, *size): sin and cos of 2 pi x / w for each wavelength w and each axis."""
    lines = [torch.arange(s, device=device, dtype=torch.float32) for s in size]
    maps = [torch.empty(0, *size, device=device)]  # no wave, no channel
    for wave in waves:
        angles = torch.meshgrid(*(line * (2 * torch.pi / wave) for line in lines), indexing="ij")
        maps += [f(angle)[None] for angle in angles[::-1] for f in (torch.sin, torch.cos)]
    return torch.cat(maps).to(dtype)


def _line(size: int, device: torch.device) -> Tensor:
    twice = 2.0 * torch.arange(size, device=device, dtype=torch.float32) - (size - 1)
    return twice / max(size - 1, 1)

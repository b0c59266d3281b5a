"""From a uint8 picture to what the network was trained on: contrast, then mean and deviation."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pictures: the usual choice, right for its encoders
STD = (0.229, 0.224, 0.225)
DARKEST, BRIGHTEST = 1.0, 99.8  # percentiles of a microscope's picture that become 0 and 255


def stretch_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `image` with its 1st and 99.8th percentile, over all channels, at 0 and 255.

    Microscopes leave most of the range of grey levels unused, each picture another part of it. One
    map for all channels keeps the hue. A picture of one grey level is returned as it is.
    """
    low, high = np.percentile(image, (DARKEST, BRIGHTEST))
    if high <= low:
        return image
    table = np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)
    return np.asarray(table[image])


def on_dark_ground(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `image`, or 255 - `image` if more than half of it is brighter than mid grey.

    Stained nuclei are dark on bright ground, fluorescent ones bright on dark ground: shown the same
    way round, the many pictures of one kind teach the other. Mid grey is that of the channels'
    mean, 127.5.
    """
    return 255 - image if np.median(image.mean(2)) > 127.5 else image


def adjust(
    image: NDArray[np.uint8], *, stretch: bool = False, dark_ground: bool = False
) -> NDArray[np.uint8]:
    """Return `image` (H, W, C) with the asked of `stretch_contrast` and then `on_dark_ground`."""
    if stretch:
        image = stretch_contrast(image)
    return on_dark_ground(image) if dark_ground else image


def normalise(image: Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """Return (image / 255 - mean) / std for a uint8 batch (B, C, *S), channel by channel."""
    shape = (1, -1, *([1] * (image.ndim - 2)))
    centre = torch.tensor(mean, device=image.device).view(shape)
    scale = torch.tensor(std, device=image.device).view(shape)
    return (image.float() / 255 - centre) / scale

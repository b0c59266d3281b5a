"""From a uint8 picture to what the network was trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pictures: the usual choice, right for its encoders
STD = (0.229, 0.224, 0.225)


def normalise(image: Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """Return (image / 255 - mean) / std for a uint8 batch (B, C, *S), channel by channel."""
    shape = (1, -1, *([1] * (image.ndim - 2)))
    centre = torch.tensor(mean, device=image.device).view(shape)
    scale = torch.tensor(std, device=image.device).view(shape)
    return (image.float() / 255 - centre) / scale

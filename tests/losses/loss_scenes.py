"""Small pictures on which the losses are tested."""

import numpy as np
import torch
from torch import Tensor


def golden_scene() -> tuple[Tensor, Tensor]:
    """The scene of the published numbers: 2 pictures, 3 classes, the second lacks class 2."""
    i, j = torch.meshgrid(torch.arange(16), torch.arange(20), indexing="ij")
    b, c = torch.arange(2).double()[:, None, None, None], torch.arange(3).double()[:, None, None]
    logits = 2 * torch.sin(0.7 * b + 1.3 * c + 0.37 * i.double() + 0.53 * j.double())
    target = torch.zeros(2, 16, 20, dtype=torch.long)
    for image in range(2):
        target[image][(i - 6 - image) ** 2 + (j - 7) ** 2 <= 16] = 1
    target[0, 10:14, 12:18] = 2
    return logits, target


def random_scene(classes: int, ignore: int = -1) -> tuple[Tensor, Tensor]:
    """Two pictures of 6x7: unequal classes, the last one absent, one only in picture 0."""
    rng = np.random.default_rng(classes)
    logits = torch.from_numpy(rng.normal(0, 1.5, (2, classes, 6, 7)))
    target = torch.zeros(2, 6, 7, dtype=torch.long)
    target[0, 1:5, 1:4] = target[1, 2:4, 0:6] = 1
    if classes > 2:
        target[0, 3:6, 4:6] = 2
    for place in ((0, 0, 0), (0, 2, 2), (0, 5, 4), (1, 3, 3), (1, 5, 6)):
        target[place] = ignore
    return logits, target


def instance_scene() -> Tensor:
    """Instance ids, with gaps, of the foreground of `random_scene(4)`; ignored pixels are -1."""
    _, target = random_scene(4)
    ids = target.clone()
    ids[0, 1, 1:4] *= 7
    ids[1, :, 3:] *= 3
    return torch.where(target < 0, -1, ids)

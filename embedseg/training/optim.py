"""The optimiser, the learning-rate schedule and the averaged weights."""

import math

import torch
from torch import nn

FLOOR = 0.01  # the schedule ends at this share of its peak
EMA_RAMP = 50  # steps: the average forgets its random start over about this many


def build_optimizer(
    network: nn.Module, *, name: str, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return Adam or AdamW; biases and norms (fewer than two dimensions) are not decayed."""
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    rest = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    decay = weight_decay if name == "adamw" else 0.0
    groups = [
        {"params": weights, "weight_decay": decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    fused = next(iter(weights)).device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=learning_rate, fused=fused)  # without decay it is Adam


def schedule(progress: float, step: int, warmup_steps: int) -> float:
    """Return the share of the peak learning rate: linear warm-up, then a cosine down to FLOOR.

    `progress` in [0, 1] is the share of the training that is done.
    """
    warm = min(1.0, (step + 1) / max(1, warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return warm * (FLOOR + (1 - FLOOR) * cosine)


class AveragedWeights:
    """Exponential moving average of a network's state, buffers included.

    average <- d average + (1 - d) value with d = min(decay, t / (t + EMA_RAMP)) at step t, so that
    early averages are not ruled by the random start; decay 0 copies the weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.state = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step towards the network's present weights."""
        self.steps += 1
        keep = min(self.decay, self.steps / (self.steps + EMA_RAMP))
        source = network.state_dict()
        floats = [k for k, v in self.state.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.state[k] for k in floats], [source[k] for k in floats], 1 - keep)
        for key, value in self.state.items():
            if not value.is_floating_point():
                value.copy_(source[key])

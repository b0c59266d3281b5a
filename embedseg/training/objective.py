"""What training minimises: the discriminative loss plus the loss of the semantic head."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from embedseg.losses import combined_loss
from embedseg.losses.combine import check_spec
from embedseg.losses.discriminative import DiscriminativeLoss
from embedseg.losses.seed import seed_loss


class Objective(nn.Module):
    """embedding * (discriminative + seed * seed loss) + sum_i foreground[i] * loss_i(semantic).

    `forward(outputs, labels, semantic)` takes the network's outputs, labels (B, H, W) and classes
    (B, H, W) at the input's size, and returns the total with each term, detached, by name. Labels
    are brought to the outputs' stride by taking every stride-th pixel. Losses of the semantic head
    are averaged per image, so that a batch split over processes has the same gradient. With more
    than one class the discriminative loss is taken per class.
    """

    def __init__(  # noqa: PLR0913  (the fields of LossConfig, flat)
        self,
        *,
        delta_v: float,
        delta_d: float,
        alpha: float,
        beta: float,
        gamma: float,
        embedding: float,
        seed: float,
        foreground: Mapping[str, float],
        options: Mapping[str, Any],
    ) -> None:
        super().__init__()
        check_spec(foreground, {})
        self.embedding, self.seed, self.foreground = embedding, seed, dict(foreground)
        self.delta_v = delta_v
        self.discriminative = DiscriminativeLoss(
            delta_v=delta_v, delta_d=delta_d, alpha=alpha, beta=beta, gamma=gamma, **options
        )

    def forward(
        self,
        outputs: Mapping[str, Tensor],
        labels: Tensor,
        semantic: Tensor,
        share: Callable[[Tensor], Tensor] = torch.ones_like,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and its terms.

        The discriminative loss is the mean over images that have an instance; `share` maps their
        number here to this process's weight in the mean over all processes.
        """
        embedding, logits = outputs["embedding"], outputs["semantic"].float()
        labels, semantic = _at(labels, embedding), _at(semantic, logits)
        classes = semantic if logits.shape[1] > 1 else None
        terms = self.discriminative(embedding, labels, classes)
        weight = self.embedding * share((labels > 0).flatten(1).any(1).sum().float())
        head, parts = combined_loss(
            logits, semantic, self.foreground, per_image=True, inputs={"instances": labels}
        )
        total = weight * terms.total + head
        if "seed" in outputs:
            parts["seed"] = seed_loss(outputs["seed"], embedding, labels, delta_v=self.delta_v)
            total = total + weight * self.seed * parts["seed"]
        named = {"loss": total, "pull": terms.pull, "push": terms.push, "reg": terms.reg, **parts}
        return total, {name: value.detach() for name, value in named.items()}


def _at(target: Tensor, output: Tensor) -> Tensor:
    """Return every stride-th pixel of `target` (B, *S), as many as `output` (B, C, *T) has."""
    if target.shape[1:] == output.shape[2:]:
        return target
    steps = [-(-s // t) for s, t in zip(target.shape[1:], output.shape[2:], strict=True)]
    return target[(slice(None), *(slice(None, None, step) for step in steps))]

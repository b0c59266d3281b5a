"""What training minimises: the loss of the embedding plus the losses of the other heads."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from embedseg.kinds import check_kinds
from embedseg.losses import LOSSES, SIDE_LOSSES, combined_loss, deep_supervision, scheduled
from embedseg.losses._pixels import promote
from embedseg.losses.boundary_schedule import Schedule
from embedseg.losses.centre import centre_loss
from embedseg.losses.combine import check_factor, check_options
from embedseg.losses.discriminative import DiscriminativeLoss, DiscriminativeTerms
from embedseg.losses.discriminative_options import push_margin
from embedseg.losses.seed import seed_loss
from embedseg.losses.sparse import sparse_loss
from embedseg.losses.spatial import spatial_loss
from embedseg.models.heads import SideHeads
from embedseg.names import unknown
from embedseg.training.side_terms import WHOLE, Batch, side_total
from embedseg.training.targets import MAPS

logger = logging.getLogger(__name__)
OWN_HEADS = {"border": "border", "presence": "semantic_encoding"}  # a backbone's -> its loss
Share = Callable[[Tensor], Tensor]


class Objective(nn.Module):
    """embedding * (discriminative + seed * seed loss) + centre loss + sum_i foreground[i] * loss_i.

    The loss of a centre head has the factor `centre`.
    Where there is a "taught" embedding, unlabelled * the sparse loss (`losses/sparse.py`) comes to
    the bracket. If `spatial`, the loss of learned bandwidths (`losses/spatial.py`) stands for it.

    `forward(outputs, batch)` takes the network's outputs and a batch: "labels" and "semantic"
    (B, H, W) and the "image" (B, C, H, W) uint8, at the input's size; distance maps, the map of
    centres, the "teacher" logits and the "taught" embedding at the outputs' size, where a loss
    reads them. It returns the total with each term, detached, by name. Targets are brought to the
    outputs' stride by taking every stride-th pixel. Losses of the other heads are averaged per
    image, so that a batch split over processes has the same gradient. With more than one class the
    discriminative loss is taken per class.

    "deep_supervision" in `foreground` applies the discriminative loss and the losses of the
    semantic head to each side output as well (but the main one), with its factor.
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
        keywords: Mapping[str, Mapping[str, Any]] | None = None,
        schedule: Schedule = "constant",
        schedule_step: float = 0.01,
        spacing: tuple[float, ...] = (),
        unlabelled: float = 1.0,
        centre: float = 0.1,
        spatial: bool = False,
    ) -> None:
        super().__init__()
        self.keywords = {name: dict(own) for name, own in (keywords or {}).items()}
        check_names(foreground, self.keywords)
        self.foreground = {k: v for k, v in foreground.items() if k in LOSSES}
        self.side = {k: v for k, v in foreground.items() if k not in (*LOSSES, *WHOLE)}
        self.deep = foreground.get("deep_supervision", 0.0)
        self.embedding = embedding * foreground.get("discriminative", 1.0)
        self.seed, self.delta_v, self.spatial = seed, delta_v, spatial
        self.centre = centre
        if spatial and self.deep:
            raise ValueError("deep_supervision goes with the method 'discriminative' only")
        self.schedule, self.schedule_step = schedule, schedule_step
        if spacing and "hausdorff" in self.foreground:  # its maps of the prediction
            self.keywords["hausdorff"] = {**self.keywords.get("hausdorff", {}), "spacing": spacing}
        self.unlabelled = unlabelled
        self.delta_d = push_margin(delta_d, options.get("hinge", "paper")) / 2  # the paper's
        self.discriminative = DiscriminativeLoss(
            delta_v=delta_v, delta_d=delta_d, alpha=alpha, beta=beta, gamma=gamma, **options
        )
        self.first_side = 0
        self.set_epoch(0)  # refuses a schedule without a boundary loss

    def set_epoch(self, epoch: int) -> None:
        """Take the factors of `epoch` = 0, 1, ... from the schedule."""
        self.factors = dict(self.foreground)
        if self.schedule != "constant":
            self.factors = scheduled(self.foreground, self.schedule, epoch, step=self.schedule_step)

    def scheduled_factors(self) -> dict[str, float]:
        """Return the factors of this epoch by "factor_" and the loss, where there is a schedule."""
        changing = self.schedule != "constant"
        return {f"factor_{name}": value for name, value in self.factors.items() if changing}

    def check(self, network: nn.Module) -> None:
        """Raise ValueError if a loss lacks an output of `network`, or an optional head its loss.

        Notes whether the first side output is the main one, which needs no second loss: it is,
        unless the main output is the mean of them all.
        """
        sides = [part for part in network.modules() if isinstance(part, SideHeads)]
        if self.deep and not sides:
            raise ValueError(
                "deep_supervision needs side outputs, which this network does not have; choose a "
                "backbone with an option deep_supervision and set it, as in --network.backbone "
                "unet++ --network.options '{deep_supervision: true}', or leave it out"
            )
        backbone = getattr(network, "backbone", None)
        if getattr(backbone, "decides", False) and not self.side.get("semantic_encoding"):
            raise ValueError(
                "this network decides whether a picture holds an object, which it learns from the "
                "loss semantic_encoding; add it, as in --loss.foreground '{cross_entropy: 1, "
                "dice: 1, semantic_encoding: 0.2}', or leave out its option presence"
            )
        self._check_optional(backbone, sides)
        self.first_side = 0 if any(part.average for part in sides) else 1

    def _check_optional(self, backbone: nn.Module | None, sides: Sequence[SideHeads]) -> None:
        """Raise ValueError for heads of an option of the backbone that no loss trains."""
        missing = [(k, v) for k, v in OWN_HEADS.items() if not self.side.get(v)]
        idle = [(k, v) for k, v in missing if getattr(backbone, k, None) is not None]
        if not self.deep and any(not part.average for part in sides):
            idle.append(("deep_supervision", "deep_supervision"))
        for option, loss in idle:
            raise ValueError(
                f"no loss trains the heads of the network's option {option}; add {loss}, as in "
                f"--loss.foreground '{{cross_entropy: 1, dice: 1, {loss}: 0.2}}', or leave out "
                f"the option {option}"
            )

    def forward(
        self, outputs: Mapping[str, Tensor], batch: Batch, share: Share | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and its terms.

        The discriminative loss is the mean over images that have an instance; `share` maps their
        number here to this process's weight in the mean over all processes.
        """
        embedding = outputs["embedding"]
        batch = {**batch, **_at_output(batch, embedding)}
        labels = batch["labels"]
        seen = (labels > 0).flatten(1).any(1).sum().float()
        weight = self.embedding * (share or torch.ones_like)(seen)
        if self.spatial:
            total, near = self._places(outputs, labels)
        else:
            total, near = self._vectors(outputs, batch, weight)
        head, parts = self._classes(outputs["semantic"], batch)
        total, parts = total + head, near | parts
        side, more = side_total(outputs, batch, self.side, self.keywords)
        total, parts = total + side, parts | more
        if self.deep:
            parts["deep_supervision"] = self._sides(outputs, batch, weight)
            total = total + self.deep * parts["deep_supervision"]
        return total, {name: value.detach() for name, value in {"loss": total, **parts}.items()}

    def _vectors(
        self, outputs: Mapping[str, Tensor], batch: Batch, weight: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted discriminative loss with that of the seed head, and their terms."""
        embedding = promote(outputs["embedding"])  # once
        terms = self._instances(embedding, batch, outputs["semantic"].shape[1])
        total = weight * terms.total
        parts = {"pull": terms.pull, "push": terms.push, "reg": terms.reg}
        if "seed" in outputs:
            parts["seed"] = seed_loss(
                outputs["seed"], embedding, batch["labels"], delta_v=self.delta_v
            )
            total = total + weight * self.seed * parts["seed"]
        if "centre" in outputs:
            parts["centre"] = centre_loss(outputs["centre"], batch["centre"])
            total = total + self.centre * parts["centre"]
        if "taught" in batch:
            more = sparse_loss(
                embedding,
                batch["taught"],
                batch["labels"],
                delta_v=self.delta_v,
                delta_d=self.delta_d,
            )
            parts |= {"unlabelled_push": more.push, "object": more.object, "agree": more.agree}
            total = total + self.embedding * self.unlabelled * more.total
        return total, parts

    def _places(
        self, outputs: Mapping[str, Tensor], labels: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted loss of learned bandwidths, a mean over images, and its terms."""
        places, widths, seed = (outputs[k] for k in ("embedding", "log_precision", "seed"))
        found = spatial_loss(places, widths, seed, labels, seed_weight=self.seed)
        parts = {"overlap": found.instance, "smoothness": found.smoothness, "seed": found.seed}
        return self.embedding * found.total, parts

    def _instances(self, embedding: Tensor, batch: Batch, classes: int) -> DiscriminativeTerms:
        """Return the terms of the discriminative loss, per class if there is more than one."""
        semantic = batch["semantic"] if classes > 1 else None
        terms: DiscriminativeTerms = self.discriminative(embedding, batch["labels"], semantic)
        return terms

    def _classes(self, logits: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum for the semantic head, and its terms by name."""
        logits = logits.float()
        if not self.factors:
            return logits.sum() * 0, {}
        inputs = {name: batch[name] for name in (*MAPS, "image") if name in batch}
        return combined_loss(
            logits,
            batch["semantic"],
            self.factors,
            per_image=True,
            options={k: v for k, v in self.keywords.items() if k in self.factors},
            inputs={**inputs, "instances": batch["labels"]},
        )

    def _sides(self, outputs: Mapping[str, Tensor], batch: Batch, weight: Tensor) -> Tensor:
        """Return the sum over side outputs of both losses; all have the size of the outputs."""
        embeddings, logits = (
            outputs[f"{name}_sides"][self.first_side :] for name in ("embedding", "semantic")
        )
        classes = logits.shape[2]
        near = deep_supervision(
            list(embeddings), batch["labels"], lambda e, _: self._instances(e, batch, classes)
        )[0]
        far = deep_supervision(
            list(logits), batch["semantic"], lambda z, _: self._classes(z, batch)
        )[0]
        return weight * near + far


def check_names(names: Mapping[str, float], options: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ValueError for names, factors or options of losses that do not exist."""
    if not names:
        raise ValueError("the loss is empty; name at least one, such as {'cross_entropy': 1}")
    known = {**LOSSES, **SIDE_LOSSES}
    for name, factor in names.items():
        if name not in known:
            raise unknown("loss", name, known)
        check_factor(name, factor)
    for name, own in options.items():
        if name not in names:
            raise unknown("loss with keywords", name, names)
        if name in WHOLE or "spacing" in own:
            raise ValueError(
                f"loss {name!r} takes no such keywords here: a spacing is loss.spacing, the "
                "options of the discriminative loss are loss.options"
            )
        check_options(name, known[name], own)
        check_kinds(f"loss {name!r}", known[name], own)
    if not any(name in LOSSES for name in names):
        logger.warning("no loss acts on the semantic head (%s): add cross_entropy", list(names))


def _at_output(batch: Batch, output: Tensor) -> dict[str, Tensor]:
    """Return labels, classes and the image in [0, 1] at the size of `output` (B, E, *T)."""
    at = {name: _thinned(batch[name], output) for name in ("labels", "semantic")}
    if "image" in batch:
        at["image"] = _thinned(batch["image"], output).float() / 255
    return at


def _thinned(target: Tensor, output: Tensor) -> Tensor:
    """Return every stride-th pixel of `target` (..., *S), as many as `output` (B, C, *T) has."""
    for axis, size in enumerate(output.shape[2:], start=target.ndim - output.ndim + 2):
        step = -(-target.shape[axis] // size)
        target = target[(slice(None),) * axis + (slice(None, None, step),)]
    return target

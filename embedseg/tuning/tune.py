"""Tuning from end to end: look once, search, check by cross-validation, choose, tell.

The choice is the default wherever the search cannot show a gain: fewer than LEAST_IMAGES images; no
gain beyond one standard error on images held out from the search (`cross_validate`); none at the
pictures' own size.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from embedseg.data import Dataset, Sample
from embedseg.inference.spec import ModelSpec
from embedseg.names import unknown
from embedseg.tuning.figures import METRICS, Parts, gain, score
from embedseg.tuning.judge import Judge, Network, look_at
from embedseg.tuning.search import CrossValidation, cross_validate, search
from embedseg.tuning.space import Axis, Setting, axes_of, changes, moved, start_of

LEAST_IMAGES = 4  # fewer cannot be split into a half to tune on and a half to check on
SPLITS, QUICK_SPLITS = 5, 2
MOST_IMAGES, QUICK_IMAGES = 64, 20
QUICK_ROUNDS = 1
VIEWS_MUST_GAIN = 0.003  # test-time augmentation costs several times the network's time
SEED = 0  # of the splits


@dataclass(frozen=True)
class Curve:
    """The scores, on the network's grid, along one axis through the chosen setting."""

    axis: Axis
    scores: tuple[float, ...]
    errors: tuple[float, ...]  # standard errors of the difference to the chosen setting
    chosen: Any


@dataclass(frozen=True)
class Tuning:
    """The outcome: `chosen` as in tuning.json; scores untuned and tuned on the tuning images.

    `check` holds the gains on halves that the search did not see; `curves` the landscape.
    """

    chosen: dict[str, Any]
    metric: str
    images: tuple[str, ...]
    untuned: float
    tuned: float
    settings: int
    seconds: float
    reason: str
    check: CrossValidation | None = None
    curves: tuple[Curve, ...] = field(default=(), repr=False)

    def describe(self) -> str:
        """Return the outcome in one line."""
        more = "" if self.check is None else f", {self.check.mean:+.4f} on images held out"
        return (
            f"{self.metric} {self.untuned:.4f} -> {self.tuned:.4f} on {len(self.images)} images"
            f"{more}: {worded(self.chosen)} "
            f"({self.reason}; {self.settings} settings, {self.seconds:.0f} s)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return what tuning.json holds."""
        return {
            "chosen": self.chosen,
            "metric": self.metric,
            "untuned": round(self.untuned, 5),
            "tuned": round(self.tuned, 5),
            "held_out_gain": None if self.check is None else round(self.check.mean, 5),
            "held_out_gains": [] if self.check is None else [round(g, 5) for g in self.check.gains],
            "reason": self.reason,
            "images": list(self.images),
            "settings": self.settings,
            "seconds": round(self.seconds, 1),
        }


def worded(chosen: dict[str, Any]) -> str:
    """Return a choice in words."""
    return ", ".join(f"{k} {v}" for k, v in chosen.items()) or "defaults"


def tune(
    model: Network,
    samples: Dataset,
    *,
    metric: str = "sbd",
    tta: Sequence[str] = ("none",),
    quick: bool = False,
) -> Tuning:
    """Choose the post-processing of `model` by `metric` (of METRICS) on validation `samples`.

    `tta` are the kinds of test-time augmentation that may be chosen; "none" is always tried first.
    `quick` looks at fewer images and settings. The model's spec is what counts as untuned; the
    model is left as it was. Raises ValueError for an unknown metric or no image.
    """
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    if not len(samples):
        raise ValueError("there is no image to tune on; check the list")
    started = time.monotonic()
    samples = spread(samples, QUICK_IMAGES if quick else MOST_IMAGES)
    bar = tqdm(desc="tuning", unit="setting", disable=None)
    with tempfile.TemporaryDirectory(prefix="embedseg-tune-") as folder, bar:
        task = _Task(model, samples, metric, Path(folder), bar, quick)
        outcome = task.without_views()
        for name in tta:
            if name != "none":
                outcome = task.with_views(outcome, name)
    return replace(outcome, seconds=time.monotonic() - started)


def spread(samples: Dataset, most: int) -> Dataset:
    """Return at most `most` samples, evenly over the set."""
    if len(samples) <= most:
        return samples
    places = np.linspace(0, len(samples) - 1, most).round().astype(int)
    return samples.subset([samples.names[place] for place in places])


@dataclass
class _Task:
    model: Network
    samples: Dataset
    metric: str
    folder: Path
    bar: "tqdm[Any]"
    quick: bool

    def judge(self, spec: ModelSpec, name: str) -> tuple[Judge, list[Axis]]:
        """Return the judge over the outputs in the views of `spec`."""
        own, self.model.spec = self.model.spec, spec
        folder = self.folder / name
        folder.mkdir()
        try:
            samples: Sequence[Sample] = self.samples
            progress = tqdm(samples, desc="looking", unit="image", disable=None, leave=False)
            seen = look_at(self.model, progress, folder)
        finally:
            self.model.spec = own
        axes = axes_of(spec)
        return Judge(seen, axes, spec, self.metric, self.bar), axes

    def without_views(self) -> Tuning:
        """Search, check and choose among the settings of the outputs as they are."""
        spec = self.model.spec
        judge, axes = self.judge(spec, "plain")
        everything, start = range(len(self.samples)), start_of(axes)
        untuned = judge.at_full_size(start)
        self.plain = untuned
        if len(everything) < LEAST_IMAGES:
            reason = f"{len(everything)} images are too few to tune on, defaults kept"
            return self._outcome(judge, start, untuned, untuned, reason, None)
        rounds = {"rounds": QUICK_ROUNDS} if self.quick else {}
        chosen = search(judge, axes, everything, **rounds)
        if chosen == start:
            return self._outcome(judge, start, untuned, untuned, "no setting is better", None)
        check = cross_validate(
            judge,
            axes,
            groups_of(self.samples),
            splits=QUICK_SPLITS if self.quick else SPLITS,
            rng=np.random.default_rng(SEED),
            **rounds,
        )
        tuned = judge.at_full_size(chosen)
        self.plain = tuned
        if check.mean <= check.error:
            reason = "no clear gain on images held out from the search, defaults kept"
        elif score(tuned) <= score(untuned):
            reason = "no gain at the images' own size, defaults kept"
        else:
            reason = "gains on images held out from the search"
            return self._outcome(judge, chosen, untuned, tuned, reason, check)
        self.plain = untuned
        return self._outcome(judge, start, untuned, untuned, reason, check)

    def with_views(self, outcome: Tuning, name: str) -> Tuning:
        """Return `outcome`, or the same with test-time augmentation `name` if that gains enough."""
        if len(self.samples) < LEAST_IMAGES:
            return outcome
        spec = replace(self.model.spec.with_tuning(outcome.chosen), tta=name)
        judge, axes = self.judge(spec, name)
        everything = range(len(self.samples))
        chosen = search(judge, axes, everything, rounds=1)
        tuned = judge.at_full_size(chosen)
        more, error = gain(tuned, self.plain, everything)
        settings = outcome.settings + judge.count
        if more <= max(error, VIEWS_MUST_GAIN):
            reason = f"{outcome.reason}; {name} gained {more:+.4f}, not enough for its cost"
            return replace(outcome, settings=settings, reason=reason)
        self.plain = tuned
        merged = {**outcome.chosen, **changes(axes, chosen, spec), "tta": name}
        return replace(
            outcome,
            chosen=merged,
            tuned=score(tuned),
            settings=settings,
            reason=f"{outcome.reason}; {name} gained {more:+.4f}",
            curves=curves_of(judge, chosen),
        )

    def _outcome(
        self,
        judge: Judge,
        chosen: Setting,
        untuned: Parts,
        tuned: Parts,
        reason: str,
        check: CrossValidation | None,
    ) -> Tuning:
        curves = curves_of(judge, chosen) if len(self.samples) >= LEAST_IMAGES else ()
        return Tuning(
            chosen=changes(judge.axes, chosen, judge.spec),
            metric=self.metric,
            images=tuple(self.samples.names),
            untuned=score(untuned),
            tuned=score(tuned),
            settings=judge.count,
            seconds=0.0,
            reason=reason,
            check=check,
            curves=curves,
        )


def curves_of(judge: Judge, chosen: Setting) -> tuple[Curve, ...]:
    """Return the score along every axis through `chosen`; most of these were scored before."""
    curves = []
    everything = range(len(judge.seen))
    for place, axis in enumerate(judge.axes):
        parts = [judge.parts(moved(chosen, place, value)) for value in axis.values]
        errors = [gain(p, judge.parts(chosen), everything)[1] for p in parts]
        curves.append(Curve(axis, tuple(score(p) for p in parts), tuple(errors), chosen[place]))
    return tuple(curves)


def groups_of(samples: Dataset) -> list[list[int]]:
    """Return the images in groups that stay together, each other image by itself.

    With fewer than four groups halves could not differ enough: then every image is by itself.
    """
    place = {name: index for index, name in enumerate(samples.names)}
    groups = [[place[name] for name in group] for group in samples.groups]
    alone = set(range(len(samples))) - {index for group in groups for index in group}
    units = [*groups, *([index] for index in sorted(alone))]
    return units if len(units) >= LEAST_IMAGES else [[index] for index in range(len(samples))]

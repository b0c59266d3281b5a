"""Train the cells of a comparison one after the other, keep what is finished, report.

The folder of a comparison:

    runs/CELL/seedN/         the run, as `embedseg train` leaves it
    runs/CELL/seedN.yaml     what was asked of it
    runs/CELL/seedN.json     its result, once it is finished
    results.{csv,json,md}    all results so far, and compare.png: quality against time

The same call again trains only what is missing: a run that was interrupted goes on from its last
whole epoch. A call with other cells adds them to the folder.
"""

import json
import logging
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from embedseg.comparison.budget import with_budget
from embedseg.comparison.cells import Cell, cell_config
from embedseg.comparison.costs import count, score_and_time
from embedseg.comparison.table import Result, rank, summarise, to_text, write_tables
from embedseg.data.of_run import begun_in
from embedseg.data.overlap import located
from embedseg.device import set_threads
from embedseg.io import InputError, read_rows, write_text
from embedseg.metrics.table import MEANS, POOLED
from embedseg.model import Model, build_from_spec
from embedseg.names import unknown
from embedseg.training.config import TrainConfig
from embedseg.training.job import build_objective, spec_of
from embedseg.training.loop import train
from embedseg.training.objective import Objective
from embedseg.training.options import resumed_config
from embedseg.training.run_folder import dump, environment, stored_names
from embedseg.training.sources import open_sources
from embedseg.viz.tradeoff import Point, plot_tradeoff

logger = logging.getLogger(__name__)

# what all runs of one table share, beside the data, but for what the cells change
BUDGET = ("batch", "epochs", "steps_per_epoch", "time_limit", "clock", "threads", "device", "amp")
DATA_SETS = ("data.train", "data.val")
PLACES = (*DATA_SETS, "data.train_list", "data.val_list", "network.init")


@dataclass(frozen=True)
class Task:
    """One training: a cell with a seed."""

    cell: Cell
    config: TrainConfig

    @property
    def run(self) -> Path:
        """The run's folder."""
        return Path(self.config.run)

    def beside(self, ending: str) -> Path:
        """Return the file of this ending beside the run."""
        return self.run.with_name(self.run.name + ending)


def compare(
    cells: Sequence[Cell],
    base: Sequence[str],
    out: Path,
    *,
    seeds: Sequence[int] = (0,),
    minutes: float = 0.0,
    steps: int = 0,
    metric: str = "SBD",
) -> tuple[str, int]:
    """Train every cell with every seed over the training options `base` into the folder `out`.

    Each run has `minutes` or `steps`; with neither, what `base` says. `metric` is a column of
    `embedseg evaluate` on the validation images, in any case. Returns the table as text and the
    number of runs that failed; their reasons are in the table. Raises ValueError or InputError
    before any training for settings that cannot be trained, or that differ from those of a run in
    `out`.
    """
    metric = metric_name(metric)
    tasks = plan(cells, base, out, seeds=seeds, minutes=minutes, steps=steps)
    refuse_other_budget(tasks, out)
    note = describe(tasks, out, seeds, minutes, steps)
    for number, task in enumerate(tasks, 1):
        if not finished(task):
            logger.info("%s, seed %d (%d of %d)", task.cell.name, task.config.seed, number,
                        len(tasks))  # fmt: skip
            work(task)
        text = report(out, metric, note)
    asked = {(task.cell.name, task.config.seed) for task in tasks}
    lost = [r for r in read_results(out) if "failed" in r and (r["cell"], r["seed"]) in asked]
    return text, len(lost)


def metric_name(text: str) -> str:
    """Return the column that `text` names in any case; ValueError if there is none."""
    known = {name.lower(): name for name in (*MEANS, *POOLED)}
    if text.lower() not in known:
        raise unknown("metric", text, known.values())
    return known[text.lower()]


def plan(
    cells: Sequence[Cell],
    base: Sequence[str],
    out: Path,
    *,
    seeds: Sequence[int],
    minutes: float,
    steps: int,
) -> list[Task]:
    """Return all trainings, seed by seed, each checked against what lies in `out`."""
    tasks = []
    for seed in seeds:
        for cell in cells:
            with naming(cell.name):
                config = with_budget(cell_config(cell, base), minutes=minutes, steps=steps)
                run = out / "runs" / cell.folder / f"seed{seed}"
                task = Task(cell, replace(config, run=str(run), seed=seed))
                check(task, build=seed == seeds[0])
            tasks.append(task)
    return tasks


def refuse_other_budget(tasks: Sequence[Task], out: Path) -> None:
    """Refuse to compare with runs in `out` of other data or another budget; InputError.

    What a cell itself changes is not held against it.
    """
    ours = common(flat(asdict(tasks[0].config)), {k for t in tasks for k in t.cell.options})
    asked = {task.beside(".yaml") for task in tasks}
    for file in sorted({*out.glob("runs/*/seed*.yaml")} - asked):
        result = file.with_suffix(".json")
        if not result.is_file():
            continue  # begun and not finished: in no table
        varied = json.loads(result.read_text()).get("settings", {})
        theirs = common(flat(yaml.safe_load(file.read_text())), varied)
        for key in ours.keys() & theirs.keys():
            if not same(key, ours[key], theirs[key], file.with_suffix("")):
                raise InputError(
                    f"{file.parent}: has {key} {theirs[key]}, where {ours[key]} is asked for; one "
                    "table would hold both: choose another --out"
                )


def common(settings: Mapping[str, Any], varied: Collection[str]) -> dict[str, Any]:
    """Return the settings that all runs of one table share, without the `varied` ones."""
    shared = {key: value for key, value in settings.items() if key.startswith("data.")}
    shared |= {key: settings[key] for key in BUDGET if key in settings}
    return {key: value for key, value in shared.items() if key not in varied}


def same(key: str, ours: Any, theirs: Any, run: Path) -> bool:
    """Tell whether a setting is that of `run`, which may have named the same place otherwise."""
    if ours == theirs or not (key in PLACES and ours and theirs):
        return bool(ours == theirs)
    begun = Path.cwd() / begun_in(run)
    return _place(key, ours, Path.cwd()) == _place(key, theirs, begun)


def _place(key: str, text: str, folder: Path) -> str:
    """Return a path or data sets, named in `folder`, in their one spelling."""
    if key not in DATA_SETS:
        return os.path.normpath(folder / text)
    return " + ".join(os.path.normpath(part) for part in located(text, folder).split(" + "))


def flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings by their dotted names, tuples as lists, as YAML has them."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        else:
            found[before + key] = [*value] if isinstance(value, tuple) else value
    return found


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the cell's name before errors."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"cell {name!r}: {error}") from error


def check(task: Task, *, build: bool) -> None:
    """Raise ValueError where the task cannot be trained or another of its name lies there."""
    if build:
        spec, objective = spec_of(task.config), build_objective(task.config)
        count(spec, [(1, spec.in_channels, 64, 64)])
        with torch.device("meta"):
            objective.check(build_from_spec(spec))
        warm_up(objective)
    asked = task.beside(".yaml")
    if not asked.is_file():
        return
    ours, theirs = (flat(yaml.safe_load(t)) for t in (dump(task.config), asked.read_text()))
    keys = (ours.keys() | theirs.keys()) - {"run"}
    if not all(same(key, ours.get(key), theirs.get(key), task.run) for key in keys):
        raise InputError(
            f"{task.run} was trained with other settings (see {asked}); choose another --out"
        )


def warm_up(objective: Objective) -> None:
    """Let the kernels of the loss be compiled now, so that no run's budget pays for it."""
    embedding = torch.zeros(1, 2, 8, 8, requires_grad=True)
    labels = torch.arange(64).view(1, 8, 8) // 24
    objective.discriminative(embedding, labels, None).total.backward()


def finished(task: Task) -> bool:
    """Tell whether the task's result is there."""
    file = task.beside(".json")
    return file.is_file() and "failed" not in json.loads(file.read_text())


def work(task: Task) -> None:
    """Train, score and measure one task; write its result."""
    asked = task.beside(".yaml")
    begun = (task.run / "config.yaml").is_file()
    if not asked.is_file():
        write_text(asked, dump(task.config))
    result: dict[str, Any] = {"cell": task.cell.name, "seed": task.config.seed}
    try:
        train(resumed_config(task.run) if begun else task.config, resume=begun)
        result |= measure(task)
    except (ValueError, torch.cuda.OutOfMemoryError) as error:
        result["failed"] = str(error).splitlines()[0]
        logger.error("%s, seed %d: %s", task.cell.name, task.config.seed, result["failed"])
    result["settings"] = dict(task.cell.options)
    write_text(task.beside(".json"), json.dumps(result, indent=1))


def measure(task: Task) -> dict[str, Any]:
    """Return scores on the validation images, costs, and what the training took."""
    config = task.config
    set_threads(config.threads)
    model = Model.load(task.run, device=config.device, amp=config.amp)
    _, validation = open_sources(replace(config.data, cache=False), stored_names(task.run))
    clock = time.process_time if config.clock == "cpu" else time.perf_counter
    scores, costs = score_and_time(model, validation, clock)
    _, rows = read_rows(task.run / "metrics.csv")
    return {
        "scores": scores.summary,
        "costs": costs,
        "steps": int(rows[-1]["step"]),
        "train_seconds": float(rows[-1]["seconds"]),
        "device": str(model.device),
        "amp": model.amp,
    }


def read_results(out: Path) -> list[Result]:
    """Return the results in a comparison's folder, cell by cell."""
    return [json.loads(file.read_text()) for file in sorted(out.glob("runs/*/seed*.json"))]


def report(out: Path, metric: str, note: str) -> str:
    """Write tables and picture of what is finished; return the table as text."""
    results = read_results(out)
    rows = summarise(results, metric)
    write_tables(out, results, rows, metric, note)
    points = [
        Point(r["cell"], r["seconds"], r[metric], r.get("std", 0.0), r["parameters"])
        for r in rows
        if metric in r
    ]
    clock = "s per picture, network and clustering"
    plot_tradeoff(
        out / "compare.png", points, quality=f"{metric} on validation", cost=clock,
        rank=partial(rank, metric),
    )  # fmt: skip
    return to_text(rows, metric)


def describe(
    tasks: Sequence[Task], out: Path, seeds: Sequence[int], minutes: float, steps: int
) -> str:
    """Return the budget, the data and the machine in a sentence, without what cells vary.

    That is what the cells of `tasks` vary, and those that lie in `out`.
    """
    config, varied = tasks[0].config, {key for task in tasks for key in task.cell.options}
    varied |= {key for result in read_results(out) for key in result.get("settings", ())}
    facts = {
        "batch": f"batch {config.batch}",
        "data.working_size": f"working size {config.data.working_size}",
        "data.train": f"data {config.data.train}",
    }
    told = "".join(f", {fact}" for key, fact in facts.items() if key not in varied)
    budget = f"{minutes:g} minutes of {config.clock} time" if minutes else f"{steps} steps"
    if not (minutes or steps):
        budget = "the base's own budget"
    env = environment()
    return (
        f"Each run: {budget}{told}, seeds {', '.join(map(str, seeds))}; "
        f"{config.threads or env['threads']} threads of {env['cores']} cores, device "
        f"{config.device}. MACs of all forward passes of one picture, memory of one pass in "
        f"float32; seconds are medians of {config.clock} time over the validation pictures."
    )

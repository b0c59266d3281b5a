"""Can every network learn? Each overfits two pictures until SBD >= 0.9; a table of time and memory.

    python scripts/overfit_all.py --data cvppp:CVPPP/A1 [--names unet enet] [--out overfit.json]

Two pictures, cut to their plant and resized; no augmentation, no dropout, one thread, AdamW with a
cosine over the steps, averaged weights, bfloat16 where the processor has it. Side, rate, steps and
options of a network are in `RUNS`. The loss, the heads and the segmentation are those of training
and prediction, with predicted foreground. Every network runs in a process of its own, so that its
peak memory is its own. Networks that are in `--out` already are not run again; `--markdown FILE`
writes the table.
"""

import argparse
import copy
import json
import multiprocessing
import platform
import resource
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from embedseg.data import Sample, open_dataset, resize
from embedseg.device import autocast, choose_amp
from embedseg.inference.normalise import normalise
from embedseg.inference.spec import ModelSpec
from embedseg.io import InputError, write_text
from embedseg.labels import relabel
from embedseg.metrics import symmetric_best_dice
from embedseg.model import Model, build_from_spec
from embedseg.models import MODELS
from embedseg.training.config import LossConfig
from embedseg.training.objective import Objective
from embedseg.training.optim import AveragedWeights, build_optimizer, schedule

TARGET = 0.9  # symmetric best Dice
WEIGHT_DECAY, WARMUP, CLIP = 1e-4, 20, 5.0
PICTURES = 2
MARGIN = 1.1  # side of the cut against that of the plant
EMA = 0.9
DROPOUTS = (nn.Dropout, nn.Dropout2d, nn.Dropout3d)
WIDE = {"width": 32, "max_width": 512}
HALF = {"depth": 50, "width": 32}  # of the networks over a dilated ResNet
# batch norms over two pictures differ too much from those of evaluation where maps are small
GROUP = {"norm": "group"}


class Run(NamedTuple):
    """How a network is trained here: its options, the side in pixels, the rate and the steps."""

    options: dict[str, Any]
    size: int = 112
    learning_rate: float = 8e-3
    steps: int = 600


USUAL = Run({})
# Large networks are narrower or shallower than published, so that the table takes about an hour of
# one core. Features at 1/8 or coarser, where a leaf of 10 pixels is one or two cells, want larger
# pictures, and large encoders a lower rate.
RUNS: dict[str, Run] = {
    "attention-unet": Run(WIDE),
    "r2unet": Run({"width": 16, "max_width": 256} | GROUP),
    "unet3+": Run({"width": 16, "max_width": 256}),
    "unet++": Run({"width": 16, "max_width": 256}),
    "segnet": Run({"width": 32}),
    "bisenet": Run(GROUP, 160, 4e-3, 500),
    "c3net": Run(GROUP),
    "ccnet": Run(HALF),
    "deeplabv2": Run(HALF | GROUP, 192, 4e-3, 700),
    "deeplabv3plus": Run(HALF),
    "dfanet": Run(GROUP),
    "dfn": Run(HALF | GROUP, 224, 4e-3, 450),
    "dfseg": Run(GROUP, 192, 4e-3, 700),
    "encnet": Run(HALF | GROUP, 224, 5e-3),
    "espnet": Run(GROUP),
    "espnetv2": Run(GROUP),
    "galdnet": Run(HALF),
    "icnet": Run({"width": 32} | GROUP, 288, 5e-3),
    "pspnet": Run(HALF | GROUP, 224, 4e-3),
    "unet-efficientnet-lite0": Run({"pretrained": False}),
}


def main() -> None:
    """Run the networks that are missing, smallest first, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="dataset, kind:location")
    parser.add_argument("--names", nargs="*", default=sorted(MODELS), choices=sorted(MODELS))
    parser.add_argument("--size", type=int, help="side in pixels, instead of those of RUNS")
    parser.add_argument("--steps", type=int, help="instead of those of RUNS")
    parser.add_argument("--learning-rate", type=float, help="instead of those of RUNS")
    parser.add_argument("--seconds", type=float, default=400, help="processor time per network")
    parser.add_argument("--every", type=int, default=25, help="steps between two scores")
    parser.add_argument("--out", type=Path, default=Path("overfit.json"))
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    asked = {k: vars(arguments)[k] for k in ("size", "steps", "learning_rate")}
    given = {k: v for k, v in asked.items() if v is not None}
    if not all(v > 0 for v in (arguments.every, *given.values())):
        parser.exit(1, f"numbers must be > 0, got --every {arguments.every} and {given}\n")
    try:
        pictures = first_pictures(arguments.data)
    except InputError as error:
        parser.exit(1, f"{error}\n")
    rows = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    for name in sorted(set(arguments.names) - set(rows), key=parameters):
        run = RUNS.get(name, USUAL)._replace(**given)
        rows[name] = in_own_process(name, pictures, run, arguments.every, arguments.seconds)
        write_text(arguments.out, json.dumps(rows, indent=1))
        print(line(name, rows[name]), flush=True)
    if arguments.markdown:
        write_text(arguments.markdown, table(rows))


def first_pictures(data: str) -> list[Sample]:
    """Return the pictures to learn; InputError where there are too few."""
    everything = open_dataset(data)
    if len(everything) < PICTURES:
        raise InputError(f"{data}: has {len(everything)} picture, and {PICTURES} are learned")
    return [everything[k] for k in range(PICTURES)]


def cut(sample: Sample, size: int) -> Sample:
    """Return the square around the instances with a margin, at `size` pixels."""
    where = np.argwhere(sample.labels > 0)
    low, high = where.min(0), where.max(0) + 1
    side = min(int(MARGIN * (high - low).max()), *sample.labels.shape)
    top, left = (
        int(np.clip((a + b - side) // 2, 0, total - side))
        for a, b, total in zip(low, high, sample.labels.shape, strict=True)
    )
    box = (slice(top, top + side), slice(left, left + side))
    labels = relabel(sample.labels[box])[0]
    return resize(Sample(sample.image[box], labels, name=sample.name), (size, size))


def parameters(name: str) -> int:
    """Return the number of parameters, without making them."""
    with torch.device("meta"):
        options = RUNS.get(name, USUAL).options
        return sum(p.numel() for p in MODELS[name](**options).parameters())


def in_own_process(
    name: str, pictures: list[Sample], run: Run, every: int, seconds: float
) -> dict[str, Any]:
    """Return the row of `overfit`, or what went wrong."""
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(send, name, pictures, run, every, seconds))
    worker.start()
    send.close()
    try:
        row = receive.recv()
    except EOFError:
        row = {"error": "the process ended without an answer (memory?)"}
    worker.join()
    return dict(row)


def _work(
    send: Any, name: str, pictures: list[Sample], run: Run, every: int, seconds: float
) -> None:
    try:
        row = overfit(name, pictures, run, every, seconds)
    except (RuntimeError, ValueError) as error:
        row = {"error": f"{type(error).__name__}: {error}"}
    send.send(row)


def overfit(
    name: str, pictures: list[Sample], run: Run, every: int, seconds: float
) -> dict[str, Any]:
    """Train one network until every picture is segmented, or the steps or the time are used up."""
    samples = [cut(picture, run.size) for picture in pictures]
    device, rate = torch.device("cpu"), run.learning_rate
    amp = choose_amp("auto", device)
    torch.manual_seed(0)
    spec = ModelSpec(
        backbone=name,
        options=run.options,
        seed_head=True,
        working_size=run.size,
        min_size=4,
    )
    model = Model(build_from_spec(spec), spec, amp=amp)
    network = model.network
    for layer in network.modules():
        if isinstance(layer, DROPOUTS):
            layer.p = 0.0
    judge = Model(copy.deepcopy(network), spec, amp=amp)
    average = AveragedWeights(network, EMA)
    image = torch.stack([torch.from_numpy(s.image).permute(2, 0, 1) for s in samples])
    labels = torch.stack([torch.from_numpy(s.labels).long() for s in samples])
    batch = {"labels": labels, "semantic": (labels > 0).long()}
    inputs = normalise(image, spec.mean, spec.std).contiguous(memory_format=torch.channels_last)
    objective = Objective(**asdict(LossConfig()))
    optimizer = build_optimizer(
        network, name="adamw", learning_rate=rate, weight_decay=WEIGHT_DECAY
    )
    start, scores, loss = time.process_time(), [0.0], torch.zeros(())
    wall = time.perf_counter()
    step_seconds: list[float] = []
    history: list[float] = []
    for step in range(run.steps):
        began = time.process_time()
        for group in optimizer.param_groups:
            group["lr"] = rate * schedule(step / run.steps, step, WARMUP)
        network.train()
        with autocast(device, amp):
            outputs = network(inputs)
        loss, _ = objective(outputs, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        average.update(network)
        step_seconds.append(time.process_time() - began)
        if (step + 1) % every == 0:
            judge.network.load_state_dict(average.state)
            scores = score(judge, samples)
            history.append(round(min(scores), 3))
            print(f"  {name} step {step + 1}: SBD {min(scores):.3f}", flush=True)
            if min(scores) >= TARGET or time.process_time() - start > seconds:
                break
    return {
        "options": run.options,
        "parameters": sum(p.numel() for p in network.parameters()),
        "sbd": min(scores),
        "history": history,
        "loss": float(loss.detach()),
        "steps": step + 1,
        "cpu_seconds": time.process_time() - start,
        "wall_seconds": time.perf_counter() - wall,
        "step_seconds": float(np.median(step_seconds)),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "amp": amp,
        "decoder": network.decoder_kind,
        "learning_rate": rate,
        "size": run.size,
    }


def score(model: Model, samples: list[Sample]) -> list[float]:
    """Return the symmetric best Dice of each picture, in evaluation mode."""
    return [symmetric_best_dice(model.segment(s.image).labels, s.labels) for s in samples]


def line(name: str, row: dict[str, Any]) -> str:
    """Return a row of the table."""
    if "error" in row:
        return f"| {name} | | | | | | | | {row['error']} |"
    changed = [f"{k}={v}" for k, v in row["options"].items()]
    if row["learning_rate"] != USUAL.learning_rate:
        changed.append(f"learning rate {row['learning_rate']:g}")
    if row["size"] != USUAL.size:
        changed.append(f"{row['size']} pixels")
    options = ", ".join(changed) or "as published"
    return (
        f"| {name} | {options} | {row['decoder']} | {row['parameters'] / 1e6:.2f} | "
        f"{row['sbd']:.3f} | {row['steps']} | {row['cpu_seconds']:.0f} | "
        f"{1000 * row['step_seconds']:.0f} | {row['memory_mb']:.0f} |"
    )


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the table as markdown."""
    head = (
        "| network | options | decoder | M parameters | SBD (worse picture) | steps | CPU s | "
        "ms a step | peak MB |"
    )
    rule = "|---|---|---|--:|--:|--:|--:|--:|--:|"
    where = f"torch {torch.__version__}, one thread, {platform.machine()}"
    lines = [line(name, row) for name, row in sorted(rows.items())]
    return "\n".join([head, rule, *lines, "", f"({where})", ""])


if __name__ == "__main__":
    main()

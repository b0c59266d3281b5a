"""The outcome of a comparison: one row per cell, means over its seeds; text, CSV, JSON, Markdown.

A result is what one run of a cell left behind: {"cell", "seed", "scores": {...}, "costs": {...},
"steps", "train_seconds", ...}, or with "failed": reason in place of the figures.
"""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from embedseg.io import write_rows, write_text

Result = Mapping[str, Any]
Row = dict[str, Any]

NEARER_ZERO_IS_BETTER = ("|DiC|", "DiC")
SHOWN = ("SBD", "|DiC|", "FgBgDice", "AP50", "PQ")  # scores beside the chosen metric
COSTS = ("parameters", "macs", "memory", "seconds", "network_seconds")
UNITS = ("", "k", "M", "G", "T")


def short(value: float) -> str:
    """Return a number with three digits and a unit: 7,682 is "7.68 k"."""
    power = min(len(UNITS) - 1, int(math.log10(max(value, 1))) // 3)
    return f"{value / 1000**power:.3g} {UNITS[power]}".rstrip()


# column -> heading and how a value is written
HEADS: dict[str, tuple[str, Callable[[float], str]]] = {
    "parameters": ("parameters", short),
    "macs": ("MACs", short),
    "memory": ("memory", lambda v: f"{short(v)}B"),
    "seconds": ("s/image", lambda v: f"{v:.3f}"),
    "network_seconds": ("network", lambda v: f"{v:.3f}"),
    "steps": ("steps", lambda v: f"{v:.0f}"),
    "train_seconds": ("trained", lambda v: f"{v / 60:.1f} min"),
    "seeds": ("seeds", lambda v: f"{v:.0f}"),
}


def summarise(results: Sequence[Result], metric: str) -> list[Row]:
    """Return a row per cell, the best by `metric` first, failed cells last.

    Scores and costs are means over the seeds; "std" is the sample standard deviation of the metric,
    "stds" that of every score (absent for one seed); "failed" the reason of the first seed that
    failed, "failures" how many did.
    """
    rows = []
    for name in dict.fromkeys(r["cell"] for r in results):
        own = [r for r in results if r["cell"] == name]
        done = [r for r in own if "failed" not in r]
        row: Row = {"cell": name, "seeds": len(done)}
        for key in done[0]["scores"] if done else ():
            row[key] = statistics.fmean(r["scores"][key] for r in done)
        if len(done) > 1:
            row["stds"] = {
                k: statistics.stdev(r["scores"][k] for r in done) for k in done[0]["scores"]
            }
            row["std"] = row["stds"][metric]
        for key in (*COSTS, "steps", "train_seconds") if done else ():
            row[key] = statistics.fmean(r["costs"].get(key, r.get(key)) for r in done)
        failed = [r["failed"] for r in own if "failed" in r]
        if failed:
            row |= {"failed": failed[0], "failures": len(failed)}
        rows.append({key: value for key, value in row.items() if value is not None})
    return sorted(rows, key=lambda r: (metric not in r, rank(metric, r.get(metric, 0.0))))


def rank(metric: str, value: float) -> float:
    """Return what is smaller for a better value of the metric."""
    return abs(value) if metric in NEARER_ZERO_IS_BETTER else -value


def to_lines(rows: Sequence[Row], metric: str) -> list[list[str]]:
    """Return heading and rows as texts."""
    scores = [metric, *(name for name in SHOWN if name != metric)]
    lines = [["cell", *scores, *(head for head, _ in HEADS.values())]]
    for row in rows:
        line = [row["cell"]]
        for key in scores:
            text = f"{row[key]:.3f}" if key in row else "failed" if key == metric else ""
            if text and key in row.get("stds", ()):
                text += f" ±{row['stds'][key]:.3f}"
            line.append(text)
        line += [write(row[key]) if key in row else "" for key, (_, write) in HEADS.items()]
        lines.append(line)
    return lines


def to_text(rows: Sequence[Row], metric: str) -> str:
    """Return the table for a terminal, and under it why cells failed."""
    lines = to_lines(rows, metric)
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    texts = []
    for line in lines:
        cells = [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
        texts.append("  ".join([f"{line[0]:<{widths[0]}}", *cells]).rstrip())
    return "\n".join([*texts, *_reasons(rows)])


def to_markdown(rows: Sequence[Row], metric: str, note: str) -> str:
    """Return the table for a document, with `note` under it."""
    head, *body = to_lines(rows, metric)
    rule = ["---", *("---:" for _ in head[1:])]
    lines = ["| " + " | ".join(line).replace("|DiC|", r"\|DiC\|") + " |" for line in (head, rule)]
    lines += ["| " + " | ".join(line) + " |" for line in body]
    return "\n".join([*lines, "", *(f"{reason}\n" for reason in _reasons(rows)), note, ""])


def _reasons(rows: Sequence[Row]) -> list[str]:
    reasons = []
    for row in rows:
        if "failed" in row:
            every = row["failures"] + row["seeds"]
            which = f" {row['failures']} of {every} seeds" if row["seeds"] else ""
            reasons.append(f"{row['cell']}{which} failed: {row['failed']}")
    return reasons


def write_tables(
    out: Path, results: Sequence[Result], rows: Sequence[Row], metric: str, note: str
) -> None:
    """Write results.csv (a row per run), results.json (all) and results.md (the table)."""
    flat = [
        {k: v for k, v in r.items() if k not in ("scores", "costs", "settings")}
        | dict(r.get("scores", {}))
        | dict(r.get("costs", {}))
        for r in results
    ]
    write_rows(out / "results.csv", flat)
    content = {"metric": metric, "note": note, "cells": list(rows), "runs": list(results)}
    write_text(out / "results.json", json.dumps(content, indent=1) + "\n")
    write_text(out / "results.md", to_markdown(rows, metric, note))

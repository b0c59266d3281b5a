"""The live page of a run: results.html, rewritten each epoch, reloads itself in an open browser.

It needs no server and no network: it stands in the run's folder beside the pictures it shows.
"""

from datetime import datetime
from html import escape
from pathlib import Path

import numpy as np

from embedseg.viz.curves import Columns, read_metrics
from embedseg.viz.html import Value, page, save_page, table, tiles
from embedseg.viz.summary import figure

REFRESH = 5  # seconds
_ROWS = 30  # epochs in the table, the latest
_SMALLER_IS_BETTER = ("dic", "loss", "error")
_FIRST = ("val_sbd", "val_ap50", "val_pq", "val_abs_dic", "loss")  # what the tiles show, if present


def write_results_page(
    run: str | Path,
    *,
    epochs: int | None = None,
    finished: bool = False,
    stopped: bool = False,
) -> Path:
    """Write `run`/results.html from metrics.csv, results.png and the newest of samples/*.png.

    `epochs` is the planned number. Until `finished` or `stopped` the page reloads every REFRESH
    seconds. Whatever is not there yet is left out.
    """
    run = Path(run)
    metrics = run / "metrics.csv"
    done, columns = read_metrics(metrics) if metrics.is_file() else (np.empty(0), {})
    last = int(done[-1]) if len(done) else 0
    state = "finished" if finished else "stopped" if stopped else "training"
    of = f" of {epochs}" if epochs else ""
    now = datetime.now().strftime("%Y-%m-%d %H:%M:%S")
    parts = [
        f"<h1>{escape(run.resolve().name)}</h1>\n",
        f'<p class="intro" id="state">{state} · epoch {last}{of} · {now}</p>\n',
        tiles(_best(done, columns)),
    ]
    if (run / "results.png").is_file():
        parts.append(figure(_fresh(run, run / "results.png"), "Training curves", chart=True))
    sheets = sorted((run / "samples").glob("*.png"), key=lambda file: file.stat().st_mtime)
    if sheets:
        caption = f"{sheets[-1].stem}: image, truth, prediction, embedding, errors"
        parts.append(figure(_fresh(run, sheets[-1]), caption))
    if len(done):
        parts.append("<h2>Epochs</h2>\n" + table(_latest(done, columns)))
    head = "" if finished or stopped else f'<meta http-equiv="refresh" content="{REFRESH}">\n'
    return save_page(run / "results.html", page(f"{run.name} · {state}", "".join(parts), head=head))


def _best(epochs: np.ndarray, columns: Columns) -> dict[str, Value]:
    """Tiles: the best value of each main column and its epoch."""
    found: dict[str, Value] = {}
    for name in (n for n in _FIRST if n in columns):
        values = columns[name]
        lower = any(part in name for part in _SMALLER_IS_BETTER)
        at = int(np.nanargmin(values) if lower else np.nanargmax(values))
        found[f"best {name.removeprefix('val_')}, epoch {int(epochs[at])}"] = float(values[at])
    return found


def _latest(epochs: np.ndarray, columns: Columns) -> list[dict[str, Value]]:
    rows: list[dict[str, Value]] = []
    for at in range(len(epochs) - 1, max(-1, len(epochs) - 1 - _ROWS), -1):
        row: dict[str, Value] = {"epoch": int(epochs[at])}
        row.update({name: float(values[at]) for name, values in columns.items()})
        rows.append(row)
    return rows


def _fresh(run: Path, file: Path) -> str:
    """Address of a picture beside the page, with a mark that changes as it does."""
    return f"{file.relative_to(run).as_posix()}?{file.stat().st_mtime_ns}"

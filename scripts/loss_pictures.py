"""Draw what each loss sees on one small scene, and write the table of docs/losses.md.

python scripts/loss_pictures.py [--docs docs]
"""

import argparse
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from embedseg.losses import LOSSES, catalogue

SIZE = 48
SURE, UNSURE = 4.0, 1.5  # logits of right and of wrong pixels
FAULTS = ("halo", "ghost", "lost", "bite", "line")
CAPTIONS = {
    "halo": "16 false pixels\nat the border",
    "ghost": "16 false pixels\nfar away",
    "lost": "small object\nmissed (16)",
    "bite": "16 pixels cut from\nthe large one",
    "line": "16 pixels cut\nfrom the lane",
}


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Return the (1, H, W) target and instances and the (1, 1, H, W) grey image."""
    i, j = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    instances = torch.zeros(SIZE, SIZE, dtype=torch.long)
    instances[(i - 28) ** 2 + (j - 17) ** 2 <= 11**2] = 1
    instances[6:10, 34:38] = 2
    instances[14:46, 41] = 3
    noise = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    image = 0.3 + 0.4 * (instances > 0) + 0.1 * noise
    return (instances > 0).long()[None], instances[None], image[None, None]


def fault(name: str) -> Tensor:
    """Return the (H, W) mask of the 16 pixels that a fault turns over."""
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    boxes = {
        "halo": (slice(20, 36), slice(29, 30)),
        "ghost": (slice(3, 7), slice(4, 8)),
        "lost": (slice(6, 10), slice(34, 38)),
        "bite": (slice(26, 30), slice(25, 29)),
        "line": (slice(22, 38), slice(41, 42)),
    }
    mask[boxes[name]] = True
    return mask


def prediction(target: Tensor, faults: tuple[str, ...]) -> Tensor:
    """Return (1, 1, H, W) logits: sure of the truth, but wrong, less surely, where a fault lies."""
    sign = torch.where(target[:, None] == 1, 1.0, -1.0)
    wrong = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    for name in faults:
        wrong |= fault(name)
    noise = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(1)) - 0.5
    return sign * torch.where(wrong, -UNSURE, SURE) + noise


def options(name: str, instances: Tensor, image: Tensor) -> dict[str, object]:
    """Return the keywords a loss needs on this scene."""
    own: dict[str, dict[str, object]] = {
        "instance_cross_entropy": {"instances": instances},
        "refine": {"image": image},
        "ohem": {"min_kept": 64},
        "topk": {"fraction": 0.03},
        "ldam": {"scale": 1.0},
        "band": {"width": 5},
    }
    return own.get(name, {})


def gradients() -> dict[str, np.ndarray]:
    """Return minus the gradient of each loss on the scene with all faults."""
    target, instances, image = scene()
    found = {}
    for name, function in LOSSES.items():
        logits = prediction(target, FAULTS).requires_grad_()
        function(logits, target, **options(name, instances, image)).backward()
        grad = logits.grad
        if grad is None:
            raise RuntimeError(f"{name} has no gradient")
        found[name] = -grad[0, 0].numpy()
    return found


def costs() -> dict[str, list[float]]:
    """Return what each fault alone adds to each loss."""
    target, instances, image = scene()
    table = {}
    for name, function in LOSSES.items():
        keywords = options(name, instances, image)
        clean = float(function(prediction(target, ()), target, **keywords))
        values = [float(function(prediction(target, (f,)), target, **keywords)) for f in FAULTS]
        table[name] = [value - clean for value in values]
    return table


def draw_gradients(path: Path) -> None:
    """Draw the scene, the prediction, and one gradient per loss."""
    target, _, _ = scene()
    panels = {"truth": target[0].numpy() * 2.0 - 1, "prediction": prediction(target, FAULTS)[0, 0]}
    found = {name: _spread(grad) for name, grad in gradients().items()}
    panels |= found
    columns = 6
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(9.6, 1.72 * rows), dpi=100, layout="constrained")
    for place, (name, values) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.set_title(name.replace("_", " "), fontsize=7.5, pad=2)
        limit = float(np.abs(np.asarray(values)).max()) or 1.0
        axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        axes.contour(target[0], [0.5], colors="black", linewidths=0.5)
        axes.set_xticks([])
        axes.set_yticks([])
    _save(figure, path)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return the signed square root: small gradients stay visible."""
    return np.sign(values) * np.sqrt(np.abs(values))


def draw_costs(path: Path) -> None:
    """Draw what five faults of 16 pixels cost, as a share of the dearest."""
    table = costs()
    shares = np.array([np.array(row) / max(np.abs(row).max(), 1e-12) for row in table.values()])
    figure = Figure(figsize=(7.2, 8.0), dpi=90, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="YlOrRd", vmin=0, vmax=1.15, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > 0.6 else "black"
        axes.text(column, row, f"{share:.2f}", ha="center", va="center", fontsize=8, color=color)
    axes.set_yticks(range(len(table)), [name.replace("_", " ") for name in table], fontsize=8)
    axes.set_xticks(range(len(FAULTS)), [CAPTIONS[f] for f in FAULTS], fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG of 64 colours: a small file."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    Image.open(buffer).convert("RGB").quantize(64).save(path, optimize=True)


def write_table(page: Path) -> None:
    """Replace the table between the markers of the page."""
    start, end = "<!-- losses: written by scripts/loss_pictures.py -->", "<!-- /losses -->"
    text = page.read_text(encoding="utf-8")
    lines = ["| loss | formula | paper | when |", "|---|---|---|---|"]
    for info in catalogue():
        formula = info.formula.replace("|", "\\|")
        lines.append(f"| `{info.name}` | `{formula}` | {info.paper} | {info.when} |")
    head, tail = text.split(start)[0], text.split(end)[1]
    page.write_text("\n".join([head + start, *lines, end]) + tail, encoding="utf-8")


def main() -> None:
    """Draw both pictures and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the pages")
    docs = parser.parse_args().docs
    (docs / "images").mkdir(parents=True, exist_ok=True)
    mpl.rcParams["font.family"] = "DejaVu Sans"
    draw_gradients(docs / "images" / "loss_gradients.png")
    draw_costs(docs / "images" / "loss_faults.png")
    write_table(docs / "losses.md")


if __name__ == "__main__":
    main()

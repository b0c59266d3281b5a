"""The README's pictures from a demo: python scripts/readme_pictures.py demo docs/images.

Generated plants only. road.png: picture, embedding, instances. views.png: distance to a pixel,
margin, prediction against truth. explorer.png, where there is a Chromium: the explorer.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from embedseg import load
from embedseg._cv2 import cv2
from embedseg.io import list_images, read_image, read_labels, write_image
from embedseg.visualize import Seen, explore
from embedseg.viz import drawings, overlay, pca_rgb

SIDE, GAP = 384, 8  # pixels
WINDOW = "1280,720"
CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
    f"--window-size={WINDOW}", "--virtual-time-budget=4000",
)  # fmt: skip


def main() -> None:
    """Write the pictures of the plant with most leaves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder of embedseg demo")
    parser.add_argument("out", type=Path, help="folder to write to")
    arguments = parser.parse_args()
    model = load(arguments.demo / "run", device="cpu")
    paths = list_images([str(arguments.demo / "images")])
    results = [model.segment(read_image(path)).renamed(path.stem) for path in paths]
    result = max(results, key=len)
    truth = read_labels(arguments.demo / "truth" / f"{result.name}.png")
    colours = pca_rgb(result.embedding, result.semantic[0] < 0.5)[0]
    road = [result.image, colours, overlay(result.image, result.labels)]
    write_image(arguments.out / "road.png", row(road))
    views, _ = drawings(
        result.image, result.embedding, result.foreground, result.labels, truth,
        delta_d=model.spec.delta_d,
    )  # fmt: skip
    write_image(arguments.out / "views.png", row([views[k] for k in ("heat", "margin", "errors")]))
    with tempfile.TemporaryDirectory() as folder:
        page = explore(Path(folder), Seen(result, truth), model.spec, {})
        shot = f"--screenshot={(arguments.out / 'explorer.png').resolve()}"
        subprocess.run([*CHROMIUM, shot, page.resolve().as_uri()], check=True, capture_output=True)


def row(tiles: list[np.ndarray]) -> np.ndarray:
    """Pictures side by side on white, each SIDE wide."""
    scaled = []
    for tile in tiles:
        size = (SIDE, round(SIDE * tile.shape[0] / tile.shape[1]))
        how = cv2.INTER_AREA if tile.shape[1] > SIDE else cv2.INTER_CUBIC
        scaled.append(cv2.resize(tile, size, interpolation=how))
    gap = np.full((scaled[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([scaled[0], gap, scaled[1], gap, scaled[2]])


if __name__ == "__main__":
    main()

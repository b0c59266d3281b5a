"""The README's picture from a demo: python scripts/readme_pictures.py demo docs/images."""

import argparse
from pathlib import Path

import numpy as np

from embedseg import load
from embedseg._cv2 import cv2
from embedseg.io import list_images, read_image, write_image
from embedseg.viz import overlay, pca_rgb

SIDE, GAP = 384, 8  # pixels


def main() -> None:
    """Write road.png: picture, embedding, instances of the plant with most leaves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder of embedseg demo")
    parser.add_argument("out", type=Path, help="folder to write to")
    arguments = parser.parse_args()
    model = load(arguments.demo / "run", device="cpu")
    images = [read_image(path) for path in list_images([str(arguments.demo / "images")])]
    image, result = max(((i, model.segment(i)) for i in images), key=lambda pair: len(pair[1]))
    colours = pca_rgb(result.embedding, result.semantic[0] < 0.5)[0]
    tiles = [image, colours, overlay(image, result.labels)]
    tiles = [cv2.resize(t, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for t in tiles]
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    write_image(arguments.out / "road.png", np.hstack([tiles[0], gap, tiles[1], gap, tiles[2]]))


if __name__ == "__main__":
    main()

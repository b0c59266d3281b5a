"""Colour jitter: brightness, contrast, saturation and hue as one matrix; then blur and noise."""

import numpy as np
from numpy.typing import NDArray

from embedseg._cv2 import cv2

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601: how bright each of R, G, B looks
TO_YIQ = np.array([LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
FROM_YIQ = np.linalg.inv(TO_YIQ)
MIN_SIGMA: float = 0.3  # pixels; a narrower Gaussian changes nothing


def jitter_colour(
    image: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    blur: float,
    noise: float,
) -> NDArray[np.uint8]:
    """Change an (H, W, 3) picture by amounts drawn evenly up to the given ones.

    `brightness`, `contrast`, `saturation` are relative changes either way, `hue` degrees either
    way, `blur` a sigma in pixels, `noise` a standard deviation in grey levels.
    """
    u = rng.random(6)
    if brightness or contrast or saturation or hue:
        b, c, s = 1 + (2 * u[:3] - 1) * (brightness, contrast, saturation)
        matrix = colour_matrix(b, max(c, 0.0), max(s, 0.0), (2 * u[3] - 1) * hue, image)
        image = np.asarray(cv2.transform(image, matrix), np.uint8)
    sigma = u[4] * blur
    if sigma > MIN_SIGMA:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    if noise:
        grain = rng.standard_normal(image.shape, dtype=np.float32)
        noisy = cv2.addWeighted(image, 1.0, grain, u[5] * noise, 0.0, dtype=cv2.CV_8U)
        image = np.asarray(noisy, np.uint8)
    return image


def colour_matrix(
    brightness: float, contrast: float, saturation: float, hue: float, image: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the (3, 4) matrix of RGB1 that does all four, each neutral at 1 (hue: 0 degrees).

    Saturation stretches, and hue turns, the two chroma axes of YIQ, so that grey stays grey;
    contrast stretches about the picture's mean brightness; brightness multiplies.
    """
    turn = np.deg2rad(hue)
    chroma = np.eye(3)
    chroma[1:, 1:] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    chroma[1:, 1:] *= saturation
    linear = FROM_YIQ @ chroma @ TO_YIQ
    mean = float(LUMA @ cv2.mean(image)[:3])
    offset = np.full((3, 1), (1 - contrast) * mean)
    return brightness * np.hstack([contrast * linear, offset])

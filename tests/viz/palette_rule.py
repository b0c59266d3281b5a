"""The rule by which the stored palette was chosen, and distances between colours as seen."""

import numpy as np

OKABE_ITO = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_DEFICIENCIES = (  # protanopia, deuteranopia, tritanopia; on linear RGB
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
     (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
     (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
     (0.004733, 0.691367, 0.303900)),
)  # fmt: skip
_LMS = ((0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005))  # fmt: skip
_OKLAB = ((0.2104542553, 0.7936177850, -0.0040720468),
          (1.9779984951, -2.4285922050, 0.4505937099),
          (0.0259040371, 0.7827717662, -0.8086757660))  # fmt: skip
_DARKEST, _LIGHTEST = 0.45, 0.93  # OKLab lightness of candidates: visible on black and on white
_LEAST_CHROMA = 0.06  # greys are kept for background and ignored pixels
_GRID = 18  # levels per channel of the candidate grid
_RECENT = 24  # ids this near in number are likely to be neighbours in the picture
_RECENT_GAIN = 2.5  # how much less distance from older colours counts


def oklab(rgb):
    """OKLab coordinates (..., 3) of sRGB colours in 0..255 (B. Ottosson, 2020)."""
    linear = _linear(np.asarray(rgb, np.float64) / 255)
    return np.cbrt(linear @ np.array(_LMS).T) @ np.array(_OKLAB).T


def _candidates():
    steps = np.linspace(0, 255, _GRID).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    lab = oklab(grid)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    keep = (lab[:, 0] >= _DARKEST) & (lab[:, 0] <= _LIGHTEST) & (chroma >= _LEAST_CHROMA)
    return grid[keep]


def _as_seen(rgb):
    """OKLab (4, N, 3) of colours (N, 3) with normal vision and with three deficiencies."""
    linear = _linear(rgb / 255)
    views = [linear, *(np.clip(linear @ np.array(m).T, 0, 1) for m in _DEFICIENCIES)]
    lab = np.cbrt(np.stack(views) @ np.array(_LMS).T) @ np.array(_OKLAB).T
    return lab.astype(np.float32)


def _linear(srgb):
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _distance(seen, index):
    """Distance (N,) of every candidate to one: half normal vision, half the worst deficiency."""
    apart = np.sqrt(np.square(seen - seen[:, index : index + 1]).sum(-1))
    return 0.5 * apart[0] + 0.5 * apart[1:].min(0)


def shortfall(colors):
    """How far each colour after the seventh falls short of the best choice at its turn, 0..1."""
    candidates = _candidates()
    both = _as_seen(np.concatenate([np.asarray(colors), candidates]).astype(np.uint8))
    count = len(colors)
    apart = np.stack([_distance(both, index) for index in range(count)])
    losses = []
    for turn in range(len(OKABE_ITO), count):
        ever, recent = apart[:turn].min(0), apart[max(0, turn - _RECENT) : turn].min(0)
        score = np.minimum(recent, _RECENT_GAIN * ever)
        losses.append(1 - score[turn] / score[count:].max())
    return np.array(losses)

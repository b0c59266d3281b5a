"""Stable, colour-blind-safe colours for instances: the same id has the same colour everywhere.

The palette starts with the seven colours of Okabe and Ito (Color Universal Design, 2008) and goes
on by farthest-point selection in OKLab: each new colour lies as far as possible from the
earlier ones, as seen with normal vision and as simulated for protanopia, deuteranopia and
tritanopia (matrices of Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, severity 1). The
result is stored, so that colours never change; the tests hold the rule and check the table by it.
"""

from functools import cache
from typing import cast

import numpy as np

from embedseg.viz.arrays import Array, Picture

IGNORE_COLOR = (128, 128, 128)
BACKGROUND_COLOR = (22, 24, 29)  # near-black of the pictures' ground
PALETTE_SIZE = 320  # colours before the palette repeats; more than in any usual picture

_PALETTE = """
    e69f00 56b4e9 009e73 f0e442 0072b2 d55e00 cc79a7 961e5a a500ff 78fff0 006900 ffb4d2 0000ff
    00d25a d200a5 ff4bff 692db4 8778f0 a55a69 b4c396 00ff00 c3001e 788700 96d2ff ff3c78 ff964b
    96a5ff 00a5a5 e1f087 007887 a59669 e187c3 872d78 783cff 875ab4 5a5a1e 00f0d2 ffc300 00c300
    d200d2 003ce1 870fc3 3c87ff c369ff 87d278 00f02d b43c4b 009600 ffc3ff ff3c1e c36987 69c3ff
    69a5b4 b4ffa5 006978 c3964b ff87a5 ff4bc3 0f87a5 f096ff 69691e 00f0ff ffb487 695aa5 c300f0
    3c3cff 8700a5 9678c3 78875a 00c378 b4d200 a5003c 00a500 c31e87 e10f00 d26969 96d2b4 00a5ff
    c3ff5a 00f087 b4a52d c396b4 ff00c3 0078e1 e1b4ff 2d694b b4f0ff f078ff ffe1b4 c34bff 6900f0
    5a4b96 a51ec3 87782d 4bb496 7878a5 873c1e e1c369 b40f69 ff9687 e13c5a 1ed2f0 7896f0 c3f000
    00ffb4 87b400 e17800 e15ab4 1ee15a d2a5d2 3c69ff 00785a d2d2ff c38787 ff00ff 4b0fe1 005aa5
    a54bd2 5a963c b45a00 785a87 874b3c ffd287 960087 e1a569 d20069 0fc3c3 4b96b4 a587ff 96f0c3
    ff5a69 69ff5a e169d2 69d200 ff96d2 a5b4f0 007800 005aff a57896 e100ff 6900d2 4b5ab4 b44bb4
    969600 b4693c 00b469 784b5a a53c00 e1d25a c3a578 e10087 3cd2c3 3c8778 0096e1 d2f0c3 ff692d
    9669ff 87ff87 87c32d ff69e1 ffa5b4 a5a5d2 5a7800 c3c3f0 f000e1 9600e1 005ad2 b469b4 a500a5
    c35a5a 5aa54b 694b78 a50000 b4d287 ffb42d ff4b96 2de1d2 4b00ff 5a87d2 5ac396 e18769 785aff
    96ffd2 87f02d d278f0 ffc3b4 b47800 00873c 965a0f a596c3 4b7896 694bc3 d23cc3 b41e96 d21e3c
    00b400 699678 1e5a87 b45a87 c3b42d ff69b4 96c3e1 d2e187 963c5a 5ad296 d29687 8769e1 3c96ff
    78e100 ff0096 ffa5f0 e1693c ffd2f0 87693c b496e1 00b4c3 5a3ce1 e14bf0 873ca5 c33c0f 96872d
    009696 2d6996 966996 5ab44b 784b00 00e1ff b4f0a5 a50078 b4c35a e18796 d29600 5a78d2 1ee196
    e12da5 e1b496 ff004b c3e100 5a784b c3a5ff 5aa5e1 3c3cc3 a54bf0 ff4be1 87c3c3 b4785a b478d2
    784b96 b4002d 69a578 9600b4 96e1ff d2e1b4 b43c78 5ac34b ff7878 d24b00 4b69d2 6987b4 e14b96
    c3b478 78e187 ffd23c 785a2d e196e1 4b8700 7887ff c33ce1 e169ff 78b4c3 c38700 a5695a 783c87
    871ef0 78965a 696996 87f0f0 a5c3ff c3005a b400b4 e17878 1e4bb4 0069e1 9687b4 c34b96 a5b45a
    87f087 ffd2b4 f0f000 e1a5a5 f00f69 ffa53c b45ad2 e187f0 5a693c a578ff a54b2d 962d87 782dd2
    96784b 875a69 00965a 87d2d2 69a500 87b4e1 e16996 4b5a96 0087e1 4b5af0 3ca5c3 78c378 96e15a
    e1d296 a5ff00 e196a5 d23c78 f0872d 8769c3 c396ff e1b44b
"""


def instance_colors(ids: Array) -> Picture:
    """Colours (*S, 3) of ids (*S): a pure function of the id, with a period of 320.

    Background (0) is near-black, ignored pixels (-1) are grey.
    """
    ids = np.asarray(ids)
    before = np.subtract(ids, 1, dtype=np.int64)  # a byte holds no 320
    colors = palette()[before % PALETTE_SIZE]
    colors[ids == 0] = BACKGROUND_COLOR
    colors[ids < 0] = IGNORE_COLOR
    return cast(Picture, colors)


def paint(labels: Array) -> Picture:
    """Picture (*S, 3) of a label image (*S), background near-black."""
    labels = np.asarray(labels)
    near, low, table = indexed(labels)
    return table[np.subtract(near, low, dtype=np.int64)]


def indexed(labels: Array) -> tuple[Array, int, Picture]:
    """Return labels (*S), the lowest of them and a table of colours from this one upwards.

    Where ids lie too wide apart for a table they are brought together; signs do not change.
    """
    if not labels.size:
        return labels, 0, np.empty((0, 3), np.uint8)
    low, high = int(labels.min()), int(labels.max())
    if high - low <= labels.size:
        return labels, low, instance_colors(np.arange(low, high + 1))
    ids, ranks = np.unique(labels, return_inverse=True)
    low = 1 - int(np.count_nonzero(ids <= 0))
    return ranks.reshape(labels.shape) + low, low, instance_colors(ids)


def ground(height: int, width: int) -> Picture:
    """Return a picture without anything on it."""
    return np.full((height, width, 3), BACKGROUND_COLOR, np.uint8)


def palette() -> Picture:
    """Return the colours (320, 3) of ids 1, 2, ... as a fresh copy."""
    return _palette().copy()


@cache
def _palette() -> Picture:
    return np.frombuffer(bytes.fromhex(_PALETTE), np.uint8).reshape(PALETTE_SIZE, 3)

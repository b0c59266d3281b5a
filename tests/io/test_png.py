"""The quick PNG writer: two other programs read back what went in."""

import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from embedseg._cv2 import cv2
from embedseg.io.png import LONGEST_CODE, code_lengths, deflate, encode_png

RNG = np.random.default_rng(0)
SHAPES = [(1, 1), (1, 300), (300, 1, 3), (5, 7), (64, 65, 3)]


def pictures(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Noise, two values, one value, long runs, and residuals of very unequal frequency."""
    runs = np.repeat(RNG.integers(0, 256, 400), RNG.integers(1, 700, 400))
    return [
        RNG.integers(0, 256, shape).astype(np.uint8),
        (RNG.integers(0, 2, shape) * 200).astype(np.uint8),
        np.full(shape, 77, np.uint8),
        np.resize(runs, shape).astype(np.uint8),
        np.minimum(RNG.exponential(3, shape), 255).astype(np.uint8),
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_other_programs_read_the_same_pixels(shape: tuple[int, ...]) -> None:
    for picture in pictures(shape):
        file = encode_png(picture)
        np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(file))), picture)
        read = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(read[..., ::-1] if read.ndim == 3 else read, picture)


def test_codes_longer_than_deflate_knows_are_shortened() -> None:
    rows = [np.full(2**k, (37 * k) % 256, np.uint8) for k in range(20)]  # a tree of depth 19
    data = RNG.permutation(np.concatenate(rows))
    assert code_lengths(np.bincount(data, minlength=286)).max() > LONGEST_CODE
    assert zlib.decompress(deflate(data), wbits=-15) == data.tobytes()


def test_a_flat_picture_is_small() -> None:
    assert len(encode_png(np.zeros((512, 512, 3), np.uint8))) < 3000

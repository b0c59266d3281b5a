"""Core pixels: borders between instances found no cluster, thin pieces keep their right to."""

import numpy as np

from clustering import MeanShift
from embedseg.inference.core import core_pixels, with_lost_pieces


def ramp(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Two instances at 0 and 3 whose embeddings are blurred into each other over `width` pixels."""
    row = np.clip((np.arange(60) - (30 - width / 2)) / width, 0, 1) * 3
    return np.stack([np.tile(row, (40, 1)), np.zeros((40, 60))]).astype(np.float32), np.ones(
        (40, 60), bool
    )


def test_a_blurred_border_founds_no_cluster() -> None:
    embedding, mask = ramp(7)
    core = core_pixels(embedding, mask, 0.4)
    assert not core[:, 27:33].any() and core[:, :25].all() and core[:, 35:].all()
    assert len(MeanShift(bandwidth=0.75).fit_image(embedding, mask).cluster_centers_) > 2
    assert len(MeanShift(bandwidth=0.75).fit_image(embedding, core).cluster_centers_) == 2


def test_against_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    embedding = rng.normal(0, 0.2, (3, 12, 15)).astype(np.float32)
    mask = rng.random((12, 15)) < 0.8
    core = core_pixels(embedding, mask, 0.45)
    for r, c in np.argwhere(mask):
        steps = [
            np.linalg.norm(embedding[:, r, c] - embedding[:, i, j])
            for i, j in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1))
            if 0 <= i < 12 and 0 <= j < 15 and mask[i, j]
        ]
        if core[r, c] != all(step < 0.45 for step in steps):
            # only a piece without any calm pixel may be kept whole
            assert core[r, c] and steps
    assert not (core & ~mask).any()


def test_a_piece_without_calm_pixels_is_kept_whole() -> None:
    embedding = np.zeros((1, 9, 9), np.float32)
    embedding[0, 4] = np.arange(9)  # a line that changes at every pixel
    mask = np.zeros((9, 9), bool)
    mask[4], mask[0, :3] = True, True
    assert np.array_equal(core_pixels(embedding, mask, 0.4), mask)


def test_zero_switches_it_off_and_volumes_work() -> None:
    embedding, mask = ramp(7)
    assert core_pixels(embedding, mask, 0) is mask
    volume = np.repeat(embedding[:, None], 3, axis=1)
    core = core_pixels(volume, np.repeat(mask[None], 3, axis=0), 0.4)
    assert np.array_equal(core[1], core_pixels(embedding, mask, 0.4))


def test_a_piece_with_next_to_no_core_is_kept_whole() -> None:
    mask = np.zeros((40, 60), bool)
    mask[2:38, 2:30], mask[2:38, 33:58] = True, True
    core = np.zeros_like(mask)
    core[10:30, 5:20] = True  # a third of the first piece
    core[5, 35:45] = True  # ten pixels of the second one
    wanted = core | (mask & (np.arange(60) > 31))
    np.testing.assert_array_equal(with_lost_pieces(core, mask), wanted)
    volume = np.repeat(mask[None], 3, axis=0)
    np.testing.assert_array_equal(
        with_lost_pieces(np.repeat(core[None], 3, axis=0), volume)[1], wanted
    )

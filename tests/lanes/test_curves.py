"""Curves from instances: exact on drawn lanes, robust, bounded, joined; and the odd cases."""

from pathlib import Path

import numpy as np
import pytest

from embedseg.lanes.curves import fit_lanes
from embedseg.lanes.masks import draw_lanes
from embedseg.lanes.polylines import Lanes, at_rows, lanes_of, resized
from embedseg.lanes.robust import fit
from embedseg.lanes.tusimple import read_records
from scripts.lane_ceiling import ceiling

BIG, SMALL = (720, 1280), (256, 512)
HALF = 1.25  # px of BIG in half a pixel of SMALL: what a stroke of whole pixels cannot tell
Y = np.arange(300.0, 720.0, 10)
BENT = np.c_[400 + 0.4 * (Y - 300) + 8e-4 * (Y - 300) ** 2, Y]
SIDE = np.c_[700 + 2.5 * (Y - 300), Y]  # leaves the picture at the right, at row 532


def fitted(lanes: list, **options: object) -> Lanes:
    return fit_lanes(draw_lanes(lanes_of(lanes, BIG), SMALL), BIG, **options)  # type: ignore[arg-type]


def gap(lane: np.ndarray, truth: np.ndarray) -> float:
    rows = np.arange(truth[:, 1].min() + 10, min(truth[:, 1].max() - 10, lane[:, 1].max()), 5)
    return float(np.nanmax(np.abs(at_rows(lane, rows) - at_rows(truth, rows))))


def across(lane: np.ndarray, truth: np.ndarray) -> float:
    """The largest gap measured across the lane, which may lie nearly flat."""
    rows = np.arange(truth[:, 1].min() + 10, truth[:, 1].max() - 10, 5)
    want = at_rows(truth, rows)
    return float(np.nanmax(np.abs(at_rows(lane, rows) - want) / np.hypot(1, np.gradient(want, 5))))


@pytest.mark.parametrize("options", [{}, {"degree": 2}, {"method": "spline"}])
def test_drawn_lanes_come_back_in_the_coordinates_of_the_original(options: dict) -> None:
    bent, side = fitted([BENT, SIDE], **options).points
    assert gap(bent, BENT) < 1.5 and gap(side, SIDE) < 3


def test_extent_is_that_of_the_lane_and_ends_at_the_border() -> None:
    short = BENT[(BENT[:, 1] >= 400) & (BENT[:, 1] <= 600)]
    lanes = fitted([short, SIDE, [(100, 500), (100, 719.5)]])
    own, side, low = lanes.points
    assert own[0, 1] == pytest.approx(400, abs=6) and own[-1, 1] == pytest.approx(600, abs=6)
    assert side[-1, 0] == pytest.approx(1279.5) and side[-1, 1] == pytest.approx(532, abs=3)
    assert low[-1].tolist() == pytest.approx([100, 719.5], abs=HALF)
    assert lanes.size == BIG and lanes.ids == (1, 2, 3)


def test_points_lie_on_multiples_of_the_step() -> None:
    lane = fitted([BENT], step=25).points[0]
    np.testing.assert_allclose(lane[1:-1, 1] % 25, 0)


def test_a_quarter_of_stray_pixels_does_not_bend_the_curve() -> None:
    labels = draw_lanes(lanes_of([BENT], BIG), SMALL)
    clean = fit_lanes(labels, BIG).points[0]
    labels[150:180, 20:34] = 1  # 420 pixels of about 1,100, far to the left
    rng = np.random.default_rng(0)
    labels[rng.integers(0, 256, 60), rng.integers(0, 512, 60)] = 1
    dirty = fit_lanes(labels, BIG).points[0]
    assert gap(dirty, clean) < 3
    assert np.ptp(dirty[:, 1]) == pytest.approx(np.ptp(clean[:, 1]), abs=30)


def test_stray_points_at_an_end_make_no_hook() -> None:
    rng = np.random.default_rng(0)
    t = np.linspace(-1, 1, 150)
    line = 50 + 40 * t
    stray = 50 * np.maximum(0, t - 0.8)  # a tenth of the points, up to 10 px off
    u = line + 5 * (rng.uniform(-0.3, 0.3, 150) + stray)
    found = fit(t, u, np.full(150, 1.0), np.full(150, 5.0), 0, 4, 0.0)
    assert np.abs(np.polynomial.legendre.legval(t, found) - line).max() < 5  # one px


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_degree_is_the_lowest_that_explains_the_points(degree: int) -> None:
    rng = np.random.default_rng(degree)
    t = np.linspace(-1, 1, 150)
    shape = np.polynomial.legendre.legval(t, [50.0, 40, 12, 8][: degree + 1])
    u = shape + rng.uniform(-0.6, 0.6, 150)
    found = fit(t, u, np.full(150, 5.0), np.ones(150), 0, 6, 0.0)
    assert len(found) == degree + 1
    np.testing.assert_allclose(np.polynomial.legendre.legval(t, found), shape, atol=0.5)


def broken(lane: np.ndarray, low: float, high: float) -> list[np.ndarray]:
    return [lane[lane[:, 1] < low], lane[lane[:, 1] > high]]


def test_fragments_of_one_lane_are_joined_and_others_are_not() -> None:
    pieces = broken(BENT, 420, 520)
    other = np.c_[BENT[:, 0] + 250, BENT[:, 1]]
    lanes = fitted([*pieces, other])
    assert lanes.ids == (1, 3) and gap(lanes.points[0], BENT) < 3
    assert fitted([*pieces, other], merge=False).ids == (1, 2, 3)
    beside = [pieces[0], pieces[1] + (60, 0)]
    assert fitted(beside).ids == (1, 2)


def test_three_fragments_chain_and_far_or_turned_ones_stay() -> None:
    a, rest = broken(BENT, 400, 430)
    b, c = broken(rest, 540, 570)
    assert fitted([c, a, b]).ids == (2,)
    tiny = BENT[:3], BENT[-3:]  # 360 px apart, 20 px high each
    assert fitted(list(tiny)).ids == (1, 2)
    corner = [np.array([[400.0, 300], [400, 400]]), np.array([[400.0, 420], [500, 520]])]
    assert fitted(corner).ids == (1, 2)


def test_vertical_and_horizontal_lanes() -> None:
    up, flat = fitted([[(640, 100), (640, 600)], [(100, 650), (1100, 656)]]).points
    np.testing.assert_allclose(up[:, 0], 640, atol=HALF)
    assert flat[:, 0].min() == pytest.approx(100, abs=6)
    assert flat[:, 0].max() == pytest.approx(1100, abs=6)
    np.testing.assert_allclose(flat[:, 1], 650 + 6 * (flat[:, 0] - 100) / 1000, atol=1.5)
    assert flat[0, 1] <= flat[-1, 1]


def test_odd_instances_have_a_defined_result() -> None:
    full = fit_lanes(np.ones((20, 40), np.int32)).points[0]
    np.testing.assert_allclose(full[:, 0], 19.5)
    assert full[[0, -1], 1].tolist() == [-0.5, 19.5]
    dot = np.zeros((20, 40), np.int32)
    dot[7, 9] = 5
    lanes = fit_lanes(dot)
    assert lanes.ids == (5,)
    np.testing.assert_allclose(lanes.points[0], [[9, 7]], atol=1e-6)
    line = np.zeros((20, 40), np.int32)
    line[7, 3:30] = 2
    assert np.ptp(fit_lanes(line).points[0][:, 0]) > 20
    noise = np.random.default_rng(0).integers(-1, 30, (64, 128)).astype(np.int32)
    assert len(fit_lanes(noise, merge=False)) == 29
    assert len(fit_lanes(np.zeros((4, 4), np.int32))) == 0
    assert len(fit_lanes(np.full((4, 4), -1, np.int32))) == 0


def test_small_instances_are_left_out_on_request() -> None:
    labels = np.zeros((20, 40), np.int32)
    labels[3, 3:6] = 1
    labels[10:14, 9] = 2
    assert fit_lanes(labels, min_pixels=4).ids == (2,)
    assert fit_lanes(labels, min_pixels=3).ids == (1, 2)


def test_gappy_ids_are_kept() -> None:
    labels = draw_lanes(Lanes((BENT, SIDE), BIG, ids=(70, 2_000_000)), SMALL)
    assert fit_lanes(labels, BIG).ids == (70, 2_000_000)


HORIZON = 250.0
BIRD = np.array([[1.0, -2.56, 0.0], [0, 1, 0], [0, -1 / HORIZON, 1]]) * -1.0  # w > 0 below row 250


def test_homography_straightens_what_image_space_cannot() -> None:
    y = np.arange(262.0, 715, 5)
    hyperbola = np.c_[640 - 9000 / (y - HORIZON) + 0.9 * (y - HORIZON), y]
    plain = fitted([hyperbola], degree=2).points[0]
    plane = fitted([hyperbola], degree=2, homography=BIRD).points[0]
    assert across(plane, hyperbola) < 2.5 and across(plain, hyperbola) > 25
    assert across(plain, hyperbola) > 10 * across(plane, hyperbola)


def test_identity_homography_is_no_homography() -> None:
    plain, plane = fitted([BENT, SIDE]), fitted([BENT, SIDE], homography=np.eye(3))
    for a, b in zip(plain.points, plane.points, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("scale", [-1.0, 1e-6, -1e4])
def test_a_homography_means_the_same_at_any_scale_and_sign(scale: float) -> None:
    beyond = [(300, 20), (320, 200)]  # -BIRD is OpenCV's way to write it: the last entry is 1
    want, got = (fitted([beyond, BENT], homography=h) for h in (BIRD, scale * BIRD))
    assert got.ids == want.ids == (2,) and len(got.points[0]) > 40
    np.testing.assert_allclose(got.points[0], want.points[0], atol=1e-6)


def test_what_lies_beyond_the_horizon_gives_no_lane() -> None:
    lanes = fitted([[(300, 20), (320, 200)], BENT], homography=BIRD)
    assert lanes.ids == (2,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "spine"}, "did you mean 'spline'"),
        ({"degree": -1}, "degree must be >= 0"),
        ({"method": "spline", "knots": 0}, "knots must be >= 1"),
        ({"step": 0}, "step must be > 0"),
        ({"homography": np.zeros((3, 3))}, "invertible"),
    ],
)
def test_bad_options_are_named(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fitted([BENT], **options)
    with pytest.raises(ValueError, match=r"must be \(h, w\)"):
        fit_lanes(np.zeros((1, 4, 4), np.int32))


@pytest.fixture
def test_labels(data_root: Path) -> Path:
    path = data_root / "lanes" / "tusimple_labels" / "test_label.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


def test_ceiling_of_the_representation_on_a_subset(test_labels: Path) -> None:
    score = ceiling(read_records(test_labels)[::18])
    assert score.accuracy >= 0.99 and score.fp <= 0.01 and score.fn <= 0.01, score


@pytest.mark.slow
def test_ceiling_of_the_representation_on_all(test_labels: Path) -> None:
    score = ceiling(read_records(test_labels))
    assert score.accuracy >= 0.99 and score.fp <= 0.01 and score.fn <= 0.01, score


def test_curves_follow_the_working_size() -> None:
    lanes = lanes_of([BENT], BIG)
    for size in ((256, 512), (288, 800), (720, 1280)):
        labels = draw_lanes(lanes, size, width=5)
        own = fit_lanes(labels).points[0]
        back = resized(lanes_of([own], size), BIG).points[0]
        assert gap(back, BENT) < 2

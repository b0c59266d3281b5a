"""The TuSimple score: golden values of the benchmark on all test labels, and hand-made cases."""

import json
from pathlib import Path

import numpy as np
import pytest

from embedseg.metrics.lanes import TuSimpleScore, tusimple_image, tusimple_score

ROWS = np.arange(160, 720, 10)


@pytest.fixture(scope="module")
def truth(data_root: Path) -> list[dict]:
    path = data_root / "lanes" / "tusimple_labels" / "test_label.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return [json.loads(line) for line in path.read_text().splitlines()]


def shifted(record: dict, by: float) -> list:
    return [[x + by if x >= 0 else x for x in lane] for lane in record["lanes"]]


def cubic(record: dict) -> list:
    rows, lanes = np.array(record["h_samples"]), []
    for lane in np.array(record["lanes"], float):
        here = lane >= 0
        fit = lane.copy()
        if here.sum() > 3:
            y = rows[here] / 720.0
            fit[here] = np.polyval(np.polyfit(y, lane[here], 3), y)
        lanes.append(fit)
    return lanes


GOLDEN = {
    "itself": (lambda r: r["lanes"], (1, 0, 0)),
    "+19 px": (lambda r: shifted(r, 19), (1, 0, 0)),
    "+25 px": (lambda r: shifted(r, 25), (0.950492, 0.065576, 0.059969)),
    "last dropped": (lambda r: r["lanes"][:-1], (0.824718, -0.002247, 0.251168)),
    "nothing": (lambda r: [], (0, 0, 1)),
    "cubic": (cubic, (0.997463, 0.001624, 0.001408)),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_values_on_all_test_labels(truth: list[dict], case: str) -> None:
    change, expected = GOLDEN[case]
    pred = [{"raw_file": r["raw_file"], "lanes": change(r), "run_time": 10} for r in truth]
    assert len(truth) == 2782
    assert tusimple_score(pred, truth) == pytest.approx(expected, abs=1e-6)


def straight(x: float, slope: float = 0.0) -> np.ndarray:
    return x + slope * (ROWS - 160.0)


def test_tolerance_is_measured_across_the_lane() -> None:
    steep, slanted = straight(100), straight(100, 1.0)
    assert tusimple_image([steep + 21], [steep], ROWS).accuracy == 0
    # 20 / cos(45 deg) = 28.28 px
    assert tusimple_image([slanted + 28], [slanted], ROWS).accuracy == 1
    assert tusimple_image([slanted + 29], [slanted], ROWS).accuracy == 0


def test_the_two_thresholds_are_closed_and_open_as_in_the_benchmark() -> None:
    rows, lane = np.arange(20.0), np.full(20, 300.0)
    near = lane + np.where(rows < 17, 19.9, 20.0)  # 17 / 20 = 0.85 just suffices; 20 px do not
    assert tusimple_image([near], [lane], rows) == (0.85, 0, 0)


def test_agreeing_on_absent_counts_and_the_rest_is_missed() -> None:
    lane = straight(300)
    lane[:28] = -2
    assert tusimple_image([np.full(56, -7.0)], [lane], ROWS) == (0.5, 1, 1)


def test_one_prediction_may_match_two_lanes_so_fp_is_negative() -> None:
    assert tusimple_image([straight(100)], [straight(95), straight(105)], ROWS) == (1, -1, 0)


def test_with_five_lanes_the_worst_is_dropped_and_one_miss_forgiven() -> None:
    lanes = [straight(100 * i) for i in range(1, 6)]
    assert tusimple_image(lanes[:4], lanes, ROWS) == (1, 0, 0)
    assert tusimple_image(lanes[:3], lanes, ROWS) == (0.75, 0, 0.25)


def test_three_lanes_too_many_or_too_slow_count_as_nothing() -> None:
    lanes = [straight(100 * i) for i in range(1, 5)]
    assert tusimple_image(lanes[:3], lanes[:1], ROWS) == (1, pytest.approx(2 / 3), 0)
    assert tusimple_image(lanes, lanes[:1], ROWS) == (0, 0, 1)
    assert tusimple_image(lanes, lanes, ROWS, run_time=201) == (0, 0, 1)
    assert tusimple_image(lanes, lanes, ROWS, run_time=200) == (1, 0, 0)


def test_empty_images_are_defined() -> None:
    assert tusimple_image([], [], ROWS) == (0, 0, 0)
    assert tusimple_image([straight(1)], [], ROWS) == (0, 1, 0)
    one = np.full(56, -2.0)
    one[3] = 500
    assert tusimple_image([one], [one], ROWS) == (1, 0, 0)


def test_f1_of_means() -> None:
    assert TuSimpleScore(1, 0.0, 0.5).f1 == pytest.approx(2 / 3)
    assert TuSimpleScore(0, 1.0, 1.0).f1 == 0


def record(name: str, lanes: list, rows: np.ndarray | None = ROWS) -> dict:
    return {"raw_file": name, "lanes": lanes} | ({} if rows is None else {"h_samples": list(rows)})


def test_other_rows_are_resampled() -> None:
    coarse = ROWS[10::5]
    pred = record("a", [50 + 2.0 * coarse], coarse)
    lane = np.where((coarse[0] <= ROWS) & (coarse[-1] >= ROWS), 50 + 2.0 * ROWS, -2)
    assert tusimple_score([pred], [record("a", [lane])]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("pred", "words"),
    [
        ([record("a", [[1, 2]], None)], "lane 0 has 2 positions for 56 h_samples"),
        ([{"lanes": []}], "has no 'raw_file'"),
        ([{"raw_file": "a"}], "has no 'lanes'"),
        ([record("a", []), record("a", [])], "predicted more than once"),
        ([record("b", [])], "predicted but not in the truth"),
        ([], "in the truth but not predicted"),
    ],
)
def test_bad_predictions_are_named(pred: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tusimple_score(pred, [record("a", [straight(1)])])


def test_empty_truth_is_refused() -> None:
    with pytest.raises(ValueError, match="no records"):
        tusimple_score([], [])

"""Scores of a set: pooled against averaged, ranked by confidence, as text, CSV and JSON."""

import csv
import json
import pickle

import numpy as np
import pytest

from embedseg.labels import relabel
from embedseg.metrics import Scores, score_image, score_images
from embedseg.metrics.matching import overlap
from embedseg.metrics.ranking import rank, ranked_average_precision
from tests.oracles_metrics import coco_precision

ONE = np.array([[1, 1, 0, 0]])
MANY = np.array([[1, 0, 2, 0, 3, 0, 4, 0]])
HALF = np.array([[1, 0, 2, 0, 0, 0, 0, 0]])


def test_counts_are_pooled_and_challenge_scores_averaged():
    scores = score_images([("one", ONE, ONE), ("many", HALF, MANY)])
    summary = scores.summary
    assert summary["AP50"] == pytest.approx(3 / 5)  # not (1 + 2/4) / 2
    assert summary["F1"] == summary["RQ"] == pytest.approx(6 / 8)
    assert (summary["PQ"], summary["SQ"]) == pytest.approx((6 / 8, 1))
    assert summary["SBD"] == pytest.approx((1 + 0.5) / 2)
    assert summary["BestDice_PG"] == 1
    assert (summary["DiC"], summary["|DiC|"]) == (-1, 1)
    assert scores.mean["AP50"] == pytest.approx((1 + 0.5) / 2)
    assert dict(scores.rows)["many"]["mAP"] == pytest.approx(0.5)


def test_signs_of_the_differences_cancel_but_not_their_sizes():
    summary = score_images([("less", HALF, MANY), ("more", MANY, HALF)]).summary
    assert (summary["DiC"], summary["|DiC|"]) == (0, 2)


def test_mean_over_thresholds():
    truth, prediction = np.zeros((2, 1, 100), int)
    truth[0, :100], prediction[0, :77] = 1, 1  # IoU 0.77: right at 6 of 10 thresholds
    summary = score_images([("a", prediction, truth)]).summary
    assert (summary["AP50"], summary["AP75"], summary["mAP"]) == pytest.approx((1, 1, 0.6))


def test_overlaps_of_exactly_a_threshold_reach_it():
    truth = np.array([[1, 1, 1, 1, 1]])
    prediction = np.array([[1, 1, 1, 0, 0]])  # 0.6 reaches 0.5, 0.55 and 0.6
    assert score_images([("a", prediction, truth)]).summary["mAP"] == pytest.approx(0.3)


def test_an_empty_image_adds_nothing_to_the_pooled_scores():
    nothing = np.zeros_like(ONE)
    alone = score_images([("many", HALF, MANY)]).summary
    beside = score_images([("many", HALF, MANY), ("none", nothing, nothing)]).summary
    assert beside["AP50"] == alone["AP50"] and beside["PQ"] == alone["PQ"]
    assert beside["SBD"] == pytest.approx((alone["SBD"] + 1) / 2)


def random_images(seed, count=5):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        truth = np.repeat(np.arange(12), 10) * (rng.random(120) < 0.9)
        halves = np.arange(120) // 5 % 2 * 12 * (rng.random() < 0.5)  # two claim one
        prediction = np.roll(truth + halves * (truth > 0), rng.integers(0, 6))
        prediction = prediction * (rng.random(120) < 0.95)
        made_up = rng.random(120) < 0.05
        prediction[made_up] = rng.integers(1, 15, made_up.sum())
        ids = np.unique(prediction[prediction > 0])
        yield prediction[None], truth[None], {int(i): round(rng.random(), 1) for i in ids}


@pytest.mark.parametrize("seed", range(3))
def test_ranked_precision_equals_the_oracle(seed):
    images = list(random_images(seed))
    thresholds = (0.3, 0.5, 0.75)
    ranked = [rank(overlap(p, t), s, thresholds) for p, t, s in images]
    wanted = [coco_precision(images, threshold) for threshold in thresholds]
    assert len(set(wanted)) == 3  # a case that can tell them apart
    assert ranked_average_precision(ranked) == pytest.approx(np.array(wanted))


def test_a_later_prediction_takes_its_second_choice():
    truth = np.repeat([[1, 2]], 10, axis=1)
    prediction = np.array([[8] * 5 + [9] * 9 + [0] * 6])  # 9: IoU 5/14 with 1, 4/15 with 2
    ranked = rank(overlap(prediction, truth), {8: 0.9, 9: 0.8}, (0.25, 0.3))
    assert ranked.right.tolist() == [[True, True], [True, False]]


def test_ranked_precision_by_hand():
    # Best first: right, wrong, right, of four true: precision 1 to recall 1/4, 2/3 to 2/4.
    truth = np.array([[1, 0, 2, 0, 3, 0, 4, 0]])
    prediction = np.array([[1, 2, 3, 0, 0, 0, 0, 0]])
    summary = score_images([("a", prediction, truth, {1: 0.9, 2: 0.8, 3: 0.1})]).summary
    assert summary["COCO_AP50"] == pytest.approx((26 * 1 + 25 * 2 / 3) / 101)
    assert summary["COCO_AP50"] == summary["COCO_mAP"] == summary["COCO_AP75"]


@pytest.mark.parametrize(("prediction", "truth", "wanted"), [(0, 0, 1), (1, 0, 0), (0, 1, 0)])
def test_ranked_precision_of_empty_images(prediction, truth, wanted):
    pair = np.array([[prediction, 0]]), np.array([[truth, 0]])
    summary = score_images([("a", *pair, {1: 0.5})]).summary
    assert summary["COCO_mAP"] == wanted


def test_ranked_columns_need_scores_for_all():
    scores = {int(i): 1.0 for i in MANY[MANY > 0]}
    mixed = score_images([("a", MANY, MANY, scores), ("b", MANY, MANY)])
    assert "COCO_AP50" not in mixed.summary and "COCO_AP50" not in mixed.mean
    assert "COCO" not in mixed.to_table()
    with pytest.raises(ValueError, match="instance 3 has no finite score"):
        score_images([("a", MANY, MANY, {1: 1.0, 2: 1.0})])


def test_written_files_hold_every_number(tmp_path):
    pairs = [("one", ONE, ONE), ("a, b", HALF, MANY), ("a, b", MANY, HALF)]
    scores = score_images(pairs)
    scores.to_csv(tmp_path / "s.csv")
    scores.to_json(tmp_path / "s.json")
    rows = list(csv.DictReader((tmp_path / "s.csv").open(newline="")))
    assert [row["image"] for row in rows] == ["one", "a, b", "a, b", "mean of images", "pooled"]
    assert float(rows[1]["SBD"]) == 0.5 and rows[1]["true"] == "4"
    assert float(rows[-1]["AP50"]) == scores.summary["AP50"] and rows[-1]["SBD"] == ""
    content = json.loads((tmp_path / "s.json").read_text())
    assert content["summary"] == scores.summary
    assert content["images"][2] == {"image": "a, b"} | scores.rows[2][1]


def test_a_name_that_is_no_utf8_is_written_as_it_is(tmp_path):
    score_images([("gr\udcfcn", ONE, ONE)]).to_csv(tmp_path / "s.csv")
    assert b"\r\ngr\xfcn,1,1," in (tmp_path / "s.csv").read_bytes()


def test_the_table_is_aligned_and_complete():
    lines = score_images([("one", ONE, ONE), ("a-long-name", HALF, MANY)]).to_table().splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split()[:4] == ["image", "SBD", "|DiC|", "DiC"]
    assert lines[3].split()[:4] == ["a-long-name", "0.5000", "2.00", "-2.00"]
    assert lines[-1].split()[0] == "pooled"


def test_images_scored_elsewhere_join():
    here, there = score_image("one", ONE, ONE), score_image("many", HALF, MANY)
    joined = Scores((here, pickle.loads(pickle.dumps(there))))
    assert joined.summary == score_images([("one", ONE, ONE), ("many", HALF, MANY)]).summary


def test_order_of_ids_and_images_does_not_matter():
    images = [(str(i), p, t) for i, (p, t, _) in enumerate(random_images(7))]
    summary = score_images(images).summary
    changed = [(n, relabel(p * 13 % 29)[0], t) for n, p, t in reversed(images)]
    assert score_images(changed).summary == pytest.approx(summary)


def test_bad_input():
    with pytest.raises(ValueError, match="pairs is empty"):
        score_images([])
    with pytest.raises(ValueError, match=r"plant: the prediction has shape \(1, 4\)"):
        score_images([("plant", ONE, MANY)])

"""The challenge's scores on real leaves: the official script's numbers, and a slow oracle."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, shift

from embedseg.io import read_labels
from embedseg.metrics import best_dice, difference_in_count, foreground_dice, symmetric_best_dice
from embedseg.metrics.instance import THRESHOLDS
from embedseg.metrics.table import score_image
from tests.oracles_metrics import leaf_scores, matched_above_half

# Computed with the challenge's own script: BestDice(P, G), BestDice(G, P), FgBgDice, DiC.
OFFICIAL = {
    "001": (0.860414, 0.775833, 0.821566, -2),
    "031": (0.863954, 0.788999, 0.869321, -2),
    "072": (0.873363, 0.787840, 0.875638, -2),
}
EVERY_17TH = slice(None, None, 17)  # 6 of the 102 plants


@pytest.mark.parametrize("plant", OFFICIAL)
def test_scores_equal_the_official_script(data_root, plant):
    truth = read_labels(data_root / f"cvppp/A1/plant{plant}_label.png")
    prediction = worse(truth)
    pg, gp, fg, dic = OFFICIAL[plant]
    assert best_dice(prediction, truth) == pytest.approx(pg, abs=1e-6)
    assert best_dice(truth, prediction) == pytest.approx(gp, abs=1e-6)
    assert symmetric_best_dice(prediction, truth) == pytest.approx(min(pg, gp), abs=1e-6)
    assert foreground_dice(prediction, truth) == pytest.approx(fg, abs=1e-6)
    assert difference_in_count(prediction, truth) == dic


def test_scores_equal_the_oracle_on_some_plants(data_root):
    assert check_plants(data_root, EVERY_17TH, step=2) == 6


@pytest.mark.slow
def test_scores_equal_the_oracle_on_all_plants(data_root):
    assert check_plants(data_root, slice(None)) == 102


def worse(truth):
    """Merge two leaves, lose the last, erode the foreground that is left."""
    prediction = truth.copy()
    prediction[truth == 3] = 2
    prediction[truth > 3] -= 1
    prediction[prediction == prediction.max()] = 0
    prediction[~binary_erosion(prediction > 0, np.ones((5, 5)))] = 0
    return prediction


def corrupted(truth, rng):
    """Merge, drop, split, move, speckle, renumber with gaps, ignore a corner of the truth."""
    prediction, truth = truth.copy(), truth.copy()
    ids = rng.permutation(np.unique(truth[truth > 0]))
    prediction[truth == ids[0]] = ids[1]
    prediction[truth == ids[2]] = 0
    right = np.arange(truth.shape[1]) > np.nonzero(truth == ids[3])[1].mean()
    prediction[(truth == ids[3]) & right] = 1000
    prediction = shift(prediction, rng.integers(-6, 7, 2), order=0)
    speckle = rng.random(truth.shape) < 0.02
    prediction[speckle] = rng.integers(0, 30, speckle.sum())
    renumbered = rng.permutation(5000)[: prediction.max() + 1] + 1
    prediction = np.where(prediction > 0, renumbered[prediction], 0)
    truth[: rng.integers(0, 150), : rng.integers(0, 300)] = -1
    return prediction, truth


def check_plants(data_root, chosen, step=1):
    rng = np.random.default_rng(0)
    files = sorted((data_root / "cvppp/A1").glob("*_label.png"))[chosen]
    for file in files:
        prediction, truth = corrupted(read_labels(file)[::step, ::step], rng)
        score = score_image(file.stem, prediction, truth)
        pg, gp, fg, dic = leaf_scores(prediction, truth)
        assert score.best_dice_pg == pytest.approx(pg, abs=1e-12), file
        assert score.best_dice_gp == pytest.approx(gp, abs=1e-12), file
        assert score.fg_dice == pytest.approx(fg, abs=1e-12), file
        assert score.predicted - score.true == dic, file
        at = THRESHOLDS.index(0.75)
        assert score.counts[at] == pytest.approx(matched_above_half(prediction, truth, 0.75)), file
    return len(files)

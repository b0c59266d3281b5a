"""The search for a setting, on scores made up for each setting: what it takes, and when it ends."""

from collections.abc import Callable

import numpy as np
import pytest

from embedseg.tuning.figures import Parts
from embedseg.tuning.search import CrossValidation, cross_validate, halves, plateau, search, step
from embedseg.tuning.space import Axis, Setting

IMAGES = range(4)


class Made:
    """A judge whose images have the scores `of(setting)`; it counts what it is asked."""

    def __init__(self, of: Callable[[Setting], list[float]]) -> None:
        self.of, self.asked = of, 0

    def parts(self, setting: Setting) -> Parts:
        self.asked += 1
        scores = np.array(self.of(setting))[:, None]
        return Parts(scores, np.ones_like(scores))


@pytest.mark.parametrize(
    ("gains", "taken"),
    [
        ([0.3, -0.1, 0.3, -0.1], False),  # 0.1 in the mean, and 0.115 its standard error
        ([0.3, 0.0, 0.3, 0.0], True),  # 0.15 and 0.087
        ([1.3e-4] * 4, True),
        ([0.7e-4] * 4, False),  # too little to be told
    ],
)
def test_a_value_is_taken_if_it_gains_more_than_the_error(gains: list[float], taken: bool) -> None:
    judge = Made(lambda setting: [0.5 + setting[0] * gain for gain in gains])
    axis = Axis("a", (0, 1), 0, ordered=False)
    assert step(judge, [axis], (0,), 0, IMAGES) == (int(taken),)


def test_a_plateau_is_asked_of_values_in_order_alone() -> None:
    scores = [0.5, 0.9, 0.5, 0.5, 0.85, 0.86, 0.85]
    judge = Made(lambda setting: [scores[setting[0]]] * 4)
    for ordered, best in ((True, 5), (False, 1)):
        axis = Axis("a", tuple(range(7)), 0, ordered)
        assert step(judge, [axis], (0,), 0, IMAGES) == (best,)
    assert plateau(np.array([0.0, 0, 1, 0, 0])).tolist() == [0, 0.25, 0.5, 0.25, 0]
    assert plateau(np.array([1.0, 0, 0])).tolist() == [0.75, 0.25, 0]


def both(setting: Setting) -> list[float]:
    """The first value pays only beside the second one."""
    a, b = setting
    return [0.5 + 0.1 * b + 0.2 * a * b] * 4


AXES = [Axis("a", (0, 1), 0, ordered=False), Axis("b", (0, 1), 0, ordered=False)]


def test_rounds_are_repeated_until_nothing_moves() -> None:
    assert search(Made(both), AXES, IMAGES) == (1, 1)
    assert search(Made(both), AXES, IMAGES, rounds=1) == (0, 1)
    still, once = Made(lambda _: [0.5] * 4), Made(lambda _: [0.5] * 4)
    assert search(still, AXES, IMAGES) == search(once, AXES, IMAGES, rounds=1) == (0, 0)
    assert still.asked == once.asked


def test_gains_are_those_of_this_search_on_the_other_half() -> None:
    rng = np.random.default_rng(0)
    groups = [[0], [1], [2], [3]]
    for rounds, gain in ((3, 0.3), (1, 0.1)):
        found = cross_validate(Made(both), AXES, groups, splits=2, rng=rng, rounds=rounds)
        assert found.gains == pytest.approx([gain] * 4)

    def fits(setting: Setting) -> list[float]:  # helps the first two images, harms the others
        return [0.5 + 0.2 * setting[0]] * 2 + [0.5 - 0.2 * setting[0]] * 2

    pairs = [[0, 1], [2, 3]]
    found = cross_validate(Made(fits), AXES, pairs, splits=6, rng=rng)
    assert sorted(found.gains) == pytest.approx([-0.2] * 6 + [0] * 6)
    with pytest.raises(ValueError, match="two groups"):
        halves([[0, 1, 2]], rng)


def test_mean_and_error_of_gains_are_the_textbook_ones() -> None:
    gains = (0.1, 0.2, 0.4, 0.1)
    found = CrossValidation(gains)
    assert found.mean == pytest.approx(0.2)
    assert found.error == pytest.approx(np.std(gains, ddof=1) / 2)

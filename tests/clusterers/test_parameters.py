"""Parameters that make no sense are refused at fit by one sentence, whatever is fitted."""

import numpy as np
import pytest

from clustering import CLUSTERERS

COUNTS = {
    "mean_shift": {"min_points": 0, "n_threads": 1},
    "centres": {"min_points": 0, "n_threads": 1},
    "threshold": {
        "min_points": 0,
        "n_threads": 1,
        "max_iter": 0,
        "max_failures": 1,
    },
    "hdbscan": {"min_cluster_size": 2, "min_samples": 1, "n_threads": 1},
    "dbscan": {"min_samples": 1, "n_threads": 1},
    "spatial": {"min_points": 0},
}
LIMITS = {  # the parameter, the largest number that is not let
    "mean_shift": {"bandwidth": 0, "border_step": -1e-9},
    "centres": {"bandwidth": 0, "border_step": -1e-9, "threshold": -1e-9},
    "threshold": {"bandwidth": 0, "tol": -1e-9, "max_overlap": 0, "stop_below": -1},
    "hdbscan": {"cluster_selection_epsilon": -1e-9},
    "dbscan": {"eps": 0},
    "spatial": {"bandwidth": 0, "max_overlap": 0, "membership": 0},
}
POINTS = np.random.default_rng(0).normal(size=(40, 2))


def refuse(name, parameter, value, message):
    estimator = CLUSTERERS[name](**{parameter: value})
    with pytest.raises(ValueError, match=f"^{parameter} must be {message}"):
        estimator.fit(POINTS)
    with pytest.raises(ValueError, match=f"^{parameter} must be {message}"):
        estimator.fit_image(np.zeros((2, 3, 4)), np.zeros((3, 4), bool))  # before any work


@pytest.mark.parametrize(
    ("name", "parameter", "least"),
    [(name, key, least) for name, counts in COUNTS.items() for key, least in counts.items()],
)
def test_a_count_is_an_integer_that_is_large_enough(name, parameter, least):
    refuse(name, parameter, least - 1, f">= {least}, got {least - 1}")
    refuse(name, parameter, -5, f">= {least}, got -5")
    refuse(name, parameter, 2.5, "(None or )?an integer, got 2.5")
    refuse(name, parameter, "a", "(None or )?an integer, got 'a'")
    for value in (least, np.int64(least + 1)):
        CLUSTERERS[name](**{parameter: value}).fit(POINTS)


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [(name, key, value) for name, limits in LIMITS.items() for key, value in limits.items()],
)
def test_a_number_is_large_enough_and_no_nan(name, parameter, value):
    refuse(name, parameter, value, f">=? [0-9]+, got {value}")
    refuse(name, parameter, np.nan, ">=? [0-9]+, got nan")
    refuse(name, parameter, "a", "a number, got 'a'")


@pytest.mark.parametrize("name", ["threshold", "spatial"])
def test_a_bandwidth_that_cannot_be_estimated_is_given(name):
    refuse(name, "bandwidth", None, "a number, got None")


def test_a_seed_threshold_is_a_number():
    refuse("spatial", "seed_threshold", np.nan, ">= -inf, got nan")

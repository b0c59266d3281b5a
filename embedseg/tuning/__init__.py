"""Finding the post-processing that suits a trained network, on validation images."""

from embedseg.tuning.figures import METRICS
from embedseg.tuning.tune import Tuning, tune

__all__ = ["METRICS", "Tuning", "tune"]

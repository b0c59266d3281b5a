"""Tuning at the end of training: quick, on validation images, for at most a tenth of its time."""

import logging
import time
from pathlib import Path
from shlex import quote

from embedseg.data import Dataset
from embedseg.device import Amp
from embedseg.io import InputError
from embedseg.model import Model, find_weights
from embedseg.tuning.run import refuse_test, tune_run
from embedseg.tuning.tune import LEAST_IMAGES, QUICK_IMAGES, spread

logger = logging.getLogger(__name__)
SHARE = 0.1  # of the training's time that tuning may take
LOOKS = 60  # segmentations of an image that a quick tuning is worth, in time


def tune_at_end(
    run: Path, validation: Dataset, seconds: float, *, device: str = "auto", amp: Amp = "auto"
) -> None:
    """Tune a run that was trained for `seconds` and store the choice in it; log what came of it.

    As many `validation` images are looked at as SHARE of the time allows. A run that is tuned stays
    as it is. Where tuning cannot be (too few images, too little time, images of a test list) or is
    interrupted, the run keeps its defaults.
    """
    if (run / "tuning.json").is_file():
        return
    try:
        refuse_test(validation)
        if len(validation) < LEAST_IMAGES:
            logger.info(
                "not tuned: %d images are held out, %d are needed; embedseg tune %s --data "
                "KIND:WHERE takes others",
                len(validation), LEAST_IMAGES, quote(str(run)),
            )  # fmt: skip
            return
        count = affordable(run, validation, seconds, device, amp)
        if count < LEAST_IMAGES:
            logger.info(
                "not tuned: training was too short; embedseg tune %s does it", quote(str(run))
            )
            return
        found = tune_run(run, samples=spread(validation, count), quick=True, device=device, amp=amp)
        logger.info("tuned: %s", found.describe())
    except InputError as error:
        logger.warning("not tuned: %s", error)
    except KeyboardInterrupt:
        again = f"embedseg tune {quote(str(run))}"
        logger.warning("tuning interrupted, the run is complete; %s repeats it", again)


def affordable(run: Path, samples: Dataset, seconds: float, device: str, amp: Amp) -> int:
    """Return how many images can be tuned on, from the time that one takes."""
    model = Model.load(find_weights(run), device=device, amp=amp)
    image = samples[0].image
    model.segment(image)  # the first call is slower
    started = time.monotonic()
    model.segment(image)
    each = max(time.monotonic() - started, 1e-6)
    return min(len(samples), QUICK_IMAGES, int(SHARE * seconds / (LOOKS * each)))

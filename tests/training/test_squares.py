"""A checkpoint knows the side of the squares that training showed of whole pictures."""

import pytest

from embedseg.training.job import spec_of
from embedseg.training.options import read_config


@pytest.mark.parametrize(
    ("words", "side"),
    [
        (["--config", "leaves"], 400),
        (["--augment.size=96", "--data.working_size=128"], 96),
        (["--config", "lanes"], 0),  # pictures of one shape, whatever their own
        (["--config", "nuclei"], 0),  # crops of pictures that are seen as they are
        (["--method=spatial"], 0),
        (["--augment.size=null"], 0),
        (["--data.working_size=0"], 0),
    ],
)
def test_squares_of_training(words: list[str], side: int) -> None:
    assert spec_of(read_config([*words, "--data=leaves:2"])).training_size == side

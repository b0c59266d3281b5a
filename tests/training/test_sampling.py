"""Which sample comes at which place: each once a round, the same for all workers and processes."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from embedseg._cv2 import cv2
from embedseg.data import AugmentConfig, Dataset, Sample
from embedseg.labels import IGNORE
from embedseg.training.sampling import AugmentedStream, loader
from embedseg.training.targets import Targets, calm

STILL = calm(
    AugmentConfig(
        scale=(1.0, 1.0), rotation=0, flip_horizontal=0, flip_vertical=0, random_crop=False
    )
)
NAMES = [*"abcdef"]


def shade(name: str) -> Sample:
    """A picture whose grey tells which it is, with one instance at its left."""
    grey = 10 * (1 + NAMES.index(name))
    labels = np.zeros((24, 36), np.int32)
    labels[8:16, 3:12] = 1 + NAMES.index(name)
    return Sample(np.full((24, 36, 3), grey, np.uint8), labels, None, name)


def stream(config: AugmentConfig = STILL, share: float = 0.0, seed: int = 0) -> AugmentedStream:
    return AugmentedStream(Dataset(NAMES, shade), config, copy_paste_share=share, seed=seed)


def greys(items: object) -> list[int]:
    return [int(item["image"][0, 0, -1]) for item in items]  # type: ignore[attr-defined]


def test_each_round_shows_each_sample_once_in_its_own_order() -> None:
    rounds = [greys(stream()[6 * k + i] for i in range(6)) for k in range(3)]
    assert all(sorted(shown) == [10, 20, 30, 40, 50, 60] for shown in rounds)
    assert rounds[0] != rounds[1] != rounds[2]
    assert rounds[0] != greys(stream(seed=1)[i] for i in range(6))


def test_steps_are_cut_out_of_one_stream_and_dealt_to_processes() -> None:
    shown = [image for i in range(24) for image in greys([stream()[i]])]
    batches = [b["image"][:, 0, 0, -1].tolist() for b in loader(stream(), first=2, last=5, batch=4)]
    assert batches == [shown[8:12], shown[12:16], shown[16:20]]
    for rank in (0, 1):
        own = loader(stream(), first=2, last=5, batch=4, rank=rank, world=2)
        assert len(own) == 3
        parts = [b["image"][:, 0, 0, -1].tolist() for b in own]
        assert parts == [whole[rank::2] for whole in batches]
    with pytest.raises(ValueError, match="multiple of the 3 processes, got 4"):
        loader(stream(), first=0, last=1, batch=4, world=3)


def threads(name: str) -> Sample:
    """A picture whose colours are the threads that OpenCV and torch have where it is read."""
    counts = np.array([cv2.getNumThreads(), torch.get_num_threads(), 0], np.uint8)
    return replace(shade(name), image=np.tile(counts, (24, 36, 1)))


def test_a_worker_has_one_thread() -> None:
    data = AugmentedStream(Dataset(["a"], threads), STILL, copy_paste_share=0.0, seed=0)
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(3)
    cv2.warpAffine(np.zeros((2000, 2000, 3), np.uint8), np.eye(2, 3), (2000, 2000))
    time.sleep(0.2)  # its threads have ended their work and wait
    torch.set_num_threads(2)
    try:
        seen = [
            next(iter(loader(data, first=0, last=1, batch=1, workers=workers)))["image"]
            for workers in (0, 1)
        ]
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
    assert [image[0, :, 0, 0].tolist() for image in seen] == [[3, 2, 0], [1, 1, 0]]
    assert (cv2.getNumThreads(), torch.get_num_threads()) == before


def test_a_place_of_the_stream_has_one_change_whenever_it_is_drawn() -> None:
    config = AugmentConfig(size=16)
    first, again = stream(config), stream(config)
    again[9]
    for key, value in first[3].items():
        assert torch.equal(value, again[3][key])
    other = AugmentedStream(Dataset(["a"], shade), config, copy_paste_share=0.0, seed=0)
    assert not torch.equal(other[0]["image"], other[1]["image"]), "changed anew in each round"
    more = AugmentedStream(Dataset(["a"], shade), config, copy_paste_share=0.0, seed=1)
    assert not torch.equal(other[0]["image"], more[0]["image"])


def test_the_share_of_samples_gets_instances_of_others() -> None:
    def pasted(share: float) -> list[bool]:
        found = [stream(share=share)[i] for i in range(60)]
        under = [int(item["image"][0].float().median()) for item in found]
        assert under == greys(stream()[i] for i in range(60))
        return [len(set(f["image"][0].ravel().tolist())) > 1 for f in found]

    assert not any(pasted(0.0))
    some, most = sum(pasted(0.3)), sum(pasted(1.0))
    assert 8 <= some <= 24 and most >= 40, "a sample may get its own, which nobody sees"


def test_the_clean_view_has_the_geometry_and_its_own_colours() -> None:
    config = AugmentConfig(size=16, translation=0.3)
    data, targets = Dataset(NAMES, shade), Targets(maps={}, clean=True)
    both = AugmentedStream(data, config, copy_paste_share=0.5, seed=0, targets=targets)
    plain = AugmentedStream(data, calm(config), copy_paste_share=0.5, seed=0)
    for place in range(8):
        item, own = both[place], plain[place]
        assert torch.equal(item["clean"], own["image"])
        assert torch.equal(item["labels"], own["labels"])
        assert not torch.equal(item["image"], own["image"])
    assert "clean" not in plain[0]


@pytest.mark.parametrize("own", [None, [[0, 2, 255, 1]]])
def test_what_is_ignored_is_of_no_class(own: list[list[int]] | None) -> None:
    semantic = None if own is None else np.array(own, np.uint8)
    image = np.arange(12, dtype=np.uint8).reshape(1, 4, 3)
    sample = Sample(image, np.array([[0, 1, IGNORE, 300]], np.int32), semantic, "a")
    item = AugmentedStream(Dataset(["a"], lambda _: sample), STILL, copy_paste_share=0.0, seed=0)[0]
    assert item["semantic"].tolist() == [[0, 1, -1, 1] if own is None else [0, 2, -1, 1]]
    assert item["labels"].tolist() == [[0, 1, IGNORE, 300]]
    assert {v.dtype for v in (item["semantic"], item["labels"])} == {torch.int64}
    assert np.array_equal(item["image"].numpy(), image.transpose(2, 0, 1))

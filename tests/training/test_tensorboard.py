"""What a run leaves for TensorBoard, read back from its own event files."""

import sys
from pathlib import Path

import numpy as np
import pytest

from embedseg.data import open_dataset
from embedseg.io import write_image
from embedseg.model import Model
from embedseg.training import tensorboard
from embedseg.training.options import read_config
from embedseg.training.run_folder import Metrics
from embedseg.training.tensorboard import FOLDER, Board

pytest.importorskip("tensorboardX")


def events(run: Path) -> list:
    """All events of a run, in the order of writing."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in sorted((run / FOLDER).glob("events*")):
        data, at = file.read_bytes(), 0
        while at < len(data):  # length (8), its checksum (4), the event, its checksum (4)
            length = int.from_bytes(data[at : at + 8], "little")
            found.append(Event.FromString(data[at + 12 : at + 12 + length]))
            at += length + 16
    return found


def scalars(run: Path) -> dict[tuple[str, int], float]:
    return {
        (value.tag, event.step): value.simple_value
        for event in events(run)
        for value in event.summary.value
        if not value.HasField("image")
    }


def test_figures_and_sheets(tmp_path: Path) -> None:
    write_image(tmp_path / "samples" / "epoch_0002.png", np.full((4, 6, 3), 9, np.uint8))
    metrics = Metrics(tmp_path, epochs=3, tensorboard=True)
    metrics.add({"epoch": 1, "loss": 3.0, "lr": 0.5, "val_sbd": float("nan")}, finished=False)
    metrics.add({"epoch": 2, "loss": 2.0, "lr": 0.25, "val_sbd": 0.75}, finished=False)
    metrics.board.close()
    assert scalars(tmp_path) == {
        ("training/loss", 1): 3.0, ("run/lr", 1): 0.5, ("training/loss", 2): 2.0,
        ("run/lr", 2): 0.25, ("validation/sbd", 2): 0.75,
    }  # fmt: skip
    shown = [(e.step, v) for e in events(tmp_path) for v in e.summary.value if v.HasField("image")]
    assert [(step, v.tag, v.image.width, v.image.height) for step, v in shown] == [
        (2, "samples", 6, 4)
    ]


def test_without_it_nothing_is_written(tmp_path: Path) -> None:
    Metrics(tmp_path, epochs=3).add({"epoch": 1, "loss": 3.0}, finished=False)
    assert not (tmp_path / FOLDER).exists()


def test_projector_holds_pixels_with_their_instances(
    tiny_run: Path, scenes: Path, tmp_path: Path
) -> None:
    model = Model.load(tiny_run, device="cpu", amp="off")
    board = Board(tmp_path)
    board.project(model, open_dataset(f"folder:{scenes}"))
    board.close()
    table = next((tmp_path / FOLDER).rglob("tensors.tsv"))
    vectors = np.loadtxt(table, delimiter="\t")
    names = (table.parent / "metadata.tsv").read_text().splitlines()
    assert vectors.shape == (len(names), 4) and 1000 < len(names) <= tensorboard.POINTS
    assert {name.split()[0] for name in names} == {f"scene{k}" for k in range(4)}
    groups = {n: vectors[[i for i, m in enumerate(names) if m == n]] for n in set(names)}
    assert 4 * 3 <= len(groups) <= 4 * 7
    spread = np.median([points.std(0).max() for points in groups.values() if len(points) > 20])
    assert spread < vectors.std(0).max() / 2  # pixels of one instance lie together
    assert (tmp_path / FOLDER / "projector_config.pbtxt").is_file()


def test_the_switch_and_the_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_config(["--tensorboard", "--epochs", "2"]).tensorboard
    assert read_config(["--epochs=2", "--tensorboard"]).tensorboard
    assert not read_config(["--tensorboard", "false"]).tensorboard
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ValueError, match=r"pip install 'embedseg-torch\[tensorboard\]'"):
        tensorboard.require_tensorboard()

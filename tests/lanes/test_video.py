"""Frames in and out, broken videos, and stages that run at the same time."""

import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedseg.io import InputError
from embedseg.lanes.overlap import in_turn, overlap
from embedseg.lanes.video import is_video, open_drive, read_frames, write_video


def picture(value: int) -> np.ndarray:
    image = np.full((48, 64, 3), value % 256, np.uint8)
    image[:, 32:] = (200, 30, 30)
    return image


def write(path: Path, count: int = 6) -> Path:
    with write_video(path, 10) as video:
        for index in range(count):
            video.add(picture(40 * index))
    return path


@pytest.mark.parametrize("ending", [".avi", ".mp4"])
def test_video_round_trip(tmp_path: Path, ending: str) -> None:
    drive = open_drive(write(tmp_path / f"drive{ending}"))
    frames = list(read_frames(drive))
    assert drive.rate == pytest.approx(10) and drive.frames == len(frames) == 6
    assert frames[3].time == pytest.approx(0.3) and frames[3].name == "drive_000003"
    left, right = frames[3].image[:, 5:25], frames[3].image[:, 40:60]
    assert abs(float(left.mean()) - 120) < 8
    assert right[..., 0].mean() > 170 > 60 > right[..., 2].mean()  # red stays red
    assert list(tmp_path.iterdir()) == [drive.path]


def test_folder_of_frames_in_the_order_of_numbers(tmp_path: Path) -> None:
    for index in (10, 2, 1):
        Image.fromarray(picture(index)).save(tmp_path / f"{index}.png")
    (tmp_path / "notes.txt").write_text("x")
    frames = list(read_frames(open_drive(tmp_path)))
    assert [f.name for f in frames] == ["1.png", "2.png", "10.png"]
    assert [f.time for f in frames] == [0, 0.05, 0.1]


def test_unreadable_frame_is_left_out_with_a_word(tmp_path: Path, caplog) -> None:
    Image.fromarray(picture(1)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    Image.fromarray(picture(3)).save(tmp_path / "3.png")
    assert [f.time for f in read_frames(open_drive(tmp_path))] == [0, 0.1]
    assert "2.png" in caplog.text


def test_a_video_that_breaks_off_gives_the_frames_before(tmp_path: Path, caplog) -> None:
    whole = write(tmp_path / "a.avi", 40).read_bytes()
    cut = tmp_path / "b.avi"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    frames = list(read_frames(open_drive(cut)))
    assert 5 < len(frames) < 40
    assert np.abs(frames[2].image[:, 5:25].astype(int) - 80).mean() < 12


@pytest.mark.parametrize(("seconds", "complete"), [(4.8, True), (5.5, False)])
def test_sound_that_goes_on_is_no_break(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seconds: float, complete: bool
) -> None:
    path = write(tmp_path / "a.mkv", 40)  # 4 seconds; Matroska tells the longest stream's length
    header, mark, rest = path.read_bytes().partition(b"\x44\x89\x88")
    assert struct.unpack(">d", rest[:8]) == (4000,)
    path.write_bytes(header + mark + struct.pack(">d", 1000 * seconds) + rest[8:])
    drive = open_drive(path)
    assert drive.frames == 10 * seconds
    assert len(list(read_frames(drive))) == 40
    assert (drive.least <= 40) == complete == ("breaks off" not in caplog.text)


def test_frames_keep_their_own_times_where_they_are_not_even(tmp_path: Path) -> None:
    pauses = [50, 50, 50, 200, 50, 400, 50, 50]  # ms, as of a camera that drops frames
    first, *others = (Image.fromarray(picture(30 * index)) for index in range(8))
    path = tmp_path / "a.gif"
    first.save(path, save_all=True, append_images=others, duration=pauses)
    times = [frame.time for frame in read_frames(open_drive(path))]
    assert times == pytest.approx([0, 0.05, 0.1, 0.15, 0.35, 0.4, 0.8, 0.85], abs=1e-3)
    other = [frame.time for frame in read_frames(open_drive(path, rate=5))]
    assert other == pytest.approx([index / 5 for index in range(8)])


@pytest.mark.parametrize("content", [b"", b"no video at all" * 50])
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.mp4"):
        list(read_frames(open_drive(path)))
    with pytest.raises(InputError, match="no such video"):
        open_drive(tmp_path / "y.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no picture"):
        open_drive(tmp_path / "empty")
    assert is_video("A.MP4") and not is_video("a.png")


def test_writer_without_a_frame_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame"), write_video(tmp_path / "a.avi", 10):
        pass
    with pytest.raises(OSError, match="gone"), write_video(tmp_path / "a.avi", 10):
        raise OSError("gone")
    with pytest.raises(InputError, match="must end in"):
        write(tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


def test_what_was_written_before_an_error_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with (
        pytest.raises(ValueError, match="cannot be followed"),
        write_video(path, 10) as video,
    ):
        video.add(picture(0))
        video.add(picture(40))
        video.add(picture(0)[:10])
    assert len(list(read_frames(open_drive(path)))) == 2
    with pytest.raises(KeyboardInterrupt), write_video(path, 10) as video:
        video.add(picture(0))
        raise KeyboardInterrupt
    assert len(list(read_frames(open_drive(path)))) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("here", [None, 0, 1, 3])
def test_stages_keep_the_order_and_run_at_the_same_time(here: int | None) -> None:
    busy: list[int] = []  # one entry for each stage that works
    together: set[int] = set()

    def slow(x: int) -> int:
        busy.append(x)
        together.add(len(busy))
        time.sleep(0.02)
        busy.pop()
        return x + 1

    found = list(overlap(range(15), slow, slow, slow, str, here=here))
    assert found == [str(i + 3) for i in range(15)]
    assert max(together) == 3


def test_the_stage_that_is_asked_for_runs_in_the_thread_that_asks() -> None:
    def where(_: int) -> int:
        return threading.get_ident()

    me = threading.get_ident()
    assert set(overlap(range(3), where)).isdisjoint({me})
    assert set(overlap(range(3), where, here=0)) == {me}
    assert set(in_turn(range(3), where)) == {me}
    assert list(in_turn([1, 2], str, len)) == [1, 1]


@pytest.mark.parametrize("here", [None, 0])
def test_errors_surface_and_threads_end(here: int | None) -> None:
    def bad(x: int) -> int:
        if x == 3:
            raise ValueError("three")
        return x

    def source() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    before = threading.active_count()
    got: list[int] = []
    with pytest.raises(ValueError, match="three"):
        got.extend(overlap(range(9), bad, here=here))
    with pytest.raises(OSError, match="gone"):
        list(overlap(source(), bad, here=here))
    for item in overlap(iter(int, 1), bad, here=here):  # without end
        assert item == 0
        break
    with pytest.raises(ValueError, match="depth"):
        list(overlap([], depth=0))
    deadline = time.monotonic() + 3
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_recording_that_was_cut_is_one_sentence_or_the_frames_before(
    tmp_path: Path, share: float
) -> None:
    whole = write(tmp_path / "a.mp4", 40).read_bytes()
    cut = tmp_path / "b.mp4"
    cut.write_bytes(whole[: int(len(whole) * share)])
    try:
        frames = list(read_frames(open_drive(cut)))
    except InputError as error:
        assert "b.mp4" in str(error) and "\n" not in str(error)
    else:
        assert 0 < len(frames) < 40

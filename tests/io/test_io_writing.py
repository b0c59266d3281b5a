"""Nothing half written: killed blocks, full disks, folders in the way."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedseg.io import InputError, atomic_path, check_folder, make_folder, write_labels


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_file_appears_whole(tmp_path):
    target = tmp_path / "deep/er/a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent and temporary.suffix == ".txt"
    assert target.read_text() == "new"
    assert files(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError(5, "x")])
def test_a_failed_block_leaves_what_was(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(type(error)), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert files(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence(tmp_path, number):
    target = tmp_path / "a.tif"
    with (
        pytest.raises(InputError, match=r"cannot write .*a\.tif: .*choose another folder$"),
        atomic_path(target) as temporary,
    ):
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert files(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_really_full_device(tmp_path):
    with pytest.raises(InputError, match="no space left"), atomic_path(tmp_path / "a") as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(bytes(100_000))
    assert list(tmp_path.iterdir()) == []


def test_an_unrelated_error_is_not_blamed_on_the_disk(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("half")
        (tmp_path / "other").read_text()
    assert files(tmp_path) == []


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("")
    for write in (lambda path: write_labels(path, [[1]]), make_folder, check_folder):
        with pytest.raises(InputError, match=r"out stands in the way; choose another name"):
            write(tmp_path / "out/a.npy")


def test_a_folder_where_the_file_should_be(tmp_path):
    (tmp_path / "a.npy/x").mkdir(parents=True)
    with pytest.raises(InputError, match=r"a\.npy stands in the way"):
        write_labels(tmp_path / "a.npy", [[1]])
    assert files(tmp_path) == []


def test_a_place_that_cannot_be(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*: File name too long; choose another"):
        make_folder(tmp_path / ("x" * 300))
    check_folder(tmp_path / "new" / "deep")
    with pytest.raises(InputError, match=r"cannot write .*: File name too long; choose another"):
        write_labels(tmp_path / f"{'x' * 300}.npy", [[1]])
    assert files(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="permission denied; choose a folder you may write to"):
        write_labels(tmp_path / "a.npy", [[1]])


KILLED = """
import sys, time
from embedseg.io import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_leaves_what_was(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "writing\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert target.read_text() == "old"

"""The folder of `embedseg demo`: an earlier demonstration waits until the new one is whole."""

from pathlib import Path

import pytest

from embedseg.cli import main
from embedseg.commands.common import FAILED
from embedseg.demo import EARLIER, MARK, replacing
from embedseg.io import InputError


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The folder of a demonstration, with a run."""
    out = tmp_path / "demo"
    with replacing(out):
        (out / "run").mkdir()
        (out / "run" / "config.yaml").write_text("first")
    return out


def files(out: Path) -> dict[str, str]:
    return {str(p.relative_to(out)): p.read_text() for p in out.rglob("*") if p.is_file()}


def test_a_whole_one_replaces_the_earlier(earlier: Path) -> None:
    with replacing(earlier):
        assert files(earlier).keys() == {MARK, f"{EARLIER}/{MARK}", f"{EARLIER}/run/config.yaml"}
        (earlier / "new").write_text("second")
    assert files(earlier) == {MARK: "", "new": "second"}
    assert not (earlier / EARLIER).exists()


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_the_earlier_is_put_back_if_the_new_one_ends_early(
    earlier: Path, error: BaseException
) -> None:
    before = files(earlier)
    with pytest.raises(type(error)), replacing(earlier):
        (earlier / "run").mkdir()
        (earlier / "run" / "config.yaml").write_text("half")
        raise error
    assert files(earlier) == before and not (earlier / EARLIER).exists()


def test_what_a_killed_one_put_aside_is_not_lost(earlier: Path) -> None:
    before = files(earlier)
    killed = replacing(earlier)
    killed.__enter__()
    (earlier / "half").write_text("half")
    with pytest.raises(ValueError, match="no"), replacing(earlier):
        assert not (earlier / "half").exists()
        raise ValueError("no")
    assert files(earlier) == before


def test_a_first_one_that_is_stopped_can_go_on(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    with pytest.raises(KeyboardInterrupt, match=f"train --resume {out / 'run'}"), replacing(out):
        (out / "run").mkdir()
        (out / "run" / "config.yaml").write_text("half")
        raise KeyboardInterrupt
    assert (out / "run" / "config.yaml").is_file()


def test_wrong_options_cost_nothing(earlier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(earlier)
    for option in ("--minutes=0", "--minutes=-1", "--device=cuda:9"):
        assert main(["demo", "--out", str(earlier), option]) == FAILED
        assert option[2:8] in capsys.readouterr().err
        assert files(earlier) == before


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="something else than a demo"), replacing(tmp_path):
        pass
    assert files(tmp_path) == {"mine.txt": "mine"}

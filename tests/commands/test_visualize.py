"""`embedseg visualize`: what lies in the folder, what the pages say, what is refused."""

import json
import os
import re
import shutil
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedseg.cli import main
from embedseg.commands.common import FAILED, INTERRUPTED, PARTLY_FAILED
from embedseg.model import Model
from embedseg.viz import write_explorer

Said = pytest.CaptureFixture[str]


def visualize(*words: object) -> int:
    return main(["visualize", *(str(w) for w in words), "--device", "cpu", "--amp", "off"])


def info(page: Path) -> dict:
    return json.loads(re.search(r'id="info">(.*?)</script>', page.read_text(), re.S)[1])


def test_one_picture(
    tiny_run: Path, scenes: Path, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    out = tmp_path / "out"
    truth = scenes / "labels" / "scene1.png"
    image = scenes / "images" / "scene1.png"
    assert visualize(tiny_run, image, "--truth", truth, "--out", out, "--open") == 0
    words = ("overlay", "pca", "foreground", "heat", "margin", "errors", "pca_scatter")
    words += ("lda_scatter",)
    assert {p.name for p in out.iterdir()} == {f"scene1_{w}.png" for w in words} | {"scene1.html"}
    assert opened == [(out / "scene1.html").as_uri()]
    said = capsys.readouterr()
    assert f"open {out / 'scene1.html'}" in said.out and "Traceback" not in said.err
    seen = info(out / "scene1.html")
    assert (seen["bandwidth"], seen["delta_v"], seen["delta_d"]) == (1.0, 0.5, 1.5)
    assert seen["name"] == "scene1" and "data-truth" in (out / "scene1.html").read_text()
    assert 3 <= len(seen["scores"]) <= 5  # four discs


def test_a_folder_gets_an_index_and_pages_that_lead_on(
    tiny_run: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: Said,
    caplog: pytest.LogCaptureFixture,
) -> None:
    images = tmp_path / "images"
    shutil.copytree(scenes / "images", images)
    for extra in sorted(images.iterdir())[3:]:
        extra.unlink()
    (images / "scene1b.png").write_bytes(b"no picture")
    run = shutil.copytree(tiny_run, tmp_path / "run")
    tuned = {"chosen": {"clusterer_options": {"bandwidth": 0.75}}}
    (run / "tuning.json").write_text(json.dumps(tuned))
    out = tmp_path / "out"
    code = visualize(run, images, "--truth", scenes / "labels", "--out", out, "--scatter", "lda")
    assert code == PARTLY_FAILED
    said = capsys.readouterr()
    assert "scene1b.png" in caplog.text and "1 of 4 images failed" in said.err
    pages = ["index.html", "scene0.html", "scene1.html", "scene2.html"]
    assert sorted(p.name for p in out.glob("*.html")) == pages
    index = (out / "index.html").read_text()
    assert all(f'href="{page}"' in index for page in pages[1:]) and "SBD" in index
    links = re.findall(r"<nav>(.*?)</nav>", (out / "scene1.html").read_text())[0]
    assert re.findall(r'href="([^"]+)"', links) == ["scene0.html", "index.html", "scene2.html"]
    assert info(out / "scene1.html")["bandwidth"] == 0.75
    assert not list(out.glob("*pca_scatter.png"))
    for address in re.findall(r'href="([^"]+)"', index):
        assert (out / address).is_file(), address


def test_a_picture_without_truth_stands_beside_others_with_it(
    tiny_run: Path, scenes: Path, tmp_path: Path
) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    shutil.copy(scenes / "labels" / "scene0.png", truth / "scene0_label.png")
    images = [scenes / "images" / f"scene{k}.png" for k in (0, 1)]
    out = tmp_path / "out"
    assert visualize(tiny_run, *images, "--truth", truth, "--out", out, "--scatter", "none") == 0
    assert visualize(tiny_run, *images, "--truth", truth, "--out", out, "--scatter") == 0
    assert (out / "scene0_errors.png").is_file() and not (out / "scene1_errors.png").exists()


def test_an_image_of_nothing(tiny_run: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "black.png")
    assert visualize(tiny_run, tmp_path / "black.png", "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "black.html").is_file()


def test_refusals_are_one_sentence(
    tiny_run: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: Said,
    caplog: pytest.LogCaptureFixture,
) -> None:
    images, out = scenes / "images", ("--out", tmp_path / "out")
    for words, said in [
        ((images, "--scatter", "pac"), "did you mean 'pca'"),
        ((images, "--truth", scenes / "labels" / "scene1.png"), "one file for 8 pictures"),
        ((images / "scene0.png", "--truth", scenes), "no label file"),
        ((tmp_path / "none.png",), "none.png does not exist"),
    ]:
        assert visualize(tiny_run, *words, *out) == FAILED
        assert said in capsys.readouterr().err.strip().splitlines()[-1]
    twice = tmp_path / "well2" / "scene1.png"
    twice.parent.mkdir()
    shutil.copy(images / "scene1.png", twice)
    words = (images / "scene1.png", twice, "--truth", scenes / "labels", *out)
    assert visualize(tiny_run, *words) == FAILED
    assert "one folder at a time" in capsys.readouterr().err
    small = tmp_path / "scene0.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(small)
    assert visualize(tiny_run, images / "scene0.png", "--truth", small, *out) == FAILED
    assert "give the truth of this picture" in caplog.text
    assert not (tmp_path / "out").exists()


@pytest.fixture
def three(scenes: Path, tmp_path: Path) -> Path:
    """A folder of three pictures: one called index, and one whose name is no UTF-8."""
    folder = tmp_path / "three"
    folder.mkdir()
    for k, name in enumerate((b"a.png", b"gr\xfcn.png", b"index.png")):
        shutil.copy(scenes / "images" / f"scene{k}.png", folder / os.fsdecode(name))
    return folder


def test_every_picture_keeps_its_page_whatever_it_is_called(
    tiny_run: Path, three: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert visualize(tiny_run, three, "--out", out, "--scatter", "none") == 0
    pages = {"a.html", "grün.html", "index_2.html"}
    assert {p.name for p in out.glob("*.html")} == pages | {"index.html"}
    assert {f"{info(out / page)['name']}.html" for page in pages} == pages
    index = (out / "index.html").read_text()
    assert all(f'href="{page}"' in index for page in ("a.html", "gr%C3%BCn.html", "index_2.html"))
    assert visualize(tiny_run, three / "index.png", "--out", tmp_path / "one") == 0
    assert (tmp_path / "one" / "index.html").is_file()


def test_a_picture_that_cannot_be_drawn_fails_alone(
    tiny_run: Path,
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing(path: Path, *arguments: object, **options: object) -> Path:
        if path.stem == "scene1":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        if path.stem == "scene2":
            raise ValueError("scene2 cannot be drawn")
        return write_explorer(path, *arguments, **options)

    monkeypatch.setattr("embedseg.visualize.write_explorer", failing)
    out, images = tmp_path / "out", [scenes / "images" / f"scene{k}.png" for k in range(4)]
    assert visualize(tiny_run, *images, "--out", out, "--scatter", "none") == PARTLY_FAILED
    assert f"{images[1]}: is too large for the memory" in caplog.text
    assert "scene2 cannot be drawn" in caplog.text
    index = (out / "index.html").read_text()
    assert "scene0.html" in index and "scene3.html" in index and "scene1.html" not in index


@pytest.mark.parametrize(
    ("error", "code"), [(MemoryError(), PARTLY_FAILED), (KeyboardInterrupt(), INTERRUPTED)]
)
def test_the_index_holds_what_was_done(
    tiny_run: Path,
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    segment, seen = Model.segment, list[object]()

    def failing(self: Model, image: np.ndarray) -> object:
        seen.append(image)
        if len(seen) == 3:
            raise error
        return segment(self, image)

    monkeypatch.setattr(Model, "segment", failing)
    images = [scenes / "images" / f"scene{k}.png" for k in range(4)]
    out = tmp_path / "out"
    assert visualize(tiny_run, *images, "--out", out, "--scatter", "none") == code
    index = (out / "index.html").read_text()
    done = {f"scene{k}.html" for k in range(4) if f'href="scene{k}.html"' in index}
    assert done == {p.name for p in out.glob("scene*.html")}
    assert len(done) == (3 if code == PARTLY_FAILED else 1)


def test_a_scatter_that_needs_a_package_is_refused_before_the_work(
    tiny_run: Path, scenes: Path, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    out = tmp_path / "out"
    words = ("--scatter", "pca", "umap", "--out", out)
    assert visualize(tiny_run, scenes / "images", *words) == FAILED
    said = capsys.readouterr().err
    assert said.count("pip install umap-learn") == 1 and not out.exists()

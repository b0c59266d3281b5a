"""The README's commands and Python, run in order in a folder that has what they name."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embedseg.cli import main
from embedseg.commands import compare
from embedseg.losses.catalogue import catalogue
from embedseg.training.options import read_config
from tests.scenes import discs, write_folder

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
SMALL = [
    "--epochs=1", "--steps-per-epoch=2", "--batch=2", "--data.working_size=32", "--augment.size=32",
    "--network.options={width: 4, depth: 2}", "--network.init=",
    "--device=cpu", "--threads=1", "--amp=off",
]  # fmt: skip


def commands() -> list[list[str]]:
    lines = re.findall(r"^    embedseg (.+)$", README, re.MULTILINE)
    return [line.split("#")[0].split() for line in lines]


def cvppp(folder: Path) -> None:
    """A CVPPP folder of two plants and a list that names one of them."""
    folder.mkdir()
    palette = [v for k in range(256) for v in (k, 255 - k, k // 2)]
    for number in (1, 2):
        image, labels = discs(number)
        Image.fromarray(image).convert("RGBA").save(folder / f"plant00{number}_rgb.png")
        picture = Image.fromarray(labels.astype(np.uint8), mode="P")
        picture.putpalette(palette)
        picture.save(folder / f"plant00{number}_label.png")
    (folder.parent / "val.txt").write_text("plant001\n")


def test_what_the_readme_says_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "my_plants", count=5)
    shutil.copytree("my_plants/images", "photos")
    shutil.copytree("my_plants/labels", "truth")
    cvppp(tmp_path / "CVPPP")
    found = commands()
    assert {words[0] for words in found} >= {"check-data", "train", "predict", "evaluate", "info"}
    for words in found:
        extra = SMALL if words[0] == "train" and "--resume" not in words else []
        assert main([*words, *extra]) == 0, " ".join(words) + capsys.readouterr().err
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    shutil.copy("photos/scene0.png", "plant.png")
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["result"].labels.shape == (64, 64)
    assert Path("out/plant_labels.tif").is_file()


PAGES = sorted((Path(__file__).resolve().parents[2] / "docs").glob("*.md"))


def test_trainings_of_the_pages_have_options_that_exist() -> None:
    """`...` stands for data and preset there; nothing is trained."""
    read = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^ *embedseg ((?:train|compare) .+)$", text, re.MULTILINE):
            command, *words = shlex.split(line.replace(" ... ", " "), comments=True)
            if command == "compare":
                _, words = compare.build_parser().parse_known_args(words)
            read_config(words)
            read += 1
    assert read >= 8


def test_the_matthews_loss_names_its_paper() -> None:
    (mcc,) = (info for info in catalogue() if info.name == "mcc")
    assert mcc.paper == "arXiv:2010.13454"  # Abhishek & Hamarneh; a digit away is another paper


def test_visualize_says_that_it_takes_models_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["visualize", "--help"])
    assert "a name of `embedseg models`" in " ".join(capsys.readouterr().out.split())

"""Models that ship: found by name, small, described, and as good as the run they came from."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from embedseg import load, weights
from embedseg.cli import main
from embedseg.inference.spec import ModelSpec
from embedseg.io import InputError
from embedseg.model import Model, build_from_spec, find_weights, save_weights
from scripts.ship_model import ship
from tests.scenes import discs

ROOT = Path(__file__).resolve().parents[2]
COARSE = 0.1  # a network of seconds on eight scenes: one disc more or less is 0.02 of its SBD
WORDS = {
    "title": "coloured discs", "trained_on": "eight drawn scenes", "data_licence": "CC0-1.0",
    "protocol": "the training scenes", "preset": "demo", "notes": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tiny_run: Path, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shipped models with one in it, `discs`."""
    folder = tmp_path_factory.mktemp("weights")
    data = f"folder:{scenes}"
    ship(tiny_run, "discs", data=data, names=None, words=WORDS, folder=folder, tolerance=COARSE)
    return folder


@pytest.fixture
def on_sale(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's shipped models are those of `shelf`."""
    for function in (weights.shipped, weights.card, weights.summary):
        monkeypatch.setattr(function, "__defaults__", (shelf,))
    return shelf


def test_shipped_form_is_the_run_in_half_precision(shelf: Path, tiny_run: Path) -> None:
    stored = load_file(shelf / "discs.safetensors")
    original = load_file(tiny_run / "weights" / "best.safetensors")
    assert stored.keys() == original.keys()
    assert all(v.dtype == torch.float16 for v in stored.values() if v.ndim > 1)
    assert all(
        torch.allclose(stored[k].float(), original[k].float(), rtol=2e-3, atol=1e-5) for k in stored
    )
    network = Model.load(shelf / "discs.safetensors", device="cpu").network
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    size, whole = ((f / n).stat().st_size for f, n in (
        (shelf, "discs.safetensors"), (tiny_run, "weights/best.safetensors"),
    ))  # fmt: skip
    assert size < 0.62 * whole


def test_tuning_travels_with_the_weights(tiny_run: Path, scenes: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "tuning.json").write_text('{"chosen": {"min_size": 7, "merge": 0.5}}')
    data, folder = f"folder:{scenes}", tmp_path / "w"
    ship(run, "x", data=data, names=None, words=WORDS, folder=folder, tolerance=COARSE)
    spec = Model.load(tmp_path / "w" / "x.safetensors", device="cpu").spec
    assert (spec.min_size, spec.merge) == (7, 0.5)


def test_the_mean_of_two_runs(tiny_run: Path, scenes: Path, tmp_path: Path) -> None:
    from scripts.ship_model import mean_weights

    file = "weights/best.safetensors"
    other = shutil.copytree(tiny_run, tmp_path / "other")
    first = load_file(tiny_run / file)
    moved = {k: v * 1.02 if v.is_floating_point() else v for k, v in first.items()}
    spec = Model.load(tiny_run, device="cpu").spec
    save_weights(other / file, moved, spec)
    joined = mean_weights([tiny_run, other])
    assert all(
        torch.allclose(joined[k], v * 1.01 if v.is_floating_point() else v)
        for k, v in first.items()
    )
    options = {"data": f"folder:{scenes}", "names": None, "words": WORDS, "tolerance": 1.0}
    ship(tiny_run, "mean", average=[other], folder=tmp_path / "w", **options)
    shipped = load_file(tmp_path / "w" / "mean.safetensors")
    assert torch.allclose(
        shipped["heads.embedding.weight"].float(), joined["heads.embedding.weight"], atol=1e-3
    )
    with pytest.raises(InputError, match=r"another network than that of .*leaf"):
        mean_weights([weights.FOLDER / f"{name}.safetensors" for name in ("leaf", "lanes")])


def test_too_large_or_different_is_not_shipped(
    tiny_run: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import scripts.ship_model as script

    options = {"data": f"folder:{scenes}", "names": None, "words": WORDS, "folder": tmp_path / "w"}
    monkeypatch.setattr(script, "LIMIT", 1000)
    with pytest.raises(InputError, match="narrower"):
        ship(tiny_run, "x", **options)
    monkeypatch.setattr(script, "LIMIT", 10**9)
    with pytest.raises(InputError, match="half precision"):
        ship(tiny_run, "x", **options, tolerance=-1.0)
    assert not list((tmp_path / "w").iterdir())


def test_by_name_everywhere(
    on_sale: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = scenes / "images" / "scene0.png"
    labels = load("discs", device="cpu").segment(image).labels
    assert labels.max() == discs(0)[1].max()
    out = str(tmp_path / "out")
    assert main(["predict", "--model", "discs", str(image), "--out", out, "--device=cpu"]) == 0
    assert main(["predict", "discs", "--out", out, str(image), "--device=cpu"]) == 0
    assert main(["predict", str(image), "--model=discs", "--out", out, "--device=cpu"]) == 0
    assert main(["info", "discs"]) == 0
    capsys.readouterr()
    assert main(["models"]) == 0
    assert "coloured discs" in capsys.readouterr().out
    assert main(["models", "discs"]) == 0
    assert "CC0-1.0" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["models", "disks"], ["predict", "--model", "disks", "{}"]])
def test_unknown_name_gets_a_suggestion(
    on_sale: Path, scenes: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([w.format(scenes / "images" / "scene0.png") for w in words]) == 1
    assert "did you mean 'discs'" in capsys.readouterr().err


def test_a_folder_of_pictures_of_that_name_does_not_hide_it(
    on_sale: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "discs").mkdir()
    assert find_weights(Path("discs")) == on_sale / "discs.safetensors"
    (tmp_path / "discs" / "weights").mkdir()
    (tmp_path / "discs" / "weights" / "best.safetensors").write_bytes(b"")
    assert find_weights(Path("discs")) == Path("discs/weights/best.safetensors")


@pytest.mark.parametrize("name", weights.shipped())
def test_what_ships_is_small_described_and_packaged(name: str) -> None:
    assert weights.shipped()[name].stat().st_size <= weights.LIMIT
    text = weights.card(name)
    assert text.startswith(f"# {name}: ") and 5 < len(weights.summary(name)) < 100
    for needed in ("trained on", "licence of that data", "licence of the weights", "## Scores"):
        assert needed in text
    Model.load(name, device="cpu")
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert {"weights/*.safetensors", "weights/*.md"} <= set(packaged["package-data"]["embedseg"])


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys, embedseg.cli; embedseg.cli.main(['models']); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_layers_that_share_a_parameter_are_saved(tmp_path: Path) -> None:
    spec = ModelSpec(backbone="enet", embedding_dim=2)
    model = Model(build_from_spec(spec), spec)
    model.save(tmp_path / "enet.safetensors")
    back = Model.load(tmp_path / "enet.safetensors", device="cpu", amp="off").network.state_dict()
    for key, value in model.network.state_dict().items():
        torch.testing.assert_close(back[key], value, rtol=0, atol=0)

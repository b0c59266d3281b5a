"""Engines compute what torch computes, say what is missing, and are refused where they do not."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import embedseg
from embedseg.cli import main
from embedseg.inference import engines
from embedseg.inference.engines import ENGINES, EngineNetwork
from embedseg.inference.folding import fold_norms
from embedseg.io import read_labels, write_image
from embedseg.models import build_network
from tests.scenes import discs


def trained_looking(network: nn.Module) -> nn.Module:
    """Give the norms statistics, slopes and offsets that are not 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values in (part.running_var, part.weight.data):
                values.copy_(0.5 + torch.rand(values.shape, generator=generator))
            for values in (part.running_mean, part.bias.data):
                values.copy_(torch.randn(values.shape, generator=generator))
    return network.eval()


@pytest.mark.parametrize("backbone", ["enet", "erfnet", "linknet", "unet"])
def test_folded_norms_leave_the_function_as_it_was(backbone: str) -> None:
    torch.manual_seed(0)  # of some random ENets a last bit decides where a maximum is put back
    network = trained_looking(build_network(backbone, embedding_dim=4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = fold_norms(network)
    norms = [
        sum(isinstance(part, nn.BatchNorm2d) for part in net.modules()) for net in (folded, network)
    ]
    assert norms[0] <= norms[1] / 2
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        found, wanted = folded(image), network(image)
    for name, value in wanted.items():
        assert (found[name] - value).abs().mean() < 1e-4 * value.abs().mean()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("conv", [nn.Conv2d, nn.ConvTranspose2d])
def test_the_axis_of_the_output_is_scaled(conv: type[nn.Module], groups: int) -> None:
    layer = nn.Sequential(conv(4, 4, 3, groups=groups), nn.BatchNorm2d(4))
    layer = trained_looking(layer)
    folded = fold_norms(layer)
    image = torch.randn(1, 4, 9, 9)
    torch.testing.assert_close(folded(image), layer(image))
    assert isinstance(folded[1], nn.Identity) == (groups == 1 or conv is nn.Conv2d)


def test_a_convolution_that_others_read_keeps_its_norm() -> None:
    conv = nn.Conv2d(3, 3, 1)
    rows = [nn.Sequential(conv, nn.BatchNorm2d(3)), nn.Sequential(conv, nn.BatchNorm2d(3))]
    network = trained_looking(nn.Sequential(*rows))
    image = torch.randn(1, 3, 5, 5)
    torch.testing.assert_close(fold_norms(network)(image), network(image))


@pytest.mark.parametrize("engine", ["torch", "onnxruntime", "openvino"])
def test_labels_of_every_engine_are_equal(engine: str, tiny_run: Path) -> None:
    pytest.importorskip(engine)
    model = embedseg.load(tiny_run, device="cpu", amp="off")
    pictures = [discs(seed)[0] for seed in (100, 101)]
    pictures.append(pictures[0][:50, :39])  # another size, and no multiple of anything
    wanted = [model.segment(picture).labels for picture in pictures]
    model.use_engine(engine)
    assert model.prepared
    for picture, labels in zip(pictures, wanted, strict=True):
        assert labels.max() > 0
        np.testing.assert_array_equal(model.segment(picture).labels, labels)


@pytest.mark.slow  # the C++ compiler takes minutes for a network
def test_compiled_labels_are_equal(tiny_run: Path) -> None:
    model = embedseg.load(tiny_run, device="cpu", amp="off")
    picture = discs(100)[0]
    wanted = model.segment(picture).labels
    model.use_engine("compile")
    np.testing.assert_array_equal(model.segment(picture).labels, wanted)


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda v: v * 1.01, r"another .* than torch does"), (lambda v: v[0], "of shape")],
)
def test_an_engine_that_computes_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[torch.Tensor], torch.Tensor], words: str
) -> None:
    def wrong(network: nn.Module, example: torch.Tensor) -> engines.Prepared:
        return lambda image: {k: change(v) for k, v in network(image).items()}

    monkeypatch.setitem(ENGINES, "wrong", wrong)
    network = trained_looking(build_network("enet", embedding_dim=4))
    with torch.inference_mode(), pytest.raises(ValueError, match=words):
        EngineNetwork(network, "wrong")(torch.rand(1, 3, 32, 32))


def test_what_is_missing_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for engine in ("onnxruntime", "openvino"):
        with pytest.raises(ValueError, match=rf"pip install 'embedseg-torch\[{engine}\]'"):
            EngineNetwork(nn.Identity(), engine)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ValueError, match=r"C\+\+ compiler"):
        EngineNetwork(nn.Identity(), "compile")
    with pytest.raises(ValueError, match="did you mean 'torch'"):
        EngineNetwork(nn.Identity(), "torhc")


def test_the_command_predicts_with_an_engine(
    tmp_path: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    for seed in range(3):
        write_image(tmp_path / "in" / f"{seed}.png", discs(seed)[0])
    call = ["predict", str(tiny_run), str(tmp_path / "in"), "--save", "labels", "--out"]
    assert main([*call, str(tmp_path / "a"), "--device", "cpu", "--amp", "off"]) == 0
    assert main([*call, str(tmp_path / "b"), "--engine", "onnxruntime"]) == 0
    for seed in range(3):
        a, b = (read_labels(tmp_path / out / f"{seed}_labels.tif") for out in "ab")
        np.testing.assert_array_equal(a, b)
    capsys.readouterr()
    assert main([*call, str(tmp_path / "c"), "--engine", "torch", "--amp", "bf16"]) == 1
    assert "float32" in capsys.readouterr().err
    assert main([*call, str(tmp_path / "c.mp4"), "--engine", "torch"]) == 1
    assert "--engine goes with pictures" in capsys.readouterr().err


def test_the_command_offers_the_engines_that_are() -> None:
    import argparse

    from embedseg.commands.predict import add_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    offered = next(a.choices for a in parser._actions if a.dest == "engine")
    assert list(offered) == list(ENGINES)


def test_a_loaded_model_is_folded_in_full_precision_alone(tiny_run: Path) -> None:
    full = embedseg.load(tiny_run, device="cpu", amp="off")
    assert isinstance(full.compute, nn.Module) and not full.prepared
    norms = [
        sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())
        for network in (full.compute, full.network)
    ]
    assert norms[0] < norms[1]
    image = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        for name, value in full.network(image).items():
            torch.testing.assert_close(full.compute(image)[name], value)
    half = embedseg.load(tiny_run, device="cpu", amp="bf16")
    assert half.compute is half.network

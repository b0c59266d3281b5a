"""`--network.init`: weights of a run, or of a network of another program."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from embedseg.io import InputError
from embedseg.model import find_weights, read_weights
from embedseg.models import build_network
from embedseg.models.blocks import Layers
from embedseg.models.resnet import ResNet
from embedseg.training.distributed import World
from embedseg.training.initial import (
    Match,
    best_match,
    initialise,
    read_state,
    reads_image,
    report,
    warn_of_unit,
    widen,
)
from embedseg.training.job import prepare
from embedseg.training.options import read_config

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
PUBLIC = {18: 11_689_512, 50: 25_557_032, 101: 44_549_160}  # parameters with 1000 classes


def torchvision_shapes(depth: int, width: int = 64, classes: int = 1000) -> dict[str, list[int]]:
    """Names and shapes of torchvision's ResNets, from the tables of arXiv:1512.03385."""
    grow = 1 if depth < 50 else 4
    shapes = {"conv1.weight": [width, 3, 7, 7]} | norm("bn1", width)
    inputs = width
    for stage, count in enumerate(BLOCKS[depth], 1):
        inner, outputs = width << (stage - 1), (width << (stage - 1)) * grow
        for k in range(count):
            block = f"layer{stage}.{k}"
            convs = [(inputs, inner, 3), (inner, inner, 3)]
            if grow == 4:
                convs = [(inputs, inner, 1), (inner, inner, 3), (inner, outputs, 1)]
            for n, (i, o, size) in enumerate(convs, 1):
                shapes[f"{block}.conv{n}.weight"] = [o, i, size, size]
                shapes |= norm(f"{block}.bn{n}", o)
            if k == 0 and (stage > 1 or inputs != outputs):
                shapes[f"{block}.downsample.0.weight"] = [outputs, inputs, 1, 1]
                shapes |= norm(f"{block}.downsample.1", outputs)
            inputs = outputs
    return shapes | {"fc.weight": [classes, inputs], "fc.bias": [classes]}


def norm(name: str, channels: int) -> dict[str, list[int]]:
    leaves = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{leaf}": [channels] for leaf in leaves} | {f"{name}.num_batches_tracked": []}


def weights(depth: int, width: int = 64) -> dict[str, torch.Tensor]:
    torch.manual_seed(depth)
    shapes = torchvision_shapes(depth, width)
    return {
        k: torch.zeros((), dtype=torch.int64) if k.endswith("tracked") else torch.rand(s)
        for k, s in shapes.items()
    }


@pytest.mark.parametrize("depth", [18, 50, 101])
def test_our_resnet_has_the_names_and_shapes_of_torchvision(depth: int) -> None:
    theirs = torchvision_shapes(depth)
    count = sum(
        torch.Size(s).numel()
        for k, s in theirs.items()
        if "running" not in k and "tracked" not in k
    )
    assert count == PUBLIC[depth]
    with torch.device("meta"):
        ours = ResNet(depth, 3, Layers(2), output_stride=8).state_dict()
    assert {k: list(v.shape) for k, v in ours.items()} == {
        k: s for k, s in theirs.items() if not k.startswith("fc.")
    }


NARROW = {"depth": 50, "width": 8}
PLAIN = ("deeplabv2", "deeplabv3plus")  # never with a deep stem
DEEP = ("ccnet", "dfn", "encnet", "galdnet", "icnet", "pspnet")


@pytest.mark.parametrize("name", [*PLAIN, *DEEP])
def test_a_torchvision_resnet_fits_the_networks_over_one(name, tmp_path, caplog) -> None:
    state = weights(50, width=8)
    torch.save(state, tmp_path / "resnet50.pth")
    options = NARROW | ({"deep_stem": False} if name in DEEP else {})
    network = build_network(name, embedding_dim=4, options=options)
    with caplog.at_level(logging.INFO):
        initialise(network, str(tmp_path / "resnet50.pth"))
    encoder = network.backbone.encoder.state_dict()
    for key, value in state.items():
        if key == "conv1.weight":
            assert torch.equal(encoder[key][:, :3], value)
            assert encoder[key].shape[1] == 6
            assert not encoder[key][:, 3:].any()
        elif not key.startswith("fc."):
            assert torch.equal(encoder[key], value), key
    (said,) = caplog.messages
    total = len(network.state_dict())
    assert f"{len(state) - 2} of {total} weights taken from {tmp_path}" in said
    assert f"(of its {len(state)}) as backbone.encoder" in said
    assert "first convolution widened for coordinates: conv1.weight" in said
    assert said.endswith("of no use here: fc.weight, fc.bias")
    assert "another shape" not in said


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"epoch": 3, "state_dict": {"module." + k: v for k, v in s.items()}},
        lambda s: {"model": {"encoder." + k: v for k, v in s.items()}},
    ],
)
def test_checkpoints_around_a_state_dict_are_opened(wrap, tmp_path) -> None:
    state = weights(18, width=8)
    torch.save(wrap(state), tmp_path / "mine.pt")
    network = build_network("linknet", options={"width": 8})
    initialise(network, str(tmp_path / "mine.pt"))
    assert torch.equal(
        network.backbone.encoder.get_parameter("layer4.1.conv2.weight"),
        state["layer4.1.conv2.weight"],
    )


def test_a_report_says_only_what_there_is() -> None:
    nothing = Match("", {}, "", [], [])
    assert report("x", nothing, 4, 9) == "0 of 9 weights taken from x (of its 4)"
    unused = Match("a.b.", {}, "", [], [*"abcdefgh"])
    assert report("x", unused, 8, 9).endswith(
        "(of its 8) as a.b; of no use here: a, b, c, d, e, f and 2 more"
    )


def test_most_weights_decide_the_place_and_of_equals_the_outermost() -> None:
    def layers(count: int) -> torch.nn.Sequential:
        return torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(count)))

    network = torch.nn.ModuleDict({"a": torch.nn.ModuleDict({"inner": layers(2)}), "b": layers(1)})
    for count, place in ((1, "b."), (2, "a.inner.")):
        assert best_match(network, layers(count).state_dict()).place == place  # type: ignore[arg-type]


def test_other_shapes_are_named_and_left_random(tmp_path, caplog) -> None:
    save_file(weights(50, width=8), tmp_path / "r50.safetensors")  # without our description
    network = build_network("pspnet", options={"depth": 50, "width": 8})  # deep stem: 16 maps
    with caplog.at_level(logging.INFO):
        initialise(network, str(tmp_path / "r50.safetensors"))
    (said,) = caplog.messages
    assert "layer1.0.conv1.weight (8, 8, 1, 1) for (8, 16, 1, 1)" in said
    assert "; of another shape, left random: bn1.bias (8,) for (16,)" in said
    assert "of no use here: conv1.weight, fc.bias, fc.weight" in said


def test_refusals_are_one_sentence(tmp_path) -> None:
    network = build_network("enet")
    torch.save({"a.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    with pytest.raises(
        InputError,
        match=r"none of its 1 weights \(a.weight\) fits this network.* --network.init ''",
    ):
        initialise(network, str(tmp_path / "other.pth"))
    torch.save({"model": pytest.raises}, tmp_path / "code.pth")
    with pytest.raises(InputError, match="holds more than tensors"):
        read_state(tmp_path / "code.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="holds no state dict"):
        read_state(tmp_path / "list.pth")
    texts = {"broken.pth": b"not weights", "a.sh": b"#!/bin/bash\n", "broken.safetensors": b"no"}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
        with pytest.raises(InputError, match=name) as caught:
            read_state(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_the_first_convolution_for_any_number_of_channels() -> None:
    kernel = torch.rand(4, 3, 7, 7)
    assert torch.equal(widen(kernel, 6, 3)[:, :3], kernel)
    grey = widen(kernel, 4, 1)  # a grey image and three coordinates
    image = torch.rand(1, 1, 9, 9)
    maps = torch.cat([image, torch.rand(1, 3, 9, 9)], 1)
    expected = torch.nn.functional.conv2d(image.expand(1, 3, 9, 9), kernel)
    torch.testing.assert_close(torch.nn.functional.conv2d(maps, grey), expected)
    both = torch.nn.functional.conv2d(image.expand(1, 2, 9, 9), widen(kernel, 2, 2))
    torch.testing.assert_close(both, expected)


def test_a_first_convolution_of_another_size_stays_random() -> None:
    network = build_network("linknet", options={"width": 8})
    own = network.state_dict()["backbone.encoder.conv1.weight"]
    assert reads_image(network, own, torch.zeros(8, 3, 7, 7))
    for shape in ((16, 3, 7, 7), (8, 3, 3, 3), (8, 4, 7, 7), (8, 3)):
        assert not reads_image(network, own, torch.zeros(shape))


def test_a_shipped_model_of_another_form_is_refused_with_its_options() -> None:
    network = build_network("unet", options={"width": 8, "depth": 2})
    with pytest.raises(InputError, match=r'of its 122 weights fit.* unet with .*"width": 22'):
        initialise(network, "leaf")


def test_a_shipped_model_that_fits_but_for_its_outputs_is_taken(caplog) -> None:
    spec = read_weights(find_weights(Path("leaf")))[0]
    network = build_network(
        spec.backbone, embedding_dim=3, options=spec.options, seed_head=spec.seed_head
    )
    with caplog.at_level(logging.INFO):
        initialise(network, "leaf")
    assert "of another shape, left random: heads.embedding" in caplog.text


def test_places_in_another_unit_are_told(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_unit("nuclei", 12.8)  # its own
    warn_of_unit("nuclei", 0.0)  # of another method
    warn_of_unit("leaf", 6.4)
    assert not caplog.text
    warn_of_unit("nuclei", 6.4)
    assert "trained on pictures of 256 pixels" in caplog.text
    assert "here these are 128, so that all it points to is 0.5 times as far" in caplog.text


def test_training_tells_it_before_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    words = ["--config=nuclei", "--network.init=nuclei", "--data=leaves:4", "--augment.size=128"]
    prepare(read_config(words), World(), torch.device("cpu"))
    assert "here these are 128" in caplog.text

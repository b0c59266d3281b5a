"""The table of networks: every name, and the numbers that a fresh count gives."""

import pytest
import torch

from embedseg.cli import main
from embedseg.models import MODELS, build_network
from embedseg.models.catalogue import NETWORKS, table
from embedseg.models.macs import count_macs


def test_every_network_has_an_entry() -> None:
    assert list(NETWORKS) == list(MODELS)


@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_are_those_of_the_network(name: str) -> None:
    options = {"pretrained": False} if name == "unet-efficientnet-lite0" else {}
    with torch.device("meta"):
        net = build_network(name, options=options).eval()
        image = torch.empty(1, 3, 256, 512)
    count = sum(p.numel() for p in net.parameters()) / 1e6
    assert NETWORKS[name].parameters == pytest.approx(count, abs=5.1e-3 if count > 9 else 5.1e-4)
    assert NETWORKS[name].gmac == pytest.approx(count_macs(net, net, image) / 1e9, rel=2e-3)


def test_the_command_lists_all_and_describes_one(capsys) -> None:
    assert main(["backbones"]) == 0
    text = capsys.readouterr().out
    for name in MODELS:
        assert f"\n{name} " in text
    assert "arXiv:1505.04597" in text
    assert text.strip() == table()
    assert main(["backbones", "unet"]) == 0
    text = capsys.readouterr().out
    assert "stem_stride=1" in text
    assert "criss-cross" in text
    assert main(["backbones", "unett"]) == 1
    assert "did you mean 'unet'" in capsys.readouterr().err

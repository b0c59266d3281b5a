"""The values of a network's options are checked against its builder's annotations."""

from typing import Any

import pytest
import torch

from embedseg.models import build_network


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("unet", {"width": "wide"}, "unet option width must be a whole number, got 'wide'"),
        ("unet", {"width": 8.5}, "unet option width must be a whole number, got 8.5"),
        ("unet", {"depth": 2.0}, "unet option depth must be a whole number, got 2.0"),
        ("unet", {"depth": True}, "unet option depth must be a whole number, got True"),
        ("unet", {"norm": 3}, "unet option norm must be one of batch, group, got 3"),
        ("unet", {"context": 5}, "unet option context must be a word, got 5"),
        ("erfnet", {"ndim": "3"}, "erfnet option ndim must be a whole number, got '3'"),
        ("erfnet", {"dropout": "a"}, "erfnet option dropout must be a number, got 'a'"),
        ("ccnet", {"deep_stem": 1}, "ccnet option deep_stem must be true or false, got 1"),
        ("cgnet", {"blocks": [3]}, r"cgnet option blocks must be a list of 2 whole numbers, got"),
        ("deeplabv2", {"dilations": [1, "2"]}, "dilations must be a list of whole numbers, got"),
        ("sqnet", {"width": float("nan")}, "sqnet option width must be a number, got nan"),
        ("espnetv2", {"scale": float("inf")}, "espnetv2 option scale must be a number, got inf"),
        ("timm:resnet18", {"width": "x"}, "timm:resnet18 option width must be a number, got 'x'"),
    ],
)
def test_a_value_of_another_type_is_refused(
    name: str, option: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_network(name, options=option)


def test_a_whole_number_is_a_number_and_a_list_a_tuple() -> None:
    build_network("erfnet", options={"dropout": 0})
    build_network("cgnet", options={"blocks": [2, 2]})


def test_a_dense_block_may_grow_by_an_odd_number() -> None:
    with torch.device("meta"):
        net = build_network("edanet", options={"growth": 7})
        assert net(torch.empty(1, 3, 16, 24))["embedding"].shape == (1, 16, 16, 24)

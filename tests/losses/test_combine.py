"""Weighted sums, modules, schedules and the catalogue."""

import inspect
import re
from pathlib import Path

import pytest
import torch

import embedseg.losses as losses
from embedseg.cli import main
from embedseg.losses import (
    LOSSES,
    SIDE_LOSSES,
    TverskyLoss,
    WeightedSum,
    boundary_loss,
    boundary_weights,
    catalogue,
    combined_loss,
    cross_entropy_loss,
    dice_loss,
    instance_cross_entropy_loss,
    scheduled,
    tversky_loss,
)
from embedseg.losses._module import LossModule
from tests.losses.loss_scenes import instance_scene, random_scene

Z, Y = random_scene(4)


def test_total_and_terms() -> None:
    total, terms = combined_loss(Z, Y, {"cross_entropy": 2, "dice": 0.5}, per_image=True)
    ce, dice = cross_entropy_loss(Z, Y, per_image=True), dice_loss(Z, Y, per_image=True)
    assert list(terms) == ["cross_entropy", "dice"]
    assert torch.equal(terms["cross_entropy"], ce) and torch.equal(terms["dice"], dice)
    assert float(total) == pytest.approx(float(2 * ce + 0.5 * dice), rel=1e-12)


def test_gradient_flows_through_the_total_alone() -> None:
    z = Z.clone().requires_grad_()
    total, terms = combined_loss(z, Y, {"dice": 3})
    assert not terms["dice"].requires_grad
    total.backward()
    other = Z.clone().requires_grad_()
    (3 * dice_loss(other, Y)).backward()
    assert torch.allclose(z.grad, other.grad)


def test_options_and_inputs_reach_their_loss() -> None:
    ids, distance = instance_scene(), torch.rand(2, 4, 6, 7).double()
    spec = {"tversky": 1, "instance_cross_entropy": 1, "boundary": 1, "dice": 1}
    options = {"tversky": {"alpha": 0.1, "weight": [0, 1, 2, 3]}}
    inputs = {"instances": ids, "distance": distance}
    _, terms = combined_loss(Z, Y, spec, options=options, inputs=inputs, weight=[1, 2, 3, 4])
    assert torch.equal(terms["tversky"], tversky_loss(Z, Y, alpha=0.1, weight=[0, 1, 2, 3]))
    shared = {"weight": [1, 2, 3, 4]}
    expected = instance_cross_entropy_loss(Z, Y, instances=ids, **shared)
    assert torch.equal(terms["instance_cross_entropy"], expected)
    assert torch.equal(terms["boundary"], boundary_loss(Z, Y, distance=distance, **shared))


REFUSED = [
    ({}, None, "the loss is empty"),
    ({"dise": 1}, None, "unknown loss 'dise'; did you mean 'dice'"),
    ({"dice": "1"}, None, "factor of loss 'dice' must be a number, got '1'"),
    ({"dice": True}, None, "must be a number, got True"),
    ({"dice": float("nan")}, None, "must be a number, got nan"),
    ({"dice": 1}, {"tversky": {}}, "unknown loss with options 'tversky'"),
    ({"tversky": 1}, {"tversky": {"alfa": 1}}, "'alfa'; did you mean 'alpha'"),
    ({"boundary": 1}, {"boundary": {"reduction": "sum"}}, "'reduction' of loss 'boundary'"),
]


@pytest.mark.parametrize(("spec", "options", "message"), REFUSED)
def test_a_wrong_spec_is_refused_before_any_work(spec, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        WeightedSum(spec, options=options)
    with pytest.raises(ValueError, match=message):
        combined_loss(Z, Y, spec, options=options)


def test_module_of_a_sum() -> None:
    module = WeightedSum({"dice": 1, "focal": 2}, per_image=True, options={"focal": {"gamma": 1}})
    total, terms = module(Z, Y)
    expected, _ = combined_loss(
        Z, Y, {"dice": 1, "focal": 2}, per_image=True, options={"focal": {"gamma": 1}}
    )
    assert torch.equal(total, expected) and set(terms) == {"dice", "focal"}
    assert "focal" in repr(module)


MODULES = [
    thing
    for thing in vars(losses).values()
    if inspect.isclass(thing) and issubclass(thing, LossModule)
]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_modules_name_their_function(module: type[LossModule]) -> None:
    assert module.function in {*LOSSES.values(), *SIDE_LOSSES.values()}
    assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(module).parameters.values())


def test_every_loss_function_has_a_module() -> None:
    functions = {*LOSSES.values(), *SIDE_LOSSES.values()}
    without = {SIDE_LOSSES["deep_supervision"], SIDE_LOSSES["discriminative"]}
    assert {module.function for module in MODULES} == functions - without


def test_module_stores_its_keywords() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
    module = TverskyLoss(alpha=0.2, weight=weight)
    assert torch.equal(module(Z, Y), tversky_loss(Z, Y, alpha=0.2, weight=weight))
    assert torch.equal(module(Z, Y, alpha=0.9), tversky_loss(Z, Y, alpha=0.9, weight=weight))
    assert module.to(torch.float64).weight.dtype == torch.float64
    assert not module.state_dict()
    assert repr(module) == "TverskyLoss(alpha=0.2)"
    with pytest.raises(ValueError, match="unknown option of TverskyLoss 'betta'"):
        TverskyLoss(betta=1)


def test_published_schedules() -> None:
    """Epochs 0, 1, 2 and late ones of the paper's code: r from 1, b from 0.01, steps of 0.01."""
    steps = [0, 1, 2, 50, 89, 90, 91, 99]
    assert [boundary_weights("constant", e, boundary=0.1) for e in steps] == [(1, 0.1)] * 8
    grown = [0.01, 0.02, 0.03, 0.51, 0.9, 0.91, 0.92, 1.0]
    assert [boundary_weights("add", e) for e in steps] == [(1, b) for b in grown]
    shrunk = [1, 0.99, 0.98, 0.5, 0.11, 0.1, 0.1, 0.1]
    assert [boundary_weights("rebalance", e) for e in steps] == list(
        zip(shrunk, grown, strict=True)
    )


def test_schedule_of_a_spec() -> None:
    spec = {"generalised_dice": 1, "cross_entropy": 0.5, "boundary": 0.02}
    assert scheduled(spec, "constant", 7) == spec
    assert scheduled(spec, "add", 3) == {**spec, "boundary": 0.05}
    found = scheduled(spec, "rebalance", 10)
    assert found == pytest.approx(
        {"generalised_dice": 0.9, "cross_entropy": 0.45, "boundary": 0.12}
    )
    with pytest.raises(ValueError, match="needs 'boundary'"):
        scheduled({"dice": 1}, "add", 0)
    with pytest.raises(ValueError, match="schedule is 'steal'"):
        boundary_weights("steal", 0)
    with pytest.raises(ValueError, match="epoch must be >= 0"):
        boundary_weights("add", -1)


def test_catalogue_is_complete() -> None:
    found = catalogue()
    assert {info.name for info in found} == {*LOSSES, *SIDE_LOSSES}
    for info in found:
        assert info.formula and info.paper and info.when, info
        assert "see" not in info.formula.split(), info
    assert next(i for i in found if i.name == "dice").when.startswith("small foregrounds")


PAGE = Path(__file__).parents[2] / "docs" / "losses.md"


def test_page_lists_every_loss_as_the_catalogue_does() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for info in catalogue():
        formula = info.formula.replace("|", "\\|")
        assert f"| `{info.name}` | `{formula}` | {info.paper} | {info.when} |" in text


def test_page_runs() -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    assert set(names["terms"]) == {"cross_entropy", "dice"}
    assert names["maps"].shape == (2, 64, 64)


def test_the_list_says_what_each_loss_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["losses"]) == 0
    text = capsys.readouterr().out
    head, rest = text.split("With a head or inputs of their own")
    assert "For the foreground head" in head
    assert "\n  dice\n" in head and "\n  border\n" in rest and "\n  border\n" not in head

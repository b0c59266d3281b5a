"""U-Net 3+'s classification-guided module: an image without objects has no foreground."""

from dataclasses import asdict

import pytest
import torch

from embedseg.models import EmbeddingNet, build_network
from embedseg.training.config import LossConfig
from embedseg.training.objective import Objective

TINY = {"width": 4, "depth": 2, "presence": True}


def network(classes: int = 1, **options: bool) -> EmbeddingNet:
    torch.manual_seed(0)
    return build_network("unet3+", classes=classes, options=TINY | options).eval()


def decide(net: EmbeddingNet, no: float, yes: float) -> None:
    """Let the two maps of the module be constants."""
    layer = net.backbone.presence.last
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([no, yes]))


def objective_of(foreground: dict[str, float]) -> Objective:
    return Objective(**(asdict(LossConfig()) | {"foreground": foreground}))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("classes", [1, 3])
def test_the_decision_acts_on_the_class_scores_alone(deep: bool, classes: int) -> None:
    net = network(classes, deep_supervision=deep)
    image = torch.randn(2, 3, 21, 30)
    with torch.no_grad():
        decide(net, -1.0, 2.0)
        there = net(image)
        decide(net, 2.0, -1.0)
        absent = net(image)
    assert torch.equal(there["embedding"], absent["embedding"])
    if classes == 1:
        assert there["semantic"].max() > -5
        assert absent["semantic"].sigmoid().max() < 1e-6
    else:
        assert torch.equal(there["semantic"][:, 0], absent["semantic"][:, 0])
        assert (absent["semantic"].argmax(1) == 0).all()


def test_each_image_has_its_own_decision() -> None:
    net = network()
    features = (torch.zeros(2, 12, 4, 4), torch.tensor([[0.5], [-0.5]]))
    found = net.backbone.decide(torch.zeros(2, 1, 4, 4), features)
    assert found.flatten(1).amax(1).tolist() == [0.0, -100.0]


def test_it_learns_from_its_loss_and_not_without() -> None:
    net = network().train()
    with pytest.raises(ValueError, match="semantic_encoding"):
        objective_of({"dice": 1.0}).check(net)
    objective = objective_of({"dice": 1.0, "semantic_encoding": 1.0})
    objective.check(net)
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[0, 4:9, 4:9] = 1
    batch = {"labels": labels, "semantic": (labels > 0).long()}
    outputs = net(torch.randn(2, 3, 16, 16))
    assert outputs["presence"].shape == (2, 1)
    logit = outputs["presence"].detach()
    total, parts = objective(outputs, batch)
    truth = torch.tensor([[1.0], [0.0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logit, truth)
    torch.testing.assert_close(parts["semantic_encoding"], expected)
    total.backward()
    assert net.backbone.presence.last.weight.grad.abs().sum() > 0

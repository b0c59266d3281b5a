"""Who may import whom, checked on the source: an arrow that is not in ALLOWED fails."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# leaves of the tree that anything of embedseg may use
COMMON = {"names", "kinds", "errors", "_cv2", "jit", "row_runs", "resizing"}
ALLOWED: dict[str, set[str]] = {
    "labels": set(),
    "io": {"labels"},
    "losses": {"labels"},
    "metrics": {"labels", "lanes"},
    "models": set(),
    "viz": {"labels", "io"},
    "tuning": {"model", "device", "inference", "metrics", "data", "io", "viz"},
    "lanes": {"labels", "io"},
    "augmentation": set(),
    "data": {"labels", "io", "lanes", "augmentation"},
    "inference": {"labels", "io", "viz", "clustering"},
    "weights": set(),
    "model": {"device", "inference", "io", "models", "weights"},
    "device": set(),
    "side_by_side": set(),
    "training": {
        "model", "device", "models", "losses", "data", "metrics", "inference", "labels", "io",
        "viz", "tuning", "augmentation",
    },
    "clustering": set(),
}  # fmt: skip
FREE = {  # what users call: may use all
    "cli", "commands", "comparison", "demo", "driving", "ensemble", "predict", "evaluate", "info",
    "visualize", "__init__", "__main__",
}  # fmt: skip
HEAVY_CALLS = {"cuda"}  # a device comes from the inputs


def modules() -> list[Path]:
    return sorted([*ROOT.glob("embedseg/**/*.py"), *ROOT.glob("clustering/**/*.py")])


def part_of(path: Path) -> str:
    """The step a file belongs to: its folder below embedseg, or its own name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "clustering" if parts[0] == "clustering" else parts[1]


def imported(path: Path) -> set[str]:
    """The parts of ours that a file imports, inside functions too, but not for type checking."""
    found: set[str] = set()
    for node in ast.walk(_without_type_checking(ast.parse(path.read_text()))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "embedseg":
                names = [f"embedseg.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top == "clustering":
                found.add("clustering")
            elif top == "embedseg" and rest:
                found.add(rest.partition(".")[0])
    return found


def _without_type_checking(tree: ast.Module) -> ast.Module:
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return tree


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    part = part_of(path)
    if part in FREE or part in COMMON:
        return
    wrong = imported(path) - ALLOWED[part] - COMMON - {part}
    assert not wrong, f"{part} may not import {sorted(wrong)}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_house_rules_that_no_linter_knows(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400, "over 400 lines: it holds a second idea"
    assert text.lstrip().startswith(('"""', 'r"""')), "the first line says what the file is"
    assert "import torchvision" not in text, "core may not need torchvision"
    if path.name != "_cv2.py":
        assert "import cv2" not in text.replace("from embedseg._cv2 import cv2", "")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in HEAVY_CALLS, ".cuda(): the device comes from the inputs"


def test_importing_does_nothing() -> None:
    import subprocess

    code = (
        "import embedseg, sys; assert 'torch' not in sys.modules;"
        "import torch, numpy as np; seed = torch.initial_seed();"
        "state = np.random.get_state()[1][:5];"
        "import embedseg.model, embedseg.training.loop, embedseg.losses, clustering;"
        "assert torch.initial_seed() == seed; assert (np.random.get_state()[1][:5] == state).all();"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

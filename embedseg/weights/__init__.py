"""Small trained models that ship with the package: NAME.safetensors, each with its card NAME.md.

A card's first line, `# NAME: what it segments`, is what `embedseg models` prints. The weights are
in half precision, at most LIMIT bytes, and are read like any other .safetensors file.
`scripts/ship_model.py` makes both files from a run.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
LIMIT = 5_000_000  # bytes of one model's weights, so that the package stays small to install


def shipped(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the weights file of every shipped model by name."""
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}


def card(name: str, folder: Path = FOLDER) -> str:
    """Return the text of a shipped model's card; KeyError where no such model ships."""
    return shipped(folder)[name].with_suffix(".md").read_text(encoding="utf-8")


def summary(name: str, folder: Path = FOLDER) -> str:
    """Return what a shipped model segments, in one line: the title of its card."""
    title = card(name, folder).splitlines()[0].removeprefix("# ")
    return title.removeprefix(f"{name}: ")

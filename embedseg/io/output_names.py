"""What the results of many pictures are called, so that none overwrites another."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

# Last words of the names of pictures and label files that `predict` and `visualize` write.
WORDS = ("labels", "overlay", "pca", "foreground", "heat", "margin", "errors", "scatter")


def is_result(path: Path, out: Path) -> bool:
    """Tell whether a file in the folder `out` is called as results are that are written there."""
    name, _, word = path.stem.rpartition("_")
    return bool(name) and word in WORDS and path.resolve().parent == out.resolve()


def unique_names(
    images: Iterable[Path],
    *,
    reserved: Collection[str] = (),
    spell: Callable[[str], str] = str,
) -> dict[Path, str]:
    """Return a name for each picture: its stem, alone where no other picture has that.

    Where stems repeat, the folder's name goes before it if they lie in several folders, and the
    file's ending behind it if one folder holds several. What is still taken or `reserved` (lower
    case) gets a number. `spell` changes the names before they are compared.
    """
    images = list(dict.fromkeys(images))
    stems = Counter(path.stem for path in images)
    places = Counter((path.parent, path.stem) for path in images)
    folders = Counter(stem for _, stem in places)
    names: dict[Path, str] = {}
    used: set[str] = set()
    numbers: Counter[str] = Counter()
    for path in sorted(images, key=lambda p: stems[p.stem] > 1):  # a stem of one picture stays
        before = f"{path.parent.name}_" if folders[path.stem] > 1 else ""
        several = places[path.parent, path.stem] > 1 and path.suffix
        wanted = name = spell(before + path.stem + (f"_{path.suffix[1:]}" if several else ""))
        while name in used or name.lower() in reserved:
            numbers[wanted] += 1
            name = f"{wanted}_{numbers[wanted] + 1}"
        used.add(name)
        names[path] = name
    return {path: names[path] for path in images}

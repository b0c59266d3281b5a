"""Looking at what a model sees: for each picture its drawings and an explorer for the browser."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from embedseg.evaluate import label_files
from embedseg.inference.result import Segmentation
from embedseg.inference.spec import ModelSpec
from embedseg.io import InputError, check_folder, read_image, read_labels, write_image
from embedseg.io.label_files import bare_stem
from embedseg.io.masks import refuse_shared
from embedseg.io.output_names import unique_names
from embedseg.metrics import score_image
from embedseg.model import Model
from embedseg.predict import Outcome
from embedseg.viz import (
    SummaryRow,
    drawings,
    overlay,
    plot_scatter,
    write_explorer,
    write_summary_page,
)
from embedseg.viz.explorer_data import resize_labels
from embedseg.viz.html import shrunk
from embedseg.viz.pca import PcaBasis
from embedseg.viz.projection import check_method
from embedseg.viz.summary import INDEX, THUMB

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture: what was found in it and, where known, its true labels (H, W) and its file."""

    result: Segmentation
    truth: NDArray[np.int32] | None
    path: Path = Path()

    @property
    def name(self) -> str:
        """The name of the picture."""
        return self.result.name


def visualize_files(
    model: Model,
    images: Sequence[Path],
    out: Path,
    *,
    truth: Path | None = None,
    scatter: Sequence[str] = ("pca", "lda"),
) -> Outcome:
    """Draw every picture into `out`: an explorer `<name>.html` and the PNG of `viz.drawings`.

    Several pictures also get `index.html`, with links to all. `truth` is a folder of label files
    of the same stems, or one file for one picture; a picture without one is drawn without it.
    `scatter` names the planes of the scatters (`viz.projection.METHODS`). The bandwidth at which
    the explorer begins, and which it marks, is the model's: a tuned or given one, or the default.

    A picture that cannot be read, segmented or drawn is reported and the rest goes on; its reason
    is in the outcome. Raises InputError where `truth` holds nothing for any picture.
    """
    for method in scatter:
        check_method(method)
    true_files = find_truths(truth, images) if truth else {}
    check_folder(out)
    outcome, cards = Outcome(), list[SummaryRow]()
    several = len(images) > 1
    names = unique_names(images, reserved={Path(INDEX).stem} if several else (), spell=readable)
    reference: PcaBasis | None = None
    seen = see(model, names, true_files, outcome)
    try:
        for before, now, after in with_neighbours(seen):
            with outcome.noting(now.path):
                page = explore(out, now, model.spec, links_of(before, after, several))
                files, basis = draw(out, now, model.spec, scatter, reference)
                if len(now.result):
                    reference = reference or basis  # of the first picture, for the others too
                cards.append(card(now, {"explore": page.name, **files}))
                outcome.instances[now.name] = len(now.result)
    finally:  # the index shows what is done, also when the user stops it
        if several and cards:
            anew = "" if model.spec.method == "spatial" else ", cluster anew"
            write_summary_page(
                out,
                cards,
                title=f"{model.name} on {len(cards)} images",
                intro=f"A click on a picture opens its explorer: hover, pin, lasso{anew}.",
            )
    return outcome


def readable(name: str) -> str:
    r"""Return the name of a file as text that a page can hold: bytes that are no UTF-8 as Latin-1.

    >>> readable("gr\udcfcn")
    'grün'
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("latin-1")
    return name


def see(
    model: Model, names: Mapping[Path, str], truths: Mapping[Path, Path], outcome: Outcome
) -> Iterator[Seen]:
    """Segment the pictures one after the other; failures go into `outcome`."""
    for path in tqdm(names, unit="image", disable=None):
        found: Seen | None = None
        with outcome.noting(path):
            image = read_image(path)
            truth = read_labels(truths[path]) if path in truths else None
            if truth is not None and truth.shape != image.shape[:2]:
                raise InputError(
                    f"{truths[path]}: is {truth.shape}, but the picture {path} is "
                    f"{image.shape[:2]}; give the truth of this picture"
                )
            found = Seen(model.segment(image).renamed(names[path]), truth, path)
        if found is not None:
            yield found


def with_neighbours(items: Iterable[Item]) -> Iterator[tuple[Item | None, Item, Item | None]]:
    """Yield each item with the one before and the one after it, None at the ends."""
    before: Item | None = None
    now: Item | None = None
    for after in items:
        if now is not None:
            yield before, now, after
        before, now = now, after
    if now is not None:
        yield before, now, None


def links_of(before: Seen | None, after: Seen | None, indexed: bool) -> dict[str, str]:
    """Return word -> file for the head of an explorer: the last picture, all, the next."""
    links = {"‹": page_of(before)} if before else {}
    links |= {"all images": INDEX} if indexed else {}
    return links | ({"›": page_of(after)} if after else {})


def page_of(seen: Seen) -> str:
    """Return the file name of a picture's explorer."""
    return f"{seen.name}.html"


def explore(out: Path, seen: Seen, spec: ModelSpec, links: Mapping[str, str]) -> Path:
    """Write the explorer of a picture."""
    result, options = seen.result, spec.clusterer_options
    return write_explorer(
        out / page_of(seen),
        picture_of(result),
        result.embedding,
        1 - result.semantic[0],
        result.labels,
        seen.truth,
        delta_v=spec.delta_v,
        delta_d=spec.delta_d,
        bandwidth=None if spec.method == "spatial" else spec.bandwidth,
        bandwidth_from="the model's" if "bandwidth" in spec.clusterer_options else "default",
        threshold=spec.foreground_threshold,
        min_points=options.get("min_points"),
        gaussian=options.get("kernel") == "gaussian",
        border_step=float(options.get("border_step", 0.8)),
        core=result.core,
        classes=result.semantic[1:].argmax(0) if spec.classes > 1 else None,
        merge=spec.merge,
        components=spec.components,
        min_size=spec.least_size,
        scores=result.scores,
        name=seen.name,
        links=links,
    )


def draw(
    out: Path,
    seen: Seen,
    spec: ModelSpec,
    scatter: Sequence[str],
    reference: PcaBasis | None,
) -> tuple[dict[str, str], PcaBasis]:
    """Write the drawings of a picture; return word -> file name, and the basis of its colours."""
    result, files = seen.result, {}
    pictures, basis = drawings(
        picture_of(result),
        result.embedding,
        result.foreground,
        result.labels,
        seen.truth,
        delta_d=spec.delta_d,
        threshold=spec.foreground_threshold,
        reference=reference,
    )
    for word, picture in pictures.items():
        files[word] = f"{seen.name}_{word}.png"
        write_image(out / files[word], picture)
    coarse = resize_labels(result.labels, result.embedding.shape[1:])
    for method in scatter:
        word = f"scatter {method}"
        files[word] = f"{seen.name}_{method}_scatter.png"
        plot_scatter(
            out / files[word], result.embedding, coarse, method=method, delta_v=spec.delta_v
        )
    return files, basis


def picture_of(result: Segmentation) -> NDArray[np.uint8]:
    """Return the picture that a result belongs to."""
    if result.image is None:
        raise ValueError(f"{result.name}: the result holds no picture; segment one")
    return result.image


def card(seen: Seen, links: Mapping[str, str]) -> SummaryRow:
    """Return a picture's part of the index page: a small overlay, links and figures."""
    result = seen.result
    facts: dict[str, str | int | float | None] = {"instances": len(result)}
    if seen.truth is not None:
        row = score_image(seen.name, result.labels, seen.truth).row()
        facts |= {"truth": len(np.unique(seen.truth[seen.truth > 0])), "SBD": row["SBD"]}
    small = shrunk(overlay(picture_of(result), result.labels), THUMB)  # it waits for the page
    return SummaryRow(seen.name, small, links, facts)


def find_truths(truth: Path, images: Sequence[Path]) -> dict[Path, Path]:
    """Return the label file of each picture that has one in `truth`, a folder or one file.

    Stems are compared without an ending such as _rgb, _label or _labels, as `evaluate` does.
    InputError where there is none, or one is that of several pictures.
    """
    if truth.is_file():
        if len(images) > 1:
            raise InputError(f"{truth}: is one file for {len(images)} pictures; name a folder")
        return {images[0]: truth}
    files = label_files(truth)
    found = {path: files[stem] for path in images if (stem := bare_stem(path.stem)) in files}
    if not found:
        raise InputError(
            f"{truth}: holds no label file for {images[0].name} or another picture; "
            "their stems must agree"
        )
    refuse_shared(found)
    return found

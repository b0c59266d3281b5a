"""`embedseg visualize`: pictures of what a model sees, and a page to explore each embedding."""

import argparse
import sys
from pathlib import Path

from embedseg.commands.common import (
    FAILED,
    PARTLY_FAILED,
    add_device,
    counted,
    list_pictures,
    load_model,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `visualize`."""
    parser.add_argument(
        "model",
        type=Path,
        metavar="RUN",
        help="run folder, .safetensors file or a name of `embedseg models`; also as --model MODEL",
    )
    parser.add_argument("images", nargs="+", help="files, folders, globs, or - for paths on stdin")
    parser.add_argument("--truth", type=Path, metavar="DIR", help="true label files, by stem")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("visualized"),
        help="folder to write to (default: visualized)",
    )
    parser.add_argument(
        "--scatter", nargs="*", default=["pca", "lda"], metavar="PLANE",
        help="of pca, lda, tsne, umap; none: no scatter (default: pca lda)",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write pictures and pages; print which page to open, report what failed."""
    from embedseg.visualize import visualize_files
    from embedseg.viz.summary import INDEX

    images = list_pictures(arguments.images, arguments.out)
    outcome = visualize_files(
        load_model(arguments),
        images,
        arguments.out,
        truth=arguments.truth,
        scatter=[] if arguments.scatter == ["none"] else arguments.scatter,
    )
    done, failed = len(outcome.instances), len(outcome.failures)
    if failed:
        print(f"{failed} of {done + failed} images failed, see above", file=sys.stderr)
    if not done:
        return FAILED
    name = INDEX if len(images) > 1 else f"{next(iter(outcome.instances))}.html"
    page = arguments.out / name
    count = sum(outcome.instances.values())
    print(f"{counted(done, 'image')}, {counted(count, 'instance')}: open {page}")
    if arguments.open:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            print(f"no browser to open; open {page} yourself", file=sys.stderr)
    return PARTLY_FAILED if failed else 0

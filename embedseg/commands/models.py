"""`embedseg models`: the trained models that ship with the package."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `models`."""
    parser.add_argument("name", nargs="?", help="print the whole card of this one")


def run(arguments: argparse.Namespace) -> int:
    """Print each shipped model with one line from its card, or one whole card."""
    from embedseg.names import unknown
    from embedseg.weights import card, shipped, summary

    models = shipped()
    if arguments.name is None:
        width = max(map(len, models), default=0)
        for name, file in models.items():
            print(f"{name:<{width}}  {file.stat().st_size / 1e6:.1f} MB  {summary(name)}")
        if not models:
            print("no model ships with this installation; train one with embedseg train")
        return 0
    if arguments.name not in models:
        raise unknown("model", arguments.name, models)
    print(card(arguments.name))
    return 0

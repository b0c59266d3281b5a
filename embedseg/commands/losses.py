"""`embedseg losses`: list the losses for the foreground head."""

import argparse

from embedseg.commands.common import add_nothing

add_arguments = add_nothing


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001  (every command is called alike)
    """Print every loss: name, formula, paper, when to use it."""
    from embedseg.losses.catalogue import catalogue

    for loss in catalogue():
        print(f"{loss.name}\n    {loss.formula}\n    {loss.paper}\n    {loss.when}")
    return 0

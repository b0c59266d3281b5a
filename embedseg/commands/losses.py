"""`embedseg losses`: list the losses of the foreground head, then those of other heads."""

import argparse

from embedseg.commands.common import add_nothing

add_arguments = add_nothing

HEADINGS = {
    "semantic": "For the foreground head (`loss: {NAME: FACTOR, ...}` in a configuration):",
    "side": "With a head or inputs of their own; named in the same way:",
}


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001  (every command is called alike)
    """Print every loss under what it is for: name, formula, paper, when to use it."""
    from embedseg.losses.catalogue import catalogue

    losses = catalogue()
    for kind, heading in HEADINGS.items():
        print(heading)
        for loss in losses:
            if loss.kind == kind:
                print(f"  {loss.name}\n    {loss.formula}\n    {loss.paper}\n    {loss.when}")
        print()
    return 0

"""`embedseg backbones`: list the networks."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `backbones`."""
    parser.add_argument("name", nargs="?", help="show one network with its options")


def run(arguments: argparse.Namespace) -> int:
    """Print a table of all networks, or one network's description and options."""
    from embedseg.models import catalogue

    print(catalogue.describe(arguments.name) if arguments.name else catalogue.table())
    return 0

"""`embedseg check-data`: find what is wrong with a data set."""

import argparse

from embedseg.commands.common import FAILED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `check-data`."""
    parser.add_argument("data", help="folder with images/ and labels/, or KIND:WHERE")


def run(arguments: argparse.Namespace) -> int:
    """Print what is wrong with a data set."""
    from embedseg.data.check import check_data

    report = check_data(arguments.data)
    print(report.to_table())
    return 0 if report.ok else FAILED

"""``python -m tests.interleavings [--long] [--rst]``: the tables, from the repository's root."""

import argparse

from .report import main

parser = argparse.ArgumentParser(prog="python -m tests.interleavings", description=__doc__)
parser.add_argument("--long", action="store_true", help="the exhaustive searches too (minutes)")
parser.add_argument("--rst", action="store_true", help="reStructuredText, not Markdown")
main(**vars(parser.parse_args()))

"""Options that several commands have."""

from __future__ import annotations

import argparse


def takes_formats(parser: argparse.ArgumentParser) -> None:
    """In what formats figures are saved."""
    parser.add_argument(
        "--formats", default="png,svg", help="out of png, svg, pdf and tif (default: %(default)s)"
    )

"""The committed records, and helpers to make small ones."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def read_lines(path):
    """Return head and lines of a record, by JSON alone."""
    head, *lines = map(json.loads, Path(path).read_text().splitlines())
    return head, lines


def timeless(path):
    """Return what must repeat: all but how long it took, and how busy the machine was."""
    head, lines = read_lines(path)
    varying = ("took_seconds", "load")
    return head, [{k: v for k, v in line.items() if k not in varying} for line in lines]


@pytest.fixture(scope="session")
def committed():
    """Head and lines of every committed record, by experiment."""
    return {p.stem: read_lines(p) for p in sorted((DOCS / "figures" / "records").iterdir())}

"""How the commands print."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from ..errors import InvalidArgument

WIDTH = 88


def number(value: float | int) -> str:
    """Return six digits of a float, all of an int."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def limit(value: float | int | None) -> str:
    """Return a number that may be a limit nothing keeps: None and -1 are "none"."""
    return "none" if value is None or value == -1 else number(value)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Align columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  "
        + "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def pairs(rows: list[tuple[str, str]]) -> str:
    """Align names and wrap what is said of them."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        textwrap.fill(
            text,
            WIDTH,
            initial_indent=f"  {name.ljust(width)}  ",
            subsequent_indent=" " * (width + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, text in rows
    )


def wrap(text: str, indent: str = "") -> str:
    """Wrap every line of a text, keeping its own indentation."""
    out = []
    for line in text.splitlines():
        own = indent + line[: len(line) - len(line.lstrip())]
        out.append(
            textwrap.fill(
                line.strip(),
                WIDTH,
                initial_indent=own,
                subsequent_indent=own + "  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return "\n".join(out)


def add_json(command: Any) -> None:
    """Add the option that makes of a report one JSON document."""
    command.add_argument("--json", action="store_true", help="print one JSON document instead")


def add_seed(command: Any, what: str = "all draws") -> None:
    """Add the seed."""
    command.add_argument(
        "--seed", type=int, default=0, metavar="SEED", help=f"seed of {what} (default 0)"
    )


def left_out(args: argparse.Namespace, usual: dict[str, Any], when: str, remedy: str = "") -> None:
    """Refuse options that would mean nothing here: those that have not their usual value."""
    for name, value in usual.items():
        if (given := getattr(args, name)) != value:
            rule = f"{name} must be left out {when}, got {given}."
            raise InvalidArgument(f"{rule} {remedy}".rstrip())


def to_json(document: dict[str, Any]) -> str:
    """Return strict JSON: infinity and NaN, which JSON lacks, are written as words."""
    return json.dumps(strict(document), indent=1, allow_nan=False)


def strict(value: Any) -> Any:
    """Return a document in strict JSON's types: infinity and NaN as words."""
    if isinstance(value, dict):
        return {str(name): strict(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [strict(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value

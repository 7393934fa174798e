"""``--out PREFIX`` of a study: a record (JSON lines) and its figure (PNG)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._check import to_be_written, writable
from ..errors import InvalidArgument
from . import _text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add(command: Any) -> None:
    """Add the option."""
    command.add_argument("--out", metavar="PREFIX", help="write PREFIX.jsonl and PREFIX.png")


def files(out: str | None) -> list[Path]:
    """Return the names of both files, or none where nobody asked.

    Raises
    ------
    InvalidArgument
        If they cannot be written; to be called before anything runs.
    """
    if out is None:
        return []
    prefix = Path(out)
    if not prefix.name:
        raise InvalidArgument.of("out", "must be how names of files begin", out)
    found = [prefix.with_name(prefix.name + suffix) for suffix in (".jsonl", ".png")]
    with to_be_written("out", "prefix of files", out):
        writable(*found)
    return found


def write(found: list[Path], lines: Iterable[dict[str, Any]], figure: Figure) -> None:
    """Write both."""
    record, picture = found
    record.write_text("".join(json.dumps(_text.strict(line)) + "\n" for line in lines))
    figure.savefig(picture)

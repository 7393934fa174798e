"""A table and its three formats: text to read, RST for pages, CSV with every digit."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..simulate.speedups import Interval

__all__ = ["FORMATS", "Table", "interval"]

FORMATS = ("txt", "rst", "csv")


def interval(found: Interval, digits: int = 3) -> str:
    """Return a mean and its 95 % interval, where there is one, and of how many replicates."""
    if not found.reached:
        return "never"
    ends = f" [{found.low:.{digits}g}, {found.high:.{digits}g}]" if found.reached > 1 else ""
    some = f" ({found.reached} of {found.of})" if found.reached < found.of else ""
    return f"{found.mean:.{digits}g}{ends}{some}"


@dataclass(frozen=True)
class Table:
    """Rows for people, the numbers behind them, and what must be known to read them.

    Attributes
    ----------
    title : str
    head : tuple of str
    rows : tuple of tuple of str
    numbers : tuple of dict
        With every digit; one dict a row.
    notes : tuple of str
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """Return the table for a terminal."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (self.head, *self.rows)
        ]
        return "\n".join((self.title, "", *lines, "", *self.notes)) + "\n"

    def rst(self) -> str:
        """Return the table for a page."""
        lines = [f".. list-table:: {self.title}", "   :header-rows: 1", ""]
        for row in (self.head, *self.rows):
            for place, cell in enumerate(row):
                bullet = "     -" if place else "   * -"
                # An asterisk would begin emphasis.
                words = cell.replace("*", r"\*")
                lines.append(f"{bullet} {words}".rstrip())
        return "\n".join((*lines, "", *(note.replace("*", r"\*") + "\n" for note in self.notes)))

    def csv(self) -> str:
        """Return the numbers behind the table."""
        file = io.StringIO()
        names = list(dict.fromkeys(name for row in self.numbers for name in row))
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.numbers)
        return file.getvalue()

    def save(self, prefix: Path) -> list[Path]:
        """Write ``prefix.txt``, ``.rst`` and ``.csv``."""
        paths = [prefix.with_name(f"{prefix.name}.{kind}") for kind in FORMATS]
        for path, text in zip(paths, (self.text(), self.rst(), self.csv()), strict=True):
            path.write_text(text, encoding="utf-8")
        return paths

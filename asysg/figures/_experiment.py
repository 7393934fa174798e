"""What an experiment is: tasks that make a record, and what is drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ._chart import Chart
from ._record import Line, Record
from ._table import Table

__all__ = ["Asked", "Experiment", "how", "seeds"]


@dataclass(frozen=True)
class Asked:
    """What the user asks for.

    Attributes
    ----------
    quick : bool
        Small runs that show that all works; the full ones are those of the docs.
    seed : int
    data : Path or None
        The folder of CIFAR-10; images are generated without.
    replicates : int or None
        Of every experiment that has some; each has a number of its own by default.
    """

    quick: bool = False
    seed: int = 0
    data: Path | None = None
    replicates: int | None = None


class Experiment(Protocol):
    """A module of this package: see `rate` for a short one."""

    def check(self, asked: Asked) -> None:
        """Refuse what cannot be run here."""

    def settings(self, asked: Asked) -> Line:
        """Return all that says what is run, in JSON's types."""

    def tasks(self, settings: Line) -> list[Line]:
        """Return what is to be run, in order; each becomes one line of the record."""

    def run(self, settings: Line, task: Line, done: Sequence[Line], asked: Asked) -> Line:
        """Run one task; `done` are the lines before. Return the entries of its line."""

    def charts(self, record: Record) -> dict[str, Chart]:
        """Return the figures of a complete record, by name."""

    def tables(self, record: Record) -> dict[str, Table]:
        """Return its tables, by name."""


def how(busy: int, cores: int) -> str:
    """Say what seconds of so many busy threads or ranks are."""
    return "measured" if busy <= cores else "oversubscribed"


def seeds(seed: int, replicates: int) -> list[int]:
    """Return a seed of every replicate, the same for all its runs."""
    import numpy as np

    found: list[Any] = np.random.default_rng(seed).integers(2**63, size=replicates).tolist()
    return found

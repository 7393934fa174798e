"""From a list of names to records, and from records to figures and tables."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .._check import folder as folder_for
from .._run import interruptible
from ..errors import InvalidArgument
from . import _record, cluster, multicore, phase, rate, tightness
from ._experiment import Asked, Experiment
from ._record import Line, Record
from ._table import Table

__all__ = ["EXPERIMENTS", "NAMES", "Drawn", "redraw", "reproduce", "run"]

EXPERIMENTS: dict[str, Experiment] = {
    "cluster": cluster,
    "multicore": multicore,
    "rate": rate,
    "phase": phase,
    "tightness": tightness,
}
#: What can be asked for, and the record it is drawn from.
NAMES = {
    "figure3": "cluster",
    "table1": "cluster",
    "figure4": "multicore",
    "table2": "multicore",
    "rate": "rate",
    "phase": "phase",
    "limits": "phase",
    "tightness": "tightness",
}


@dataclass
class Drawn:
    """What came out.

    Attributes
    ----------
    tables : dict of str to Table
    files : list of Path
        Written, in order.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


def experiments(names: Sequence[str]) -> list[str]:
    """Return the experiments that these names are drawn from; refuse other names."""
    unknown = [name for name in names if name not in (*NAMES, "all")]
    if unknown or not names:
        words = ", ".join(("all", *NAMES))
        got = unknown[0] if unknown else "none"
        raise InvalidArgument(f"names must be of {words}, got {got}.")
    wanted = NAMES if "all" in names else names
    return [one for one in EXPERIMENTS if one in {NAMES[name] for name in wanted}]


@interruptible()
def run(
    names: Sequence[str], folder: Path, asked: Asked, *, progress: bool = False
) -> list[Record]:
    """Run what these names need and is not yet in the records of a folder.

    Raises
    ------
    InvalidArgument
        Before anything is run: for names that are none, for what is missing on this machine, and
        for records of other settings or another machine.
    KeyboardInterrupt
        If interrupted; the records have every task that was done.
    """
    wanted = experiments(names)
    for name in wanted:
        EXPERIMENTS[name].check(asked)
    records, left = {}, {}
    with contextlib.ExitStack() as stack:
        for name in wanted:
            path = folder / f"{name}.jsonl"
            settings = EXPERIMENTS[name].settings(asked)
            stack.enter_context(_record.alone(path))
            records[name] = _record.begin(path, _record.head(name, settings))
            left[name] = records[name].missing(EXPERIMENTS[name].tasks(settings))
        bar = tqdm(total=sum(map(len, left.values())), unit="run", disable=not progress)
        stack.enter_context(bar)
        for name in wanted:
            bar.set_description(name)
            records[name] = _continued(name, records[name], left[name], asked, bar)
    return [records[name] for name in wanted]


def _continued(
    name: str, known: Record, left: Sequence[Line], asked: Asked, bar: tqdm[Any]
) -> Record:
    """Run what is left of an experiment, a line a task."""
    lines = list(known.lines)
    for task in left:
        # How busy the machine was when it began: seconds on a busy one are worth less.
        load, start = os.getloadavg()[0], time.perf_counter()
        came = EXPERIMENTS[name].run(known.settings, task, lines, asked)
        meta = {"took_seconds": round(time.perf_counter() - start, 3), "load": round(load, 2)}
        lines.append(_record.append(known.path, {"task": task, **meta, **came}))
        bar.update()
    return Record(known.head, tuple(lines), known.path)


def redraw(names: Sequence[str], folder: Path, out: Path) -> Drawn:
    """Draw figures and tables from the records of a folder, and from nothing else.

    Parameters
    ----------
    names : sequence of str
        Of `NAMES`, or "all".
    folder : Path
        With ``cluster.jsonl``, ``multicore.jsonl``, ...
    out : Path
        Where ``figure3.svg``, ``table1.txt``, ... go.

    Returns
    -------
    Drawn

    Raises
    ------
    InvalidArgument
        For names that are none, and records that are missing, foreign or not complete.

    Examples
    --------
    >>> from asysg import figures
    >>> figures.redraw(["figure5"], "records", "figures")
    Traceback (most recent call last):
    ...
    asysg.errors.InvalidArgument: names must be of all, figure3, ..., got figure5.
    """
    folder, out = Path(folder), Path(out)
    found = []
    for name in experiments(names):
        record = _record.read(folder / f"{name}.jsonl", name)
        tasks = EXPERIMENTS[name].tasks(record.settings)
        if missing := record.missing(tasks):
            raise InvalidArgument(
                f"{record.path} must be complete, got {len(tasks) - len(missing)} of "
                f"{len(tasks)} runs. Run asysg reproduce again: it goes on where it stopped."
            )
        found.append((name, record))
    folder_for("out", out)
    drawn = Drawn()
    for name, record in found:
        wanted = [n for n, of in NAMES.items() if of == name and ("all" in names or n in names)]
        experiment = EXPERIMENTS[name]
        for title, chart in experiment.charts(record).items():
            if title in wanted:
                drawn.files += chart.canvas().save(out / title)
        for title, table in experiment.tables(record).items():
            if title in wanted:
                drawn.files += table.save(out / title)
                drawn.tables[title] = table
    return drawn


def reproduce(
    names: Sequence[str],
    out: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    data: Path | None = None,
    replicates: int | None = None,
    progress: bool = False,
) -> Drawn:
    """Run the paper's experiments into records and draw its figures and tables from them.

    Parameters
    ----------
    names : sequence of str
        "figure3", "table1", "figure4", "table2", "rate", "phase", "limits", "tightness", "all".
    out : path
        The records go into its folder ``records``, the rest into itself. Records that are there
        are gone on with.
    quick : bool
        Small runs that show that all works.
    seed : int
        At least 0.
    data : path, optional
        The folder of CIFAR-10 in its binary version; images are generated without.
    replicates : int, optional
        Of every experiment, at least 2; each has a number of its own by default.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Drawn

    Raises
    ------
    InvalidArgument
        For arguments that cannot be, and records of other settings or another machine.

    Examples
    --------
    >>> import tempfile
    >>> from asysg import figures
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     drawn = figures.reproduce(["tightness"], folder, quick=True)
    >>> [path.name for path in drawn.files][:3]
    ['tightness.svg', 'tightness.pdf', 'tightness.png']
    """
    out = Path(out)
    if not isinstance(seed, int) or seed < 0:
        raise InvalidArgument(f"seed must be an integer >= 0, got {seed}.")
    if replicates is not None and (not isinstance(replicates, int) or replicates < 2):
        raise InvalidArgument(f"replicates must be an integer >= 2, got {replicates}.")
    asked = Asked(quick, seed, None if data is None else Path(data), replicates)
    run(names, out / "records", asked, progress=progress)
    return redraw(names, out / "records", out)

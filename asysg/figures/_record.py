"""Records: what was run, on what, and all that came out, one line of JSON a run.

The first line is the head: experiment, settings, versions, machine. Every other line is one *task*
and what it gave. A line is written whole when its task is done, so that whatever stops a run
leaves a record that is valid and can be gone on with. Figures and tables are drawn from records
and from nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .._check import to_be_written
from ..errors import InvalidArgument

__all__ = ["FORMAT", "Line", "Record", "alone", "append", "begin", "head", "read"]

FORMAT = "asysg.figures.record.v1"
#: What else a run's numbers may depend on.
LIBRARIES = ("asysg", "numpy", "scipy", "mpi4py", "torch")

Line = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A record in memory.

    Attributes
    ----------
    head : dict
    lines : tuple of dict
        In the order in which they were run; each has its ``task``.
    path : Path
    """

    head: Line
    lines: tuple[Line, ...]
    path: Path

    @property
    def settings(self) -> Line:
        """What was asked for."""
        found: Line = self.head["settings"]
        return found

    def of(self, **task: Any) -> list[Line]:
        """Return the lines whose task has these entries, in the order of the file."""
        wanted = task.items()
        return [line for line in self.lines if wanted <= line["task"].items()]

    def missing(self, tasks: Sequence[Line]) -> list[Line]:
        """Return the tasks that have no line; refuse lines that are none of these, or twice."""
        done: list[Line] = []
        for number, line in enumerate(self.lines, start=2):
            task = line.get("task")
            if not isinstance(task, dict) or task not in tasks or task in done:
                rule = "be a task of its head, once"
                raise InvalidArgument(f"{self.path}, line {number}, must {rule}, got {task}.")
            done.append(task)
        return [task for task in tasks if task not in done]


def head(experiment: str, settings: Line) -> Line:
    """Return the first line of a record that is made here and now."""
    import joblib

    return {
        "record": FORMAT,
        "experiment": experiment,
        "settings": settings,
        "cpu": cpu(),
        "cores": int(joblib.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: found for name in LIBRARIES if (found := installed(name))},
    }


def installed(name: str) -> str | None:
    """Return the version of a library, if it is there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def cpu() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def strict(value: Any) -> Any:
    """Return a document in strict JSON's types: infinity and NaN as words, which float() reads."""
    if isinstance(value, dict):
        return {str(name): strict(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [strict(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def written(line: Line) -> str:
    """Return a line as it stands in the file."""
    return json.dumps(strict(line), allow_nan=False, separators=(",", ":")) + "\n"


def begin(path: Path, first: Line) -> Record:
    """Begin a record, or take up the one that is there.

    Parameters
    ----------
    path : Path
    first : dict
        Of `head`. A record that is there must have the same one: what two settings or two
        machines gave is not one record.

    Returns
    -------
    Record
        With the lines that are done. A last line that was cut off is dropped from the file.

    Raises
    ------
    InvalidArgument
        If there is another record, or no record, at `path`.
    """
    first = json.loads(written(first))
    # Nothing there, or a head that was cut off.
    if not path.exists() or written(first).encode().startswith(path.read_bytes()):
        path.write_text(written(first), encoding="utf-8")
    known = read(path)
    # The settings one by one, so that the message can name the one that differs.
    there, here = ({**one, **one["settings"], "settings": 0} for one in (known.head, first))
    for name in {**there, **here}:
        if there.get(name) != here.get(name):
            raise InvalidArgument(
                f"{path} must have the same {name} to be gone on with, got {there.get(name)} "
                f"where this run has {here.get(name)}. Remove it or choose another folder."
            )
    whole = path.read_bytes().rfind(b"\n") + 1
    os.truncate(path, whole)
    return known


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from writing the same record meanwhile.

    Raises
    ------
    InvalidArgument
        If one does, or the folder of the record cannot be written.
    """
    with to_be_written("out", "folder", path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    with open(path, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InvalidArgument(
                f"{path} must be written by one process, got another that is at it. Wait for it "
                "or choose another folder."
            ) from None
        yield


def append(path: Path, line: Line) -> Line:
    """Add one line at the end, whole and at once, and return it as it will be read."""
    text = written(line)
    # One write of an unbuffered file: an interrupt comes before or after it.
    with open(path, "ab", buffering=0) as file:
        file.write(text.encode())
    found: Line = json.loads(text)
    return found


def read(path: Path, experiment: str | None = None) -> Record:
    """Read a record.

    Parameters
    ----------
    path : Path
    experiment : str, optional
        Refuse a record of another.

    Raises
    ------
    InvalidArgument
        If there is no such file, if it is no record, or one of another experiment.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} must be a readable record, got {error}.") from None
    lines = []
    # What follows the last end of a line was cut off while it was written: it is not yet a line.
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            lines.append(json.loads(line))
        except ValueError:
            lines.append(None)
        if not isinstance(lines[-1], dict):
            raise InvalidArgument(f"{path}, line {number}, must be JSON, got {line[:60]!r}.")
    first = lines[0] if lines else {}
    if first.get("record") != FORMAT or not isinstance(first.get("settings"), dict):
        raise InvalidArgument(
            f"{path} must begin with the head of a record ({FORMAT}), got "
            f"{first.get('record', 'none')}."
        )
    if experiment is not None and first.get("experiment") != experiment:
        raise InvalidArgument(
            f"{path} must be a record of {experiment}, got {first.get('experiment')}."
        )
    return Record(first, tuple(lines[1:]), path)

"""Contestants take turns: interleaved rounds, where the threads were, and what comes of it.

A benchmark of two threads that share memory depends on where the machine put them: one cache line
passes from one to the other in 25 ns or in 170, and that may change within seconds. So every turn
of several threads is put between two probes; turns whose probes agree count as *near* or *far*, all
others are in neither group.
"""

from __future__ import annotations

import hashlib
import math
import platform
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

#: One-way nanoseconds of the ping-pong probe: at most `NEAR` is near, from `FAR` to `BUSY` is far.
#: Above that a thread had lost its core to something else.
NEAR, FAR, BUSY = 80.0, 110.0, 1000.0
GROUPS = ("all", "near", "far")
#: Fewer turns than this in a group say nothing.
FEWEST = 3
PACKAGES = ("asysg", "numpy", "scipy", "numba", "scikit-learn", "torch", "mpi4py")


@dataclass(frozen=True)
class Reading:
    """One repetition: so many things in so many seconds, and the answer it came to."""

    seconds: float
    count: int
    answer: float | None = None


@dataclass(frozen=True)
class Contestant:
    """Something that does a workload.

    Attributes
    ----------
    name, role : str
        `role` is "ours", "peer" or "by hand".
    threads : int
        Threads or processes that compute.
    run : callable
        ``run(count)`` does about `count` things and returns a `Reading`.
    computes : str
        What it does, and wherein its task differs from ours.
    start : int
        Things it surely does in no time, to begin finding the right number with.
    close : callable
        Frees what it holds: processes, files.
    """

    name: str
    role: str
    threads: int
    run: Callable[[int], Reading]
    computes: str
    start: int = 1000
    close: Callable[[], None] = lambda: None

    @property
    def key(self) -> str:
        """Name and threads: unique within a workload."""
        return f"{self.name}/{self.threads}"


@dataclass(frozen=True)
class Absent:
    """A contestant that cannot be had here, and why."""

    name: str
    why: str


@dataclass
class Turn:
    """What one contestant did in one round, in nanoseconds a thing."""

    round: int
    ns: float
    place: str
    probes: list[float] = field(default_factory=list)
    answer: float | None = None


def place(probes: Sequence[float]) -> str:
    """Say where two threads were by the probes (ns) before and after: near, far or unsteady."""
    if not probes:
        return ""
    if all(ns <= NEAR for ns in probes):
        return "near"
    return "far" if all(FAR <= ns <= BUSY for ns in probes) else "unsteady"


def size(contestant: Contestant, seconds: float) -> int:
    """Return how many things take about so many seconds; warms caches and compilers up too."""
    contestant.run(contestant.start)
    count = contestant.start
    while True:
        found = contestant.run(count)
        if found.seconds > seconds / 3:
            return max(1, math.ceil(found.count * seconds / found.seconds))
        grow = seconds / max(found.seconds, 1e-9)
        count = math.ceil(found.count * min(max(grow, 2.0), 30.0))


def say(text: str) -> None:
    """Report progress where it disturbs no output."""
    print(text, file=sys.stderr, flush=True)


def rounds(
    contestants: Sequence[Contestant],
    counts: Mapping[str, int],
    n_rounds: int,
    probe: Callable[[], float] | None,
    seed: int = 0,
) -> dict[str, list[Turn]]:
    """Let every contestant take one turn in every round, in an order shuffled anew each time.

    Parameters
    ----------
    contestants : sequence of Contestant
    counts : mapping
        By `Contestant.key`, how many things a turn does; see `size`.
    n_rounds : int
    probe : callable or None
        Returns the one-way nanoseconds between two threads. None: nothing is near or far.
    seed : int
        Of the shuffling.

    Returns
    -------
    dict
        Turns by `Contestant.key`, one a round.
    """
    turns: dict[str, list[Turn]] = {one.key: [] for one in contestants}
    shuffle = random.Random(seed)
    for number in range(n_rounds):
        for one in shuffle.sample(list(contestants), len(contestants)):
            look = probe if one.threads > 1 else None
            probes = [look()] if look else []
            found = one.run(counts[one.key])
            probes += [look()] if look else []
            ns = 1e9 * found.seconds / found.count
            turns[one.key].append(Turn(number, ns, place(probes), probes, found.answer))
        say(f"    round {number + 1} of {n_rounds}")
    return turns


def group(turns: Iterable[Turn], name: str) -> list[Turn]:
    """Choose the turns of a group."""
    return [turn for turn in turns if name in ("all", turn.place)]


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return number, median, quartiles, least, and the quartiles' distance over the median."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return {
        "turns": len(values),
        "median": median,
        "quartiles": [low, high],
        "least": float(min(values)),
        "spread": (high - low) / median,
    }


def summary(turns: Sequence[Turn]) -> dict[str, Any]:
    """Summarise a contestant: by group, as far as a group has turns."""
    found = {name: [turn.ns for turn in group(turns, name)] for name in GROUPS}
    return {name: spread(ns) for name, ns in found.items() if ns}


def ratio(ours: Sequence[Turn], theirs: Sequence[Turn], name: str = "all") -> dict[str, Any] | None:
    """How many times faster ours is: the median of ratios within rounds.

    What slows both in a round cancels. In the groups near and far both must have been there, or be
    of one thread. None where fewer than `FEWEST` rounds are left.
    """

    def usable(turns: Sequence[Turn]) -> dict[int, float]:
        return {t.round: t.ns for t in turns if name == "all" or t.place in (name, "")}

    mine, other = usable(ours), usable(theirs)
    both = sorted(mine.keys() & other.keys())
    placed = any(turn.place for turn in (*ours, *theirs))
    if len(both) < FEWEST or (name != "all" and not placed):
        return None
    return spread([other[k] / mine[k] for k in both])


def as_json(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns as JSON holds them."""
    return [asdict(turn) for turn in turns]


def from_json(turns: Iterable[dict[str, Any]]) -> list[Turn]:
    """Return what `as_json` made."""
    return [Turn(**turn) for turn in turns]


def installed(name: str) -> str | None:
    """Return the version of a distribution, None if it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def cores() -> int:
    """Return how many cores this process may use."""
    import joblib

    return int(joblib.cpu_count())


def code() -> str:
    """Return a digest of all that is measured and measures, compiled or not."""
    import asysg

    here, digest = Path(__file__).parent, hashlib.sha256()
    for folder in (Path(asysg.__file__).parent, here, here.parent / "theory"):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".so", ".cpp"):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def machine() -> dict[str, Any]:
    """Say where it was measured."""
    model = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": model[0] if model else platform.processor(),
        "code": code(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: installed(name) for name in PACKAGES},
    }

"""What the package sets out to reach on two cores, and whether a record shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .measure import FEWEST, GROUPS, Turn, from_json, group, ratio, summary
from .workloads import OWN, RANKS

#: Recording by sampling may cost so much.
RECORDING = 0.03
Lines = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Goal:
    """A least rate per second, or a least ratio to a peer measured in the same rounds."""

    workload: str
    threads: int
    least: float
    against: str | None = None
    ours: str | None = None  # the fastest of ours that is faithful

    def __str__(self) -> str:
        kind = "rank" if self.ours == RANKS else "thread"
        on = f"{self.workload}, {self.threads} {kind}{'s' * (self.threads > 1)}"
        if self.ours == OWN:
            on = f"{on}, {OWN}"
        if self.against is not None:
            return f"{on}: ≥ {self.least:g} × {self.against}"
        return f"{on}: ≥ {rate(self.least)}"


GOALS = (
    Goal("W1", 1, 12e6),
    Goal("W1", 2, 20e6),
    Goal("W1", 1, 3, "numba"),
    Goal("W1", 2, 3, "numba"),
    # Within 1.3 of the built-in objective.
    Goal("W1", 1, 0.77, "asysg atomic", OWN),
    Goal("W1", 2, 0.77, "asysg replica", OWN),
    Goal("W1c", 1, 8e9),
    Goal("W2", 2, 2.2e6),
    Goal("W2", 2, 2, "numba fastmath"),
    Goal("W3-1", 1, 95e3),
    Goal("W3-1", 2, 155e3),
    Goal("W3-1", 1, 20, "PyTorch float64"),
    Goal("W3-1", 2, 20, "PyTorch float64"),
    Goal("W3-100", 1, 200e3),
    Goal("W3-100", 2, 380e3),
    Goal("W3-100", 1, 2, "PyTorch float64"),
    Goal("W3-100", 2, 2, "PyTorch float64"),
    Goal("con-1e5", 2, 60e3),
    *(Goal("con-1e5", p, 5, "mpi4py Send/Recv", RANKS) for p in (1, 2)),
    *(Goal(f"sim-{T}", 1, 18e6) for T in (1, 10, 100, 1000)),
    Goal("sim-100000", 1, 14e6),
    Goal("sim-timed", 1, 5e6),
)
#: Goals that nothing here can measure, and why.
UNMEASURED = {
    "W2, rows in their order: ≥ 3.4 M/s": "the public interface draws rows at random only",
}


def rate(value: float) -> str:
    """Write things per second."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}/s"
    return f"{value:.3g}/s"


def turns(line: dict[str, Any], name: str, p: int) -> list[Turn]:
    """Return the turns of a contestant, none if it is not there."""
    for one in line["contestants"]:
        if (one["name"], one["threads"]) == (name, p):
            return from_json(one["turns"])
    return []


def best(line: dict[str, Any], p: int) -> str | None:
    """Return the name of ours that is fastest: no update lost, recorded, in double precision."""
    found = {
        one["name"]: summary(from_json(one["turns"]))["all"]["median"]
        for one in line["contestants"]
        if one["role"] == "ours" and one["threads"] == p and faithful(one["name"])
    }
    return min(found, key=lambda name: found[name], default=None)


def faithful(name: str) -> bool:
    """Say whether a contestant of ours loses no update, measures its delays and is certified."""
    others = ("lossy", "unrecorded", "naive", "float32", RANKS, OWN)
    return not any(word in name for word in others)


def reached(goal: Goal, line: dict[str, Any]) -> dict[str, float]:
    """Return what a goal is about, by group as far as a group has it."""
    name = goal.ours or best(line, goal.threads)
    if name is None:
        return {}
    ours, found = turns(line, name, goal.threads), {}
    for place in GROUPS:
        if goal.against is not None:
            theirs = turns(line, goal.against, goal.threads)
            if (got := ratio(ours, theirs, place)) is not None:
                found[place] = got["median"]
            continue
        ns = [turn.ns for turn in group(ours, place)]
        if len(ns) >= (1 if place == "all" else FEWEST):
            found[place] = 1e9 / float(np.median(ns))
    return found


def verdict(goal: Goal, values: dict[str, float]) -> str:
    """Say met, or by how much missed. Where threads were decides: near and far must both do."""
    if not values:
        return "not measured"
    judged = {name: values[name] for name in ("near", "far") if name in values} or values
    worst = min(judged, key=lambda name: judged[name])
    share, where = judged[worst] / goal.least, f" ({worst})"
    if worst == "all":
        where = " (threads never steady)" if goal.threads > 1 else ""
    if share >= 1:
        return f"met, × {share:.2f}{where}"
    return f"missed: {share:.0%} of it{where}"


def judge(lines: Lines, quick: bool) -> Iterator[list[str]]:
    """Yield rows: goal, all, near, far, verdict."""
    for goal in GOALS:
        if goal.workload not in lines:
            continue
        values = reached(goal, lines[goal.workload])
        write = rate if goal.against is None else "× {:.2f}".format
        said = verdict(goal, values)
        cells = [write(values[place]) if place in values else "" for place in GROUPS]
        yield [str(goal), *cells, f"{said}; quick: says nothing" if quick else said]
    for name, line in lines.items():
        yield from recording(name, line)
    for what, why in UNMEASURED.items():
        yield [what, "", "", "", f"not measured: {why}"]


def recording(name: str, line: dict[str, Any]) -> Iterator[list[str]]:
    """Yield what sampled recording costs the fastest of ours, in rounds of both."""
    for p in sorted({one["threads"] for one in line["contestants"]}):
        ours = best(line, p)
        plain = turns(line, f"{ours}, unrecorded", p)
        if ours is None or not plain:
            continue
        cells, worst = [], None
        for place in GROUPS:
            got = ratio(plain, turns(line, ours, p), place)
            cells.append("" if got is None else f"{got['median'] - 1:+.1%}")
            worst = worst if got is None else max(worst or -1.0, got["median"] - 1)
        said = "not measured" if worst is None else "met" if worst < RECORDING else "missed"
        yield [f"{name}, {p}: sampled recording of {ours} costs < {RECORDING:.0%}", *cells, said]

"""What each level of ``record=`` costs: ``python -m benchmarks.recording [--rounds N] [--json]``.

Seconds are those of the whole call of `asysg.minimize`, with one recorded iterate in the middle;
levels take turns within a round, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

import asysg
from asysg import objectives
from asysg.objectives import synthetic

from .measure import machine, spread

LEVELS: tuple[str | bool, ...] = (False, "sampled", "full")
METHODS = ("asysg-incon", "hogwild", "asysg-con")
PROBLEMS = ("sparse", "dense")
THREADS = (1, 2)
#: A run takes about so long, but records no more than fits the memory a record may take.
SECONDS, MOST_UPDATES = 0.2, 1_000_000


@cache
def problem(name: str) -> objectives.Objective:
    """Sigmoid regression: N = n = 2000 with 30 nonzeros a row, or N = n = 1000 without zeros."""
    rng = np.random.default_rng(0)
    A = (
        synthetic.design(2000, 2000, density=30 / 2000, rng=rng)
        if name == "sparse"
        else synthetic.design(1000, 1000, rng=rng)
    )
    return objectives.SigmoidRegression(A, (A @ rng.normal(size=A.shape[1]) > 0).astype(float))


def seconds(name: str, method: str, p: int, record: str | bool, K: int) -> float:
    """Return the seconds of one run."""
    obj = problem(name)
    begin = time.perf_counter()
    result = asysg.minimize(
        obj,
        np.zeros(obj.n),
        method=method,
        steplength=1e-3,
        n_updates=K,
        n_records=1,
        n_threads=p,
        record=record,
        rng=0,
    )
    took = time.perf_counter() - begin
    if not (result.success and result.n_threads_used == p):
        raise RuntimeError(f"the run must go well, got\n{result}")
    return took


class Case:
    """One problem, method and number of threads; all levels."""

    def __init__(self, name: str, method: str, p: int) -> None:
        self.name, self.method, self.p = name, method, p
        trial = 10_000
        seconds(name, method, p, False, trial)
        rate = trial / seconds(name, method, p, False, trial)
        self.K = int(min(MOST_UPDATES, max(trial, SECONDS * rate)))
        self.ns: dict[str | bool, list[float]] = {level: [] for level in LEVELS}

    def round(self) -> None:
        """Measure every level once."""
        for level in LEVELS:
            took = seconds(self.name, self.method, self.p, level, self.K)
            self.ns[level].append(1e9 * took / self.K)

    def summary(self) -> dict[str, Any]:
        """Return nanoseconds per update: median and quartiles by level, and ratios to False."""
        plain = np.array(self.ns[False])
        return {
            "problem": self.name,
            "method": self.method,
            "n_threads": self.p,
            "n_updates": self.K,
            "rounds": len(plain),
            "levels": {
                str(level): {
                    **spread(ns),
                    # Of the same round: what slows all levels at once cancels.
                    "ratio": float(np.median(np.array(ns) / plain)),
                }
                for level, ns in self.ns.items()
            },
        }


def cases() -> Iterator[tuple[str, str, int]]:
    """Yield all that is measured."""
    yield from itertools.product(PROBLEMS, METHODS, THREADS)


def table(summaries: list[dict[str, Any]]) -> str:
    """Write a Markdown table: median [quartiles] and least in ns, and the median ratio."""
    lines = [
        '| problem | method | threads | record=False | "sampled" | "full" |',
        "|---|---|---|---|---|---|",
    ]
    for found in summaries:
        cells = []
        for level in LEVELS:
            one = found["levels"][str(level)]
            low, high = one["quartiles"]
            ratio = "" if level is False else f", × {one['ratio']:.2f}"
            within = f"[{low:.0f}, {high:.0f}], {one['least']:.0f}"
            cells.append(f"{one['median']:.0f} {within} ns{ratio}")
        name, method, p = found["problem"], found["method"], found["n_threads"]
        lines.append(f"| {name} | {method} | {p} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure everything, in turns, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", action="store_true", help="all numbers, not the table")
    args = parser.parse_args()
    measured = [Case(*case) for case in cases()]
    for _ in range(args.rounds):
        for case in measured:
            case.round()
    found = [case.summary() for case in measured]
    if args.json:
        print(json.dumps({"machine": machine(), "cases": found}, indent=1))
    else:
        print(", ".join(f"{name} {value}" for name, value in machine().items()))
        print(
            f"median [quartiles], least of {args.rounds} rounds, per update; "
            "× the median ratio in a round\n"
        )
        print(table(found))


if __name__ == "__main__":
    main()

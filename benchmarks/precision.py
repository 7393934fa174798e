"""What ``dtype="float32"`` gains: ``python -m benchmarks.precision [--rounds N] [--json]``.

Nanoseconds of ``Result.time`` by sample, of AsySG-con in both precisions, in turns within a round.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

import asysg

from .measure import machine, spread
from .workloads import STEP, WORKLOADS, Workload, constants, data

DTYPES = ("float64", "float32")
NAMES = ("W2", "W3-1", "W3-10", "W3-100", "con-1e3", "con-1e5", "con-1e6")
THREADS = (1, 2)
#: A run takes about so long.
SECONDS = 0.2


class Case:
    """One workload and number of threads, in both precisions."""

    def __init__(self, workload: Workload, p: int, quick: bool = False) -> None:
        self.workload, self.p = workload, 1
        self.given = data(workload.kind, workload.size, quick)
        self.M = workload.size if workload.kind == "W3" else 1
        self.ns: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
        # Counted on one thread, and by the fastest run: others may want the cores meanwhile.
        self.K, least = 2, (0.005 if quick else SECONDS) / 4
        while min(self.seconds("float64") for _ in range(3)) < least:
            self.K *= 2
        self.K *= p
        self.p = p

    def seconds(self, dtype: str) -> float:
        """Return the seconds of one run."""
        result = asysg.minimize(
            self.given.objective,
            self.given.x0,
            method="asysg-con",
            steplength=STEP[self.workload.kind] / self.M,
            batch_size=self.M,
            n_updates=self.K,
            n_records=1,
            n_threads=self.p,
            constants=constants(self.given.objective.n),
            dtype=dtype,
            rng=0,
        )
        if not (result.success and result.n_threads_used == self.p):
            raise RuntimeError(f"the run must go well, got\n{result}")
        return result.time

    def round(self) -> None:
        """Measure both once."""
        for dtype in DTYPES:
            self.ns[dtype].append(1e9 * self.seconds(dtype) / (self.K * self.M))

    def summary(self) -> dict[str, Any]:
        """Return nanoseconds per sample by precision, and how many times faster float32 is."""
        double, single = (np.array(self.ns[dtype]) for dtype in DTYPES)
        return {
            "workload": self.workload.name,
            "n_threads": self.p,
            "n_updates": self.K,
            "rounds": len(double),
            **{dtype: spread(self.ns[dtype]) for dtype in DTYPES},
            # Of the same round: what slows both cancels.
            "gain": float(np.median(double / single)),
        }


def cases() -> Iterator[tuple[Workload, int]]:
    """Yield all that is measured."""
    by_name = {workload.name: workload for workload in WORKLOADS}
    for name in NAMES:
        for p in THREADS:
            yield by_name[name], p


def table(summaries: list[dict[str, Any]]) -> str:
    """Write a Markdown table: medians [quartiles] in microseconds, and the median ratio."""
    lines = ["| workload | threads | float64 | float32 | gain |", "|---|---|---|---|---|"]
    for found in summaries:
        cells = []
        for dtype in DTYPES:
            low, high = (number / 1e3 for number in found[dtype]["quartiles"])
            cells.append(f"{found[dtype]['median'] / 1e3:.3g} [{low:.3g}, {high:.3g}] µs")
        lines.append(
            f"| {found['workload']} | {found['n_threads']} | {' | '.join(cells)} "
            f"| × {found['gain']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure everything, in turns, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
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
        print(f"median [quartiles] of {args.rounds} rounds, per sample; × the median of ratios\n")
        print(table(found))


if __name__ == "__main__":
    main()

"""Events a second of the simulator: ``python -m benchmarks.simulator [--rounds N] [--json]``.

AsySG-incon, M = 1, on sparse sigmoid regression with n = 20,000 and 30 nonzeros a row: N = 100,000
rows, more than the caches hold, or N = 2000 rows, which they do. One event is one update of the
theorem. Seconds are the processor's (one thread runs, and shares its core), of the whole call of
`asysg.simulate.minimize`, at a steplength of 1e-3, with one recorded iterate between start and end;
the best of the rounds, and the median.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import cache
from typing import Any

import numpy as np

from asysg import objectives, simulate
from asysg.objectives import synthetic
from asysg.simulate import delays, speeds

from .recording import machine

ROWS = {"in cache": 2000, "W1c": 100_000}
EVENTS = 5_000_000
CASES: dict[str, dict[str, Any]] = {
    **{f"uniform delays, T = {T}": {"delays": delays.uniform(T)} for T in (1, 1000, 100_000)},
    **{
        f"{name}, p = {p}": {"n_workers": p, "speeds": law}
        for p in (1000, 100_000)
        for name, law in (
            ("deterministic", speeds.deterministic()),
            ("exponential", speeds.exponential()),
            ("lognormal", speeds.lognormal()),
        )
    },
}


@cache
def problem(rows: int) -> objectives.Objective:
    """Sigmoid regression with 30 nonzeros a row."""
    A = synthetic.design(rows, 20_000, density=30 / 20_000, rng=0)
    A.indices = A.indices.astype(np.int32)
    return objectives.SigmoidRegression(A, np.arange(rows) % 2.0)


def rate(rows: int, case: str, events: int = EVENTS) -> float:
    """Return millions of events a second of one run."""
    obj = problem(rows)
    begin = time.process_time()
    result = simulate.minimize(
        obj,
        np.zeros(obj.n),
        steplength=1e-3,
        n_updates=events,
        n_records=1,
        constants=obj.constants(np.zeros(obj.n), T=1),
        rng=0,
        **CASES[case],
    )
    took = time.process_time() - begin
    if not result.success:
        raise RuntimeError(f"{case}: {result.message}")
    return events / took / 1e6


def main() -> None:
    """Print a table, or JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(args.rounds):
        for where, rows in ROWS.items():
            for case in CASES:
                found.setdefault((where, case), []).append(rate(rows, case))
    for (where, case), rates in found.items():
        best, middle = max(rates), statistics.median(rates)
        if args.json:
            print(json.dumps({"problem": where, "case": case, "rates": rates, **machine()}))
        else:
            print(f"{where:9} {case:28} {best:6.1f} M events/s (median {middle:.1f})")


if __name__ == "__main__":
    main()

"""What this machine can do at most, and what that means for each workload.

A floor is the least time a workload's thing can take by one limit that no program escapes; how it
is made is said beside it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .measure import cores
from .native import Library, NoCompiler, library
from .workloads import Workload, data

#: Bytes of a working set that lies in a cache, for any machine of the last ten years, and in DRAM.
L2, L3, DRAM = 256 * 2**10, 8 * 2**20, 512 * 2**20
LINE = 64


def ping_pong() -> float:
    """Return one-way nanoseconds of a cache line between two threads: milliseconds to know."""
    return 1e9 * library()("ping_pong", 20, 500)


def prober() -> Callable[[], float] | None:
    """Return `ping_pong` if it can be had: a compiler, two cores."""
    try:
        library()
    except NoCompiler:
        return None
    return ping_pong if cores() > 1 else None


def limits(quick: bool = False) -> dict[str, Any]:
    """Measure the limits, each the best of three: bytes, operations per second, or ns.

    Raises
    ------
    NoCompiler
        If there is nothing to measure them with.
    """
    native, scale, top = library(), 0.05 if quick else 1.0, DRAM // 8 if quick else DRAM
    team = sorted({1, min(2, cores())})
    found: dict[str, Any] = {}
    for p in team:
        flops = np.zeros(1)
        steps = int(2e7 * scale)
        took = _best(lambda p=p, s=steps, f=flops: native("fma_steps", s, p, f))
        found[f"fma GFLOP/s, {p}"] = flops[0] * steps * p / took / 1e9
        for name, size in (("L2", L2), ("L3", L3), ("DRAM", top)):
            passes = max(1, int(4e9 * scale / size))
            took = _best(lambda p=p, n=size // 8, k=passes: native("read_pass", n, k, p))
            found[f"read {name} GB/s, {p}"] = p * passes * size / took / 1e9
        steps = int(2e7 * scale)
        for name, function in (("fetch_add", "fetch_adds"), ("CAS add", "cas_adds")):
            took = _best(lambda p=p, s=steps, f=function: native(f, s, p))
            found[f"{name} ns, {p}"] = 1e9 * took / steps / p
        for kind in ("W1", "W2"):
            rows, lines = _row(kind, quick)
            steps = max(1, int(3e7 * scale / lines))
            took = _best(lambda p=p, r=rows, n=lines, s=steps: native("records", r, n, s, p))
            found[f"random row of {kind} ns, {p}"] = 1e9 * took / steps / p
    for name, size in (("L2", L2), ("L3", L3), ("DRAM", top)):
        steps = int(3e6 * scale)
        took = _best(lambda n=size, s=steps: native("chase", n, s))
        found[f"latency {name} ns"] = 1e9 * took / steps
    if cores() > 1:
        found["ping-pong ns"] = sorted(ping_pong() for _ in range(5))[2]
    return found


def _row(kind: str, quick: bool) -> tuple[int, int]:
    """Return how many rows there are, and how many cache lines one fills when it is packed."""
    A = data(kind, quick=quick).A
    stored = 8 * A.shape[1] if kind == "W2" else 12 * A.nnz // A.shape[0]
    return A.shape[0], math.ceil(stored / LINE)


def _best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(3))


def floor(
    workload: Workload, p: int, found: dict[str, Any], quick: bool
) -> tuple[float, str] | None:
    """Return the least nanoseconds of a workload's thing on p threads by these limits, and why.

    None where no limit is known: more threads than were measured, or the simulator.
    """
    if p > 2 or f"fma GFLOP/s, {p}" not in found:
        return None
    if workload.kind in ("W1", "W1c", "W2"):
        kind = workload.kind[:2]
        bound, why = found[f"random row of {kind} ns, {p}"], "reading a random row, packed"
        if workload.kind != "W1c":
            return bound, why
        A = data("W1c", quick=quick).A
        share = A.nnz / math.prod(A.shape)
        return bound * share, f"{why}, for the {share:.2%} of updates that change anything"
    if workload.kind == "W3":
        return _network(workload.size, data("W3", workload.size, quick).layers, p, found)
    if workload.kind == "con":
        return _con(data("con", workload.size, quick).x0.size, p, library())
    return None


def _network(M: int, layers: tuple[int, ...], p: int, found: dict[str, Any]) -> tuple[float, str]:
    """The larger of arithmetic and, per update, reading what must be read of the parameters."""
    inputs, n = layers[0] * layers[1], sum((a + 1) * b for a, b in itertools.pairwise(layers))
    # Two operations a parameter forward, two for its derivative, two to pass errors down (not to
    # the inputs); reads to go forward, down, and to be added to.
    arithmetic = (6 * n - 2 * inputs) / found[f"fma GFLOP/s, {p}"]
    reading = 8 * (3 * n - inputs) / found[f"read L2 GB/s, {p}"] / M
    if arithmetic > reading:
        return arithmetic, "multiply-adds"
    return reading, "parameters read three times an update from L2"


def _con(n: int, p: int, native: Library) -> tuple[float, str]:
    """One pass that computes and one that applies and reads, every thread its part of x."""
    part, rounds = max(1, n // p), max(10, int(2e8 / n))
    x, centre = np.zeros(part), np.ones(part)
    took = _best(lambda: native("con", x, centre, part, 0.01, rounds, 1))
    return 1e9 * took / rounds, "two passes over x by one thread" + (
        "" if p == 1 else f", over 1/{p} of it"
    )

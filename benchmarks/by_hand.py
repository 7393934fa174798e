"""The yardstick: the same loops by hand in C++ (`native.cpp`), compiled for this machine."""

from __future__ import annotations

import math

import numpy as np

from .measure import Absent, Contestant, Reading
from .native import ATOMIC, PLAIN, REPLICA, NoCompiler, library
from .workloads import STEP, Contestants, Workload, data

#: Updates between two merges of a replica, as they did best when the workloads were chosen.
EVERY = {"W1": 4096, "W2": 16}
MODES = {
    "C++ racy": (PLAIN, "plain loads and stores: loses updates"),
    "C++ atomic": (ATOMIC, "compare-and-swap adds"),
    "C++ replica": (REPLICA, "private copies merged by segments, no clock"),
}


def by_hand(workload: Workload, p: int, quick: bool) -> Contestants:
    """Yield the loops that exist for a workload; absent, all of them, without a compiler."""
    try:
        library()
    except NoCompiler as reason:
        yield Absent("C++ by hand", str(reason))
        return
    if workload.kind in ("W1", "W2"):
        modes = {"C++": MODES["C++ racy"]} if p == 1 else MODES
        for name, (mode, computes) in modes.items():
            if workload.kind == "W1":
                yield _w1(name, mode, computes, p, quick)
                continue
            for sequential in (False, True):
                yield _w2(name, mode, computes, p, quick, sequential)
    elif workload.kind == "W1c" and p == 1:
        yield _w1c(quick)
    elif workload.kind == "con":
        yield _con(workload, p, quick)
    elif workload.kind == "sim" and p == 1 and workload.size is not None:
        yield _scan(workload, quick)


def _w1(name: str, mode: int, computes: str, p: int, quick: bool) -> Contestant:
    given = data("W1", quick=quick)
    A, y = given.A, given.y
    start, (N, n) = A.indptr.astype(np.int64), A.shape

    def run(count: int) -> Reading:
        x = given.x0.copy()
        took = library()(
            "w1", A.data, A.indices, start, y, N, x, n, STEP["W1"], count, p, mode, EVERY["W1"], 1
        )
        return Reading(took, count, given.objective.value(x))

    return Contestant(name, "by hand", p, run, f"the same, prefetching rows; {computes}")


def _w2(name: str, mode: int, computes: str, p: int, quick: bool, sequential: bool) -> Contestant:
    given = data("W2", quick=quick)
    N, n = given.A.shape

    def run(count: int) -> Reading:
        x = given.x0.copy()
        took = library()(
            "w2", given.A, given.y, N, x, n, STEP["W2"], count, p, mode, EVERY["W2"],
            int(sequential), 1,
        )  # fmt: skip
        return Reading(took, count, given.objective.value(x))

    order = "rows in their order: not our task" if sequential else "random rows"
    name = f"{name}, sequential" if sequential else name
    return Contestant(name, "by hand", p, run, f"the same; {order}; {computes}")


def _w1c(quick: bool) -> Contestant:
    given = data("W1c", quick=quick)
    A, y = given.A, given.y
    start, (N, n) = A.indptr.astype(np.int64), A.shape
    row_of = np.repeat(np.arange(N, dtype=np.int32), np.diff(start))

    def run(count: int) -> Reading:
        x = given.x0.copy()
        took = library()("w1c", A.data, A.indices, start, row_of, y, N, x, n, STEP["W1c"], count, 1)
        return Reading(took, count, given.objective.value(x))

    computes = "the same process in law: skips the updates that change nothing"
    return Contestant("C++ skip-ahead", "by hand", 1, run, computes, start=100_000)


def _con(workload: Workload, p: int, quick: bool) -> Contestant:
    given = data("con", workload.size, quick)

    def run(count: int) -> Reading:
        x = given.x0.copy()
        took = library()("con", x, given.arrays["centre"], x.size, STEP["con"], count, p)
        return Reading(took, count, given.objective.value(x))

    computes = "the same: hand over hand through segments, every snapshot an iterate"
    return Contestant(
        "C++ pipeline", "by hand", p, run, computes, start=math.ceil(1e5 / given.x0.size)
    )


def _scan(workload: Workload, quick: bool) -> Contestant:
    given = data("sim", quick=quick)
    A, y = given.A, given.y
    start, (N, n) = A.indptr.astype(np.int64), A.shape

    def run(count: int) -> Reading:
        x = given.x0.copy()
        took = library()(
            "history_scan", A.data, A.indices, start, y, N, x, n, STEP["sim"], workload.size,
            count, 1,
        )  # fmt: skip
        return Reading(took, count, given.objective.value(x))

    computes = "the same law: every read takes back the updates it missed, one by one"
    return Contestant("C++ history scan", "by hand", 1, run, computes, start=10)

"""What the values of a run must be where the order of its additions is not recorded.

The order of the additions changes their sum by rounding alone, and by how much at most is known. In
replica mode an update of an entry is rounded when it is added to the worker's copy, and the
merge that brings it into the shared x rounds a difference and a sum more, unless nobody else has
changed the entry; so c updates are rounded at most 3c times. Every number rounded is the start
plus some of the increments, or some of them alone, hence no larger than S = |start| + the sum of
their absolute values, and each rounding errs by at most S 2^-53 (to first order; `ROUNDINGS` has
room for the rest and for the sums made here).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ReplayError
from ._chain import by_coordinate

#: Roundings an update, here and in the run.
ROUNDINGS = 16
UNIT = 2.0**-53

Vector = NDArray[np.float64]


def slack(count: NDArray[np.int64] | int, size: Vector | float) -> Any:
    """Bound the rounding of two sums of `count` increments; `size` is S."""
    return ROUNDINGS * count * UNIT * size


def require_close(x: Vector, expected: Vector, count: NDArray[np.int64], size: Vector) -> None:
    """Raise unless x is what the record leads to, but for the order of additions."""
    bad = np.flatnonzero(~(np.abs(x - expected) <= slack(count, size)))
    if bad.size:
        i = bad[0]
        raise ReplayError(
            f"x must be what the record leads to but for rounding, {expected[i]!r} in coordinate "
            f"{i}, got {x[i]!r} ({bad.size} coordinates differ)."
        )


def added(log: NDArray[Any], x0: Vector) -> tuple[Vector, NDArray[np.int64], Vector]:
    """Return x0 plus all increments, how many there are for each entry, and S."""
    i, n, x = log["coordinate"], len(x0), x0.copy()
    np.add.at(x, i, log["increment"])
    size = np.abs(x0) + np.bincount(i, np.abs(log["increment"]), minlength=n)
    return x, np.bincount(i, minlength=n), size


def outside_windows(log: NDArray[Any], reads: NDArray[np.float64], x0: Vector) -> NDArray[np.bool_]:
    """Tell of each update whether it read a value that its window does not allow.

    A copy of x contains all updates before the window, all of its worker's own, and any of the
    others' in the window: the value lies between the sums with all of their negative and with
    all of their positive increments.
    """
    bad = np.zeros(len(log), dtype=bool)
    number = np.arange(len(log))
    rows_of = dict(by_coordinate(log, len(x0)))
    for j, start in enumerate(x0):
        rows = rows_of.get(j, np.empty(0, dtype=np.int64))
        increment, worker = log["increment"][rows], log["worker"][rows]
        sure = start + _before(log["start"], rows, increment)
        least = sure + _within(log["start"], number, rows, np.minimum(increment, 0.0))
        most = sure + _within(log["start"], number, rows, np.maximum(increment, 0.0))
        for w in np.unique(worker):
            mine, own = log["worker"] == w, worker == w
            for bound, other in ((least, np.maximum), (most, np.minimum)):
                missing = other(increment[own], 0.0)
                bound[mine] += _within(log["start"][mine], number[mine], rows[own], missing)
        room = slack(len(rows), abs(start) + float(np.abs(increment).sum()))
        seen = reads[:, :, j]
        inside = (seen >= (least - room)[:, np.newaxis]) & (seen <= (most + room)[:, np.newaxis])
        bad |= ~(inside | np.isnan(seen)).all(axis=1)
    return bad


def _before(k: NDArray[np.int64], rows: NDArray[np.int64], increment: Vector) -> Vector:
    """Sum the increments of updates before each k."""
    total = np.concatenate([[0.0], np.cumsum(increment)])
    return np.asarray(total[np.searchsorted(rows, k)])


def _within(
    start: NDArray[np.int64], k: NDArray[np.int64], rows: NDArray[np.int64], increment: Vector
) -> Vector:
    """Sum the increments of updates start, ..., k - 1."""
    return _before(k, rows, increment) - _before(start, rows, increment)

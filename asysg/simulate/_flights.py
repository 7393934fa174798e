"""How many gradients a schedule of delays has under way at once."""

from __future__ import annotations

import numpy as np

from .._plan import Plan
from ._compiled import schedule_key
from .delays import Delays

#: Updates looked at together.
BLOCK = 1 << 16


def flights(plan: Plan, schedule: Delays) -> tuple[int, bool]:
    """Return P, and whether all samples of every update read the same iterate.

    P is one more than the largest number of updates that miss one and the same earlier update:
    for P workers with one read per update it is at most their number. Delays that an adversary
    chooses are known only once they occur; any of at most T have P <= T + 1.
    """
    if schedule.watch is not None:
        return schedule.T + 1, True
    # Entry i of `change`: how many more updates miss update first + i than the one before it.
    change, first, under_way, most = np.zeros(0, dtype=np.int64), 0, 0, 0
    one_read, key = True, schedule_key(plan)
    for start in range(0, plan.K, BLOCK):
        stop = min(start + BLOCK, plan.K)
        k = np.arange(start, stop)
        table = np.minimum(schedule.table(key, start, stop, plan.M), k[:, np.newaxis])
        oldest = table.max(axis=1)
        one_read &= bool((table == oldest[:, np.newaxis]).all())
        size = stop - first
        change = np.append(change, np.zeros(size - len(change), dtype=np.int64))
        change += np.bincount(k - oldest - first, minlength=size)
        change -= np.bincount(k - first, minlength=size)
        # What comes later reads at most T updates back.
        known = size if stop == plan.K else max(0, stop - schedule.T - first)
        counts = under_way + np.cumsum(change[:known])
        if known:
            most, under_way = max(most, int(counts.max())), int(counts[-1])
        change, first = change[known:], first + known
    return 1 + most, one_read

"""The order in which additions to one coordinate really happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ReplayError


def by_coordinate(log: NDArray[Any], n: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield (coordinate, its updates in the order of their numbers) for those that have any."""
    order = np.argsort(log["coordinate"], kind="stable")
    edges = np.searchsorted(log["coordinate"][order], np.arange(n + 1))
    for i in range(n):
        if edges[i] < edges[i + 1]:
            yield i, order[edges[i] : edges[i + 1]]


class Chain:
    """The history of one entry of x, recovered from its flight record.

    Every update's record says which value its write replaced and which value it wrote (`before` +
    `increment`, and the proximal step if there is one). So the updates are edges between values,
    and their order is a path that uses every edge once, an Eulerian path, from the start value.
    Where a value occurs more than once there may be several such paths; they all end in the same
    value, and the search prefers the order of the update numbers.

    Parameters
    ----------
    rows : structured ndarray
        The entries of the updates of this coordinate.
    numbers : ndarray of int64
        Their numbers in the run.
    start : float
        The first value.
    written : ndarray
        The value that each of them wrote.

    Attributes
    ----------
    order : ndarray of int64
        Numbers of the updates in the order in which they were written.
    versions : ndarray
        The values of the entry: the start, then the value after each of them.
    n_lost : int
        Updates that the last value does not contain.

    Raises
    ------
    ReplayError
        If the updates do not form one chain.
    """

    def __init__(
        self,
        rows: NDArray[Any],
        numbers: NDArray[np.int64],
        start: float,
        written: NDArray[np.float64],
    ) -> None:
        after = written.tolist()
        replaced, before = rows["replaced"].tolist(), rows["before"].tolist()
        path = _eulerian(replaced, after, start)
        if len(path) != len(rows):
            first = int(min(set(range(len(rows))) - set(path)))
            raise ReplayError(
                f"the additions to coordinate {rows['coordinate'][first]} do not follow from one "
                f"another at update k = {numbers[first] + 1}."
            )
        self.order = numbers[path]
        self.versions = np.array([start, *(after[e] for e in path)])
        self.n_lost = len(path) - _survivors(path, before, after, start)


def _eulerian(sources: list[float], targets: list[float], start: float) -> list[int]:
    """Return edges in the order of a path from `start` (Hierholzer), as many as it reaches."""
    leaving: dict[float, list[int]] = defaultdict(list)
    for edge in range(len(sources) - 1, -1, -1):  # so that pop() takes the earliest
        leaving[sources[edge]].append(edge)
    stack: list[tuple[float, int]] = [(start, -1)]
    path: list[int] = []
    while stack:
        value, edge = stack[-1]
        if leaving.get(value):
            nxt = leaving[value].pop()
            stack.append((targets[nxt], nxt))
        else:
            stack.pop()
            if edge >= 0:
                path.append(edge)
    path.reverse()
    # Where the graph has no Eulerian path the pieces found do not join.
    at = start
    for done, edge in enumerate(path):
        if sources[edge] != at:
            return path[:done]
        at = targets[edge]
    return path


def _survivors(path: list[int], before: list[float], after: list[float], start: float) -> int:
    """Count the updates that the last value contains: the last one, the one it added to, ..."""
    latest: dict[float, int] = {start: 0}  # value -> updates it contains, of its last version
    contained = 0
    for edge in path:
        # A racing write adds to a value that may have been replaced meanwhile.
        if before[edge] not in latest:
            raise ReplayError(
                f"an update of one coordinate added to {before[edge]!r}, which the coordinate had "
                "not been before."
            )
        contained = latest[before[edge]] + 1
        latest[after[edge]] = contained
    return contained

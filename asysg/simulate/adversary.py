"""Delays chosen to slow convergence: worst cases to hold a bound against.

Two adversaries, kept apart because the theorems keep them apart. An *oblivious* one knows the
problem, the method and the law of the noise, but not the noise of the run: every theorem covers
it. One that *watches* the run chooses from the iterates, hence from the noise so far: of the
theorems only the robust form covers it, and the certificate of such a run says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import choice, integer, number, vector
from .._core.recursion import Recursion
from .._draws import RNG, Key, key_from
from .._plan import need_objective
from ..errors import InvalidArgument
from ..objectives import Objective
from .delays import Delays, given

__all__ = ["oblivious", "watching"]

Vector = NDArray[np.float64]
Table = NDArray[np.int64]


def watching(obj: Objective, T: int) -> Delays:
    """Read, of the last T + 1 iterates, the one whose gradient points least downhill at x_k.

    The delay of update k minimises <grad f(x_k), grad f(x_{k - tau})> over tau = 0..T. It depends
    on all noise before update k and on none of update k itself, as Theorem R allows.

    Parameters
    ----------
    obj : Objective
        What will be minimised; every update costs a full gradient besides.
    T : int
        At least 0.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        For a T out of range, or no objective.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import adversary
    >>> obj = asysg.objectives.CosineQuadratic(n=5, sigma=0.5)
    >>> res = asysg.simulate.minimize(
    ...     obj, np.ones(5), method="asysg-con", delays=adversary.watching(obj, T=4), rng=0,
    ...     steplength=0.01, n_updates=500, form="robust")
    >>> "reads oblivious" in {h.name for h in res.certificate.hypotheses}
    False
    """
    T = integer("T", T, least=0)
    need_objective(obj)

    def watch() -> Callable[[int, Vector], int]:
        past = np.zeros((T + 1, obj.n))

        def choose(k: int, x: Vector) -> int:
            slope = past[k % (T + 1)] = obj.gradient(x)
            ages = np.arange(min(k, T) + 1)
            return int(np.argmin(past[(k - ages) % (T + 1)] @ slope))

        return choose

    def refuse(key: Key, start: int, stop: int, M: int) -> Table:
        raise InvalidArgument("delays must be oblivious to have a table, got watching.")

    return Delays(f"watching({T})", T, refuse, watch=watch)


def oblivious(
    obj: Objective,
    x0: ArrayLike,
    *,
    T: int,
    n_updates: int,
    steplength: float,
    method: str = "asysg-con",
    batch_size: int = 1,
    search: str = "greedy",
    n_trials: int = 8,
    n_candidates: int = 20,
    rng: RNG = None,
) -> Delays:
    """Search for a table of delays that makes the gradients of such runs large on average.

    The search sees `n_trials` runs of its own, with noise from `rng`; the table it returns is
    fixed before any run it is used in, which must be given another seed.

    Parameters
    ----------
    obj, x0, method, batch_size
        As in `asysg.simulate.minimize`; method "asysg-con" or "asysg-incon".
    T : int
        No delay exceeds it, at least 0.
    n_updates : int
        Rows of the table, at least 1.
    steplength : float
        > 0.
    search : {"greedy", "random"}
        "greedy": cut the run into blocks of T + 1 updates and give each in turn, of a menu of
        patterns, the one after which the mean of ||grad f||^2 is largest. "random": of
        `n_candidates` tables with random patterns, the one with the largest mean over the run.
    n_trials : int
        Runs over which the mean is taken, at least 1.
    n_candidates : int
        At least 1.
    rng : int, Generator, SeedSequence or None
        Of the search.

    Returns
    -------
    Delays

    Raises
    ------
    InvalidArgument
        For every argument that cannot be.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import adversary
    >>> obj = asysg.objectives.CosineQuadratic(n=5, sigma=0.5)
    >>> worst = adversary.oblivious(
    ...     obj, np.ones(5), T=4, n_updates=500, steplength=0.05, rng=1)
    >>> res = asysg.simulate.minimize(
    ...     obj, np.ones(5), method="asysg-con", delays=worst, steplength=0.05, n_updates=500,
    ...     rng=2)
    >>> res.staleness.max
    4
    """
    need_objective(obj)
    choice("method", method, ("asysg-con", "asysg-incon"))
    choice("search", search, ("greedy", "random"))
    T, K = integer("T", T, least=0), integer("n_updates", n_updates, least=1)
    M, R = integer("batch_size", batch_size, least=1), integer("n_trials", n_trials, least=1)
    candidates = integer("n_candidates", n_candidates, least=1)
    gamma = np.array([number("steplength", steplength, above=0)])
    start = vector("x0", x0, obj.n)
    random = np.random.default_rng(key_from(rng))
    keys = [key_from(random) for _ in range(R)]

    def engine(key: Key) -> Recursion:
        return Recursion(
            obj._capsule, start, whole=method == "asysg-con", M=M, T=T, key=key
        )  # fmt: skip

    def fork(old: Recursion, key: Key) -> Recursion:
        new = Recursion(
            obj._capsule, old.x, whole=method == "asysg-con", M=M, T=T, key=key, clock=old.clock
        )
        new.restore(old.pending())
        return new

    def size(x: Vector) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            square = float(np.sum(obj.gradient(x) ** 2))
        return square if np.isfinite(square) else np.inf

    blocks = [(begin, min(K, begin + T + 1)) for begin in range(0, K, T + 1)]
    if search == "greedy":
        runs = [engine(key) for key in keys]
        chosen = []
        for begin, end in blocks:
            best = None
            for ages in _menu(T, end - begin, random):
                table = np.repeat(ages[:, np.newaxis], M, axis=1)
                tried = [fork(run, key) for run, key in zip(runs, keys, strict=True)]
                for run in tried:
                    run.advance(end, gamma, table)
                score = float(np.mean([size(run.x) for run in tried]))
                if best is None or score > best[0]:
                    best = score, ages, tried
            assert best is not None  # the menu is never empty
            chosen.append(best[1])
            runs = best[2]
        ages = np.concatenate(chosen)
    else:
        scores, tables = [], []
        for _ in range(candidates):
            parts = [
                menu[int(random.integers(len(menu)))]
                for menu in (list(_menu(T, end - begin, random)) for begin, end in blocks)
            ]
            tables.append(np.concatenate(parts))
            table = np.repeat(tables[-1][:, np.newaxis], M, axis=1)
            total = 0.0
            for key in keys:
                run = engine(key)
                for begin, end in blocks:
                    run.advance(end, gamma, table[begin:end])
                    total += size(run.x)
            scores.append(total)
        ages = tables[int(np.argmax(scores))]
    worst = given(ages)
    return replace(worst, name=f"adversarial({search}), {worst.name}")


def _menu(T: int, length: int, random: np.random.Generator) -> Iterator[Table]:
    """Yield patterns of delays for a block of updates."""
    k = np.arange(length)
    yield np.zeros(length, dtype=np.int64)
    if T == 0:
        return
    yield np.full(length, T)
    yield np.full(length, T // 2)
    yield k % (T + 1)  # all read the first iterate of the block
    yield T - k % (T + 1)  # the reads catch up, two iterates an update
    yield T * (k % 2)
    yield random.integers(T + 1, size=length)

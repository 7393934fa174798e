"""Run a flight record again, and hold it against itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _draws
from .._core.recursion import Recursion
from .._plan import Plan
from .._proximal import kernel
from ..errors import InvalidArgument, ReplayError
from ..result import Result
from ..steplengths import adapted
from . import _served
from ._chain import Chain, by_coordinate
from ._single import Single
from ._sums import added, outside_windows, require_close

#: Updates replayed at once.
BLOCK = 1 << 16


@dataclass(frozen=True)
class Replay:
    """What a replay found; that there is one says that nothing contradicted the record.

    Attributes
    ----------
    x : ndarray of shape (n,)
        The final x, computed again.
    exact : bool
        True: to the last bit. False: up to the order of additions, which several lock-free
        workers leave to the machine; the difference is within the bound of their rounding.
    n_lost : int
        Updates lost by racing writes, counted one by one.
    updates_by_worker : ndarray of int64
    checked : tuple of str
        What was checked, in words.
    """

    x: NDArray[np.float64]
    exact: bool
    n_lost: int
    updates_by_worker: NDArray[np.int64]
    checked: tuple[str, ...]
    _result: Result

    def iterates(self, every: int = 1) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield (k, x_k) for k = 1, 1 + every, ... up to nit + 1, as the theory numbers them.

        For lock-free methods x_k is the start plus the updates 1, ..., k - 1, added in this
        order; for the others it is the iterate the workers saw, to the bit.

        Parameters
        ----------
        every : int
            At least 1.
        """
        if every < 1:
            raise InvalidArgument.of("every", "must be at least 1", every)
        for done, x in _states(self._result, every):
            if done % every == 0:
                yield done + 1, x.copy()

    def ergodic(self, every: int = 1) -> float:
        """Return the mean of ||grad f(x_k)||^2 over the iterates k = 1, 1 + every, ... <= nit.

        With a proximal term, of the squared norm of the gradient mapping.

        With ``every=1`` this is the ergodic gradient norm of the run itself, no estimate.
        """
        plan, nit = _plan(self._result), self._result.nit
        norms = [
            float(np.sum(plan.gradient(x, k) ** 2)) for k, x in self.iterates(every) if k <= nit
        ]
        return float(np.mean(norms))


def replay(result: Result) -> Replay:
    """Recompute a recorded run from its record, and check the record against itself.

    Parameters
    ----------
    result : Result
        Of `asysg.minimize` or `asysg.mpi.minimize` with ``record="full"`` or ``"full+reads"``, or
        of timed virtual workers with ``record="full"``, in the process that made it (the objective
        is needed).

    Returns
    -------
    Replay
        For "asysg-con" and "sgd", on any number of threads, and for every method on MPI ranks,
        every gradient is computed again at what the record says was read, and x agrees to the last
        bit; so it does for the lock-free methods on one thread, and for all virtual workers. For
        "asysg-incon" and "asyscd" on several threads the additions to each coordinate are put back
        in the order in which they happened, and x agrees to the last bit; with recorded reads every
        increment is computed again from them, and every value read must be one that the recorded
        window allows. For "hogwild" on several threads this needs recorded reads, and x agrees up
        to the order of additions.

    Raises
    ------
    InvalidArgument
        If the result has no record, or none that can be replayed.
    ReplayError
        Naming the first update at which the record contradicts itself.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> res = asysg.minimize(
    ...     obj, np.ones(20), method="asysg-con", steplength=0.05, n_updates=5000,
    ...     record="full", rng=0)
    >>> asysg.simulate.replay(res).exact
    True
    """
    plan, log = _plan(result), _log(result)
    if plan.update == "served in float32":
        raise InvalidArgument.of(
            "result", "must be of a run whose vectors travelled in float64", plan.update,
            "What was read is known to 24 bits only.",
        )  # fmt: skip
    if plan.prox is not None and plan.method == "hogwild" and not plan.simulated:
        raise InvalidArgument.of(
            "result", "must be of a run without prox for hogwild on threads", str(plan.prox),
            "Proximal steps among racing updates do not add up. 'asysg-con' replays.",
        )  # fmt: skip
    if result.status in ("diverged", "failed"):
        raise InvalidArgument.of(
            "result", "must be of a run that went well", result.status, "Its end is not whole."
        )
    checked = [_clock(result, plan, log)]
    n_lost, exact = 0, True
    recomputable, incon = _recomputable(result, plan, log), plan.algorithm == "incon"
    if recomputable:
        *_, (_, x) = _states(result, BLOCK)
        checked.append("every gradient computed again at the iterate that was read")
        _same(x, result.x)
    merged = plan.update == "replica" and not recomputable
    if incon and merged:
        x, exact = _merged(result, plan, log), False
        checked.append("x the sum of all increments, within the bound of its rounding")
    elif incon:
        x, n_lost = _chains(result, plan, log)
        checked.append("the additions to every coordinate, in the order they happened")
    if incon and result.reads is not None:
        _increments(result, plan, log)
        checked.append("every increment computed again from what was read")
        if merged:
            _require(
                ~outside_windows(log, result.reads, plan.x0),
                "value read that the recorded window does not allow",
            )
        else:
            _windows(result, plan, log)
        checked.append("every value read allowed by the recorded window")
    if not (recomputable or incon):
        if result.reads is None or plan.update == "lossy":
            raise InvalidArgument.of(
                "result",
                "must have recorded reads and lose no update for hogwild on several threads",
                (result.record, result.update),
                'Use record="full+reads".',
            )
        x, exact = _from_reads(result, plan, log), False
        checked.append("every update computed again from what was read")
    counts = np.bincount(log["worker"], minlength=_workers(result, plan))
    return Replay(x, exact, n_lost, counts, tuple(checked), result)


def _workers(result: Result, plan: Plan) -> int:
    return plan.virtual_workers or result.n_threads_used


def _plan(result: Result) -> Plan:
    if result._plan is None:
        raise InvalidArgument.of(
            "result", "must come from a run of this process", "one read from a file"
        )
    return result._plan


def _log(result: Result) -> NDArray[Any]:
    if result.log is None:
        raise InvalidArgument.of(
            "result", "must have a flight record", result.record, 'Use record="full".'
        )
    return result.log


def _require(good: NDArray[np.bool_] | bool, what: str) -> None:
    """Raise unless all entries, one an update, are true."""
    bad = np.flatnonzero(~np.atleast_1d(good))
    if bad.size:
        raise ReplayError(f"{what} at update k = {bad[0] + 1} ({bad.size} in all).")


def _same(x: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(x != expected)
    if bad.size:
        i = bad[0]
        raise ReplayError(
            f"x must be what the record leads to, {x[i]!r} in coordinate {i}, got "
            f"{expected[i]!r} ({bad.size} coordinates differ)."
        )


def _from_reads(result: Result, plan: Plan, log: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sum of all whole updates, and hold x against it."""
    x, size, count = plan.x0.copy(), np.abs(plan.x0), np.zeros(len(plan.x0), dtype=np.int64)
    for k, gamma in enumerate(_gamma(plan, log, 0, len(log))):
        increment = gamma * _whole_gradient(result, plan, log, k)
        x -= increment
        size += np.abs(increment)
        count += increment != 0.0
    require_close(result.x, x, count, size)
    return x


def _merged(result: Result, plan: Plan, log: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sum of all increments, and hold x and the copies that were added to against it."""
    _require(log["before"] == log["replaced"], "update lost in a private copy")
    if result.reads is not None:
        k = np.arange(len(log))
        read = result.reads[k, 0, log["coordinate"]]
        _require((read == log["before"]) | np.isnan(read), "increment added to what was not read")
    x, count, size = added(log, plan.x0)
    require_close(result.x, x, count, size)
    return x


def _clock(result: Result, plan: Plan, log: NDArray[Any]) -> str:
    """Tickets 1..K once each, windows before them, the bound kept, the counts those of the run."""
    k = np.arange(len(log))
    if len(log) != result.nit:
        raise ReplayError(f"log must have one entry an update, {result.nit}, got {len(log)}.")
    if result.success:
        seen = np.zeros(plan.K, dtype=bool)
        _require((log["draw"] >= 0) & (log["draw"] < plan.K), "draw outside the budget")
        seen[log["draw"]] = True
        _require(bool(seen.all()), "a draw was used twice")
    # (A server of ranks may send out again the draws that a stop or a late gradient left over.)
    for w in np.unique(log["worker"]) if result.cluster is None else ():
        ahead = np.diff(log["draw"][log["worker"] == w]) > 0
        _require(bool(ahead.all()), "draws of one worker out of order")
    delay = k - log["start"]
    _require((log["start"] >= 0) & (delay >= 0), "window after the update")
    _require((log["worker"] >= 0) & (log["worker"] < _workers(result, plan)), "unknown worker")
    if plan.max_delay is not None:
        _require(delay <= plan.max_delay, f"delay above {plan.max_delay}")
    counts = np.bincount(np.frexp(delay)[1], minlength=64)
    if not np.array_equal(counts, result.staleness.histogram):
        raise ReplayError("starts must have the histogram of the run's delays, got another.")
    if plan.algorithm == "incon":
        drawn = _draws.coordinates(plan.key, log["draw"], plan.objective.n)
        _require(log["coordinate"] == drawn, "coordinate that was not drawn")
    return "every ticket and draw once, every window before its update, the delays as counted"


def _gamma(plan: Plan, log: NDArray[Any], start: int, stop: int) -> NDArray[np.float64]:
    delay = np.arange(start, stop) - log["start"][start:stop]
    return adapted(plan.steps.block(start, stop), delay, plan.steps.slope(plan.M))


def _recomputable(result: Result, plan: Plan, log: NDArray[Any]) -> bool:
    """Tell whether every read is known to be an iterate."""
    if plan.method in ("asysg-con", "sgd", "delayed", "sync", "downpour") or plan.simulated:
        return True
    return result.n_threads_used == 1 and bool((log["start"] == np.arange(len(log))).all())


def _states(result: Result, every: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield (updates done, x) after 0, every, 2 every, ... and all updates; x is not a copy."""
    plan, log = _plan(result), _log(result)
    advance, x = _stepper(result, plan, log)
    yield 0, x
    for start in range(0, len(log), every):
        stop = min(start + every, len(log))
        advance(start, stop)
        yield stop, x


def _stepper(
    result: Result, plan: Plan, log: NDArray[Any]
) -> tuple[Callable[[int, int], object], NDArray[np.float64]]:
    """Return a function that does updates start..stop-1 to the x returned with it."""
    if plan.method == "sync":
        return _served.synchronous(plan, log)
    if plan.method == "downpour":
        return _served.downpour(plan, log, result.staleness.max or 0)
    if plan.dtype == "float32":
        single = Single(plan, result.staleness.max or 0, plan.x0)

        def rounded(start: int, stop: int) -> None:
            steps = np.broadcast_to(plan.steps.block(start, stop), stop - start)
            for k in range(start, stop):
                delay = np.full(plan.M, k - log["start"][k])
                single.update(float(steps[k - start]), delay, int(log["draw"][k]))
            single.settle()

        return rounded, single.x
    if _recomputable(result, plan, log):
        engine = Recursion(
            plan.objective._capsule,
            plan.x0,
            whole=plan.algorithm == "con",
            M=plan.M,
            T=result.staleness.max or 0,
            key=plan.key,
            prox=kernel(plan),
        )

        def recompute(start: int, stop: int) -> None:
            rows = log[start:stop]
            delay = np.arange(start, stop) - rows["start"]
            table = np.ascontiguousarray(np.repeat(delay[:, np.newaxis], plan.M, axis=1))
            draws = np.ascontiguousarray(rows["draw"])
            engine.advance(stop, _gamma(plan, log, start, stop), table, draws=draws)

        return recompute, engine.x

    x = plan.x0.copy()
    if plan.algorithm == "incon":

        def add(start: int, stop: int) -> None:
            rows = log[start:stop]
            if plan.prox is None:
                np.add.at(x, rows["coordinate"], rows["increment"])
                return
            steps = plan.M * _gamma(plan, log, start, stop)
            for i, step, t in zip(rows["coordinate"], rows["increment"], steps, strict=True):
                x[i] = plan.prox.entry(i).proximal(x[i] + step, t)

        return add, x

    def from_reads(start: int, stop: int) -> None:
        for k, gamma in zip(range(start, stop), _gamma(plan, log, start, stop), strict=True):
            np.subtract(x, gamma * _whole_gradient(result, plan, log, k), out=x)

    return from_reads, x


def _samples(plan: Plan, log: NDArray[Any], k: int) -> list[int]:
    drawn = _draws.samples(plan.key, log["draw"][k], plan.M, plan.objective.n_samples)
    return [int(sample) for sample in drawn]


def _reads(result: Result) -> NDArray[np.float64]:
    if result.reads is None:
        raise InvalidArgument.of(
            "result", "must have recorded reads", result.record, 'Use record="full+reads".'
        )
    return result.reads


def _whole_gradient(result: Result, plan: Plan, log: NDArray[Any], k: int) -> NDArray[np.float64]:
    reads, samples = _reads(result)[k], _samples(plan, log, k)
    # What was not read is not looked at: any number will do.
    reads = np.nan_to_num(reads, nan=0.0)
    if (reads == reads[0]).all():
        return plan.objective.minibatch(reads[0], samples)
    g = np.zeros(plan.objective.n)
    for read, sample in zip(reads, samples, strict=True):
        plan.objective.gradient(read, sample, g)
    return g


def _increments(result: Result, plan: Plan, log: NDArray[Any]) -> None:
    """Compute every increment of one coordinate again from what was read."""
    gamma = _gamma(plan, log, 0, len(log))
    found = np.empty(len(log))
    for k, reads in enumerate(_reads(result)):
        i, g = int(log["coordinate"][k]), 0.0
        for read, sample in zip(reads, _samples(plan, log, k), strict=True):
            g += plan.objective.partial(np.nan_to_num(read, nan=0.0), sample, i)
        found[k] = -(gamma[k] * g)
    _require(found == log["increment"], "increment that does not follow from what was read")


def _chains(result: Result, plan: Plan, log: NDArray[Any]) -> tuple[NDArray[np.float64], int]:
    """Put the additions to every coordinate in order; return the final x and the lost updates."""
    x, n_lost, after = plan.x0.copy(), 0, _written(plan, log)
    for i, rows in by_coordinate(log, plan.objective.n):
        chain = Chain(log[rows], rows, float(plan.x0[i]), after[rows])
        x[i] = chain.versions[-1]
        n_lost += chain.n_lost
    if plan.update == "atomic":
        _require(log["before"] == log["replaced"], "update lost by an atomic add")
    _same(x, result.x)
    return x, n_lost


def _written(plan: Plan, log: NDArray[Any]) -> NDArray[np.float64]:
    """Return what every update of one coordinate wrote to it."""
    after = np.asarray(log["before"] + log["increment"])
    if plan.prox is not None:
        t = plan.M * _gamma(plan, log, 0, len(log))
        for i, rows in by_coordinate(log, plan.objective.n):
            after[rows] = plan.prox.entry(i).proximal(after[rows], t[rows])
    return after


def _windows(result: Result, plan: Plan, log: NDArray[Any]) -> None:
    """Every value read is a version of its entry that the recorded window allows.

    It contains all updates before the window, and none that has the reader's own number or a
    later one.
    """
    reads, after = _reads(result), _written(plan, log)
    rows_of = dict(by_coordinate(log, plan.objective.n))
    none = np.empty(0, dtype=np.int64)
    for j in range(plan.objective.n):
        rows = rows_of.get(j, none)
        chain = Chain(log[rows], rows, float(plan.x0[j]), after[rows])
        # earliest[v]: the largest start for which version v still contains all that it must;
        # latest[v]: the largest number among the updates version v contains.
        missing = np.append(chain.order, len(log))[::-1]
        earliest = np.minimum.accumulate(missing)[::-1]
        latest = np.maximum.accumulate(np.insert(chain.order, 0, -1))
        for value, versions in _versions_by_value(chain.versions).items():
            k, _ = np.nonzero(reads[:, :, j] == value)
            allowed = np.zeros(len(k), dtype=bool)
            for v in versions:
                allowed |= (log["start"][k] <= earliest[v]) & (latest[v] < k)
            bad = k[~allowed]
            if bad.size:
                raise ReplayError(
                    f"value read outside the recorded window at update k = {bad.min() + 1}, "
                    f"coordinate {j}."
                )
        seen = reads[:, :, j]
        known = np.isnan(seen) | np.isin(seen, chain.versions)
        _require(np.asarray(known.all(axis=1)), f"value read that coordinate {j} never had")


def _versions_by_value(versions: NDArray[np.float64]) -> dict[float, list[int]]:
    found: dict[float, list[int]] = {}
    for v, value in enumerate(versions.tolist()):
        found.setdefault(value, []).append(v)
    return found

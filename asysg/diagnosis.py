"""Whether to go asynchronous with an objective on this machine: measured, computed, and why."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import theory
from ._check import integer, number, vector
from ._conflicts import Conflict, conflict
from ._draws import key_from
from ._minimize import threads
from ._plan import algorithm_of, need_objective
from ._trials import Trial, pilot
from .errors import InvalidArgument
from .objectives import Objective
from .simulate import forecast
from .simulate.calibration import Calibration, calibrate
from .theory import ProblemConstants

__all__ = ["Conflict", "Diagnosis", "Prediction", "Trial", "diagnose"]

#: The methods that are tried; "sgd" is what they are measured against.
SERIAL, METHODS = "sgd", ("asysg-con", "asysg-incon", "hogwild")
#: Numbers of virtual workers, and how their times of computing are assumed to spread.
WORKERS, SPREAD, FORECAST = (1, 2, 4, 8, 16, 32, 64), 0.1, 20_000
#: Without `n_updates`: so many epochs, and not fewer updates than this.
EPOCHS, LEAST_UPDATES = 20, 100_000
#: Asynchrony must be worth at least so much, or it is not advised.
WORTH = 1.1
#: The machine counts as busy where so many processes a core want to run.
BUSY = 0.5


@dataclass(frozen=True)
class Prediction:
    """What a virtual clock says of workers with the costs of this machine: SIMULATED.

    Attributes
    ----------
    method : str
    n_workers : int
    speedup : float
        Updates a second over those of one worker. Virtual workers share the lock of "asysg-con",
        but neither cache nor memory: for the other methods it is an upper limit.
    T : int
        Their largest delay.
    """

    method: str
    n_workers: int
    speedup: float
    T: int


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found. Every reason quotes a number that stands here.

    Attributes
    ----------
    method, n_threads : str, int
        What is advised; "sgd" and 1 where asynchrony is not.
    max_delay : int or None
        The staleness to enforce with it: the T_99 of its pilot; None for "sgd".
    reasons : tuple of str
    n, n_samples : int, int or None
        Of the objective.
    batch_size, n_updates : int
        M, and the K of the serial run that all others are compared with.
    seconds : float
        What that run takes here; the others get as many.
    load : float
        Processes that wanted a core in the minute before (the load average). Near or above the
        number of cores, times say what a busy machine does.
    constants : ProblemConstants or None
        At T = 0; None where none are known.
    conflicts : tuple of Conflict
        By method; computed from the supports.
    costs : tuple of Calibration
        Seconds of computing and, of "asysg-con", of copying x and adding to it; measured alone.
    trials : tuple of Trial
        The pilots on real threads, the serial method first.
    predictions : tuple of Prediction
        Simulated, with these costs.
    """

    method: str
    n_threads: int
    max_delay: int | None
    reasons: tuple[str, ...]
    n: int
    n_samples: int | None
    batch_size: int
    n_updates: int
    seconds: float
    load: float
    constants: ProblemConstants | None
    conflicts: tuple[Conflict, ...]
    costs: tuple[Calibration, ...]
    trials: tuple[Trial, ...]
    predictions: tuple[Prediction, ...]

    @property
    def asynchronous(self) -> bool:
        """Whether several threads are advised."""
        return self.n_threads > 1

    def explain(self) -> str:
        """Return the advice, its reasons and the numbers as a text of several lines."""
        if self.asynchronous:
            advice = (
                f"Use method {self.method!r} with n_threads={self.n_threads} and "
                f"max_delay={self.max_delay}."
            )
        else:
            advice = "Don't go asynchronous here: use method 'sgd'."
        lines = [advice, *(f"- {reason}" for reason in self.reasons), ""]
        rows: list[tuple[str, ...]] = [
            ("pilot", "threads", "updates/s", "T", "T_99", "T_max", "K", "bound")
        ]
        for one in self.trials:
            limit = "?" if one.T_max is None else "none" if one.T_max < 0 else f"{one.T_max:,}"
            rows.append(
                (
                    one.method,
                    str(one.n_threads),
                    f"{one.updates_per_second:.3g}",
                    f"{one.T:,}",
                    f"{one.T_99:,}",
                    limit,
                    f"{one.n_updates:,}",
                    "?" if one.bound is None else f"{one.bound:.4g}",
                )
            )
        lines += _table(rows)
        lines += [
            f"All in the {self.seconds:.3g} s of {self.n_updates:,} updates of 'sgd', "
            f"{self.batch_size} sample{'s' * (self.batch_size > 1)} each.",
            "",
        ]
        lines += _table(
            [
                ("conflicts", "rate", "+/-", "reads", "writes"),
                *(
                    (c.method, f"{c.rate:.3g}", f"{c.halfwidth:.2g}" if not c.exact else "exact",
                     f"{c.reads:.4g}", f"{c.writes:.4g}")
                    for c in self.conflicts
                ),
            ]
        )  # fmt: skip
        lines += ["", *_table(
            [
                ("seconds, alone", "compute", "copy x", "add to x"),
                *((c.method, f"{c.compute:.3g}", f"{c.read:.3g}", f"{c.update:.3g}")
                  for c in self.costs),
            ]
        )]  # fmt: skip
        counts = sorted({one.n_workers for one in self.predictions})
        rows = [("SIMULATED speedup", *(f"{p}" for p in counts))]
        for cost in self.costs:
            mine = [one for one in self.predictions if one.method == cost.method]
            rows.append((cost.method, *(f"{one.speedup:.3g}" for one in mine)))
            rows.append(("  and T", *(f"{one.T}" for one in mine)))
        return "\n".join([*lines, "", *_table(rows)])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in the types of JSON, but for infinity."""
        out = asdict(self)
        out["constants"] = None if self.constants is None else self.constants.to_dict()
        return {"format": "asysg.diagnosis.v1", "asynchronous": self.asynchronous, **out}


def diagnose(
    obj: Objective,
    x0: ArrayLike | None = None,
    *,
    batch_size: int = 1,
    n_updates: int | None = None,
    n_threads: int | None = None,
    constants: ProblemConstants | None = None,
    seconds: float = 0.3,
    seed: int = 0,
) -> Diagnosis:
    """Find out whether asynchrony pays for an objective on this machine, and say why.

    Every method is given the seconds of a serial run. Where the constants of the objective are
    known, the method and threads are advised whose bound is then the smallest, at the rate and the
    staleness that pilots measure: speed, noise, and the price of delay in one number. Where they
    are not, the rates of those methods are compared whose updates are worth as much as the serial
    method's. Asynchrony is advised if it gains 10 % or more.

    Parameters
    ----------
    obj : Objective
        What would be minimised.
    x0 : array of shape (n,), optional
        Where the pilots stand; 0 by default. x does not move.
    batch_size : int
        M.
    n_updates : int, optional
        K of the serial run. By default 20 epochs, and at least 100,000 updates.
    n_threads : int, optional
        The most threads to try; by default the cores this process may use. Powers of 2 below are
        tried too.
    constants : ProblemConstants, optional
        In place of those of the objective; may be estimated.
    seconds : float
        About so long each of the measurements takes, > 0: there are about 4 + 3 log2(n_threads)
        pilots and 3 calibrations.
    seed : int
        Of all draws. Conflicts and predictions' delays repeat with it; times never do.

    Returns
    -------
    Diagnosis

    Raises
    ------
    InvalidArgument
        For arguments that cannot be, before anything is measured.

    Examples
    --------
    >>> import asysg
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> found = asysg.diagnose(obj, n_threads=1, seconds=0.02)
    >>> print(found.explain().splitlines()[0])
    Don't go asynchronous here: use method 'sgd'.
    >>> found.conflicts[0].method, found.conflicts[0].rate
    ('asysg-con', 1.0)
    """
    need_objective(obj)
    start = vector("x0", np.zeros(obj.n) if x0 is None else x0, obj.n)
    M = integer("batch_size", batch_size, least=1)
    K = n_updates
    if K is None:
        K = max(LEAST_UPDATES, EPOCHS * (obj.n_samples or 0) // M)
    K, seed = integer("n_updates", K, least=1), integer("seed", seed, least=0)
    seconds = number("seconds", seconds, above=0)
    if constants is not None and not isinstance(constants, ProblemConstants):
        raise InvalidArgument(f"constants must be a ProblemConstants, got {constants!r}.")
    most, load = threads(n_threads, "asysg-con"), os.getloadavg()[0]

    known: ProblemConstants | None
    why = ""
    try:
        known = constants or obj.constants(start, T=0)
    except InvalidArgument as error:
        known, why = None, str(error)
    how: dict[str, Any] = {"M": M, "K": K, "constants": known, "seconds": seconds, "rng": seed}
    trials = [pilot(obj, start, SERIAL, 1, **how)]
    budget = K / trials[0].updates_per_second
    for method in METHODS:
        trials += [pilot(obj, start, method, p, **how) for p in counts(most)]
    trials = [within(one, obj, start, M, budget, constants, known) for one in trials]
    costs = tuple(
        calibrate(obj, start, method=method, batch_size=M, seconds=seconds) for method in METHODS
    )
    conflicts = tuple(conflict(obj, method, M, key_from(seed)) for method in METHODS)
    predictions = tuple(
        one for cost in costs for one in predicted(cost, sorted({*WORKERS, *counts(most)}))
    )
    best = advised(trials)
    return Diagnosis(
        method=best.method,
        n_threads=best.n_threads,
        max_delay=best.T_99 if best.n_threads > 1 else None,
        reasons=busy(load) + reasons(trials, best, conflicts, predictions, why, most),
        n=obj.n,
        n_samples=obj.n_samples,
        batch_size=M,
        n_updates=K,
        seconds=budget,
        load=load,
        constants=known,
        conflicts=conflicts,
        costs=costs,
        trials=tuple(trials),
        predictions=predictions,
    )


def counts(most: int) -> list[int]:
    """Return the powers of 2 below the most threads, and these."""
    return sorted({1 << b for b in range(most.bit_length())} | {most})


def within(
    one: Trial,
    obj: Objective,
    x0: Any,
    M: int,
    seconds: float,
    given: ProblemConstants | None,
    known: ProblemConstants | None,
) -> Trial:
    """Add what the theory says of a trial's method after so many seconds."""
    K = max(1, round(one.updates_per_second * seconds))
    if known is None:
        return replace(one, n_updates=K)
    c = given or obj.constants(x0, T=one.T_99)
    side = theory.incon if algorithm_of(one.method) == "incon" else theory.con
    gamma = side.gamma_opt(c, K=K, M=M, T=one.T_99)
    return replace(
        one,
        n_updates=K,
        T_max=side.T_max(c, K=K, M=M, form="plus"),
        bound=side.bound(gamma, c, K=K, M=M, T=one.T_99),
    )


def predicted(cost: Calibration, workers: Sequence[int]) -> list[Prediction]:
    """Simulate so many workers with these costs."""
    found = [forecast(p, FORECAST, cost.speeds(SPREAD)) for p in workers]
    one = found[0].updates_per_second
    return [
        Prediction(cost.method, p, f.updates_per_second / one, int(f.staleness.max or 0))
        for p, f in zip(workers, found, strict=True)
    ]


def gain(one: Trial, serial: Trial) -> float:
    """Return how many times better than the serial method it is in the same seconds.

    By the bounds where they say anything; else by the updates, if they are worth the same.
    """
    if one.bound is not None and serial.bound is not None and 0 < serial.bound < math.inf:
        return serial.bound / one.bound
    if algorithm_of(one.method) == "incon":
        return 0.0
    return one.updates_per_second / serial.updates_per_second


def advised(trials: Sequence[Trial]) -> Trial:
    """Return the trial to follow."""
    serial, *others = trials
    several = [one for one in others if one.n_threads > 1]
    best = max(several, key=lambda one: gain(one, serial), default=serial)
    return best if best is not serial and gain(best, serial) >= WORTH else serial


def reasons(
    trials: Sequence[Trial],
    best: Trial,
    conflicts: Sequence[Conflict],
    predictions: Sequence[Prediction],
    why: str,
    most: int,
) -> tuple[str, ...]:
    """Say why, for every method, the advised one first."""
    serial = trials[0]
    said = []
    if most == 1:
        said.append("There is one thread to use, so that nothing can be done at the same time.")
    for method in sorted(METHODS, key=lambda name: name != best.method):
        mine = [one for one in trials if one.method == method]
        several = [one for one in mine if one.n_threads > 1]
        if not several:
            continue
        one = best if best in mine else max(several, key=lambda one: gain(one, serial))
        said.append(about(one, serial, mine[0]))
        said.append(of_method(one, mine[0], conflicts, predictions))
    if serial.bound is None:
        said.append(f"No bound is known, so that rates decide ({why or 'no constants'})")
    elif serial.bound == 0:
        said.append("The bound is 0 (no gap at x0), so that rates decide; take another x0.")
    return tuple(said)


def of_method(
    one: Trial, alone: Trial, conflicts: Sequence[Conflict], predictions: Sequence[Prediction]
) -> str:
    """Say how often its updates meet, and what was measured beside what was simulated."""
    (meeting,) = (c for c in conflicts if c.method == one.method)
    (expected,) = (p for p in predictions if (p.method, p.n_workers) == (one.method, one.n_threads))
    how = "exact" if meeting.exact else f"+/- {meeting.halfwidth:.2g}"
    speedup = one.updates_per_second / alone.updates_per_second
    return (
        f"{one.method}: updates meet with probability {meeting.rate:.3g} ({how}); 99 % of the "
        f"delays are at most {one.T_99} and all at most {one.T} (measured; simulated: "
        f"{expected.T}); the speedup over one thread is {speedup:.3g} measured and "
        f"{expected.speedup:.3g} simulated."
    )


def busy(load: float) -> tuple[str, ...]:
    """Say that others use the cores, where they do."""
    cores = os.cpu_count() or 1
    if load < BUSY * cores:
        return ()
    return (
        f"The machine was busy (load {load:.3g} on {cores} cores): ask again when it is not, "
        "before you believe what several threads measured.",
    )


def duration(seconds: float) -> str:
    """Return a time in a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def about(one: Trial, serial: Trial, alone: Trial) -> str:
    """Compare a trial with the serial method."""
    ratio = one.updates_per_second / serial.updates_per_second
    extra = one.n_threads / one.updates_per_second - 1 / alone.updates_per_second
    text = (
        f"{one.method}, {one.n_threads} threads: {ratio:.3g} times the updates of sgd a second; "
        f"writing, clock and caches cost an update {duration(max(0.0, extra))} more than "
        f"alone, where it takes {duration(1 / alone.updates_per_second)}"
    )
    if one.bound is None or serial.bound is None:
        return f"{text}."
    limit = one.T_max if one.T_max is not None else -1
    covers = (
        f"T_99 = {one.T_99} is {'within' if one.T_99 <= limit else 'beyond'} the {limit:,} up to "
        f"which the speedup at K = {one.n_updates:,} is linear by theory"
    )
    if limit < 0:
        covers = f"K = {one.n_updates:,} updates are too few for a linear speedup by theory"
    return f"{text}. {covers}; bound {one.bound:.4g}, sgd's {serial.bound:.4g}."


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Align columns, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]

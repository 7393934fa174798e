"""Virtual workers: the algorithms with given delays, the same bits every time.

`recursion` is the specification in NumPy; `minimize` runs its compiled twin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._core.recursion import Recursion
from .._draws import RNG
from .._plan import Intermediate, Plan, State, make_plan, prescribe
from .._run import run
from ..errors import InvalidArgument
from ..objectives import Objective
from ..result import Result
from ..steplengths import Steplength
from ..theory import Hypothesis, ProblemConstants
from . import delays, recursion
from ._replay import Replay, replay
from .delays import Delays, constant

__all__ = ["Replay", "delays", "minimize", "recursion", "replay"]

METHODS = ("sgd", "asysg-con", "asysg-incon")


class Given:
    """A scheduler whose reads are given: the compiled recursion fed with a delay schedule."""

    def __init__(self, plan: Plan, schedule: Delays) -> None:
        self.schedule, self.plan = schedule, plan
        # The schedule is oblivious: its key is not the key of samples and coordinates.
        self.key = (plan.key[1] ^ 0x5EED, plan.key[0])
        self.kernel = Recursion(
            plan.objective._capsule,
            plan.x0,
            whole=plan.algorithm == "con",
            M=plan.M,
            T=schedule.T,
            key=plan.key,
        )
        self.histogram = np.zeros(64, dtype=np.int64)
        self.max_delay = self.sum_delay = self.recomputed = self.overwrites = 0
        self.log: NDArray[Any] | None = None
        self.log_dtype = np.dtype(np.void)
        self.reads: NDArray[np.float64] | None = None
        self.pending: tuple[int, ...] = ()

    @property
    def x(self) -> NDArray[np.float64]:
        """The current iterate."""
        return self.kernel.x

    @property
    def clock(self) -> int:
        """Updates done."""
        return self.kernel.clock

    @property
    def trouble(self) -> tuple[str, int, int] | None:
        """What ended the run early."""
        return self.kernel.trouble

    def advance(self, until: int, gamma: NDArray[np.float64]) -> None:
        """Do updates ``clock .. until - 1``."""
        start, M = self.clock, self.plan.M
        table = self.schedule.table(self.key, start, until, M)
        seen = self.schedule.seen and self.schedule.seen(self.key, start, until, M)
        self.kernel.advance(until, gamma, table, seen)
        done = self.clock - start
        # An update is as stale as the oldest read it is made of.
        tau = np.minimum(table[:done].max(axis=1), np.arange(start, start + done))
        self.histogram += np.bincount(np.frexp(tau)[1], minlength=64)
        self.max_delay = max(self.max_delay, int(tau.max(initial=0)))
        self.sum_delay += int(tau.sum())


def minimize(
    obj: Objective,
    x0: ArrayLike,
    *,
    method: str = "asysg-incon",
    steplength: Steplength | str = "prescribed",
    delays: Delays | None = None,
    batch_size: int | None = None,
    n_updates: int | None = None,
    n_records: int = 200,
    form: str = "plus",
    constants: ProblemConstants | None = None,
    callback: Callable[[Intermediate], object] | None = None,
    progress: bool = False,
    rng: RNG = None,
) -> Result:
    """Minimise an objective with given delays, deterministically.

    Parameters
    ----------
    obj, x0, method, steplength, batch_size, n_updates, n_records, form, constants, callback, \
progress
        As in `asysg.minimize`. "prescribed" and "optimal" use the T of `delays`.
    delays : Delays, optional
        What each read sees; see `asysg.simulate.delays`. By default, and for "sgd", no delay.
    rng : int, Generator, SeedSequence or None
        The same seed gives the same bits; samples and coordinates are those of
        `asysg.minimize` with this seed.

    Returns
    -------
    Result
        With ``simulated=True``.

    Raises
    ------
    InvalidArgument
        For every argument that cannot be.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> res = asysg.simulate.minimize(
    ...     obj, np.ones(20), delays=asysg.simulate.delays.uniform(T=12), steplength=0.05,
    ...     n_updates=5000, rng=0)
    >>> res.staleness.max
    12
    """
    plan = make_plan(
        obj,
        x0,
        methods=METHODS,
        method=method,
        steplength=steplength,
        batch_size=batch_size,
        n_updates=n_updates,
        n_records=n_records,
        form=form,
        constants=constants,
        callback=callback,
        progress=progress,
        rng=rng,
    )
    schedule = constant(0) if delays is None else delays
    if not isinstance(schedule, Delays):
        raise InvalidArgument(
            f"delays must be a schedule of asysg.simulate.delays, got {type(delays).__name__}."
        )
    if method == "sgd" and schedule.T:
        raise InvalidArgument(f"delays must be left out for method 'sgd', got {schedule.name}.")
    if method != "asysg-incon" and schedule.seen is not None:
        raise InvalidArgument(
            f"delays must be consistent for method {method!r}, got {schedule.name}. Subsets of "
            "updates are reads of 'asysg-incon'."
        )
    plan = replace(
        plan,
        simulated=True,
        update="simulated",
        constant_delay=schedule.is_constant,
        record="sampled",
        evidence=(
            Hypothesis(
                "samples unbiased",
                True,
                None,
                {},
                "by construction",
                "drawn by counter, uniformly, before anything is computed",
            ),
            Hypothesis(
                "reads oblivious",
                True,
                None,
                {},
                "by construction",
                f"delays {schedule.name} are drawn apart from the samples",
            ),
        ),
    )
    if plan.algorithm == "incon":
        uniform = Hypothesis("coordinates uniform", True, None, {}, "by construction")
        plan = replace(plan, evidence=(*plan.evidence, uniform))
    if plan.wanted is not None:
        plan = prescribe(plan, schedule.T)
    return run(plan, Given(plan, schedule), State(), lambda: 1)

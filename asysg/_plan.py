"""What is to be run, apart from how: the part of the arguments that all schedulers share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _adaptive, theory
from ._check import choice, integer, vector
from ._draws import RNG, Key, key_from
from .errors import InvalidArgument
from .objectives import Objective
from .prox import Prox
from .steplengths import Steplength, Steps, as_steps
from .theory import Hypothesis, Prescription, ProblemConstants

if TYPE_CHECKING:
    from ._checkpoint import Checkpoint
    from .result import Staleness

log = logging.getLogger("asysg")

#: The methods whose updates are of one coordinate.
OF_A_COORDINATE = ("asysg-incon", "asyscd")


@dataclass(frozen=True)
class Intermediate:
    """What a callback sees.

    Attributes
    ----------
    x : ndarray
        The iterate, a copy.
    fun, grad_norm_sq : float
        As in the `Trace`.
    nit : int
        Updates done.
    time : float
        Seconds of computing so far.
    staleness : Staleness
        The delays of all updates so far.
    """

    x: NDArray[np.float64]
    fun: float
    grad_norm_sq: float
    nit: int
    time: float
    staleness: Staleness


@dataclass(frozen=True)
class Plan:
    """What is to be run, apart from how; validated by the scheduler's front door."""

    objective: Objective
    x0: NDArray[np.float64]
    method: str
    steps: Steps
    wanted: str | None
    M: int
    K: int
    key: Key
    form: str
    n_records: int
    max_delay: int | None = None
    update: str = "atomic"
    sync_every: int | None = None
    record: str | bool = "sampled"
    skip_ahead: bool = False
    prox: Prox | None = None
    dtype: str = "float64"  # of x
    lazy: bool = False  # its steps wait until an entry is looked at
    n_push: int = 1  # local steps an update is made of (downpour)
    n_fetch: int = 1  # and between two fetches
    delay: int | None = None  # of every update but the first ones (delayed)
    # Gradients under way at once, at most; None where nothing bounds how many miss an update.
    in_flight: int | None = 1
    one_read: bool = True  # all samples of an update read with the same delay
    simulated: bool = False
    scheduler: str | None = None  # of a simulated run: its delays or speeds, in words
    virtual_workers: int = 0  # and how many workers have a virtual clock
    constant_delay: bool = False
    constants: ProblemConstants | None = None
    prescribed_T: int | None = None
    evidence: tuple[Hypothesis, ...] = ()
    callback: Callable[[Intermediate], object] | None = None
    progress: bool = False
    checkpoint: Checkpoint | None = None

    @property
    def algorithm(self) -> str:
        """The algorithm whose theorem applies."""
        return algorithm_of(self.method)

    @property
    def adaptive(self) -> bool:
        """Whether steplengths shrink with the delay of their update."""
        return self.wanted == _adaptive.NAME or self.steps.L is not None

    def value(self, x: NDArray[np.float64]) -> float:
        """Return what is minimised: f(x), or f(x) + h(x); NaN where f itself is not known."""
        if not self.objective._has_value:
            return math.nan
        return float(self.objective.value(x)) + (self.prox.value(x) if self.prox else 0.0)

    def gradient(self, x: NDArray[np.float64], k: int) -> NDArray[np.float64]:
        """Return grad f at iterate k = 1, ..., K + 1, or with h the gradient mapping there."""
        gradient = self.objective.gradient(x)
        if self.prox is None:
            return gradient
        return self.prox.gradient_mapping(x, gradient, self.M * self.steps.at(min(k, self.K)))


def algorithm_of(method: str) -> str:
    """Return the algorithm whose theorem applies to a method."""
    return "incon" if method in OF_A_COORDINATE else "con"


@dataclass
class State:
    """What a run has gathered so far: all that a checkpoint must keep besides x."""

    clock: int = 0
    seconds: float = 0.0
    rows: list[tuple[int, float, float, float, float]] = field(default_factory=list)
    histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros(64, dtype=np.int64))
    max_delay: int = 0
    sum_delay: int = 0
    recomputed: int = 0
    overwrites: int = 0
    workers: int = 0
    # Of steplengths that adapt: their sum, that of their squares, and the former at some clocks.
    sum_step: float = 0.0
    sum_square: float = 0.0
    marks: list[tuple[int, float]] = field(default_factory=list)
    pending: dict[str, NDArray[Any]] = field(default_factory=dict)


def need_objective(obj: object) -> None:
    """Refuse what is no objective."""
    if not isinstance(obj, Objective):
        raise InvalidArgument(
            f"obj must be an Objective, got {type(obj).__name__}. See asysg.objectives."
        )


def make_plan(
    obj: Objective,
    x0: ArrayLike,
    *,
    methods: tuple[str, ...],
    method: str,
    steplength: Steplength | str,
    batch_size: int | None,
    n_updates: int | None,
    n_records: int,
    form: str,
    constants: ProblemConstants | None,
    callback: Callable[[Intermediate], object] | None,
    progress: bool,
    rng: RNG,
) -> Plan:
    """Validate what every scheduler's front door takes; they add what is their own."""
    need_objective(obj)
    choice("method", method, methods)
    choice("form", form, theory.FORMS)
    start = vector("x0", x0, obj.n).copy()
    prescribed_T = None
    wanted = steplength if isinstance(steplength, str) else None
    if wanted is not None:
        choice(
            "steplength",
            wanted,
            ("prescribed", "optimal", _adaptive.NAME),
            remedy="Or give a number, a Prescription, an array, or a function of k.",
        )
    if isinstance(steplength, Prescription):
        batch_size, n_updates = of_prescription(steplength, method, batch_size, n_updates)
        prescribed_T = steplength.T
    if n_updates is None:
        raise InvalidArgument(
            "n_updates must be an integer >= 1, got None. Only a Prescription brings its own."
        )
    if callback is not None and not callable(callback):
        raise InvalidArgument(f"callback must be callable, got {callback!r}.")
    if constants is not None and not isinstance(constants, ProblemConstants):
        raise InvalidArgument(f"constants must be a ProblemConstants, got {constants!r}.")
    plan = Plan(
        objective=obj,
        x0=start,
        method=method,
        steps=Steps(0.0) if isinstance(steplength, str) else as_steps(steplength),
        wanted=wanted,
        M=integer("batch_size", 1 if batch_size is None else batch_size, least=1),
        K=integer("n_updates", n_updates, least=1),
        key=key_from(rng),
        form=form,
        n_records=integer("n_records", n_records, least=1),
        constants=constants,
        prescribed_T=prescribed_T,
        callback=callback,
        progress=progress,
    )
    if isinstance(steplength, np.ndarray) and steplength.shape not in ((), (plan.K,)):
        raise InvalidArgument(
            f"steplength must have one entry an update, {plan.K}, got shape {steplength.shape}."
        )
    _adaptive.check(plan)
    return exactly(plan) if method == "asyscd" else plan


def exactly(plan: Plan) -> Plan:
    """Make coordinate descent of a plan: AsySG-incon on f itself, without samples or noise."""
    if plan.M != 1:
        raise InvalidArgument(
            f"batch_size must be 1 for method 'asyscd', got {plan.M}. Its derivatives are those of "
            "f itself: no samples are drawn."
        )
    constants = plan.constants and replace(plan.constants, sigma=0.0)
    return replace(plan, objective=plan.objective.exact, constants=constants)


def of_prescription(
    prescription: Prescription, method: str, batch_size: int | None, n_updates: int | None
) -> tuple[int, int]:
    """Take M and K from a prescription, and refuse what contradicts it."""
    algorithm = algorithm_of(method)
    if prescription.algorithm != algorithm:
        raise InvalidArgument(
            f"steplength must be prescribed by theory.{algorithm} for method {method!r}, got "
            f"one of theory.{prescription.algorithm}."
        )
    for name, given, own in (
        ("batch_size", batch_size, prescription.M),
        ("n_updates", n_updates, prescription.K),
    ):
        if given is not None and given != own:
            raise InvalidArgument(
                f"{name} must be that of the prescription, {own}, got {given!r}. Prescribe "
                "again, or pass prescription.gamma."
            )
    return prescription.M, prescription.K


def prescribe(plan: Plan, T: int) -> Plan:
    """Let the theory choose the steplength that was asked for by name, for delays up to T.

    One that adapts to the delay needs no T.
    """
    constants = plan.constants or plan.objective.constants(plan.x0, T=T)
    if plan.wanted == _adaptive.NAME:
        P = plan.in_flight or 1
        gamma = theory.baselines.delay_adaptive_gamma(constants, K=plan.K, P=P, M=plan.M)
        log.info("steplength at most %.6g, for %d gradients under way", gamma, P)
        return replace(plan, steps=Steps(gamma, L=constants.L))
    side = theory.incon if plan.algorithm == "incon" else theory.con
    if plan.wanted == "optimal":
        gamma = side.gamma_opt(constants, K=plan.K, M=plan.M, T=T, form=plan.form)
    else:
        gamma = side.prescribe(constants, K=plan.K, M=plan.M, T=T, form=plan.form).gamma
    log.info("steplength %.6g, %s for delays up to T = %d", gamma, plan.wanted, T)
    return replace(plan, steps=Steps(gamma), prescribed_T=T)

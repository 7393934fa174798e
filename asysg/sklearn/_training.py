"""From an objective to a model: runs one after another, and when to end them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._minimize import minimize
from .._plan import OF_A_COORDINATE, Intermediate
from ..objectives import LeastSquares
from ..result import Result

Vector = NDArray[np.float64]

AUTO = "auto"
NAMED = ("prescribed", "optimal", "delay-adaptive")
#: From one stage of "auto" to the next.
SHRINK = 4.0
#: Methods whose delays cannot be bounded, or need not.
WITHOUT_BOUND = ("sgd", "sync", "delayed")
#: Iterates recorded where nothing is decided by them.
RECORDS = 200


@dataclass(frozen=True)
class Settings:
    """What an estimator was asked to do.

    `tol` is None where runs go to their end; `patience` counts epochs.
    """

    method: str
    steplength: float | str
    batch_size: int
    max_delay: int | None
    n_threads: int
    max_iter: int
    tol: float | None
    patience: int


@dataclass
class Watch:
    """Look once an epoch whether it gets better, and whether anyone wants to stop.

    Parameters
    ----------
    scale : float
        What `tol` is a share of.
    score : callable, optional
        x -> score on held-out samples; the training loss decides where it is missing.
    hooks : object
        With ``begin(x)`` and ``end(x)`` around every epoch; the latter says whether to stop.
    """

    settings: Settings
    scale: float
    score: Callable[[Vector], float] | None = None
    hooks: Any = None
    per_epoch: int = 1
    epochs: int = 0
    best: float = np.inf
    fruitless: int = 0
    asked: bool = False
    _before: int = 0

    @property
    def patient(self) -> bool:
        """Whether anything can end a run early."""
        return self.settings.tol is not None

    @property
    def tired(self) -> bool:
        """Whether there was no progress for too long."""
        return self.fruitless >= self.settings.patience

    def stage(self, x: Vector) -> None:
        """Begin another run at x."""
        self._before, self.fruitless = self.epochs, 0
        if self.hooks is not None:
            self.hooks.begin(x)

    def __call__(self, state: Intermediate) -> None:
        """Take notice of an iterate; raise StopIteration to end the run."""
        epochs = self._before + state.nit // self.per_epoch
        if epochs == self.epochs:
            return
        self.epochs = epochs
        if self.patient:
            found = state.fun / self.scale if self.score is None else -self.score(state.x)
            worth = 0.0 if self.settings.tol is None else self.settings.tol
            self.fruitless = 0 if found < self.best - worth else self.fruitless + 1
            self.best = min(self.best, found)
        if self.hooks is not None:
            self.asked = bool(self.hooks.end(state.x))
        if self.asked or self.tired:
            raise StopIteration
        if self.hooks is not None and epochs < self.settings.max_iter:
            self.hooks.begin(state.x)


@dataclass
class Trained:
    """A model and the runs that made it.

    Attributes
    ----------
    x : ndarray of shape (n,)
    epochs : int
        Whole epochs, at least 1.
    converged : bool
        False if the epochs ran out before progress did.
    results : list of Result
    """

    x: Vector
    epochs: int = 0
    converged: bool = True
    results: list[Result] = field(default_factory=list)

    @property
    def status(self) -> str:
        """How the last run ended."""
        return self.results[-1].status


def updates_per_epoch(obj: Any, method: str, M: int) -> int:
    """Return the updates that look at as many partial derivatives as the data have."""
    if method == "asyscd":
        return int(obj.n)
    passes = -(-obj.n_samples // M)
    return int(passes * (obj.n if method in OF_A_COORDINATE else 1))


def largest_step(obj: Any, settings: Settings) -> tuple[float, int | None]:
    """Return a steplength under which no sample's step overshoots, and the delay to enforce.

    Without delays 1/(M L_j) for the largest L_j of a sample's gradient. With them gamma L M T must
    not exceed 1/2 (an update of one coordinate moves n times less): T is enforced.
    """
    M, p = settings.batch_size, settings.n_threads
    gamma = 1 / (M * (obj.L_max if settings.method == "asyscd" else obj.L_sample))
    if p == 1 or settings.method == "sync":
        return gamma, settings.max_delay
    share = 2 * obj.L * M / (obj.n if settings.method in OF_A_COORDINATE else 1)
    T = settings.max_delay
    if T is None:
        T = max(p - 1, min(int(1 / (share * gamma)), 2**20))
    gamma = min(gamma, 1 / (share * max(T, 1)))
    return gamma, None if settings.method in WITHOUT_BOUND else T


def train(
    obj: Any, x: Vector, settings: Settings, watch: Watch, seeds: Iterator[int], shrunk: float = 1.0
) -> Trained:
    """Run a method on an objective, for "auto" stage by stage.

    Parameters
    ----------
    obj : LinearModel
    x : array of shape (n,)
        The start.
    settings : Settings
    watch : Watch
    seeds : iterator of int
        A seed for every run.
    shrunk : float
        Factor of the first steplength of "auto".
    """
    watch.per_epoch = updates_per_epoch(obj, settings.method, settings.batch_size)
    done = Trained(x)
    if settings.steplength != AUTO:
        run(obj, done, settings, settings.steplength, settings.max_iter, watch, next(seeds))
        done.converged = settings.tol is None or watch.tired or watch.asked
        return done
    gamma, T = largest_step(obj, settings)
    settings, gamma = replace(settings, max_delay=T), gamma * shrunk
    while (left := settings.max_iter - done.epochs) > 0:
        # Nothing ends a stage without `tol`: half of the epochs, then half of the rest...
        length = left if settings.tol is not None else -(-left // 2)
        before = watch.best
        run(obj, done, settings, gamma, length, watch, next(seeds))
        ended = watch.asked or done.status in ("interrupted", "diverged", "failed")
        useless = watch.tired and watch.best >= before - (settings.tol or 0.0)
        if ended or useless:
            return done
        gamma /= SHRINK
    done.converged = settings.tol is None
    return done


def run(
    obj: Any,
    done: Trained,
    settings: Settings,
    steplength: float | str,
    epochs: int,
    watch: Watch,
    seed: int,
) -> None:
    """Run the method from where we are and add what came out."""
    watch.stage(done.x)
    watched = watch.patient or watch.hooks is not None
    constants = None
    if steplength in NAMED and isinstance(obj, LeastSquares):
        constants = obj.constants_below(done.x)
    result = minimize(
        obj,
        done.x,
        method=settings.method,
        steplength=steplength,
        batch_size=settings.batch_size,
        n_updates=epochs * watch.per_epoch,
        n_threads=settings.n_threads,
        max_delay=settings.max_delay,
        n_records=epochs if watched else min(epochs, RECORDS),
        constants=constants,
        callback=watch if watched else None,
        rng=seed,
    )
    done.x = result.x
    done.epochs += max(1, result.nit // watch.per_epoch)
    watch.epochs = done.epochs
    # The plan holds the data, which a fitted model should not.
    done.results.append(replace(result, _plan=None))

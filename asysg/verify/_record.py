"""A recorded run, computed again by the specification."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .. import _draws
from .._plan import algorithm_of
from ..objectives._stream import Stream
from ..result import Result
from ..simulate import recursion, replay
from ..steplengths import adapted
from ..theory.testing import Outcome
from ._noise import Noise, additive, enumerated

Vector = NDArray[np.float64]
#: Gradients of single samples that are computed to know the noise of a finite sum.
ENUMERATION = 200_000


def certain(name: str, null: str, holds: bool) -> Outcome:
    """Return the outcome of a check without chance."""
    return Outcome(name, null, 0.0 if holds else math.inf, float(holds), 0.5)


def iterates(result: Result) -> Vector:
    """Return x_1, ..., x_{K+1} of a recorded run."""
    if algorithm_of(result.method) != "incon":
        return np.array([x for _, x in replay(result).iterates()])
    assert result.log is not None
    assert result._plan is not None
    steps = np.zeros((result.nit + 1, result.x.size))
    steps[0] = result._plan.x0
    steps[np.arange(result.nit) + 1, result.log["coordinate"]] = result.log["increment"]
    return np.cumsum(steps, axis=0)


class Record:
    """A recorded run, computed again by the specification.

    Attributes
    ----------
    x : ndarray of shape (K + 1, n)
        The iterates.
    reads : ndarray of shape (K, M, n) or None
        What each sample was evaluated at, as far as known.
    gradients : ndarray of shape (K, n)
        The mean over the samples of grad f at what was read; nan rows where that is not known.
    """

    def __init__(self, result: Result) -> None:
        assert result._plan is not None, "replayed before"
        assert result.log is not None, "replayed before"
        self.result, self.plan, self.log = result, result._plan, result.log
        self.K, self.M, self.n = result.nit, result.batch_size, result.x.size
        self.incon = self.plan.algorithm == "incon"
        self.delay = np.arange(self.K) - self.log["start"]
        steps, slope = self.plan.steps.block(0, self.K), self.plan.steps.slope(self.M)
        self.gamma = adapted(steps, self.delay, slope)
        self.samples = _draws.samples(
            result.key, self.log["draw"], self.M, self.plan.objective.n_samples
        )
        fresh = result.n_threads_used == 1
        self.increments_agree: bool | None = None
        if self.incon and not fresh:
            self.x = np.array([x for _, x in replay(result).iterates()])
            self.reads = None
            if result.reads is not None:
                self.reads = np.nan_to_num(result.reads, nan=0.0)
                self.increments_agree = True  # replay computed them again from the reads
        else:
            self.x = self._specification()
            self.increments_agree = bool((self.x[-1] == result.x).all())
            at = self.x[self.log["start"]]
            self.reads = np.broadcast_to(at[:, np.newaxis], (self.K, self.M, self.n))
        self.at_iterates = np.array([self.plan.objective.gradient(x) for x in self.x])
        self.gradients = self._gradients()

    def _specification(self) -> Vector:
        f = self.plan.objective
        delays = np.repeat(self.delay[:, np.newaxis], self.M, axis=1)
        start = (self.plan.x0, self.gamma, delays, self.samples)
        if self.incon:
            path = recursion.incon(f.partial, *start, self.log["coordinate"])
        else:
            path = recursion.con(f.minibatch, *start)
        return np.array([self.plan.x0, *path])

    def _gradients(self) -> Vector:
        f = self.plan.objective
        if self.reads is None:
            return np.full((self.K, self.n), np.nan)
        if self.reads.strides[1] == 0:  # all samples of an update read the same
            return np.asarray(self.at_iterates[self.log["start"]])
        return np.array([np.mean([f.gradient(x) for x in read], axis=0) for read in self.reads])

    def deterministic(self) -> list[Outcome]:
        """Check what is not left to chance."""
        found = []
        if self.increments_agree is not None:
            found.append(
                certain(
                    "increments",
                    "x follows from the recorded reads and draws, to the bit",
                    self.increments_agree,
                )
            )
        found.append(certain("staleness", "every read is as old as the clock says", self._clock()))
        if (constants := self.result.certificate.constants) is not None:
            moved = np.diff(self.at_iterates, axis=0)
            way = np.linalg.norm(np.diff(self.x, axis=0), axis=1)
            bound = constants.L
            if self.incon:
                moved = np.take_along_axis(moved, self.log["coordinate"][:, np.newaxis], 1)
                bound = constants.L_max if constants.L_max is not None else constants.L
            size = np.linalg.norm(moved, axis=1)
            # Where x hardly moves, the difference of gradients is rounding.
            slack = 1e-12 * float(np.abs(self.at_iterates).max())
            null = "gradients move no more than the Lipschitz constant allows"
            kept = bool((size <= bound * way * (1 + 1e-9) + slack).all())
            found.append(certain("constants", null, kept))
        return found

    def _clock(self) -> bool:
        log, result = self.log, self.result
        good = bool((np.sort(log["draw"]) == np.arange(self.K)).all()) and self.delay.min() >= 0
        largest = int(self.delay.max())
        good &= largest == result.staleness.max and largest <= result.certificate.T
        good &= result.max_delay is None or largest <= result.max_delay
        if not self.incon and result.reads is not None:
            at = self.x[log["start"]][:, np.newaxis]
            good &= bool((result.reads == at).all())
        return bool(good)

    def noise(self) -> Noise | None:
        """Return the law of the noise, as far as it is known."""
        f = self.plan.objective
        if not self.gamma.all():  # an update that does nothing hides its noise
            return None
        directions = self.directions()
        if isinstance(f, Stream):
            if f.sigma == 0:
                return None
            return additive(f, self.M, self.K, len(directions), entry=self.incon)
        # One sample has no noise.
        if self.reads is None or f.n_samples is None or f.n_samples == 1:
            return None
        same = self.reads.strides[1] == 0
        cost = f.n_samples * (1 if same else self.M)
        step = max(1, -(-self.K * cost // ENUMERATION))
        coordinates = self.log["coordinate"] if self.incon else None
        return enumerated(f, self.reads, coordinates, directions, np.arange(0, self.K, step))

    def residuals(self) -> Vector:
        """Return the noise of every update, shape (K, d) with d = 1 for AsySG-incon."""
        if self.reads is None:  # additive noise is known from the draws alone
            f, zero = self.plan.objective, np.zeros(self.n)
            pairs = zip(self.samples.tolist(), self.log["coordinate"].tolist(), strict=True)
            own = f.gradient(zero)
            return np.array(
                [[sum(f.partial(zero, s, i) - own[i] for s in row)] for row, i in pairs]
            )
        if self.incon:
            step = self.log["increment"][:, np.newaxis]
            mean = np.take_along_axis(self.gradients, self.log["coordinate"][:, np.newaxis], 1)
        else:
            step, mean = np.diff(self.x, axis=0), self.gradients
        return -step / self.gamma[:, np.newaxis] - self.M * mean

    def directions(self) -> NDArray[np.float64]:
        """Return unit vectors that depend on the past only, shape (rows, K, d).

        Along the gradient, along the diagonal, along the noise of the update before; for
        AsySG-con also every axis.
        """
        if self.incon:
            along = np.take_along_axis(self.gradients, self.log["coordinate"][:, np.newaxis], 1)
            signs = np.where(np.nan_to_num(along) < 0, -1.0, 1.0)
            return np.array([signs, np.ones_like(signs), np.sign(self._before()) + 0.0])
        units = [_unit(self.gradients), np.full_like(self.gradients, 1 / math.sqrt(self.n))]
        axes = [np.broadcast_to(axis, self.gradients.shape) for axis in np.eye(self.n)]
        return np.array([*units, _unit(self._before()), *axes])

    def _before(self) -> Vector:
        z = self.residuals()
        return np.concatenate([np.zeros((1, z.shape[1])), z[:-1]])


def _unit(rows: Vector) -> Vector:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 0))

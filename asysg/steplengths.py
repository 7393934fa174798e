"""What `steplength=` can be: a number, a prescription, a schedule, or adaptive to the delay.

A steplength multiplies the *sum* over the minibatch: it is the learning rate of a
mean-based optimiser divided by the batch size.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._check import number
from .errors import InvalidArgument
from .theory import Prescription

__all__ = [
    "DelayAdaptive",
    "Schedule",
    "Steplength",
    "Steps",
    "as_steps",
    "delay_adaptive",
    "diminishing",
]

Schedule: TypeAlias = Callable[[int], float]
Steplength: TypeAlias = "float | Prescription | Schedule | DelayAdaptive | NDArray[np.float64]"


@dataclass(frozen=True)
class DelayAdaptive:
    """Steplengths that shrink with the delay of their update; made by `delay_adaptive`.

    Attributes
    ----------
    gamma : float
        The largest.
    L : float
        Lipschitz constant of the gradient.
    """

    gamma: float
    L: float


@dataclass(frozen=True)
class Steps:
    """The steplengths of a run, by block of updates: a constant, or a function of k.

    Attributes
    ----------
    gamma : float or None
        The constant, None for a schedule.
    schedule : callable or None
        ``k -> gamma_k`` with k = 1, 2, ... as in the theory.
    L : float or None
        Where it is given, `gamma` is the largest, and the update of delay tau takes at most
        1/(2 L M tau).
    """

    gamma: float | None
    schedule: Schedule | None = None
    L: float | None = None

    @property
    def constant(self) -> bool:
        """Whether every update takes the same steplength."""
        return self.gamma is not None and self.L is None

    def slope(self, M: int) -> float:
        """Return the 2 L M of 1/(2 L M tau); 0 where the steplengths do not adapt."""
        return 0.0 if self.L is None else 2 * self.L * M

    def block(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the steplengths of updates ``start + 1 .. stop``; one entry if constant."""
        if self.schedule is None:
            return np.array([self.gamma])
        steps = np.array([self.schedule(k) for k in range(start + 1, stop + 1)], dtype=np.float64)
        bad = np.flatnonzero(~(np.isfinite(steps) & (steps >= 0)))
        if bad.size:
            k = start + 1 + int(bad[0])
            raise InvalidArgument(
                f"steplength must be finite and >= 0 for every k, got {steps[bad[0]]} at k = {k}."
            )
        return steps

    def at(self, k: int) -> float:
        """Return the steplength of update k = 1, 2, ..."""
        return float(self.block(k - 1, k)[0])


def diminishing(gamma: float, power: float = 0.5) -> Schedule:
    """Return the schedule ``k -> gamma / k**power``.

    Parameters
    ----------
    gamma : float
        Steplength of the first update, > 0.
    power : float
        In 0..1.

    Returns
    -------
    callable

    Raises
    ------
    InvalidArgument
        For numbers outside their ranges.

    Examples
    --------
    >>> from asysg.steplengths import diminishing
    >>> diminishing(0.1)(4)
    0.05
    """
    gamma, power = number("gamma", gamma, above=0), number("power", power)
    if not 0 <= power <= 1:
        raise InvalidArgument(f"power must lie in 0..1, got {power!r}.")
    return lambda k: gamma / k**power


def delay_adaptive(gamma: float, L: float) -> DelayAdaptive:
    r"""Return steplengths that shrink with the delay of their update.

    The update of delay :math:`\tau_k` takes :math:`\gamma_k=\min\{\gamma,1/(2LM\tau_k)\}`, M the
    batch size. Theorem A bounds their runs without a largest delay: one late gradient costs
    one short step, where a constant steplength must be short for all.

    Parameters
    ----------
    gamma : float
        The largest steplength, > 0; Theorem A asks for at most 1/(L M P), P workers.
    L : float
        Lipschitz constant of the gradient, > 0.

    Returns
    -------
    DelayAdaptive

    Raises
    ------
    InvalidArgument
        For numbers outside their ranges.

    References
    ----------
    Koloskova, Stich, Jaggi, "Sharper convergence guarantees for asynchronous SGD for distributed
    and federated learning", NeurIPS 2022. Mishchenko, Bach, Even, Woodworth, "Asynchronous SGD
    beats minibatch SGD under arbitrary delays", NeurIPS 2022.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> obj = asysg.objectives.CosineQuadratic(n=20, sigma=0.1)
    >>> steps = asysg.steplengths.delay_adaptive(0.05, L=obj.constants(np.ones(20), T=0).L)
    >>> res = asysg.simulate.minimize(
    ...     obj, np.ones(20), method="asysg-con", steplength=steps, n_workers=4,
    ...     speeds=asysg.simulate.speeds.two_classes(100.0), n_updates=5000, rng=0)
    >>> res.certificate.verdict, res.staleness.max
    ('within', 300)
    """
    return DelayAdaptive(number("gamma", gamma, above=0), number("L", L, above=0))


def adapted(
    gamma: NDArray[np.float64], delay: NDArray[np.int64], slope: float
) -> NDArray[np.float64]:
    """Return the steplengths of updates of these delays, to the bits of the kernels."""
    steps = np.array(np.broadcast_to(gamma, delay.shape), dtype=np.float64)
    late = delay > 0
    if slope > 0:
        steps[late] = np.minimum(steps[late], 1.0 / (slope * delay[late]))
    return steps


def as_steps(steplength: Steplength) -> Steps:
    """Turn what a user may pass into the steplengths of a run.

    Parameters
    ----------
    steplength : float, Prescription, callable, DelayAdaptive or array of shape (K,)
        What `asysg.minimize` takes.

    Returns
    -------
    Steps

    Raises
    ------
    InvalidArgument
        If a number is not finite and >= 0, or the type is none of those allowed.

    Examples
    --------
    >>> from asysg.steplengths import as_steps
    >>> as_steps(lambda k: 1.0 / k).block(0, 2).tolist()
    [1.0, 0.5]
    """
    if isinstance(steplength, Prescription):
        return Steps(float(steplength.gamma))
    if isinstance(steplength, DelayAdaptive):
        return Steps(steplength.gamma, L=steplength.L)
    if isinstance(steplength, np.ndarray) and steplength.ndim == 1:
        if steplength.dtype.kind not in "fiu" or not np.all(
            np.isfinite(steplength) & (steplength >= 0)
        ):
            raise InvalidArgument(
                f"steplength must have finite entries >= 0, got {reprlib.repr(steplength)}."
            )
        table = steplength.astype(np.float64)
        return Steps(None, lambda k: float(table[k - 1]))
    if callable(steplength):
        return Steps(None, steplength)
    try:
        gamma = float(steplength)
    except (TypeError, ValueError):
        raise InvalidArgument(
            "steplength must be a number, a Prescription, 'prescribed', 'optimal', "
            "'delay-adaptive', an array of one entry an update, a function of k, or what "
            f"delay_adaptive returns, got {reprlib.repr(steplength)}."
        ) from None
    if isinstance(steplength, bool) or not (np.isfinite(gamma) and gamma >= 0):
        raise InvalidArgument(f"steplength must be finite and >= 0, got {steplength!r}.")
    return Steps(gamma)

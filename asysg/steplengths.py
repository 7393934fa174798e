"""What `steplength=` can be: a number, a prescription, or a schedule.

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

from .errors import InvalidArgument
from .theory import Prescription

__all__ = ["Schedule", "Steplength", "Steps", "as_steps", "diminishing"]

Schedule: TypeAlias = Callable[[int], float]
Steplength: TypeAlias = "float | Prescription | Schedule | NDArray[np.float64]"


@dataclass(frozen=True)
class Steps:
    """The steplengths of a run, by block of updates: a constant, or a function of k.

    Attributes
    ----------
    gamma : float or None
        The constant, None for a schedule.
    schedule : callable or None
        ``k -> gamma_k`` with k = 1, 2, ... as in the theory.
    """

    gamma: float | None
    schedule: Schedule | None = None

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

    Examples
    --------
    >>> from asysg.steplengths import diminishing
    >>> diminishing(0.1)(4)
    0.05
    """
    if not (np.isfinite(gamma) and gamma > 0):
        raise InvalidArgument(f"gamma must be finite and > 0, got {gamma!r}.")
    if not 0 <= power <= 1:
        raise InvalidArgument(f"power must lie in 0..1, got {power!r}.")
    return lambda k: gamma / k**power


def as_steps(steplength: Steplength) -> Steps:
    """Turn what a user may pass into the steplengths of a run.

    Raises
    ------
    InvalidArgument
        If a number is not finite and >= 0, or the type is none of those allowed.
    """
    if isinstance(steplength, Prescription):
        return Steps(float(steplength.gamma))
    if isinstance(steplength, np.ndarray) and steplength.ndim == 1:
        table = np.array(steplength, dtype=np.float64)

        def look_up(k: int) -> float:
            if k > len(table):
                raise InvalidArgument(
                    f"steplength must have one entry an update, got {len(table)} entries, "
                    f"asked for k = {k}."
                )
            return float(table[k - 1])

        return Steps(None, look_up)
    if callable(steplength):
        return Steps(None, steplength)
    try:
        gamma = float(steplength)
    except (TypeError, ValueError):
        raise InvalidArgument(
            "steplength must be a number, a Prescription, 'prescribed', 'optimal', an array of "
            f"one entry an update, or a function of k, got {reprlib.repr(steplength)}."
        ) from None
    if isinstance(steplength, bool) or not (np.isfinite(gamma) and gamma >= 0):
        raise InvalidArgument(f"steplength must be finite and >= 0, got {steplength!r}.")
    return Steps(gamma)

"""The functions that `con` and `incon` share, arguments checked, algorithm given by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _corollaries, _frame, _schedule
from ._check import choice, number, vector, whole
from ._constants import ProblemConstants
from ._errors import InvalidArgument
from ._frame import FORMS, Frame

if TYPE_CHECKING:
    import numpy.typing as npt

    Steps = float | Sequence[float] | npt.NDArray[np.floating[Any]]


def frame(algorithm: str, c: ProblemConstants, M: int, T: int) -> Frame:
    """Check what every theorem needs."""
    if not isinstance(c, ProblemConstants):
        raise InvalidArgument.of("c", "must be a ProblemConstants", c)
    return Frame(algorithm, c, whole("M", M, low=1), whole("T", T, low=0))


def is_schedule(gamma: Steps) -> bool:
    """Tell an array of steplengths from one steplength."""
    return isinstance(gamma, (Sequence, np.ndarray)) and not isinstance(gamma, str)


def schedule(
    algorithm: str, form: str, gamma: Steps, K: int | None = None
) -> npt.NDArray[np.float64]:
    """Check an array of steplengths."""
    if algorithm != "con" or form != "paper":
        raise InvalidArgument.of(
            "gamma",
            f'must be one number for {algorithm}, form "{form}"',
            gamma,
            'Schedules are covered by con, form "paper" (Theorem 1).',
        )
    return vector("gamma", gamma, length=K)


def condition(f: Frame, form: str, gamma: Steps, K: int | None = None) -> float:
    """Left-hand side of the steplength condition."""
    if is_schedule(gamma):
        return _schedule.condition(f.c, schedule(f.algorithm, form, gamma, K), f.M, f.T)
    return _frame.condition(f, form, number("gamma", gamma))


def condition_holds(f: Frame, gamma: Steps, lhs: float) -> bool:
    """Tell whether lhs <= 1 up to rounding."""
    return _schedule.holds(lhs, f.T) if is_schedule(gamma) else _frame.holds(lhs)


def gamma_max(algorithm: str, c: ProblemConstants, M: int, T: int, form: str) -> float:
    """See con.gamma_max."""
    return _frame.gamma_max(frame(algorithm, c, M, T), choice("form", form, FORMS))


def admissible(
    algorithm: str, gamma: Steps, c: ProblemConstants, M: int, T: int, form: str
) -> bool:
    """See con.admissible."""
    f = frame(algorithm, c, M, T)
    return condition_holds(f, gamma, condition(f, choice("form", form, FORMS), gamma))


def bound(
    algorithm: str, gamma: Steps, c: ProblemConstants, K: int, M: int, T: int, form: str
) -> float:
    """See con.bound."""
    f = frame(algorithm, c, M, T)
    K = whole("K", K, low=1)
    choice("form", form, FORMS)
    if is_schedule(gamma):
        return _schedule.bound(c, schedule(algorithm, form, gamma, K), f.M, f.T)
    return _frame.bound(f, form, K, number("gamma", gamma))


def gamma_prescribed(
    algorithm: str, c: ProblemConstants, K: int, M: int, T: int, form: str
) -> float:
    """See con.gamma_prescribed."""
    f = frame(algorithm, c, M, T)
    return _corollaries.gamma_prescribed(f, choice("form", form, FORMS), whole("K", K, low=1))


def gamma_opt(algorithm: str, c: ProblemConstants, K: int, M: int, T: int, form: str) -> float:
    """See con.gamma_opt."""
    f = frame(algorithm, c, M, T)
    return _frame.gamma_opt(f, choice("form", form, FORMS), whole("K", K, low=1))


def K_min(algorithm: str, c: ProblemConstants, M: int, T: int, form: str) -> int:
    """See con.K_min."""
    f = frame(algorithm, c, M, T)
    found = _corollaries.K_min(f, choice("form", form, FORMS))
    if found is None:
        raise InvalidArgument.of(
            "c",
            "must have noise (and curvature) for a corollary to hold at some K",
            c,
            "Without it use gamma_max and bound, which need no K.",
        )
    return found


def T_max(algorithm: str, c: ProblemConstants, K: int, M: int, form: str) -> int:
    """See con.T_max."""
    f = frame(algorithm, c, M, 0)
    K = whole("K", K, low=1)
    return _corollaries.T_max(algorithm, c, choice("form", form, FORMS), K, f.M)


def rate(algorithm: str, c: ProblemConstants, K: int, M: int, form: str) -> float:
    """See con.rate."""
    f = frame(algorithm, c, M, 0)
    return _corollaries.rate(f, choice("form", form, FORMS), whole("K", K, low=1))


def rate_proven(algorithm: str, c: ProblemConstants, K: int, M: int, T: int) -> float:
    """See con.rate_proven."""
    return _corollaries.rate_proven(frame(algorithm, c, M, T), whole("K", K, low=1))

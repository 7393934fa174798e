"""Objectives that a user wrote: constants are claimed, not proven, and a value may be missing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from ..errors import InvalidArgument
from ..theory import ProblemConstants
from ._base import Objective


class OwnObjective(Objective):
    """What objectives of a user's functions share."""

    _remedy = (
        "Nothing is proven of your function: give a float steplength, or constants=, which "
        "objectives.check(obj, x0).constants estimates."
    )

    @cached_property
    def L(self) -> float:
        """As claimed by `constants`; inf without."""
        return super().L if self._given is None else self._given.L

    @cached_property
    def L_max(self) -> float:
        """As claimed by `constants`; inf without."""
        return super().L_max if self._given is None else self._given.L_max

    @cached_property
    def sigma(self) -> float:
        """As claimed by `constants`; inf without."""
        return super().sigma if self._given is None else self._given.sigma

    def value(self, x: ArrayLike, sample: int | None = None) -> float:
        """Return F(x; sample), or f(x); as `Objective.value`."""
        if not self._has_value:
            raise InvalidArgument(
                "value must be given where f is to be known, got None. Make the objective with "
                "value=."
            )
        return super().value(x, sample)

    def _one_thread(self) -> AbstractContextManager[object]:
        """Keep BLAS in one thread: the workers are its threads."""
        limited: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
        return limited


def check_constants(constants: Any, n: int) -> ProblemConstants | None:
    """Return the constants that a user claims, or refuse them."""
    if constants is not None and (
        not isinstance(constants, ProblemConstants) or constants.n not in (1, n)
    ):
        raise InvalidArgument.of(
            "constants", f"must be a ProblemConstants with n = {n}", constants,
            "objectives.check(obj, x0).constants estimates them.",
        )  # fmt: skip
    return constants

"""x in single precision: where it can be, and what a certificate says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._check import DTYPES, precision
from .errors import InvalidArgument
from .theory import Hypothesis

if TYPE_CHECKING:
    from ._plan import Plan

__all__ = ["DTYPES", "METHODS", "evidence", "fitting_step", "refused", "with_dtype"]

#: The methods whose x may be float32.
METHODS = ("asysg-con", "sgd")
WHO = (
    "Methods 'asysg-con' and 'sgd' have float32, for Network, Quadratic with a diagonal H and the "
    "regressions on dense data."
)


def with_dtype(plan: Plan, dtype: DTypeLike) -> Plan:
    """Return the plan with x in this type of numbers, x0 rounded to it.

    Raises
    ------
    InvalidArgument
        If the method, the objective or prox has no single precision, or x0 is beyond its range.
    """
    if precision(dtype) == "float64":
        return plan
    if plan.method not in METHODS:
        raise refused(f"for method {plan.method!r}")
    if plan.prox is not None:
        raise refused("with prox")
    try:
        if not plan.objective._kernel.single():
            raise refused(f"for this {type(plan.objective).__name__}")
    except OverflowError:
        raise refused("for data beyond its range") from None
    with np.errstate(over="ignore"):
        x0 = plan.x0.astype(np.float32).astype(np.float64)
    beyond = np.flatnonzero(~np.isfinite(x0))
    if beyond.size:
        i = int(beyond[0])
        raise InvalidArgument(
            f"x0 must be finite in float32, got {float(plan.x0[i])} in entry {i}. "
            "Scale the problem."
        )
    return replace(plan, x0=x0, dtype="float32")


def refused(where: str) -> InvalidArgument:
    """Say who has float32."""
    return InvalidArgument(f"dtype must be 'float64' {where}, got 'float32'. {WHO}")


def fitting_step(plan: Plan) -> Plan:
    """Return the plan, or refuse a constant steplength that float32 has not."""
    gamma = plan.steps.gamma
    if plan.dtype == "float32" and gamma:
        with np.errstate(over="ignore", under="ignore"):
            rounded = float(np.float32(gamma))
        if rounded == 0 or rounded == np.inf:
            raise InvalidArgument(
                f"steplength must not be {rounded:g} in float32, got {gamma}. Scale the problem."
            )
    return plan


def evidence(plan: Plan, x: NDArray[np.float64], nit: int) -> tuple[Hypothesis, ...]:
    """Say what rounding breaks, and how many entries of the last x it keeps from moving.

    An entry stands still where half the distance to the next number of its type is more than its
    step. Steps of samples may be longer than the one by the exact gradient that is tried here.
    """
    if plan.dtype == "float64":
        return ()
    with np.errstate(all="ignore"):
        gradient = plan.objective.gradient(x)
        gamma = np.float32(plan.steps.at(max(1, min(nit, plan.K))))
        here = x.astype(np.float32)
        moved = here - gamma * (plan.M * gradient).astype(np.float32)
    stagnant = float(np.mean((moved == here) & (gradient != 0)))
    note = (
        "every update is rounded to float32: the errors have no mean zero, and no theorem here "
        "covers that"
    )
    if stagnant:
        note += (
            f"; a step by the exact gradient from the last x is lost to rounding in {stagnant:.1%} "
            "of the entries, which stagnate: float64 or a larger batch_size goes on"
        )
    return (
        Hypothesis(
            "x in double precision",
            False,
            None,
            {"rounding": 2.0**-24, "stagnant": stagnant},
            "by construction",
            note,
        ),
    )

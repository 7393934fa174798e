"""A proximal term: what goes with it, and what the kernels are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ._check import choice
from ._core.ahead import sparse
from ._core.proximal import Proximal
from ._plan import Plan
from .errors import InvalidArgument
from .prox import Prox

#: The methods whose updates may end with a proximal step.
METHODS = ("sgd", "asysg-con", "asysg-incon", "asyscd", "hogwild")


def with_prox(plan: Plan, prox: Prox | None) -> Plan:
    """Return the plan with this proximal term, or without one.

    Raises
    ------
    InvalidArgument
        If it is no `Prox`, has not n entries, or x0 is not in its box, or the method has none.
    """
    if prox is None:
        return plan
    if not isinstance(prox, Prox):
        raise InvalidArgument.of(
            "prox", "must be made by asysg.prox", type(prox).__name__, "For example prox.l1(0.1)."
        )
    choice("method", plan.method, METHODS, remedy="Only these have proximal steps.")
    lower, upper = prox.bounds(plan.objective.n)
    outside = np.flatnonzero(~((lower <= plan.x0) & (plan.x0 <= upper)))
    if outside.size:
        i = int(outside[0])
        raise InvalidArgument(
            f"x0 must lie in the box of prox, got {float(plan.x0[i])} in entry {i} "
            f"({outside.size} outside). np.clip(x0, lower, upper) does."
        )
    return replace(plan, prox=prox)


def with_lazy(plan: Plan) -> Plan:
    """Say whether the proximal steps of an entry wait until it is looked at.

    On sparse samples an update writes few entries, though h acts on all.

    Raises
    ------
    InvalidArgument
        For schedules of "hogwild", of which the steps that an entry has missed are no closed form.
    """
    if plan.prox is None or not sparse(plan.objective._capsule):
        return plan
    constant = plan.steps.constant or (plan.wanted is not None and not plan.adaptive)
    if plan.method == "hogwild" and not constant:
        raise InvalidArgument(
            "steplength must be constant for method 'hogwild' with prox on sparse samples, got one "
            "that varies. The steps that an entry has missed are made up for in closed form."
        )
    # What is logged of the serial method is to be replayed to the last bit, step by step.
    serial = plan.method == "sgd" and constant and plan.record in (False, "sampled")
    return replace(plan, lazy=plan.method == "hogwild" or serial)


def kernel(plan: Plan) -> Proximal | None:
    """Return the proximal term as the kernels know it."""
    if plan.prox is None:
        return None
    return Proximal(plan.prox.l1, plan.prox.l2, *plan.prox.bounds(plan.objective.n))

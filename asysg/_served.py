"""What "sync", "delayed" and "downpour" are told, and what is known of them before they begin.

The same on threads, on ranks and for virtual workers.
"""

from __future__ import annotations

import os
from typing import Any

from ._check import integer
from ._plan import Plan
from .errors import InvalidArgument
from .theory import Hypothesis

SERVED = ("sync", "delayed", "downpour")
#: Why what a read misses cannot depend on samples.
ORDERED = {
    "sync": "every read is the current iterate",
    "delayed": "gradients are applied in a fixed order, whatever the order of arrival",
}


def pushes_and_fetches(method: str, n_push: Any, n_fetch: Any) -> tuple[int, int]:
    """Return the local steps of a push and those between two fetches, or refuse them."""
    n_push = integer("n_push", n_push, least=1)
    n_fetch = integer("n_fetch", n_fetch, least=1)
    if (n_push, n_fetch) != (1, 1) and method != "downpour":
        raise InvalidArgument(
            f"n_fetch and n_push must be 1 for method {method!r}, got {n_fetch} and {n_push}. "
            "Only 'downpour' steps on its own."
        )
    if n_fetch % n_push:
        raise InvalidArgument.of("n_fetch", f"must be a multiple of n_push, {n_push}", n_fetch)
    return n_push, n_fetch


def delay_or(default: int | None, method: str, delay: Any) -> int | None:
    """Return the delay of "delayed", `default` if it is left out, and None for the others."""
    if method != "delayed":
        if delay is not None:
            raise InvalidArgument.of("delay", f"must be left out for method {method!r}", delay)
        return None
    return default if delay is None else integer("delay", delay, least=0)


def allowed(plan: Plan) -> Plan:
    """Return the plan, or refuse what its method cannot have."""
    if plan.max_delay is not None and plan.method in ORDERED:
        raise InvalidArgument(
            f"max_delay must be left out for method {plan.method!r}, got {plan.max_delay}. Its "
            "delays are what they are by construction."
        )
    if plan.M % plan.n_push:
        raise InvalidArgument.of(
            "batch_size", f"must be a multiple of n_push, {plan.n_push}", plan.M
        )
    if plan.n_fetch > 1 and plan.wanted is None and not plan.steps.constant:
        raise InvalidArgument(
            "steplength must be constant for method 'downpour', got a schedule. Workers step on "
            "their own before their updates have numbers."
        )
    return plan


def fitting(plan: Plan) -> Plan:
    """Return the plan, or refuse a delay for which the iterates that are kept do not fit."""
    size = 8 * plan.objective.n * (1 + (plan.delay or 0))
    if size > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        raise InvalidArgument(
            "delay must be so short that the iterates it may read fit the memory, got "
            f"{plan.delay} for n = {plan.objective.n}, {size} bytes."
        )
    return plan


def oblivious(why: str | None, note: str = "", what: str = "sample") -> Hypothesis:
    """Return what is known of the reads; without a reason it is assumed."""
    assumed = (
        f"true as far as the time of an update does not depend on its {what}; the robust form does "
        f"not need it{note}"
    )
    return Hypothesis(
        "reads oblivious",
        True,
        None,
        {},
        "assumed" if why is None else "by construction",
        assumed if why is None else why,
    )


def local_steps(n_push: int) -> tuple[Hypothesis, ...]:
    """Say what several local steps of one update break."""
    if n_push == 1:
        return ()
    return (
        Hypothesis(
            "reads made of earlier updates",
            False,
            None,
            {},
            "by construction",
            f"the {n_push} local steps of a push read one another, though they are one update; "
            "no theorem here covers that (n_push = 1 is covered: a read then lacks whole "
            "updates of other workers, as for Hogwild with full vectors)",
        ),
    )

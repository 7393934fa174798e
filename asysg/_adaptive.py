"""Steplengths that adapt to the delay: where they can be, what they rest on, how they weigh.

Theorem A bounds the sum of gamma_k ||grad f(x_k)||^2 over that of gamma_k. The latter is known: the
schedulers add up what they used. The former is estimated from the recorded iterates, one of each
stratum (`_run.recorded`), each weighted by the *stratum's* share of the steplengths, also known.

The step of the very update that follows a recorded iterate would be no fair sample: on threads
every worker reads anew after a pause, so that update has delay 0 and takes the whole gamma. A
stratum's share is what its iterates really weighed. What remains of an error is, within each
stratum, the covariance of steps and norms: none where every iterate is recorded, and none on
average where the delays, which know nothing of the samples, do not follow the trend of the norm
within a stratum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidArgument
from .theory import AdaptiveSteps, Hypothesis

if TYPE_CHECKING:
    from ._plan import Plan, State

NAME = "delay-adaptive"
#: The methods whose steplengths may adapt to the delay of each update.
METHODS = ("sgd", "asysg-con", "hogwild", "asysg-incon", "asyscd")
#: Those to which Theorem A applies, so that their steplength may be asked for by name.
COVERED = ("sgd", "asysg-con")


def check(plan: Plan) -> None:
    """Refuse delay-adaptive steplengths where they cannot be.

    Raises
    ------
    InvalidArgument
        If the delays of the method's updates are fixed, or its steplength is needed before.
    """
    if not plan.adaptive:
        return
    if plan.method not in METHODS:
        raise InvalidArgument(
            f"steplength must not adapt to the delay for method {plan.method!r}, got "
            f"{plan.wanted or 'one that does'}. Its delays are what they are by construction, or "
            "not known when a step is made; give a number."
        )
    if plan.wanted is not None and plan.method not in COVERED:
        raise InvalidArgument(
            f"steplength must be given for method {plan.method!r}, got {plan.wanted!r}. No theorem "
            "here says how large it may be; asysg.steplengths.delay_adaptive makes one."
        )


def steps_of(plan: Plan, state: State) -> AdaptiveSteps:
    """Return what a certificate has to know of the steplengths of a run."""
    gamma, L = plan.steps.gamma, plan.steps.L
    assert gamma is not None
    assert L is not None
    return AdaptiveSteps(gamma, L, plan.in_flight, state.sum_step, state.sum_square)


def evidence(plan: Plan) -> list[Hypothesis]:
    """Say what Theorem A supposes besides what other theorems do."""
    P = plan.in_flight
    if P is None:
        flight = Hypothesis(
            "gradients under way",
            False,
            None,
            {},
            "by construction",
            "Theorem A asks that no update is missed by more than P - 1 later ones. Without a "
            "server, one that is slow to be written is missed by every read until it is, any "
            "number of them by one worker; no theorem for that is available",
        )
    else:
        note = "a worker reads again once its update is made"
        if not plan.virtual_workers and plan.simulated:
            note = "counted in the given delays"
        flight = Hypothesis(
            "gradients under way", True, None, {"P": float(P)}, "by construction", note
        )
    one = Hypothesis(
        "one read per update",
        plan.one_read,
        None,
        {},
        "by construction",
        "" if plan.one_read else "the samples of an update read iterates of different delays",
    )
    return [one, flight]


def weights(
    rows: NDArray[np.float64], edges: NDArray[np.int64], state: State
) -> NDArray[np.float64]:
    """Return the weight of each recorded iterate: its stratum's share of all steplengths.

    Parameters
    ----------
    rows : ndarray of shape (records, 5)
        Of the trace; the first column is the number of updates before, the last the share of the
        stratum in all updates, 0 for iterates recorded besides.
    edges : ndarray of int64
        First updates of the strata, and K.
    state : State
        Its `marks` hold the sum of the steplengths at each edge that was reached.
    """
    if not state.sum_step > 0:
        return rows[:, 4]
    marks = [*state.marks, (state.clock, state.sum_step)]
    sums = np.interp(edges, [k for k, _ in marks], [total for _, total in marks])
    stratum = np.searchsorted(edges, rows[:, 0], side="right") - 1
    shares = np.append(np.diff(sums) / state.sum_step, 0.0)
    return np.where(rows[:, 4] > 0, shares[stratum], 0.0)

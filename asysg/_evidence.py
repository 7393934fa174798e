"""From what happened in a run to its certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from . import _adaptive, theory
from ._plan import Plan, State
from .errors import InvalidArgument
from .result import STATUS, Staleness, Trace, bounded_mean
from .theory import Certificate, Hypothesis

#: Why no update is lost, by way of writing.
LOSSES = {
    "atomic": "every add is atomic, or made under a lock or in turn",
    "replica": "private copies are merged under locks, and what others added is kept",
    "lossy": "counted where a write overwrote another; each lost one update or more",
    "served": "the server alone writes x, one update after the other",
    "served in float32": "the server alone writes x, one update after the other",
    "simulated": "simulated",
}

#: True of every scheduler, since all draw alike.
UNBIASED = Hypothesis(
    "samples unbiased",
    True,
    None,
    {},
    "by construction",
    "drawn by counter, uniformly, before anything is computed",
)
#: Of coordinate descent.
EXACT = Hypothesis(
    "samples unbiased", True, None, {}, "by construction", "no samples: derivatives are exact"
)
DESCENT = "AsySCD is AsySG-incon on f itself: the same theorem, with sigma = 0 and M = 1."
LUCK = " The interval is three standard deviations of what its coordinates leave to one run's luck."


def unbiased(method: str) -> Hypothesis:
    """Say why the gradients that a method takes have the right mean."""
    return EXACT if method == "asyscd" else UNBIASED


def certify(
    plan: Plan, staleness: Staleness, trace: Trace, status: str, state: State
) -> Certificate:
    """Say which hypotheses of the theorem this run satisfied, and what follows."""
    T, nit = staleness.max, state.clock
    evidence = [
        Hypothesis(
            "delays bounded by T",
            T is not None,
            None if T is None else 0.0,
            {} if T is None else {"largest_delay": float(T), "T": float(T)},
            "measured" if plan.max_delay is None else "enforced",
            delay_note(T, plan.max_delay, plan.prescribed_T),
        ),
        Hypothesis(
            "all updates done",
            status == "completed",
            None,
            {"done": float(nit), "K": float(plan.K)},
            "measured",
            "" if status == "completed" else STATUS[status],
        ),
        Hypothesis(
            "no update is lost",
            state.overwrites == 0,
            float(-state.overwrites),
            {"n_lost": float(state.overwrites)},
            "measured" if plan.update == "lossy" else "by construction",
            LOSSES[plan.update],
        ),
        *plan.evidence,
    ]
    if plan.prox is not None:
        evidence.append(
            Hypothesis(
                "no proximal term",
                False,
                None,
                {},
                "by construction",
                f"updates end with a proximal step ({plan.prox}), and no theorem with explicit "
                "constants for asynchronous proximal updates of a nonconvex f + h is available; "
                "what was measured is the squared norm of the gradient mapping",
            )
        )
    gamma: Any = plan.steps.gamma
    K, form = max(1, nit), plan.form
    if plan.adaptive:
        # Theorem A, which supposes no T.
        gamma, form = _adaptive.steps_of(plan, state), theory.ADAPTIVE
        evidence[:1] = _adaptive.evidence(plan)
    elif gamma is None and plan.algorithm == "con":
        # Theorem 1 is the one statement for steps that vary.
        gamma, form = np.broadcast_to(plan.steps.block(0, K), K), "paper"
    elif gamma is None:
        gamma = plan.steps.at(1)
        evidence.append(
            Hypothesis(
                "constant steplength",
                False,
                None,
                {},
                "by construction",
                "no theorem for schedules of AsySG-incon is available",
            )
        )
    if form in ("constant_delay", "uniform"):
        evidence.append(
            Hypothesis(
                "every delay equals T",
                T == 0 or plan.constant_delay,
                None,
                {},
                "by construction" if plan.simulated else "measured",
            )
        )
    constants = plan.constants
    if constants is None:
        try:
            constants = plan.objective.constants(plan.x0, T=T or 0)
        except InvalidArgument as error:
            evidence.append(Hypothesis("problem constants", False, None, {}, "assumed", str(error)))
    # By either name: with exact derivatives and one of them an update.
    exact = plan.M == 1 and constants is not None and constants.sigma == 0
    descent = plan.method == "asyscd" or (plan.algorithm == "incon" and exact)
    found = theory.certify(
        constants,
        algorithm=plan.algorithm,
        gamma=gamma,
        K=K,
        M=plan.M,
        T=T or 0,
        form=form,
        measured=bounded_mean(trace, status, form=form, K=K, T=T or 0, gamma=gamma),
        evidence=tuple(evidence),
        note=DESCENT if descent else "",
    )
    measured = found.measured
    if descent and measured is not None and found.bound < measured < np.inf:
        half = left_to_luck(trace, plan.objective.n, K)
        found = replace(found, measured_halfwidth=half, note=DESCENT + LUCK)
    return found


def left_to_luck(trace: Trace, n: int, K: int) -> float:
    """Return three standard deviations of what one run of coordinate descent owes to its draws.

    Without noise f falls by what the drawn partial derivatives make of it, and the bound, one of
    the expectation, is nearly attained where f comes down to its lower bound: one run then lies on
    this side of it, another on that. Its luck is the mean over k of ``||g_k||^2 - n g_k[i_k]^2``,
    terms of expectation 0 and of variance at most ``(n - 1) ||g_k||^4``.
    """
    largest = float(trace.grad_norm_sq.max())
    fourth = trace.weight @ (trace.grad_norm_sq / largest) ** 2 / trace.weight.sum()
    return 3 * largest * float(np.sqrt((n - 1) * fourth / K))


def delay_note(T: int | None, enforced: int | None, prescribed: int | None) -> str:
    """Compare the delay that occurred with `max_delay`, and with the one prescribed for."""
    if T is None:
        return "the run recorded no delays (record=False)"
    said = [] if enforced is None else [f"max_delay = {enforced}"]
    if prescribed is not None and T > prescribed:
        said.append(f"larger than T = {prescribed}, for which the steplength was prescribed")
    elif prescribed is not None:
        said.append(f"the steplength was prescribed for T = {prescribed}")
    return "; ".join(said)

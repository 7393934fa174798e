"""Whether a run passes over the updates that are zero by structure."""

from __future__ import annotations

import math

from ._check import choice
from ._core.skip import Skip
from ._plan import Plan
from .errors import InvalidArgument

#: Without being asked, skip where at most this share of the updates changes anything; beyond, the
#: draws of gap and entry cost as much as the updates they save.
SHARE = 0.25
#: Updates that change something which a worker makes in one turn at the clock, at most.
TURN = 8


def skip_law(plan: Plan, skip_ahead: bool | None, p: int, *, replicas: bool) -> Skip | None:
    """Return the law of the updates that are not skipped, or None where all are drawn.

    Parameters
    ----------
    plan : Plan
    skip_ahead : bool or None
        None: skip where it is exact and pays.
    p : int
        Number of workers.
    replicas : bool
        Private copies of x were asked for.

    Raises
    ------
    InvalidArgument
        If it is True where it cannot be.
    """
    choice("skip_ahead", skip_ahead, (None, True, False))
    if skip_ahead is False:
        return None
    obstacle = None
    if plan.algorithm != "incon":
        obstacle = f"method is {plan.method!r}, whose updates are not of one coordinate"
    elif plan.prox is not None:
        obstacle = "there is a prox, whose steps change what the gradient leaves as it is"
    elif plan.record in ("full", "full+reads"):
        obstacle = f"record is {plan.record!r}, which logs every update"
    elif plan.adaptive:
        obstacle = "steplength adapts to the delay, of the updates passed over too"
    elif replicas:
        obstacle = "update is 'replica', which numbers updates by the batch"
    elif skip_ahead is None and plan.K < (plan.objective.n_samples or 0):
        return None  # to look at every sample would cost more than the run
    elif isinstance(pattern := plan.objective._pattern, str):
        obstacle = f"no update of obj is known to be zero: {pattern}"
    if obstacle is not None:
        if skip_ahead:
            raise InvalidArgument(
                f"skip_ahead must be None or False where {obstacle}, got True. The plain loop does "
                "the same updates one by one."
            )
        return None
    columns = plan.objective._pattern_columns if plan.M > 1 else ()
    law = Skip(plan.M, *pattern, *columns)
    law.turn = turn(plan, p, law.share)
    return law if skip_ahead or law.share <= SHARE else None


def turn(plan: Plan, p: int, share: float) -> int:
    """Return how many updates that change something a worker makes in one turn at the clock.

    So many that the clock costs little, but no more than keep the delays, about 2 p turns where
    the workers are equally fast, within what is enforced or was prescribed for, or, where the
    theory is to choose the steplength, within the square root of the number of updates: beyond it
    asynchrony costs iterations.
    """
    most = [
        TURN * 2 * p / share,
        *(T + 1 for T in (plan.max_delay, plan.prescribed_T) if T is not None),
        *([math.isqrt(plan.K)] if plan.wanted is not None else []),
    ]
    return max(1, round(min(most) * share / (2 * p)))

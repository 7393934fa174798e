"""How workers write to x, and how far apart private copies are merged: chosen or refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from . import _draws
from ._check import choice, integer
from ._core import evaluate
from ._plan import OF_A_COORDINATE, Plan
from .errors import InvalidArgument

UPDATES = ("atomic", "replica", "lossy")
#: The methods without a server, whose workers write as they please.
LOCK_FREE = (*OF_A_COORDINATE, "hogwild")
#: Updates between two merges: at most by default, and at all.
BATCH, MOST = 4096, 2**20
#: A merge should cost a small part of the updates before it. By default they look at this many
#: times n entries. (Where they cannot look at a quarter of n, the merge would cost more than they
#: do, and by default there are no private copies.)
TIMES_N = 16
#: What an update costs besides, in entries.
OVERHEAD = 8


def with_update(
    plan: Plan, update: str | None, sync_every: int | None, p: int, chosen: str | None = None
) -> Plan:
    """Return the plan with the way to write that was asked for, or else `chosen` before, or one.

    Raises
    ------
    InvalidArgument
        If the method, the steplength or max_delay does not allow it.
    """
    if update is None and sync_every is not None:
        update = "replica"
    if update is not None:
        choice("update", update, UPDATES, remedy="None chooses.")
    free = plan.method in LOCK_FREE
    if update not in (None, "atomic") and not free:
        raise InvalidArgument(
            f"update must be 'atomic' for method {plan.method!r}, got {update!r}. The other ways "
            f"are for the lock-free methods, {', '.join(map(repr, LOCK_FREE))}."
        )
    if plan.prox is not None and update in ("replica", "lossy"):
        raise InvalidArgument(
            f"update must be 'atomic' with prox, got {update!r}. A proximal step is no sum: merged "
            "copies, or what a racing write leaves, would have other steps, and leave a box."
        )
    if update in ("atomic", "lossy") and sync_every is not None:
        raise InvalidArgument(
            f"sync_every must be left out with update={update!r}, got {sync_every!r}. Only private "
            "copies, update='replica', are merged."
        )
    constant = not plan.adaptive and (plan.wanted is not None or plan.steps.constant)
    if update == "replica" and not constant:
        raise InvalidArgument(
            "update must be 'atomic' with a schedule of steplengths or ones that adapt to the "
            "delay, got 'replica'. An update is made there before its number k and its delay, and "
            "so its steplength, are known."
        )
    if sync_every is not None:
        sync_every = integer("sync_every", sync_every, least=1)
        most = MOST if plan.max_delay is None or p == 1 else min(MOST, plan.max_delay + 1)
        if sync_every > most:
            raise InvalidArgument(
                f"sync_every must be at most {most}{'' if most == MOST else ' = max_delay + 1'}, "
                f"got {sync_every}. Delays are about 2 sync_every n_threads."
            )
    if update is None and free and constant and plan.prox is None:
        if chosen in ("atomic", "replica"):
            update = chosen
        elif p > 1 and pays(plan, p):
            update = "replica"
    if update == "replica":
        return replace(plan, update=update, sync_every=sync_every or batch(plan, p))
    return replace(plan, update=update or "atomic")


def pays(plan: Plan, p: int) -> bool:
    """Tell whether private copies spare more than they cost.

    An exact derivative mostly costs much more than the reads and the write that they would spare.
    """
    return plan.method != "asyscd" and batch(plan, p) * cost(plan) >= plan.objective.n / 4


def cost(plan: Plan) -> float:
    """Return how many entries of x an update looks at on average, and a little for the rest."""
    obj, draws = plan.objective, np.arange(64)
    samples = _draws.samples(plan.key, draws, 1, obj.n_samples)[:, 0]
    coordinates = np.full(len(draws), -1)
    if plan.algorithm == "incon":
        coordinates = _draws.coordinates(plan.key, draws, obj.n)
    looked_at = [
        obj.n if found is None else len(found)
        for found in (
            evaluate.support(obj._capsule, int(s), int(i))
            for s, i in zip(samples, coordinates, strict=True)
        )
    ]
    return plan.M * (float(np.mean(looked_at)) + OVERHEAD)


def batch(plan: Plan, p: int) -> int:
    """Return a number of updates between two merges for p workers.

    So many that the merges cost little, but no more than keep the delays, about 2 B p where the
    workers are equally fast, within `max_delay`, or, where the theory is to choose the steplength,
    within the square root of the number of updates: beyond it asynchrony costs iterations.
    """
    most = min(BATCH, math.ceil(TIMES_N * plan.objective.n / cost(plan)))
    if plan.max_delay is not None:
        most = min(most, (plan.max_delay + 1) // (2 * p))
    if plan.wanted is not None:
        most = min(most, math.isqrt(plan.K) // (2 * p))
    return max(1, most)

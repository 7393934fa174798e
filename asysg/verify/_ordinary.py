"""Ordinary rows: the built-in objectives on real threads at the prescribed steplength."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .. import theory
from .._minimize import minimize
from ._evidence import (
    certificate,
    convicting_ratio,
    ergodic,
    half_width,
    log_e_value,
    most_stale,
    verdict,
)
from ._instances import INSTANCES
from ._report import Row
from ._settings import Settings

METHODS = ("asysg-con", "asysg-incon")
BATCH = 2
#: Least number of updates; more where the corollary asks for it.
UPDATES = 8_000


def enforced_delay(p: int) -> int:
    """Return the T that p threads are held to: roomy, so that little work is thrown away."""
    return 0 if p == 1 else max(8, 2 * (p - 1))


def replicates(settings: Settings) -> int:
    """Return how many replicates an ordinary row has."""
    return settings.number(24, 6)


def ordinary_row(
    name: str,
    method: str,
    p: int,
    settings: Settings,
    seed: np.random.SeedSequence,
    tick: Callable[[], object],
) -> Row:
    """Run one objective by one method on p threads and hold it against Theorem P.

    K is at least the K_min of Corollary P, so that its rate is part of the claim; the delay is
    enforced, so that T is certified by construction, and measured besides.
    """
    obj, x0 = INSTANCES[name]()
    T = enforced_delay(p)
    side = theory.incon if method == "asysg-incon" else theory.con
    c = obj.constants(x0, T=T)
    K = max(UPDATES, side.K_min(c, M=BATCH, T=T, form="plus"))
    gamma = side.prescribe(c, K=K, M=BATCH, T=T, form="plus").gamma
    runs = []
    for stream in seed.spawn(replicates(settings)):
        runs.append(
            minimize(
                obj,
                x0,
                method=method,
                steplength=settings.factor * gamma,
                batch_size=BATCH,
                n_updates=K,
                n_threads=p,
                max_delay=T,
                n_records=50,
                constants=c,
                rng=stream,
            )
        )
        tick()
    values = np.array([ergodic(run) for run in runs])
    claim = certificate(c, runs, values, gamma=gamma, T=T, form="plus", corollary=True)
    log_e, log_threshold = log_e_value(values, claim.bound), math.log(1 / settings.alpha)
    assert claim.measured is not None
    times = convicting_ratio(len(values), settings.alpha) * claim.bound / claim.measured
    return Row(
        kind="ordinary",
        objective=name,
        method=method,
        run="1 thread" if p == 1 else f"{p} threads",
        steplength="prescribed",
        replicates=len(values),
        T_measured=most_stale(runs),
        measured=claim.measured,
        halfwidth=half_width(values),
        log_e=log_e,
        log_threshold=log_threshold,
        verdict=verdict(claim, log_e, log_threshold),
        detects=f"mean x {times:.0f}",
        certificate=claim,
    )

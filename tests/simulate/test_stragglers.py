"""Very slow workers: what the largest delay costs, and two ways not to pay for it.

Half of 8 workers need 500 virtual seconds for a gradient, the others one. Each method takes the
steplength and the number of updates with which its own theorem guarantees an ergodic mean of at
most EPS soonest. A constant steplength must be short enough for the largest delay, and a barrier
waits for the slowest. A threshold (late gradients are discarded) and steplengths that adapt to the
delay let the fast workers go on. The clock is virtual: these are facts, not measurements.
"""

import functools
import math

import numpy as np
import pytest

from asysg import objectives, simulate, steplengths, theory
from asysg.theory import baselines

P, SLOW, EPS = 8, 500.0, 0.3
OBJ = objectives.CosineQuadratic(6, sigma=1.5)
X0 = np.ones(6)
C = OBJ.constants(X0, T=0)
SPEEDS = simulate.speeds.two_classes(SLOW, 0.5)
#: No threshold: four fast workers make so many updates while a slow one computes.
T_PLAIN = int(4 * SLOW) + P
T_KEPT = baselines.threshold_delay(C, EPS)


def soonest(bound, largest):
    """The steplength, of many up to the largest, that needs the fewest updates; and these."""

    def updates(gamma):
        low, high = 1, 1
        while bound(gamma, high) > EPS:
            low, high = high, 2 * high
            if high > 2**40:
                return math.inf
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if bound(gamma, middle) > EPS else (low, middle)
        return high

    gammas = largest * np.geomspace(1e-4, 1, 100)
    K, gamma = min((updates(gamma), gamma) for gamma in gammas)
    return {"steplength": gamma, "n_updates": K}


def constant(T):
    """Constant steplengths, for delays up to T."""
    return soonest(
        lambda gamma, K: theory.con.bound(gamma, C, K=K, M=1, T=T),
        theory.con.gamma_max(C, M=1, T=T) * (1 - 1e-12),
    )


def workers(**how):
    return simulate.minimize(
        OBJ, X0, method="asysg-con", n_workers=P, speeds=SPEEDS, rng=0, n_records=300, **how
    )


@functools.cache
def results():
    """Run each, at what its theorem says; barriers are serial updates of P samples in law."""
    adapt = soonest(
        lambda gamma, K: 4 * C.gap / (K * gamma) + 1.5 * C.L * gamma * C.sigma**2,
        1 / (4 * C.L * P),
    )
    adapt["steplength"] = steplengths.delay_adaptive(adapt["steplength"], C.L)
    barrier = soonest(
        lambda gamma, K: baselines.synchronous_bound(gamma, C, K=K, M=1, P=P), 1 / (C.L * P)
    )
    return {
        "plain": workers(**constant(T_PLAIN)),
        "threshold": workers(**constant(T_KEPT), max_delay=T_KEPT),
        "delay-adaptive": workers(**adapt),
        "barrier": simulate.minimize(
            OBJ, X0, method="sgd", n_workers=1, batch_size=P, rng=0, n_records=300,
            form="uniform", speeds=simulate.speeds.deterministic(SLOW), **barrier,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["plain", "threshold", "delay-adaptive", "barrier"])
def test_each_is_certified_to_reach_the_target(name):
    certificate = results()[name].certificate
    assert certificate.holds
    assert certificate.bound <= EPS * (1 + 1e-9)
    assert certificate.verdict == "within"


@pytest.mark.parametrize("name", ["threshold", "delay-adaptive"])
def test_the_fast_are_not_held_up(name):
    found = {name: result.time for name, result in results().items()}
    assert 20 * found[name] < min(found["plain"], found["barrier"])


def test_what_becomes_of_the_slow():
    plain, kept = results()["plain"], results()["threshold"]
    adaptive = results()["delay-adaptive"]
    assert plain.staleness.max > 1000
    assert adaptive.staleness.max > 1000
    assert (plain.n_recomputed, adaptive.n_recomputed) == (0, 0)
    assert kept.staleness.max <= T_KEPT
    assert kept.n_recomputed > 0
    # The threshold is the better one here: late gradients add nothing to what a step may be.
    assert kept.time < adaptive.time
    # At the same largest steplength a constant one has no theorem left.
    same = workers(steplength=adaptive.steplength, n_updates=adaptive.n_updates)
    assert [h.name for h in same.certificate.hypotheses if not h.holds] == ["steplength condition"]


def test_the_threshold_discards_what_is_r_updates_late_or_more():
    """R = T + 1 gradients: every delay that is kept is below it, and every one discarded is not."""
    res = workers(steplength=0.01, n_updates=4000, max_delay=T_KEPT, record="full")
    R = max(1, math.ceil(C.sigma**2 / EPS))
    assert R == T_KEPT + 1
    delays = np.arange(res.nit) - res.log["start"]
    assert delays.max() < R
    free = workers(steplength=0.01, n_updates=4000)
    assert free.staleness.max >= R

"""Random tight instances: the bound is kept, and the mean is what the exact moments say.

On the isotropic quadratic with a constant delay the expectation comes within 20 % of Theorem U even
with these short horizons, so that an error which an ordinary problem hides makes it fail. Nulls:
the mean is at most the bound (e-value, exact for any law); the mean is the exact one (Student's t).
False alarm: split over the examples that hypothesis draws. Power: the second finds the shift that
`testing.min_detectable` names, asserted below to be at most a quarter of the mean; both convict a
steplength 40 % too long.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asysg import theory
from asysg.objectives import Quadratic
from asysg.simulate import delays
from asysg.simulate import minimize as simulate
from asysg.theory import testing
from asysg.verify._evidence import ergodic
from asysg.verify._tight import Tight
from tests.budget import POWER, alpha

REPLICATES = 40
EXAMPLES = max(10, settings.default.max_examples // 4)
#: Two tests of each example, and the control.
ALPHA = alpha("within tight bounds", 2 * EXAMPLES + 4)

instances = st.builds(
    Tight,
    method=st.sampled_from(["asysg-con", "asysg-incon"]),
    T=st.integers(0, 8),
    share=st.sampled_from([0.15, 0.4, 0.8, 0.95]),
    n=st.integers(8, 16),
    M=st.integers(1, 3),
    horizon=st.just(6.0),
)


def measure(case, seed, factor=1.0):
    """Run replicates, every iterate recorded as far as 200 reach."""
    x0 = np.full(case.n, np.sqrt(2 * case.gap / case.L / case.n))
    values = []
    for stream in np.random.SeedSequence(seed).spawn(REPLICATES):
        run = simulate(
            Quadratic.isotropic(case.n, case.L, sigma=case.SIGMA, noise="rademacher"),
            x0,
            method=case.method,
            steplength=factor * case.gamma,
            batch_size=case.M,
            n_updates=case.K,
            n_records=200,
            delays=delays.constant(case.T),
            constants=case.constants,
            rng=stream,
        )
        values.append(ergodic(run, case.K - case.T))
    side = theory.incon if case.algorithm == "incon" else theory.con
    bound = side.bound(case.gamma, case.constants, K=case.K, M=case.M, T=case.T, form="uniform")
    return np.array(values), bound


@settings(max_examples=EXAMPLES)
@given(instances, st.integers(0, 2**32))
def test_random_tight_instances(case, seed):
    values, bound = measure(case, seed)
    expected = case.expected()
    assert 0.8 * bound < expected <= bound
    assert not testing.evidence_against(values, bound, alpha=ALPHA).rejected
    found = testing.equality_test(values, expected, alpha=ALPHA)
    assert not found.rejected, found
    spread = float(values.std(ddof=1))
    least = testing.min_detectable(spread, REPLICATES, alpha=ALPHA, power=POWER)
    assert least <= 0.25 * expected


@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon"])
def test_the_test_can_fail(method):
    case = Tight(method, 3, 0.8, 16, 2, 6.0)
    values, bound = measure(case, 1, factor=1.4)
    assert testing.evidence_against(values, bound, alpha=ALPHA).rejected
    assert testing.equality_test(values, case.expected(), alpha=ALPHA).rejected

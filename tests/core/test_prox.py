"""The proximal step: a minimum, a composition in closed form, and the same in every kernel."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize_scalar

from asysg import _draws, objectives
from asysg._core.proximal import Lazy, Proximal
from asysg._core.threads import Threads
from asysg.prox import Prox
from asysg.simulate import recursion

UNIT = 2.0**-53
weights = st.one_of(st.just(0.0), st.floats(1e-6, 4.0))
sides = st.floats(-5.0, 5.0)


@st.composite
def terms(draw):
    """Any h: with and without box, with 0 in it, at its edge and outside."""
    lower, upper = sorted([draw(sides), draw(sides)])
    lower = draw(st.sampled_from([lower, -np.inf, 0.0 if upper >= 0 else lower]))
    upper = draw(st.sampled_from([upper, np.inf]))
    return Prox(draw(weights), draw(weights), lower, upper)


def kernel(h, n=1):
    return Proximal(h.l1, h.l2, *h.bounds(n))


@given(terms(), st.floats(-10.0, 10.0), st.floats(1e-3, 4.0))
def test_the_step_is_the_minimum(h, v, t):
    """No point that a search of the box finds is lower, by t h(u) + (u - v)^2 / 2."""
    found = float(h.proximal(np.array([v]), t)[0])
    assert h.lower <= found <= h.upper

    def phi(u):
        return t * h.value([u]) + (u - v) ** 2 / 2

    low, high = max(h.lower, -20.0), min(h.upper, 20.0)
    searched = minimize_scalar(phi, bounds=(low, high), method="bounded").x if low < high else low
    for u in (searched, low, high, min(max(0.0, low), high), found + 1e-3, found - 1e-3):
        if low <= u <= high:
            # Strong convexity: phi(u) - phi(found) is at least half the squared distance. phi sums
            # terms below 2000 with a few roundings.
            assert phi(u) - phi(found) >= (u - found) ** 2 / 2 - 2000 * 8 * UNIT


@given(terms(), st.lists(st.floats(allow_subnormal=False), min_size=1, max_size=5), st.floats(0, 4))
@example(Prox(1.0, 1.0, -1.0, 1.0), [np.nan, np.inf, -np.inf, 0.0, -0.0], 0.5)
def test_the_kernel_is_the_specification(h, v, t):
    v = np.array(v)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = h.proximal(v, t)
    np.testing.assert_array_equal(kernel(h).once(v, t), expected)
    assert (np.isnan(v) == np.isnan(expected)).all() or not np.isfinite(v).all()


@given(terms(), st.floats(-10.0, 10.0), st.floats(0, 2.0), st.integers(0, 400))
def test_many_steps_in_one(h, v, t, m):
    """A step rounds twice, by at most |v| UNIT each time, and no step enlarges an error: 2 m |v|.

    The closed form rounds m log b, which b^m magnifies by m log b; where that exceeds 40 both are
    within |v| e^-40 of 0 or of the box. Its other roundings are fewer than 40.
    """
    term, start = kernel(h), h.proximal(np.array([v]), 0.0)
    x = start
    for _ in range(m):
        x = term.once(x, t)
    found = term.times(start, t, m)
    assert h.lower <= found[0] <= h.upper
    size = abs(start[0])
    assert abs(found[0] - x[0]) <= (2 * m + 80) * UNIT * size + np.exp(-40) * size


@given(
    st.integers(-800, 800), st.integers(0, 9), st.integers(0, 300), st.integers(-90, 90),
    st.integers(0, 90),
)  # fmt: skip
def test_many_steps_without_rounding(v, weight, m, lower, width):
    """Multiples of 1/8, no l2: to the bit, also where 0 is not in the box."""
    h = Prox(weight / 4, 0.0, lower / 8, (lower + width) / 8)
    term, x = kernel(h), h.proximal(np.array([v / 8]), 0.0)
    found = term.times(x, 0.5, m)
    for _ in range(m):
        x = term.once(x, 0.5)
    np.testing.assert_array_equal(found, x)


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="same length"):
        Proximal(0.0, 0.0, np.zeros(2), np.zeros(3))
    term = Proximal(0.0, 0.0, np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match="shape"):
        Lazy(term, np.zeros(2), 0).restore({"stored": np.zeros(3), "counted": np.zeros(3)})


@pytest.mark.parametrize(
    ("h", "exact"),
    [
        (Prox(lower=-0.25, upper=0.5), True),
        (Prox(l1=0.02, lower=-0.25, upper=0.5), False),
        (Prox(l1=0.02), False),
        (Prox(l2=0.5), False),
        (Prox(0.01, 0.3, 0.1, 2.0), False),
    ],
)
@pytest.mark.parametrize("M", [1, 3])
@pytest.mark.parametrize("recording", [False, "sampled", "full", "full+reads"])
def test_lazy_steps_are_the_dense_ones(h, exact, M, recording):
    """Serial Hogwild on sparse rows against the oracle, which makes every step of every entry.

    f is convex and gamma M below 2/L, so an update is nonexpansive in x and errors only add up.
    |x| stays below 4. Then a step of an entry errs by at most 8 UNIT, and the closed form by at
    most 320 UNIT each time that an entry is looked at (see above); a gradient of at most 8
    entries below 4 by less than 200 UNIT. So K sqrt(n) 600 UNIT bounds the distance. A box alone
    moves nothing in between: to the bit.
    """
    rng, n, K, gamma = np.random.default_rng(7), 30, 600, 0.1
    A = sparse.random(40, n, density=0.1, format="csr", rng=rng)
    obj = objectives.NonconvexLogistic(A, rng.choice([-1.0, 1.0], size=40), 0.0)
    assert gamma * M * obj.L < 2
    assert np.diff(A.indptr).max() <= 8
    x0, key = h.proximal(rng.normal(size=n), 0.0), _draws.key_from(rng)
    samples = _draws.samples(key, np.arange(K), M, 40)
    steps, delays = np.full(K, gamma), np.zeros((K, M), dtype=np.int64)
    expected = list(recursion.con(obj.minibatch, x0, steps, delays, samples, h.proximal))
    assert np.abs(expected).max() < 4
    found = []
    for cuts in ((K,), (1, 2, 40, 41, K)):
        engine = Threads(
            obj._capsule, x0, method="hogwild", M=M, p=1, key=key, max_delay=-1,
            recording=recording, prox=kernel(h, n), lazy=True,
        )  # fmt: skip
        for stop in cuts:
            engine.advance(stop, steps[:1])
            error = np.linalg.norm(engine.x - expected[stop - 1])
            assert error <= (0.0 if exact else stop * np.sqrt(n) * 600 * UNIT)
        found.append(engine.x)
    # The bits do not depend on when the run was looked at.
    np.testing.assert_array_equal(*found)


def test_a_lazy_run_goes_on_with_its_bits():
    rng, n = np.random.default_rng(3), 20
    A = sparse.random(40, n, density=0.1, format="csr", rng=rng)
    obj, h = objectives.NonconvexLogistic(A, np.ones(40), 0.0), Prox(0.01, 0.1)

    def make(x, clock):
        return Threads(
            obj._capsule, x, method="hogwild", M=1, p=1, key=(1, 2), max_delay=-1,
            recording="sampled", prox=kernel(h), lazy=True, clock=clock,
        )  # fmt: skip

    whole = make(np.ones(n), 0)
    whole.advance(500, np.array([0.1]))
    first = make(np.ones(n), 0)
    first.advance(123, np.array([0.1]))
    second = make(first.x, 123)
    second.restore(first.pending())
    second.advance(500, np.array([0.1]))
    np.testing.assert_array_equal(second.x, whole.x)
    with pytest.raises(ValueError, match="one entry"):
        second.advance(502, np.array([0.1, 0.2]))

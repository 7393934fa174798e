"""What holds for every value: limits, scalings, orderings, inverses."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from asysg.theory import ProblemConstants, con, incon
from asysg.theory._frame import FORMS
from asysg.theory._schedule import leading_sums, trailing_sums
from asysg.theory._sharp import phi

MODULES = {"con": con, "incon": incon}
both = pytest.mark.parametrize("mod", [con, incon], ids=list(MODULES))
every_form = pytest.mark.parametrize("form", FORMS)

size = st.floats(-3, 3).map(lambda e: 10.0**e)
part = st.floats(0.05, 1.0)


@st.composite
def constants(draw):
    L = draw(size)
    L_T = L * draw(part)
    return ProblemConstants(
        draw(size), draw(size), L, n=draw(st.integers(1, 200)), L_max=L_T * draw(part), L_T=L_T
    )


batch = st.integers(1, 20)
delay = st.integers(0, 60)
updates = st.integers(1, 10**7)


@both
@every_form
@settings(max_examples=40, deadline=None)
@given(c=constants(), M=batch, T=delay, K=updates)
def test_gamma_max_is_the_edge(mod, form, c, M, T, K):
    g = mod.gamma_max(c, M=M, T=T, form=form)
    assert mod.admissible(g, c, M=M, T=T, form=form)
    assert not mod.admissible(g * (1 + 1e-12), c, M=M, T=T, form=form)
    assert mod.bound(g * (1 + 1e-12), c, K=K, M=M, T=T, form=form) == math.inf
    assert math.isfinite(mod.bound(g * 0.99, c, K=K, M=M, T=T, form=form))


@both
@every_form
@settings(max_examples=40, deadline=None)
@given(c=constants(), M=batch, T=delay)
def test_K_min_and_T_max_are_inverse(mod, form, c, M, T):
    K = mod.K_min(c, M=M, T=T, form=form)
    best = mod.T_max(c, K=K, M=M, form=form)
    assert best >= T
    assert mod.K_min(c, M=M, T=best, form=form) <= K < mod.K_min(c, M=M, T=best + 1, form=form)
    if K > 1:
        assert mod.T_max(c, K=K - 1, M=M, form=form) < T


@both
@every_form
@settings(max_examples=60, deadline=None)
@given(c=constants(), M=batch, T=delay, more=st.integers(0, 1000))
def test_corollary_follows_from_its_theorem(mod, form, c, M, T, more):
    K = mod.K_min(c, M=M, T=T, form=form) + more
    g = mod.gamma_prescribed(c, K=K, M=M, T=T, form=form)
    b = mod.bound(g, c, K=K, M=M, T=T, form=form)
    assert b <= mod.rate(c, K=K, M=M, form=form) * (1 + 1e-12)
    if form == "paper":
        proven = mod.rate_proven(c, K=K, M=M, T=T)
        assert b <= proven * (1 + 1e-12) <= mod.rate(c, K=K, M=M) * (1 + 1e-12)
    p = mod.prescribe(c, K=K, M=M, T=T, form=form)
    assert p.certificate.holds
    assert (p.gamma, p.bound) == (g, b)


@both
@settings(max_examples=60, deadline=None)
@given(c=constants(), M=batch, T=delay, K=updates, t=part)
def test_order_of_the_bounds(mod, c, M, T, K, t):
    g = t * mod.gamma_max(c, M=M, T=T)
    b = {form: mod.bound(g, c, K=K, M=M, T=T, form=form) for form in FORMS}
    tiny = 1 + 1e-9
    assert b["sharp"] <= b["plus"] * tiny
    assert b["plus"] <= b["paper"] * tiny
    assert b["uniform"] <= b["constant_delay"] * tiny
    assert b["constant_delay"] <= b["plus"] * tiny
    assert b["constant_delay"] <= b["robust"] * tiny
    if T <= 1:
        for form in ("constant_delay", "robust"):
            assert b[form] == pytest.approx(b["plus"], rel=1e-9)
    assert mod.gamma_max(c, M=M, T=T, form="paper") <= tiny * mod.gamma_max(c, M=M, T=T)


@both
@every_form
@settings(max_examples=30, deadline=None)
@given(c=constants(), M=batch, T=delay, K=updates, t=part)
def test_scaling_of_the_objective(mod, form, c, M, T, K, t):
    # f -> 8 f: gap, L's times 8, sigma times 8, gamma over 8, squared gradient times 64.
    g = 0.9 * t * mod.gamma_max(c, M=M, T=T, form=form)
    d = ProblemConstants(8 * c.gap, 8 * c.sigma, 8 * c.L, c.n, 8 * c.L_max, 8 * c.L_T)
    b = mod.bound(g, c, K=K, M=M, T=T, form=form)
    assert mod.bound(g / 8, d, K=K, M=M, T=T, form=form) == pytest.approx(64 * b, rel=1e-9)
    assert mod.K_min(d, M=M, T=T, form=form) == pytest.approx(
        mod.K_min(c, M=M, T=T, form=form), abs=1
    )
    # x -> x / 4: f's values stay, L's times 16, gradients times 4, gamma over 16.
    e = ProblemConstants(c.gap, 4 * c.sigma, 16 * c.L, c.n, 16 * c.L_max, 16 * c.L_T)
    assert mod.bound(g / 16, e, K=K, M=M, T=T, form=form) == pytest.approx(16 * b, rel=1e-9)


@both
@every_form
@settings(max_examples=30, deadline=None)
@given(c=constants(), M=batch, T=delay, K=updates, t=part)
def test_batch_enters_through_M_gamma_and_sigma_over_root_M(mod, form, c, M, T, K, t):
    g = 0.9 * t * mod.gamma_max(c, M=M, T=T, form=form)
    d = ProblemConstants(c.gap, c.sigma / math.sqrt(M), c.L, c.n, c.L_max, c.L_T)
    assert mod.bound(g, c, K=K, M=M, T=T, form=form) == pytest.approx(
        mod.bound(M * g, d, K=K, M=1, T=T, form=form), rel=1e-9
    )


@every_form
@settings(max_examples=30, deadline=None)
@given(gap=size, sigma=size, L=size, M=batch, T=delay, K=updates, t=part)
def test_one_coordinate_is_the_whole_vector(form, gap, sigma, L, M, T, K, t):
    c = ProblemConstants(gap, sigma, L)
    g = 0.9 * t * con.gamma_max(c, M=M, T=T, form=form)
    assert incon.gamma_max(c, M=M, T=T, form=form) == pytest.approx(
        con.gamma_max(c, M=M, T=T, form=form), rel=1e-12
    )
    assert incon.bound(g, c, K=K, M=M, T=T, form=form) == pytest.approx(
        con.bound(g, c, K=K, M=M, T=T, form=form), rel=1e-9
    )


@both
@settings(max_examples=30, deadline=None)
@given(c=constants(), M=batch, K=updates, t=part)
def test_without_delays_all_theorems_are_one(mod, c, M, K, t):
    # 2 p gap/(K M g) + l g sigma^2, divided by 2 - a for the two that keep the second average.
    p, smooth = (1, c.L) if mod is con else (c.n, c.L_max)
    g = t / (M * smooth)
    R0 = 2 * p * c.gap / (K * M * g) + smooth * g * c.sigma**2
    for form in FORMS:
        expected = R0 / (2 - t) if form in ("sharp", "uniform") else R0
        assert mod.gamma_max(c, M=M, T=0, form=form) == pytest.approx(1 / (M * smooth), rel=1e-12)
        assert mod.bound(g, c, K=K, M=M, T=0, form=form) == pytest.approx(expected, rel=1e-12)


@both
@every_form
@settings(max_examples=40, deadline=None)
@given(c=constants(), M=batch, T=delay, K=st.integers(1, 10**5))
def test_gamma_opt_against_a_search(mod, form, c, M, T, K):
    top = mod.gamma_max(c, M=M, T=T, form=form)
    g = mod.gamma_opt(c, K=K, M=M, T=T, form=form)
    assert mod.admissible(g, c, M=M, T=T, form=form)
    best = mod.bound(g, c, K=K, M=M, T=T, form=form)

    def value(u):
        return mod.bound(min(math.exp(u), top), c, K=K, M=M, T=T, form=form)

    low = math.log(top) - 40
    found = minimize_scalar(value, bounds=(low, math.log(top)), method="bounded")
    assert best <= found.fun * (1 + 1e-9)
    assert best <= min(value(low + 40 * i / 20) for i in range(21)) * (1 + 1e-9)


@both
@every_form
@settings(max_examples=30, deadline=None)
@given(c=constants(), M=batch, T=delay, K=updates, t=part)
def test_bound_grows_with_what_makes_it_harder(mod, form, c, M, T, K, t):
    grown = 1.25
    harder = [
        (ProblemConstants(c.gap * grown, c.sigma, c.L, c.n, c.L_max, c.L_T), T, K),
        (ProblemConstants(c.gap, c.sigma * grown, c.L, c.n, c.L_max, c.L_T), T, K),
        (
            ProblemConstants(c.gap, c.sigma, c.L * grown, c.n, c.L_max * grown, c.L_T * grown),
            T,
            K,
        ),
        (c, T + 1, K),
    ]
    g = t * min(mod.gamma_max(d, M=M, T=S, form=form) for d, S, _ in harder)
    b = mod.bound(g, c, K=K, M=M, T=T, form=form)
    for d, S, k in harder:
        assert mod.bound(g, d, K=k, M=M, T=S, form=form) >= b * (1 - 1e-9)
    assert mod.bound(g, c, K=K + 1, M=M, T=T, form=form) <= b


@both
@every_form
@pytest.mark.parametrize("T", [0, 1, 5])
def test_no_noise(mod, form, T):
    c = ProblemConstants(3.0, 0.0, 2.0, n=9, L_max=1.0, L_T=1.5)
    top = mod.gamma_max(c, M=2, T=T, form=form)
    assert mod.gamma_prescribed(c, K=50, M=2, T=T, form=form) == top
    assert mod.T_max(c, K=10**9, M=2, form=form) == -1
    assert mod.workers_max(c, K=10**9, M=2, form=form) == 0
    assert mod.rate(c, K=50, M=2, form=form) == 0
    with pytest.raises(ValueError, match="noise"):
        mod.K_min(c, M=2, T=T, form=form)
    p = mod.prescribe(c, K=50, M=2, T=T, form=form)
    assert p.certificate.holds
    assert math.isfinite(p.bound)
    # Without noise the bound goes like 1/K.
    twice = mod.bound(0.9 * top, c, K=100, M=2, T=T, form=form)
    assert mod.bound(0.9 * top, c, K=50, M=2, T=T, form=form) == pytest.approx(2 * twice)


def test_no_noise_closed_forms():
    # paper con: gap L (1 + sqrt(1 + 8 T^2))/K at gamma_max; T = 1, K = 10: 3 * 2 * 4/10.
    c = ProblemConstants(3.0, 0.0, 2.0)
    g = con.gamma_opt(c, K=10, M=1, T=1, form="paper")
    assert con.bound(g, c, K=10, M=1, T=1, form="paper") == pytest.approx(2.4, rel=1e-14)
    # uniform, constant delay: 2/(ca + sqrt(ca^2 + 6 cs)), ca = 2, cs = (2 * 3)^2 for T = 3.
    g = con.gamma_opt(c, K=10, M=1, T=3, form="uniform")
    assert g == pytest.approx(2 / (2 + math.sqrt(4 + 6 * 36)), rel=1e-12)


@both
@every_form
def test_no_gap(mod, form):
    c = ProblemConstants(0.0, 1.0, 2.0, n=4)
    assert mod.gamma_prescribed(c, K=50, M=2, T=3, form=form) == 0
    assert mod.gamma_opt(c, K=50, M=2, T=3, form=form) == 0
    assert mod.bound(0.0, c, K=50, M=2, T=3, form=form) == 0
    assert mod.K_min(c, M=2, T=3, form=form) == 1
    assert mod.T_max(c, K=50, M=2, form=form) == 49
    p = mod.prescribe(c, K=50, M=2, T=3, form=form)
    assert p.certificate.holds
    assert p.bound == 0


@both
@every_form
@settings(max_examples=60, deadline=None)
@given(
    gap=st.floats(0, 1e300),
    sigma=st.floats(0, 1e300),
    L=st.floats(1e-300, 1e300),
    n=st.integers(1, 2**62),
    K=st.integers(1, 2**62),
    M=st.integers(1, 2**40),
    T=st.integers(0, 2**62),
)
def test_never_nan(mod, form, gap, sigma, L, n, K, M, T):
    c = ProblemConstants(gap, sigma, L, n=n)
    for g in (
        mod.gamma_max(c, M=M, T=T, form=form),
        mod.gamma_prescribed(c, K=K, M=M, T=T, form=form),
        mod.gamma_opt(c, K=K, M=M, T=T, form=form),
    ):
        assert g >= 0
        assert mod.bound(min(g, 1e308), c, K=K, M=M, T=T, form=form) >= 0
    assert mod.T_max(c, K=K, M=M, form=form) >= -1
    assert mod.rate(c, K=K, M=M, form=form) >= 0


def test_whole_numbers_are_exact_where_floats_are_not():
    # 4 (T + 1)^2 with sigma = L = gap = M = 1, far beyond 2^53.
    c = ProblemConstants(1.0, 1.0, 1.0)
    T = 10**12
    K = con.K_min(c, M=1, T=T)
    assert abs(K - 4 * (T + 1) ** 2) <= 8 * 2.3e-16 * K
    assert con.T_max(c, K=K, M=1) == T
    assert con.T_max(c, K=K - 1, M=1) == T - 1
    # In decimals 4 * 0.9/0.3^2 = 40, in floats a little more: 40 updates are enough.
    assert con.K_min(ProblemConstants(0.9, 0.3, 1.0), M=1, T=0) == 40


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.floats(0, 1) | st.floats(0, 1e-9), min_size=1, max_size=40),
    T=st.integers(0, 50),
)
def test_windows_against_the_definition(steps, T):
    x = np.array(steps)
    behind = [math.fsum(x[max(0, k - T) : k]) for k in range(x.size)]
    ahead = [math.fsum(x[k + 1 : k + 1 + T]) for k in range(x.size)]
    np.testing.assert_allclose(trailing_sums(x, T), behind, rtol=1e-13, atol=0)
    np.testing.assert_allclose(leading_sums(x, T), ahead, rtol=1e-13, atol=0)


@settings(max_examples=40, deadline=None)
@given(gap=size, sigma=size, L=size, M=batch, T=delay, K=st.integers(1, 300), t=part)
def test_constant_schedule(gap, sigma, L, M, T, K, t):
    # As an array the first windows are shorter, so the bound is at most that of the number, and
    # by exactly 2 L^2 M g^2 sigma^2 times the mean number of missing terms.
    c = ProblemConstants(gap, sigma, L)
    g = t * con.gamma_max(c, M=M, T=T, form="paper")
    assert con.admissible(np.full(K, g), c, M=M, T=T, form="paper")
    missing = sum(T - min(T, k) for k in range(K)) / K
    expected = con.bound(g, c, K=K, M=M, T=T, form="paper") - 2 * M * (L * g * sigma) ** 2 * missing
    found = con.bound(np.full(K, g), c, K=K, M=M, T=T, form="paper")
    assert found == pytest.approx(expected, rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(R0=size, N=size, a=part, sw=st.floats(0, 1), sg=st.floats(0, 1), T=st.integers(1, 30))
def test_sharp_against_a_grid(R0, N, a, sw, sg, T):
    rho = math.sqrt((T - 1) / (2 * T))
    assume(a + sw + 2 * rho * math.sqrt(sw * sg) + sg < 0.98)
    B = np.concatenate([[0.0], np.geomspace(1e-9, 1e6, 60_001) * (R0 + N)])
    P = N + sw * B
    D = P + 2 * rho * np.sqrt(P * sg * B) + sg * B
    grid = np.max(np.minimum(R0 + D - (1 - a) * B, (np.sqrt(B) + np.sqrt(D)) ** 2))
    found = phi(R0, N, a, sw, sg, rho)
    assert grid * (1 - 1e-12) <= found <= grid * (1 + 1e-3)

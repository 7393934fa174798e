"""The companion systems: hand values, agreement with the general theorems, and exact moments."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from asysg.theory import InvalidArgument, ProblemConstants, baselines, con, incon, moments

C = ProblemConstants(gap=2.0, sigma=1.0, L=0.5, n=16, L_max=0.25, L_T=0.5)


def test_synchronous():
    # P = 4, M = 2, K = 10, gamma = 1/8: a = .5 * 8/8 = .5; (4/(10 * 8/8) + .5/8)/1.5.
    b = baselines.synchronous_bound(1 / 8, C, K=10, M=2, P=4)
    assert b == pytest.approx((0.4 + 0.0625) / 1.5, rel=1e-15)
    top = baselines.synchronous_gamma_max(C, M=2, P=4)
    assert top == 0.5
    assert baselines.synchronous_bound(top, C, K=10, M=2, P=4) == math.inf
    assert math.isfinite(baselines.synchronous_bound(0.49, C, K=10, M=2, P=4))
    for K in (1, 100, 10**6):
        g = baselines.synchronous_gamma_opt(C, K=K, M=2, P=4)
        # 2 c1/(c1 l + sqrt((c1 l)^2 + 4 c1 c2)), c1 = 4/(8 K), c2 = .5, l = 4
        c1 = 0.5 / K
        assert g == pytest.approx(2 * c1 / (4 * c1 + math.sqrt(16 * c1 * c1 + 2 * c1)), rel=1e-10)
        found = minimize_scalar(
            lambda u, K=K: baselines.synchronous_bound(math.exp(u), C, K=K, M=2, P=4),
            bounds=(math.log(g) - 3, math.log(top)),
            method="bounded",
        )
        assert baselines.synchronous_bound(g, C, K=K, M=2, P=4) <= found.fun * (1 + 1e-9)
    assert baselines.serial_bound(0.3, C, K=7, M=3) == baselines.synchronous_bound(
        0.3, C, K=7, M=3, P=1
    )
    assert baselines.serial_gamma_opt(C, K=7) == baselines.synchronous_gamma_opt(C, K=7, M=1, P=1)


def test_synchronous_bound_is_attained():
    # f = ||x||^2/2, a = 1: the first gradient, then stationary noise; the bound with Delta
    # telescoped is an equality.
    K, g, s2 = 50, 0.3, 2.0
    m = moments.isotropic(1.0, 1.5, sigma=math.sqrt(s2), gamma=g, delays=np.zeros((K, 1), int))
    c = ProblemConstants(m.f[0] - m.f[-1], math.sqrt(s2), 1.0)
    assert baselines.serial_bound(g, c, K=K) == pytest.approx(m.A.mean(), rel=1e-12)


def test_hogwild_is_con_without_the_forms_that_need_iterates():
    for form in ("paper", "plus", "sharp", "robust"):
        g = baselines.hogwild_gamma_max(C, M=2, T=3, form=form)
        assert g == con.gamma_max(C, M=2, T=3, form=form)
        args = {"K": 10, "M": 2, "T": 3, "form": form}
        assert baselines.hogwild_bound(g / 2, C, **args) == con.bound(g / 2, C, **args)
    for form in ("constant_delay", "uniform"):
        with pytest.raises(InvalidArgument, match=r"^form "):
            baselines.hogwild_gamma_max(C, M=2, T=3, form=form)
        with pytest.raises(InvalidArgument, match=r"^form "):
            baselines.hogwild_bound(0.1, C, K=1, M=2, T=3, form=form)


def test_hogwild_bound_holds_for_torn_reads():
    rng = np.random.default_rng(0)
    M, T, K, n = 2, 4, 80, 4
    g = baselines.hogwild_gamma_max(ProblemConstants(1.0, 1.0, 1.0), M=M, T=T)
    for _ in range(5):
        missed = rng.random((K, M, T, n)) < 0.7
        m = moments.scheduled(np.eye(n), np.ones(n), Q=np.eye(n) / n, gamma=g, missed=missed)
        c = ProblemConstants(m.f[0], 1.0, 1.0)
        assert m.A.mean() <= baselines.hogwild_bound(g, c, K=K, M=M, T=T)


def test_asyscd():
    # g + (1+rho) ... at T = 2, n = 16: .25 g + 1.5 * .25 * 2 * 17 g^2/256 = 1
    r2 = 1.5 * 0.25 * 34 / 256
    root = (math.sqrt(0.0625 + 4 * r2) - 0.25) / (2 * r2)
    assert baselines.asyscd_gamma_max(C, T=2) == pytest.approx(root, rel=1e-13)
    # sigma plays no part: 2 * 16 * 2/(100 * .5)
    assert baselines.asyscd_bound(0.5, C, K=100, T=2) == pytest.approx(1.28, rel=1e-14)
    assert baselines.asyscd_bound(1.01 * root, C, K=100, T=2) == math.inf
    quiet = ProblemConstants(2.0, 0.0, 0.5, 16, 0.25, 0.5)
    assert baselines.asyscd_bound(0.5, C, K=9, T=2) == incon.bound(0.5, quiet, K=9, M=1, T=2)


def test_delay_profile_against_the_definition():
    rng = np.random.default_rng(1)
    K, M = 40, 3
    tau = np.minimum(rng.integers(0, 9, (K, M)), np.arange(K)[:, None])
    profile = baselines.delay_profile(tau)
    missing = [
        [tau[k, m] for k in range(K) for m in range(M) if k - tau[k, m] <= j < k] for j in range(K)
    ]
    assert pytest.approx(max(sum(x) for x in missing) / M, rel=1e-14) == profile.C
    assert profile.tau_C == max(len(x) for x in missing) / M
    assert profile.tau_avg == pytest.approx(tau.mean(), rel=1e-14)
    assert profile.tau_max == tau.max()
    assert profile.tau_max * profile.tau_C >= profile.C


def test_schedule_aware():
    profile = baselines.DelayProfile(tau_max=4, tau_avg=1.5, tau_C=3.0, C=6.0)
    # M = 2, L = .5: 1/(.5 + sqrt(12.25)) = .25; at gamma = 1/8, K = 10:
    # 4/(20/8) + .5/8 (1 + 2 * 1.5/8)
    assert baselines.schedule_aware_gamma_max(C, profile, M=2) == pytest.approx(0.25, rel=1e-15)
    b = baselines.schedule_aware_bound(1 / 8, C, profile, K=10, M=2)
    assert b == pytest.approx(1.6 + 0.0625 * 1.375, rel=1e-15)
    assert math.isfinite(baselines.schedule_aware_bound(0.25, C, profile, K=10, M=2))
    assert baselines.schedule_aware_bound(0.2501, C, profile, K=10, M=2) == math.inf
    # A constant delay of T: C = T^2 and tau_avg = T but for the boundary, Theorem 1 itself.
    T = 3
    constant = baselines.DelayProfile(T, float(T), float(T), float(T * T))
    assert baselines.schedule_aware_gamma_max(C, constant, M=2) == pytest.approx(
        con.gamma_max(C, M=2, T=T, form="paper"), rel=1e-14
    )
    assert baselines.schedule_aware_bound(0.1, C, constant, K=10, M=2) == pytest.approx(
        con.bound(0.1, C, K=10, M=2, T=T, form="paper"), rel=1e-14
    )


def test_schedule_aware_holds_where_one_delay_is_huge():
    K = 200
    delays = np.zeros((K, 1), dtype=int)
    delays[150] = 100
    profile = baselines.delay_profile(delays)
    assert profile.tau_avg == 0.5
    one = ProblemConstants(1.0, 1.0, 1.0)
    g = baselines.schedule_aware_gamma_max(one, profile, M=1)
    assert g > 5 * con.gamma_max(one, M=1, T=100)
    m = moments.isotropic(1.0, 1.0, sigma=1.0, gamma=g, delays=delays)
    c = ProblemConstants(m.f[0], 1.0, 1.0)
    assert m.A.mean() <= baselines.schedule_aware_bound(g, c, profile, K=K, M=1)


def test_delay_adaptive():
    # L = .5, M = 2: 1/(2 L M tau) = 1/(2 tau).
    steps = baselines.delay_adaptive_steps(0.25, C, [0, 0, 2, 0, 4, 4], M=2)
    np.testing.assert_allclose(steps, [0.25, 0.25, 0.25, 0.25, 0.125, 0.125])
    # gamma = .25, P = 3, L M P gamma = .75: (4/2 + 2.5 * .5 * (4/16 + 2/64))/1.25
    b = baselines.delay_adaptive_bound(steps, C, gamma=0.25, P=3, M=2)
    assert b == pytest.approx((2 + 1.25 * (0.25 + 0.03125)) / 1.25, rel=1e-14)
    assert baselines.delay_adaptive_bound(steps, C, gamma=0.34, P=3, M=2) == math.inf
    with pytest.raises(InvalidArgument, match=r"^steps must be at most"):
        baselines.delay_adaptive_bound([0.5], C, gamma=0.25, P=3)
    # gamma: 1/(4 * .5 * 2 * 3) against sqrt(16/(3 * .5 * 2 * K)).
    assert baselines.delay_adaptive_gamma(C, K=1, P=3, M=2) == pytest.approx(1 / 12, rel=1e-14)
    assert baselines.delay_adaptive_gamma(C, K=10**6, P=3, M=2) == pytest.approx(
        math.sqrt(16 / 3) / 1000, rel=1e-14
    )
    # 16 * .5 * 3 * 2/K + 2 sqrt(6) sqrt(1/(2 K)), K = 300
    expected = 0.16 + 2 * math.sqrt(6) * math.sqrt(1 / 600)
    assert baselines.delay_adaptive_rate(C, K=300, P=3, M=2) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("K", [10, 1000, 100_000])
def test_delay_adaptive_rate_follows_from_its_steps(K):
    # sum gamma_k >= K gamma/2 and sum gamma_k^2 <= gamma sum gamma_k turn bound into rate.
    P = 4
    g = baselines.delay_adaptive_gamma(C, K=K, P=P)
    b = 4 * C.gap / (K * g) + 1.5 * C.L * g * C.sigma**2
    assert b <= baselines.delay_adaptive_rate(C, K=K, P=P) * (1 + 1e-12)


def test_convex_delayed():
    # 1/(8 * .5 * 2 * 4) = 1/32; 1.6 * 9/(10 * 2/32) + 2.4/32
    top = baselines.convex_delayed_gamma_max(C, M=2, T=3)
    assert top == 1 / 32
    b = baselines.convex_delayed_bound(top, C, distance=3.0, K=10, M=2, T=3)
    assert b == pytest.approx(14.4 * 1.6 + 0.075, rel=1e-14)
    assert baselines.convex_delayed_bound(1.01 * top, C, distance=3.0, K=10, M=2, T=3) == math.inf
    # On f = ||x||^2/2, mean E f(read) = B1/2.
    one = ProblemConstants(1.0, 1.0, 1.0)
    g = baselines.convex_delayed_gamma_max(one, M=1, T=3)
    m = moments.isotropic(1.0, 2.0, sigma=1.0, gamma=g, delays=np.full((300, 1), 3))
    b = baselines.convex_delayed_bound(g, one, distance=2.0, K=300, M=1, T=3)
    assert m.B1.mean() / 2 <= b


def test_small_functions():
    assert baselines.agarwal_duchi_limit(81) == pytest.approx(3.0, rel=1e-15)
    found = [baselines.round_robin_delay(P, M=3) for P in range(1, 9)]
    assert found == [0, 1, 1, 1, 2, 2, 2, 3]


@pytest.mark.parametrize(
    "call",
    [
        lambda: baselines.round_robin_delay(0),
        lambda: baselines.agarwal_duchi_limit(0),
        lambda: baselines.synchronous_bound(-1.0, C, K=1, M=1, P=1),
        lambda: baselines.synchronous_bound(0.1, C, K=1, M=1, P=0),
        lambda: baselines.delay_profile([1, 2]),
        lambda: baselines.delay_profile([[0.5]]),
        lambda: baselines.delay_adaptive_steps(0.1, C, [[1]]),
        lambda: baselines.convex_delayed_bound(0.01, C, distance=-1.0, K=1, M=1, T=0),
        lambda: baselines.asyscd_bound(0.1, None, K=1, T=0),
    ],
)
def test_refusals(call):
    with pytest.raises(InvalidArgument):
        call()

"""Exact moments: two roads to every number, brute force, and the tightness they reveal."""

import math

import numpy as np
import pytest
from scipy.special import comb

from asysg.theory import InvalidArgument, ProblemConstants, con, incon, moments
from tests.budget import alpha, assert_mean

H = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, -0.2], [0.0, -0.2, -0.5]])
Z1 = np.array([1.0, -2.0, 0.5])
Q = np.array([[0.5, 0.1, 0.0], [0.1, 0.3, 0.0], [0.0, 0.0, 0.2]])
FIELDS = ("A", "B", "B1", "D", "f", "mean")


def same(x, y, rtol=1e-9, fields=FIELDS):
    for name in fields:
        a, b = getattr(x, name), getattr(y, name)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(a).max(), err_msg=name)


@pytest.mark.parametrize("T", [0, 1, 2, 5])
def test_impulse_response_against_its_closed_form(T):
    al, count = 0.3, 30
    closed = [
        sum((-al) ** r * comb(j - r * T, r) for r in range(j + 1) if j - r * T >= r)
        for j in range(count)
    ]
    np.testing.assert_allclose(moments.impulse_response(al, T, count), closed, atol=1e-12)


@pytest.mark.parametrize("T", [1, 2, 5, 20])
def test_stability_limit_is_where_the_largest_root_meets_the_circle(T):
    limit = moments.stability_limit(T)
    for factor, stable in ((0.999, True), (1.001, False)):
        # z^{T+1} - z^T + al = 0
        polynomial = np.zeros(T + 2)
        polynomial[:2], polynomial[-1] = (1, -1), factor * limit
        assert (np.abs(np.roots(polynomial)).max() < 1) == stable
    assert moments.stability_limit(0) == 2


def test_stationary_variance():
    al = 0.4
    assert moments.stationary_variance(al, 0) == pytest.approx(1 / (al * (2 - al)), rel=1e-12)
    assert moments.stationary_variance(al, 1) == pytest.approx(
        (1 + al) / (al * (1 - al) * (2 + al)), rel=1e-12
    )
    h = moments.impulse_response(0.1, 7, 4000)
    assert moments.stationary_variance(0.1, 7) == pytest.approx(np.sum(h * h), rel=1e-10)
    s, T = 0.5, 1000  # large T: cos s/(2 al (1 - sin s)), s = al T, up to O(1/T)
    limit = math.cos(s) / (2 * s / T * (1 - math.sin(s)))
    assert moments.stationary_variance(s / T, T) == pytest.approx(limit, rel=2e-3)
    with pytest.raises(InvalidArgument, match=r"^al must be below"):
        moments.stationary_variance(1.0, 1)


@pytest.mark.parametrize("T", [0, 1, 3, 30, 31])
def test_closed_form_against_the_window_recursion(T):
    K, M = 30, 2
    delays = np.full((K, M), T)
    a = moments.constant_delay(H, Z1, Q=Q, gamma=0.1, M=M, T=T, K=K)
    b = moments.scheduled(H, Z1, Q=Q, gamma=0.1, delays=delays)
    same(a, b)
    assert a.A.shape == (K,)
    assert a.f.shape == (K + 1,)


def test_masks_say_the_same_as_delays():
    rng = np.random.default_rng(0)
    delays = rng.integers(0, 4, size=(20, 2))
    missed = np.arange(1, 4) <= delays[:, :, None]
    for algorithm in ("con", "incon"):
        a = moments.scheduled(H, Z1, Q=Q, gamma=0.1, delays=delays, algorithm=algorithm)
        b = moments.scheduled(H, Z1, Q=Q, gamma=0.1, missed=missed, algorithm=algorithm)
        c = moments.scheduled(
            H,
            Z1,
            Q=Q,
            gamma=0.1,
            missed=np.repeat(missed[..., None], 3, axis=3),
            algorithm=algorithm,
        )
        same(a, b)
        same(a, c)


@pytest.mark.parametrize("algorithm", ["con", "incon"])
def test_isotropic_against_the_window_recursion(algorithm):
    rng = np.random.default_rng(1)
    delays = rng.integers(0, 5, size=(40, 3))
    n, lam = 3, 1.5
    a = moments.scheduled(lam * np.eye(n), Z1, Q=Q, gamma=0.05, delays=delays, algorithm=algorithm)
    b = moments.isotropic(
        lam,
        np.linalg.norm(Z1),
        sigma=math.sqrt(np.trace(Q)),
        gamma=0.05,
        delays=delays,
        n=n,
        algorithm=algorithm,
    )
    same(a, b, fields=FIELDS[:-1])
    np.testing.assert_allclose(a.mean, b.mean * Z1, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["con", "incon"])
@pytest.mark.parametrize("shared", [False, True])
def test_random_delays_are_the_average_over_all_delays(algorithm, shared):
    K, M, law = 3, 2, np.array([0.5, 0.2, 0.3])
    found = moments.random_delays(
        H, Z1, Q=Q, gamma=0.2, M=M, K=K, law=law, shared=shared, algorithm=algorithm
    )
    draws = K if shared else K * M
    total = dict.fromkeys(FIELDS, 0.0)
    for index in np.ndindex(*(law.size,) * draws):
        table = np.array(index).reshape(K, -1)
        weight = law[list(index)].prod()
        table = np.broadcast_to(table, (K, M))
        m = moments.scheduled(H, Z1, Q=Q, gamma=0.2, delays=table, algorithm=algorithm)
        for name in FIELDS:
            total[name] = total[name] + weight * getattr(m, name)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(found, name), total[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["con", "incon"])
def test_against_brute_force(algorithm):
    # The recursion itself, 40,000 runs of 25 updates: 5 means each. Power: 10 % of each.
    rng = np.random.default_rng(2)
    R, K, M, T, g, n = 40_000, 25, 2, 3, 0.15, 3
    missed = rng.random((K, M, T, n)) < 0.5
    exact = moments.scheduled(H, Z1, Q=Q, gamma=g, missed=missed, algorithm=algorithm)
    root = np.linalg.cholesky(Q)
    x = [np.tile(Z1, (R, 1))] * (T + 1)  # x[d] = x_{k-d} - x*
    sums = {name: np.zeros(R) for name in ("A", "B", "B1", "D")}
    for k in range(K):
        reads = []
        for m in range(M):
            xh = x[0].copy()
            for d in range(1, T + 1):
                xh -= missed[k, m, d - 1] * (x[d - 1] - x[d])
            reads.append(xh @ H)
        here, mean = x[0] @ H, sum(reads) / M
        sums["A"] += np.sum(here**2, axis=1) / K
        sums["B"] += np.sum(mean**2, axis=1) / K
        sums["B1"] += sum(np.sum(r**2, axis=1) for r in reads) / M / K
        sums["D"] += sum(np.sum((here - r) ** 2, axis=1) for r in reads) / M / K
        noise = sum(rng.standard_normal((R, n)) @ root.T for _ in range(M))
        step = g * (M * mean + noise)
        if algorithm == "incon":
            kept = np.zeros((R, n))
            kept[np.arange(R), rng.integers(0, n, R)] = 1
            step *= kept
        x = [x[0] - step, *x[:-1]]
    values = {name: (s, getattr(exact, name).mean()) for name, s in sums.items()}
    values["f"] = (0.5 * np.sum((x[0] @ H) * x[0], axis=1), exact.f[-1])
    for seen, expected in values.values():
        share = alpha("moments by brute force", 10)
        assert_mean(seen, expected, alpha=share, detects=0.1 * abs(expected))


def ratio_of_parts(mod, form, n, T, t):
    """Measured over bound on f = ||x||^2/2: the noise part and the gap part, at t gamma_max."""
    c = ProblemConstants(0.5, 1.0, 1.0, n=n)
    noise, gap = ProblemConstants(0.0, 1.0, 1.0, n=n), ProblemConstants(0.5, 0.0, 1.0, n=n)
    edge = "constant_delay" if form in ("uniform", "constant_delay") else form
    g = t * mod.gamma_max(c, M=1, T=T, form=edge)
    K = int(50 * (T + 1) / g) * n
    late = np.full((K, 1), T)
    algorithm = "con" if mod is con else "incon"
    kept = slice(None, K - T) if form == "uniform" else slice(None)
    ratios = []
    for start, part in ((0.0, noise), (1.0, gap)):
        if n == 1:
            m = moments.constant_delay([[1.0]], [start], Q=[[part.sigma]], gamma=g, M=1, T=T, K=K)
        else:
            m = moments.isotropic(
                1.0, start, sigma=part.sigma, gamma=g, delays=late, n=n, algorithm=algorithm
            )
        measured = m.A[kept].sum() / K
        # Late enough, the noise part is stationary: leave the way there out.
        if part is noise:
            measured = m.A[-1]
        ratios.append(measured / mod.bound(g, part, K=K, M=1, T=T, form=form))
    return max(ratios)


@pytest.mark.parametrize(
    ("mod", "n", "form", "T", "table"),
    [
        (con, 1, "paper", 1, 0.700),
        (con, 1, "paper", 5, 0.486),
        (con, 1, "plus", 1, 1.000),
        (con, 1, "plus", 3, 0.602),
        (con, 1, "plus", 10, 0.535),
        (con, 1, "constant_delay", 3, 0.911),
        (con, 1, "sharp", 1, 1.000),
        (con, 1, "sharp", 5, 0.931),
        (con, 1, "uniform", 1, 1.000),
        (con, 1, "uniform", 2, 0.997),
        (con, 1, "uniform", 5, 0.999),
        (con, 1, "uniform", 10, 0.999),
        (incon, 4, "paper", 1, 0.860),
        (incon, 4, "plus", 1, 1.000),
        (incon, 4, "uniform", 1, 1.000),
        (incon, 4, "uniform", 3, 0.998),
        (incon, 4, "constant_delay", 5, 0.957),
    ],
)
def test_tightness(mod, n, form, T, table):
    # The numbers of the theory's tightness table, three digits, best over gamma/gamma_max.
    steps = np.linspace(0.05, 1, 39) if n == 1 else (0.05, 0.3, 1.0)
    best = max(ratio_of_parts(mod, form, n, T, t) for t in steps)
    assert best <= 1 + 1e-9
    assert best == pytest.approx(table, abs=0.02)  # up to the grid of steplengths
    if form == "uniform":
        assert best > 0.996


def test_bounds_hold_on_an_indefinite_quadratic_telescoped():
    # Lemma 1 summed: A + (1 - a) B1 <= 2 p (f_1 - E f_{K+1})/(K M g) + l g sigma^2 + D, with
    # equality on isotropic quadratics.
    rng = np.random.default_rng(3)
    M, T, K = 2, 3, 60
    sigma2 = np.trace(Q)
    for algorithm in ("con", "incon"):
        mod = con if algorithm == "con" else incon
        for h, tight in ((H, False), (1.7 * np.eye(3), True)):
            L = np.abs(np.linalg.eigvalsh(h)).max()
            p, smooth = (1, L) if mod is con else (3, np.abs(np.diag(h)).max())
            g = mod.gamma_max(ProblemConstants(1.0, 1.0, L, n=3), M=M, T=T)
            delays = rng.integers(0, T + 1, size=(K, M))
            m = moments.scheduled(h, Z1, Q=Q, gamma=g, delays=delays, algorithm=algorithm)
            a = M * smooth * g
            # B instead of B1 in the noise-free quadratic term, which makes it sharper.
            left = m.A.mean() + m.B1.mean() - a * m.B.mean()
            right = 2 * p * (m.f[0] - m.f[-1]) / (K * M * g) + smooth * g * sigma2 + m.D.mean()
            assert left <= right * (1 + 1e-12)
            assert (left >= right * (1 - 1e-10)) == tight


def test_zero_delay_has_no_staleness():
    m = moments.scheduled(H, Z1, Q=Q, gamma=0.1, delays=np.zeros((5, 2), dtype=int))
    assert np.all(m.D == 0)
    np.testing.assert_array_equal(m.A, m.B1)


def test_divergence_is_no_error():
    # al = 3 with T = 1: |z| grows by a factor near 2 at every update.
    late = np.full((3000, 1), 1)
    args = {"gamma": 3.0, "Q": [[1.0]]}
    for m in (
        moments.constant_delay([[1.0]], [1.0], M=1, T=1, K=3000, **args),
        moments.scheduled([[1.0]], [1.0], delays=late, **args),
        moments.isotropic(1.0, 1.0, sigma=1.0, gamma=3.0, delays=late),
    ):
        assert m.A[100] > 1e10
        assert not np.isfinite(m.A[-1])


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"delays": [[0.5]]}, "delays"),
        ({"delays": [[-1]]}, "delays"),
        ({"delays": [0, 1]}, "delays"),
        ({"delays": None}, "delays"),
        ({"missed": np.zeros((1, 1, 1), dtype=bool)}, "delays"),
        ({"delays": None, "missed": np.zeros((1, 1, 1))}, "missed"),
        ({"delays": None, "missed": np.zeros((1, 1, 1, 2), dtype=bool)}, "missed"),
        ({"algorithm": "sgd"}, "algorithm"),
        ({"gamma": -1.0}, "gamma"),
        ({"Q": -np.eye(3)}, "Q"),
        ({"Q": np.eye(2)}, "Q"),
        ({"H": np.triu(np.ones((3, 3)))}, "H"),
        ({"z1": [[1.0]]}, "z1"),
        ({"z1": [math.nan] * 3}, "z1"),
    ],
)
def test_refusals(change, name):
    args = {"H": H, "z1": Z1, "Q": Q, "gamma": 0.1, "delays": [[0]]} | change
    with pytest.raises(InvalidArgument, match=rf"^{name} "):
        moments.scheduled(args.pop("H"), args.pop("z1"), **args)


@pytest.mark.parametrize("law", [[], [0.5], [0.5, 0.6], [-0.5, 1.5], [[1.0]], ["a"]])
def test_refused_laws(law):
    with pytest.raises(InvalidArgument, match=r"^law "):
        moments.random_delays(H, Z1, Q=Q, gamma=0.1, M=1, K=1, law=law)

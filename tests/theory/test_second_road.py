"""Every theorem and corollary once more, from the inequalities of its proof.

No formula of the package is used: the stale part of a read is summed over its window, the bound is
the largest A that the proof's inequalities leave, a steplength is admissible as long as there is
one, and the least K is looked for among all. So a constant that no run could ever contradict,
because the bound is not attained, is still held against a second derivation.
"""

import math

import numpy as np
import pytest

from asysg.theory import FORMS, ProblemConstants, con, incon

both = pytest.mark.parametrize("mod", [con, incon], ids=["con", "incon"])
every_form = pytest.mark.parametrize("form", FORMS)

DELAYS = (1, 2, 5, 16)


class Problem:
    """Constants, and what a window of T updates adds up to at steplength 1."""

    def __init__(self, mod, T):
        rng = np.random.default_rng(T + (100 if mod is con else 200))
        self.mod, self.T, self.M = mod, T, 3
        n = 7
        L = rng.uniform(0.5, 2)
        L_T, L_max = L * rng.uniform(0.7, 1), L * rng.uniform(0.3, 0.6)
        self.c = ProblemConstants(rng.uniform(1, 3), rng.uniform(0.5, 2), L, n, L_max, L_T)
        # One update moves one of p blocks; a smoothness along it, and one across a window.
        self.p, self.along, self.across = (1, L, L) if mod is con else (n, L_max, L_T)

    def window(self, form):
        """Return what E||x_k - xh_k||^2 is made of: noise, and parts of E||mean gradient||^2.

        Of one update: M samples of variance sigma^2 in the block that is drawn, and what the draw
        of the block itself scatters, E||u - E u||^2 = (1 - 1/p) M^2/p of the mean gradient; both
        add up over the window, as the means M/p of the updates do before they are squared.
        """
        p, M, T = self.p, self.M, self.T
        noise = sum(M * self.c.sigma**2 / p for _ in range(T))
        scatter = sum(M**2 / p * (1 - 1 / p) for _ in range(T))
        drift = sum(M / p for _ in range(T)) ** 2
        if form == "robust":  # Cauchy-Schwarz over the window, no orthogonality
            return T * noise, 0.0, T * sum(M**2 / p for _ in range(T))
        return noise, scatter, drift

    def staleness(self, form, g):
        """Return the proof's bound on the staleness D as a function of B."""
        noise, scatter, drift = ((self.across * g) ** 2 * part for part in self.window(form))
        T, n = self.T, self.p
        # Pairs of an update and a later one in a window, of all pairs.
        pairs = sum(1 for i in range(T) for j in range(i))
        rho = math.sqrt(pairs) / T
        if form == "sharp":
            return lambda B: (
                noise + scatter * B + 2 * rho * np.sqrt((noise + scatter * B) * drift * B)
                + drift * B
            )  # fmt: skip
        young = 1.0
        if form == "plus":
            young = 1 + rho
        if form == "paper":
            young = 2.0
            if self.mod is incon:  # T/n <= T/n^{1/2} weakens the scattered part
                scatter = (self.across * g * self.M) ** 2 * T / n
                drift = (self.across * g * self.M) ** 2 * T * (T - 1) / n**1.5
        return lambda B: young * (noise + (scatter + drift) * B)

    def largest(self, form, g, K):
        """Return the largest A that is left, inf if there is none.

        A + (1 - a) B <= R0 + D(B); the sharp form knows sqrt A <= sqrt B + sqrt D besides, the
        uniform one that B is at least what it bounds.
        """
        D, a = self.staleness(form, g), self.along * self.M * g
        drop = self.c.gap * 2 * self.p / (K * self.M * g)
        R0 = drop + self.along * g * self.c.sigma**2
        far = 1e16 * (R0 + D(0.0))
        slope = (D(2 * far) - D(far)) / far - (1 - a)
        if slope > 1e-7:
            return math.inf
        if form == "uniform":
            slope = D(1.0) - D(0.0)
            return (R0 + D(0.0)) / (2 - a - slope)
        if form != "sharp":
            return R0 + D(0.0)
        B = np.linspace(0, 4, 400_001) * (R0 + D(0.0)) / -slope
        return float(np.minimum(R0 + D(B) - (1 - a) * B, (np.sqrt(B) + np.sqrt(D(B))) ** 2).max())


@both
@every_form
@pytest.mark.parametrize("T", DELAYS)
def test_bound_and_largest_steplength(mod, form, T):
    p = Problem(mod, T)
    top = mod.gamma_max(p.c, M=p.M, T=T, form=form)
    assert p.largest(form, top * (1 - 1e-6), K=50) < math.inf
    assert p.largest(form, top * (1 + 1e-6), K=50) == math.inf
    for share in (0.05, 0.4, 0.9):
        for K in (1, 50, 5000):
            found = mod.bound(share * top, p.c, K=K, M=p.M, T=T, form=form)
            rel = 1e-4 if form == "sharp" else 1e-12
            assert found == pytest.approx(p.largest(form, share * top, K), rel=rel)


def steplength(p, form, K):
    """Return where the two parts of R0 (of form paper: what the paper chooses) are equal."""
    c = p.c
    if form == "paper":
        blocks, smooth = (1, c.L) if p.mod is con else (2 * p.p, c.L_T)
    else:
        blocks, smooth = 2 * p.p, p.along
    return math.sqrt(blocks * c.gap / (K * p.M * smooth)) / c.sigma


def enough(p, form, K, T):
    """Tell whether the corollary's proof goes through with K updates, by what it needs of a.

    It needs the condition of the steplength in the form that the proof simplifies it to, and
    staleness noise no larger than the noise of the update itself.
    """
    g = steplength(p, form, K)
    a, kappa = p.along * p.M * g, p.across / p.along
    if form == "paper" and p.mod is con:
        return 2 * (T + 1) * a <= 1
    if form == "paper":
        n = p.p  # (M L_T gamma)^2 = 2 gap n M L_T/(K sigma^2) <= n^(3/2) / (8 (n^(3/2) + 4 T^2))
        return 8 * (p.M * p.across * g) ** 2 * (n**1.5 + 4 * T**2) <= n**1.5
    if form == "robust":
        stale, steps = T * T / p.p, 2
    else:
        pairs = sum(1 for i in range(T) for j in range(i))
        rho = math.sqrt(pairs) / T if T and form in ("plus", "sharp") else 0.0
        stale, steps = (1 + rho) * T / p.p, (2 * p.p + T - 1) / p.p
    return a * steps <= 1 and a * stale * kappa**2 <= 1


@both
@every_form
@pytest.mark.parametrize("T", [0, *DELAYS])
def test_least_K_and_largest_T(mod, form, T):
    p = Problem(mod, T)
    low, high = 0, 2**60
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(p, form, middle, T) else (middle, high)
    assert mod.K_min(p.c, M=p.M, T=T, form=form) == high
    K = 50 * high + 17
    expected = max(t for t in range(20 * T + 100) if enough(p, form, K, t))
    assert mod.T_max(p.c, K=K, M=p.M, form=form) == expected


@both
@every_form
@pytest.mark.parametrize("T", DELAYS)
def test_steplength_and_rate_of_the_corollaries(mod, form, T):
    p = Problem(mod, T)
    K = 10 * mod.K_min(p.c, M=p.M, T=T, form=form)
    g = steplength(p, form, K)
    assert mod.gamma_prescribed(p.c, K=K, M=p.M, T=T, form=form) == pytest.approx(g, rel=1e-12)
    noise = p.along * g * p.c.sigma**2
    if form != "paper":  # R0 is twice the noise of an update, staleness once more
        expected = 3 * noise
    elif mod is con:  # R0 three times, staleness at most once
        expected = 4 * noise
    else:  # X = L_T gamma sigma^2/sqrt 2
        expected = math.sqrt(72) * p.across * g * p.c.sigma**2 / math.sqrt(2)
    assert mod.rate(p.c, K=K, M=p.M, form=form) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("T", DELAYS)
def test_proven_rates_are_the_terms_of_the_bound_at_their_largest(T):
    p = Problem(con, T)
    # At the real number K where a = 1/(2 (T + 1)); a large gap makes K_min nearly that number.
    c = ProblemConstants(1e9, p.c.sigma, p.c.L)
    K = con.K_min(c, M=p.M, T=T)
    g = con.gamma_prescribed(c, K=K, M=p.M, T=T)
    bound = con.bound(g, c, K=K, M=p.M, T=T, form="paper")
    assert con.rate_proven(c, K=K, M=p.M, T=T) == pytest.approx(bound, rel=1e-6)
    # incon: start and noise are as they are, staleness at most half of X.
    p = Problem(incon, T)
    K = 10 * incon.K_min(p.c, M=p.M, T=T)
    g = incon.gamma_prescribed(p.c, K=K, M=p.M, T=T)
    X = p.across * g * p.c.sigma**2 / math.sqrt(2)
    R0 = 2 * p.p * p.c.gap / (K * p.M * g) + p.along * g * p.c.sigma**2
    assert incon.rate_proven(p.c, K=K, M=p.M, T=T) == pytest.approx(R0 + X / 2, rel=1e-12)

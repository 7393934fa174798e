"""The statistical tests: exact values, false alarm and power."""

import math

import numpy as np
import pytest
from scipy import stats

from asysg.theory import InvalidArgument, testing
from tests.budget import alpha, assert_proportion, errors


def test_e_value_by_hand():
    # Bets 1 and 1/2 on ratios 2 and 1/2: (2 * .5 + 1.5 * .75)/2.
    found = testing.e_value([4.0, 1.0], 2.0, grid=[1.0, 0.5])
    assert found == pytest.approx((1.0 + 1.125) / 2, rel=1e-14)
    # Divergence counts as the cap, a bound of 0 knows two ratios, one of inf claims nothing.
    assert testing.e_value([math.nan], 1.0, cap=7, grid=[1.0]) == pytest.approx(7)
    assert testing.e_value([math.inf, 1e308], 1e-308, cap=7, grid=[1]) == pytest.approx(49)
    assert testing.e_value([1e-9], 0.0, cap=7, grid=[1.0]) == pytest.approx(7)
    assert testing.e_value([0.0], 0.0, grid=[1.0, 0.5]) == pytest.approx(0.25)
    assert testing.e_value([5.0], math.inf, grid=[0.5]) == pytest.approx(0.5)
    assert testing.e_value([50.0] * 1000, 1.0) == math.inf
    assert testing.log_e_value([50.0] * 1000, 1.0, grid=[1.0]) == pytest.approx(1000 * math.log(50))


def test_power_of_the_e_value():
    # A ratio of 1.08 with 200 replicates: ln E about 12.7; 1.02: about 1.7 (no spread).
    assert testing.log_e_value([1.08] * 200, 1.0) == pytest.approx(12.7, abs=0.3)
    assert testing.log_e_value([1.02] * 200, 1.0) == pytest.approx(1.7, abs=0.4)


@pytest.mark.parametrize("law", ["exponential", "chi2", "lognormal", "rare"])
def test_false_alarm_of_the_e_value_at_the_boundary(law):
    # Expectation of E is at most 1 at the boundary; 4000 experiments at alpha = .05. By Markov
    # the rate is at most .05: the binomial quantile of that, 290 of 4000. Power: a rate of .12.
    rng = np.random.default_rng(0)
    size = (4000, 30)
    z = {
        "exponential": lambda: rng.exponential(1.0, size),
        "chi2": lambda: rng.chisquare(1, size),
        "lognormal": lambda: rng.lognormal(-0.5, 1.0, size),
        "rare": lambda: np.where(rng.random(size) < 0.02, 50.0, 0.0),
    }[law]()
    alarms = [testing.evidence_against(x, 1.0, alpha=0.05).rejected for x in z]
    share = alpha("tests of the tests", 10)
    assert stats.binom.sf(np.sum(alarms) - 1, len(alarms), 0.05) > share
    assert stats.binom.isf(share, len(alarms), 0.05) < stats.binom.ppf(0.01, len(alarms), 0.12)


def test_e_value_finds_rare_divergence():
    # Where a z-test is blind: one in ten runs explodes, the others lie below the bound.
    z = np.full(200, 0.5)
    z[::10] = 1e40
    assert testing.evidence_against(z, 1.0, alpha=1e-6).rejected
    z_score = (z.mean() - 1) / (z.std(ddof=1) / math.sqrt(z.size))
    assert z_score < 5


def test_equality():
    z = [1.0, 2.0, 3.0, 4.0]
    known = testing.equality_test(z, 2.0, alpha=0.01, sd=0.5)
    assert known.statistic == pytest.approx(2.0, rel=1e-15)  # .5/(.5/2)
    assert known.p_value == pytest.approx(math.erfc(2 / math.sqrt(2)), rel=1e-12)
    estimated = testing.equality_test(z, 2.0, alpha=0.01)
    assert estimated.statistic == pytest.approx(0.5 / math.sqrt(5 / 3 / 4), rel=1e-14)
    assert estimated.p_value == pytest.approx(stats.ttest_1samp(z, 2.0).pvalue, rel=1e-12)
    assert testing.equality_test([1.0, math.inf], 1.0, alpha=1e-9).rejected
    assert testing.equality_test([3.0] * 5, 3.0, alpha=0.5).p_value == 1
    assert testing.equality_test([3.0] * 5, 3.1, alpha=1e-9).rejected


def test_min_detectable_is_the_power_of_equality():
    # At the detectable difference 90 % are found. Power: 86 % or 94 % would be noticed.
    rng = np.random.default_rng(1)
    level, R = 1e-3, 50
    shift = testing.min_detectable(2.0, R, alpha=level, power=0.9)
    z = rng.normal(5 + shift, 2.0, (4000, R))
    found = np.mean([testing.equality_test(x, 5.0, alpha=level, sd=2.0).rejected for x in z])
    hits = round(4000 * found)
    assert_proportion(hits, 4000, 0.9, alpha=alpha("tests of the tests", 10), detects=0.05)


def test_coordinates():
    counts = [30, 20, 10]
    found = testing.coordinates_test(counts, alpha=0.01)
    reference = stats.chisquare(counts)
    assert found.statistic == pytest.approx(reference.statistic, rel=1e-14)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-12)
    rng = np.random.default_rng(2)
    good = rng.integers(0, 4, 20_000)
    assert not testing.coordinate_pairs_test(good, 4, alpha=1e-6).rejected
    sticky = np.where(rng.random(20_000) < 0.2, np.roll(good, 1), good)
    assert testing.coordinate_pairs_test(sticky, 4, alpha=1e-6).rejected
    assert not testing.coordinates_test(np.bincount(sticky), alpha=1e-6).rejected


def trace(rng, K=4000, d=3, M=2, g=0.1):
    Q = np.diag([0.5, 0.3, 0.2])
    noise = rng.standard_normal((K, M, d)) @ np.sqrt(Q)
    return -g * noise, g * g * M * Q


def test_trace_tests_stay_silent_on_a_right_run():
    rng = np.random.default_rng(3)
    parts, cov = trace(rng)
    r = parts.sum(axis=1)
    v = rng.standard_normal(r.shape)
    for outcome in (
        testing.trace_bias_test(r, v, cov, alpha=1e-6),
        testing.trace_variance_test(r, cov, alpha=1e-6),
        testing.trace_variance_test(r, cov, alpha=1e-6, gaussian=True),
        testing.trace_reuse_test(r, cov, alpha=1e-6),
    ):
        assert not outcome.rejected
        assert 0 < outcome.p_value <= 1


def test_trace_statistics_are_standard_normal():
    # Mean and variance over 800 traces, whose standard errors are 1/sqrt 800 and sqrt(2/800).
    # Power 0.99: a mean of 0.3, a variance of 1.4.
    rng = np.random.default_rng(4)
    z = []
    for _ in range(800):
        parts, cov = trace(rng, K=200)
        r = parts.sum(axis=1)
        ones = np.ones(r.shape)
        z.append(
            [
                testing.trace_bias_test(r, ones, cov, alpha=0.1).statistic,
                testing.trace_variance_test(r, cov, alpha=0.1, gaussian=True).statistic,
                testing.trace_reuse_test(r, cov, alpha=0.1).statistic,
            ]
        )
    z = np.array(z)
    most = errors("tests of the tests", 10 * 6)
    assert np.all(np.abs(z.mean(axis=0)) < most / math.sqrt(800))
    assert np.all(np.abs(z.var(axis=0) - 1) < most * math.sqrt(2 / 800))


def test_trace_tests_find_their_bugs():
    parts, cov = trace(np.random.default_rng(5))
    r = parts.sum(axis=1)
    v = np.ones(r.shape)
    assert testing.trace_bias_test(r + 0.02, v, cov, alpha=1e-6).rejected
    same_sample = 2 * parts[:, 0]  # one xi for all M: the variance doubles
    assert testing.trace_variance_test(same_sample, cov, alpha=1e-6).rejected
    lost = parts[:, 0] * (np.arange(len(parts)) % 2)[:, None] + parts[:, 1]
    assert testing.trace_variance_test(lost, cov, alpha=1e-6).rejected
    again = parts[:, 0] + np.roll(parts[:, 0], 1, axis=0)
    assert testing.trace_reuse_test(again, cov, alpha=1e-6).rejected
    each = np.broadcast_to(cov, (len(r), 3, 3))
    assert testing.trace_variance_test(r, each, alpha=1e-6) == testing.trace_variance_test(
        r, cov, alpha=1e-6
    )
    broken = r.copy()
    broken[7] = math.nan
    assert testing.trace_bias_test(broken, v, cov, alpha=1e-6).rejected


def test_budget():
    budget = testing.ErrorBudget()
    assert budget.total == testing.TOTAL_FALSE_ALARM == 1e-6
    assert budget.share("moments", tests=10, of=6e-7) == pytest.approx(6e-8)
    assert budget.left == pytest.approx(4e-7)
    with pytest.raises(InvalidArgument, match=r"^alpha must be at most"):
        budget.spend("traces", 5e-7)
    with pytest.raises(InvalidArgument, match=r"^name must not"):
        budget.spend("moments", 1e-8)
    budget.spend("traces", 4e-7)
    assert abs(budget.left) < 1e-18


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: testing.e_value([], 1.0), "z"),
        (lambda: testing.e_value([-1.0], 1.0), "z"),
        (lambda: testing.e_value([[1.0]], 1.0), "z"),
        (lambda: testing.e_value([1.0], -1.0), "bound"),
        (lambda: testing.e_value([1.0], math.nan), "bound"),
        (lambda: testing.e_value([1.0], 1.0, cap=0.5), "cap"),
        (lambda: testing.e_value([1.0], 1.0, grid=[0.0]), "grid"),
        (lambda: testing.e_value([1.0], 1.0, grid=[1.5]), "grid"),
        (lambda: testing.evidence_against([1.0], 1.0, alpha=1.0), "alpha"),
        (lambda: testing.equality_test([1.0], 1.0, alpha=0.1), "z"),
        (lambda: testing.equality_test([1.0, 2.0], math.nan, alpha=0.1), "expected"),
        (lambda: testing.equality_test([1.0], 1.0, alpha=0.1, sd=-1), "sd"),
        (lambda: testing.min_detectable(1.0, 0, alpha=0.1), "R"),
        (lambda: testing.min_detectable(1.0, 1, alpha=0.1, power=1.0), "power"),
        (lambda: testing.coordinates_test([100], alpha=0.1), "counts"),
        (lambda: testing.coordinates_test([1, 2], alpha=0.1), "counts"),
        (lambda: testing.coordinate_pairs_test([0, 2], 2, alpha=0.1), "coordinates"),
        (lambda: testing.coordinate_pairs_test([0, 1], 2, alpha=0.1), "counts"),
        (lambda: testing.trace_reuse_test([[1.0]], [[1.0]], alpha=0.1), "residuals"),
        (lambda: testing.trace_reuse_test([1.0], [[1.0]], alpha=0.1), "residuals"),
        (lambda: testing.trace_variance_test([[1.0]], [1.0], alpha=0.1), "covariance"),
        (lambda: testing.trace_bias_test([[1.0]], [1.0], [[1.0]], alpha=0.1), "directions"),
        (lambda: testing.ErrorBudget(0.0), "total"),
    ],
)
def test_refusals(call, name):
    with pytest.raises(InvalidArgument, match=rf"^{name} "):
        call()

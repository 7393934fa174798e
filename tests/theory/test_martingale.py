"""The martingale test: its false alarm for any law, its power, and what it refuses."""

import math

import numpy as np
import pytest
from scipy import stats

from asysg.theory import InvalidArgument, testing
from tests.budget import alpha, assert_proportion

LAWS = {
    "normal": (lambda rng, size: rng.standard_normal(size), None),
    "signs": (lambda rng, size: rng.choice([-1.0, 1.0], size), 1.0),
    # 1 with probability 1/50, else -1/49: variance 1/49, as skewed as can be.
    "rare": (lambda rng, size: np.where(rng.random(size) < 0.02, 1.0, -1 / 49) * 7, 7.0),
}


def outcome(d, bound, level):
    bounds = None if bound is None else np.full(d.size, bound)
    return testing.martingale_test(d, np.ones(d.size), bounds=bounds, alpha=level)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("K", [3, 300])
def test_false_alarm_of_every_law_and_length(law, K):
    """Null: at a level of 0.05, 3000 experiments alarm with probability 0.05 at most."""
    draw, bound = LAWS[law]
    rng = np.random.default_rng(0)
    alarms = sum(outcome(draw(rng, K), bound, 0.05).rejected for _ in range(3000))
    share = alpha("martingales", 10)
    assert stats.binom.sf(alarms - 1, 3000, 0.05) > share
    assert stats.binom.isf(share, 3000, 0.05) < stats.binom.ppf(0.01, 3000, 0.10)  # the power


@pytest.mark.parametrize(("law", "K"), [("normal", 200), ("signs", 1000)])
def test_power_is_what_min_detectable_says(law, K):
    """At the detectable drift 90 % are found. Power: 84 % or 96 % would be noticed."""
    draw, bound = LAWS[law]
    rng = np.random.default_rng(1)
    drift = testing.martingale_min_detectable(K, alpha=1e-4, bound=bound or 0.0, power=0.9)
    # The bound is that of the sound increments: a drift is what breaks it.
    found = sum(outcome(draw(rng, K) + drift, bound, 1e-4).rejected for _ in range(3000))
    assert_proportion(found, 3000, 0.9, alpha=alpha("martingales", 10), detects=0.06)


def test_variances_weights_and_statistic():
    d = np.array([2.0, -1.0, 3.0, 0.0])
    v = np.array([4.0, 1.0, 9.0, 0.0])
    w = np.array([1.0, 2.0, 1.0, 5.0])
    found = testing.martingale_test(d, v, weights=w, alpha=0.5)
    # (1 - 2 + 1)/sqrt 6; what has no noise and is 0 counts for nothing.
    assert found.statistic == 0.0
    assert testing.martingale_test(d, v, alpha=0.5).statistic == pytest.approx(1 / math.sqrt(3))
    same = testing.martingale_test(d * 7, v * 49, weights=w, alpha=0.5)
    assert same.p_value == pytest.approx(found.p_value, rel=1e-12)


def test_what_cannot_be_is_rejected():
    one = np.ones(3)
    assert testing.martingale_test([0.0, 1.0, 0.0], [1.0, 0.0, 1.0], alpha=1e-9).p_value == 0
    assert testing.martingale_test([0.0, math.nan, 0.0], one, alpha=1e-9).p_value == 0
    assert testing.martingale_test(np.zeros(3), np.zeros(3), alpha=0.5).p_value == 1


def test_the_p_value_by_hand():
    # One normal increment of 3: the mean over the bets t of exp(+-3 t - t^2/2).
    bets = 2.0 ** np.arange(-1, 5.5, 0.5)
    both = np.concatenate([bets, -bets])
    expected = 1 / np.mean(np.exp(3 * both - both**2 / 2))
    found = testing.martingale_test([3.0], [1.0], alpha=0.5)
    assert found.p_value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: testing.martingale_test([], [], alpha=0.1), "increments"),
        (lambda: testing.martingale_test([1.0], [1.0, 1.0], alpha=0.1), "variances"),
        (lambda: testing.martingale_test([1.0], [-1.0], alpha=0.1), "variances and bounds"),
        (lambda: testing.martingale_test([1.0], [1.0], bounds=[-1.0], alpha=0.1), "variances"),
        (lambda: testing.martingale_test([1.0], [1.0], alpha=0.0), "alpha"),
        (lambda: testing.martingale_min_detectable(0, alpha=0.1), "K"),
        (lambda: testing.martingale_min_detectable(1, alpha=0.1, bound=-1.0), "bound"),
    ],
)
def test_refusals(call, name):
    with pytest.raises(InvalidArgument, match=rf"^{name} "):
        call()


def test_an_increment_that_may_be_huge_costs_every_bet_and_raises_nothing():
    """The e-value is then smaller than the smallest float, its inverse larger than the largest."""
    one = np.ones(1000)
    found = testing.martingale_test(0 * one, one, bounds=1e6 * one, alpha=1e-6)
    assert found.p_value == 1.0
    assert not found.rejected

"""What the test suite may spend on false alarms, and who spends it.

If nothing is wrong, the probability that any statistical assertion of the suite fails is at most
`TOTAL`: every one of them gets its false alarm from `alpha`, and the shares sum to at most that
(`test_budget.py` sees to it, and to it that nobody writes a false alarm of his own). Seeds are
fixed, so most of this probability was spent once, when the seeds were chosen; what real threads do
is new every time.

The assertions below come with their power: each fails too if it could not find, with probability
`POWER`, an error of the size that it says it detects.
"""

import math

import numpy as np
from scipy import stats

from asysg.theory import testing

TOTAL = testing.TOTAL_FALSE_ALARM
POWER = 0.99

SHARES = {
    "within the rate": 2e-7,
    "within tight bounds": 1e-7,
    "verify: suite": 2e-7,
    "verify: rows": 1e-7,
    "verify: examine": 1e-7,
    "verify: lemmas": 1e-7,
    "draws": 1e-8,
    "given delays": 1e-8,
    "timed workers": 1e-8,
    "skip-ahead": 3e-8,
    "laws of the noise": 4.9e-8,
    "conflicts": 1e-9,
    "moments by brute force": 2e-8,
    "tests of the tests": 5e-8,
    "martingales": 2e-8,
}


def alpha(name: str, tests: int = 1) -> float:
    """Return the false alarm of each of so many assertions that share `name`."""
    return SHARES[name] / tests


def errors(name: str, tests: int = 1) -> float:
    """Return how many standard errors a normal mean keeps to, but for that false alarm."""
    return float(stats.norm.isf(alpha(name, tests) / 2))


def assert_mean(sample, expected: float, *, alpha: float, detects: float) -> None:
    """Null: independent draws have this mean. Student's t, two-sided.

    Detects a difference of `detects` in the mean, for means that are nearly normal.
    """
    sample = np.asarray(sample)
    found = testing.equality_test(sample, expected, alpha=alpha)
    assert not found.rejected, found
    least = testing.min_detectable(float(sample.std(ddof=1)), sample.size, alpha=alpha, power=POWER)
    assert least <= detects, f"finds a difference of {least:g} only"


def assert_uniform(counts, *, alpha: float, detects: float) -> None:
    """Null: counts of independent uniform draws. Pearson's chi-square.

    Detects classes whose probabilities are off by the factors 1 +- `detects`.
    """
    counts = np.asarray(counts)
    found = stats.chisquare(counts)
    assert found.pvalue > alpha, found
    degrees = counts.size - 1
    power = stats.ncx2.sf(stats.chi2.isf(alpha, degrees), degrees, counts.sum() * detects**2)
    assert power >= POWER, f"has power {power:g}"


def assert_proportion(hits: int, trials: int, expected: float, *, alpha: float, detects: float):
    """Null: independent trials succeed with this probability. Exact binomial, two-sided.

    Detects a difference of `detects` in the probability.
    """
    found = stats.binomtest(hits, trials, expected)
    assert found.pvalue > alpha, found
    low, high = expected - detects, expected + detects
    sd = max(math.sqrt(p * (1 - p)) for p in (low, expected, high))
    least = testing.min_detectable(sd, trials, alpha=alpha, power=POWER)
    assert least <= detects, f"finds a difference of {least:g} only"

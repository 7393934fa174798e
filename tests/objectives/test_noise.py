"""The laws of additive noise: exact where they can be enumerated, else by large samples.

Every sample is a fixed one, so a test passes or fails for good; the bounds are those that a true
law breaks with the probability that the suite's budget gives them, over all laws and entries.
"""

import numpy as np
import pytest

from asysg import objectives as ob
from asysg.errors import InvalidArgument
from tests.budget import alpha, assert_mean

LAWS = ["gaussian", "rademacher", "coordinate", "jumps", "skewed"]
N, DRAWS, SIGMA = 5, 40_000, 3.0
#: Of each comparison: at most 30 for each law.
ALPHA = alpha("laws of the noise", 30 * len(LAWS))


@pytest.fixture(scope="module", params=LAWS)
def noise(request):
    """The law and a large sample of it, shape (DRAWS, N)."""
    f = ob.Quadratic.isotropic(N, 1.0, SIGMA, request.param)
    x = np.zeros(N)
    words = np.random.default_rng(17).integers(2**64, size=DRAWS, dtype=np.uint64)
    return request.param, np.array([f.gradient(x, int(word)) for word in words])


def close(sample, expected):
    """Null: the mean is `expected`. Detects 8 % of a root mean square (24 % for rare jumps)."""
    size = np.sqrt(np.mean(sample**2))
    if sample.std() <= 1e-9 * size:  # no chance in it
        return abs(sample.mean() - expected) <= 1e-9 * size
    assert_mean(sample, expected, alpha=ALPHA, detects=0.08 * size)
    return True


def test_mean_is_zero_and_entries_are_uncorrelated(noise):
    _, z = noise
    for i in range(N):
        assert close(z[:, i], 0.0)
        for j in range(i):
            assert close(z[:, i] * z[:, j], 0.0)


def test_total_and_every_entry_have_the_claimed_variance(noise):
    _, z = noise
    assert close((z**2).sum(axis=1), SIGMA**2)
    for i in range(N):
        assert close(z[:, i] ** 2, SIGMA**2 / N)


def test_support_of_the_law(noise):
    """The values an entry takes, of which mean and variance follow by hand."""
    law, z = noise
    unit = SIGMA / np.sqrt(N)
    values = np.unique(np.round(z / unit, 12))
    if law == "rademacher":
        assert values.tolist() == [-1, 1]
    elif law == "coordinate":
        assert np.allclose(np.abs(z).sum(axis=1), SIGMA)
        assert ((z != 0).sum(axis=1) == 1).all()
    elif law == "jumps":
        assert values.tolist() == [-8, 0, 8]
        quiet = (z == 0).all(axis=1)
        assert ((z != 0).all(axis=1) | quiet).all()
        assert close(1.0 * ~quiet, 1 / 64)
    elif law == "skewed":
        np.testing.assert_allclose(values, [-1 / 3, 3], rtol=1e-9)
        assert close(1.0 * (z[:, 0] > 0), 0.1)
    else:
        from scipy.stats import kstest

        assert kstest(z.ravel()[::N] / unit, "norm").pvalue > ALPHA


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 130])
def test_entries_partials_and_values_agree(law, n):
    """gradient, partial and value of one sample see the same noise, which does not depend on x."""
    f = ob.Quadratic.isotropic(n, 1.0, SIGMA, law)
    x = np.linspace(-1, 1, n)
    for word in (0, 1, 2**64 - 1, 0xDEADBEEF):
        z = f.gradient(np.zeros(n), word)
        np.testing.assert_array_equal([f.partial(np.zeros(n), word, i) for i in range(n)], z)
        np.testing.assert_allclose(f.gradient(x, word) - f.gradient(x), z, atol=1e-12)
        assert f.value(x, word) == pytest.approx(f.value(x) + z @ x, rel=1e-12, abs=1e-12)


@pytest.mark.only(lambda name, f: f.n_samples is None)
def test_streams_with_noise_differ_from_f_by_it(built_case):
    f = built_case.f
    for word in built_case.samples:
        z = [f.gradient(x, word) - f.gradient(x) for x in built_case.points]
        np.testing.assert_allclose(z[0], z[1], atol=1e-12 * f.L * 10)
        np.testing.assert_allclose(z[0], z[2], atol=1e-12 * f.L * 10)


def test_no_noise_means_none():
    f = ob.CosineQuadratic(4, sigma=0)
    x = np.ones(4)
    assert (f.gradient(x, 12345) == f.gradient(x)).all()
    assert f.value(x, 12345) == f.value(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": -1.0}, "sigma must be a finite number >= 0"),
        ({"sigma": np.nan}, "sigma must be a finite number >= 0"),
        ({"sigma": "much"}, "sigma must be a finite number >= 0"),
        ({"noise": "pink"}, "noise must be one of 'gaussian'"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        ob.CosineQuadratic(3, **arguments)

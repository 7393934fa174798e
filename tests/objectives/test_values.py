"""Values and derivatives of every family against twins, and what a call reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asysg import objectives as ob
from asysg.errors import InvalidArgument

STEP = 1e-30  # of the complex step: no subtraction, hence no cancellation


def twin_gradient(value, x, sample=None):
    shifted = x + 1j * STEP * np.eye(len(x))
    return np.array([value(row, sample).imag for row in shifted]) / STEP


def test_full_value_and_gradient_equal_the_twin(built_case):
    for x in built_case.points:
        twin = built_case.case.value(x)
        assert built_case.f.value(x) == pytest.approx(twin, rel=1e-12, abs=1e-14)
        gradient = twin_gradient(built_case.case.value, x)
        scale = 1e-12 * max(1.0, np.abs(gradient).max())
        np.testing.assert_allclose(built_case.f.gradient(x), gradient, rtol=1e-11, atol=scale)


@pytest.mark.only(lambda name, f: f.n_samples is not None)
def test_samples_equal_the_twin(built_case):
    for x in built_case.points:
        for j in built_case.samples:
            twin = built_case.case.value(x, j)
            assert built_case.f.value(x, j) == pytest.approx(twin, rel=1e-12, abs=1e-14)
            gradient = twin_gradient(built_case.case.value, x, j)
            scale = 1e-12 * max(1.0, np.abs(gradient).max())
            np.testing.assert_allclose(
                built_case.f.gradient(x, j), gradient, rtol=1e-11, atol=scale
            )


def test_central_differences_of_the_compiled_value(built_case):
    f, x, h = built_case.f, built_case.points[1], 1e-6
    for sample in [None, *built_case.samples[:2]]:
        g = f.gradient(x, sample)
        for i in range(f.n):
            e = h * np.eye(f.n)[i]
            slope = (f.value(x + e, sample) - f.value(x - e, sample)) / (2 * h)
            assert slope == pytest.approx(g[i], rel=1e-6, abs=1e-7 * max(1, abs(f.value(x))))


def test_partial_is_the_entry_of_the_gradient(built_case):
    f = built_case.f
    for x in built_case.points:
        for sample in [None, *built_case.samples]:
            g = f.gradient(x, sample)
            partials = [f.partial(x, sample, i) for i in range(f.n)]
            np.testing.assert_allclose(partials, g, rtol=1e-12, atol=1e-14 * (1 + abs(g).max()))


def test_a_minibatch_is_the_sum_of_its_gradients(built_case):
    """Also of more samples than go through a network together, and of one that comes twice."""
    f = built_case.f
    for x in built_case.points:
        for samples in ([], list(built_case.samples), list(built_case.samples) * 60):
            twin = np.zeros(f.n)
            for sample in samples:
                f.gradient(x, sample, twin)
            scale = 1e-14 * (1 + len(samples)) * (1 + np.abs(twin).max())
            np.testing.assert_allclose(f.minibatch(x, samples), twin, rtol=1e-12, atol=scale)


@given(st.floats(allow_nan=False))
def test_the_networks_tanh_is_accurate(t):
    """The derivative by a weight of 0 behind one unit, at residual 1, is that unit's output."""
    unit = ob.Network([[0.0]], [[-1.0]], hidden=(1,))
    for of_a_batch in (False, True):
        x = np.array([0.0, t, 0.0, 0.0])
        output = (unit.minibatch(x, [0, 0])[2] / 2) if of_a_batch else unit.gradient(x, 0)[2]
        assert abs(output - np.tanh(t)) <= 4 * np.spacing(abs(np.tanh(t)))
        assert np.sign(output) == np.sign(t)


@pytest.mark.only(lambda name, f: f.n_samples is not None)
def test_the_mean_over_samples_is_the_full_objective(built_case):
    f = built_case.f
    for x in built_case.points:
        values = [f.value(x, j) for j in range(f.n_samples)]
        gradients = [f.gradient(x, j) for j in range(f.n_samples)]
        assert np.mean(values) == pytest.approx(f.value(x), rel=1e-12, abs=1e-14)
        np.testing.assert_allclose(np.mean(gradients, axis=0), f.gradient(x), rtol=0, atol=1e-13)


def test_nothing_outside_the_support_is_read(built_case):
    """What a call says it reads is all it reads: NaN anywhere else changes no bit."""
    f, x = built_case.f, built_case.points[1]
    for sample in built_case.samples:
        for i in range(-1, f.n):
            support = f.support(sample, i)
            if support is None:
                continue
            assert support.dtype == np.int64
            assert len(set(support)) == len(support)
            poisoned = np.full(f.n, np.nan)
            poisoned[support] = x[support]
            if i >= 0:
                assert f.partial(poisoned, sample, i) == f.partial(x, sample, i)
                continue
            assert f.value(poisoned, sample) == f.value(x, sample)
            gradient = f.gradient(poisoned, sample)
            np.testing.assert_array_equal(gradient, f.gradient(x, sample))
            outside = np.setdiff1d(np.arange(f.n), support)
            assert not gradient[outside].any()


@pytest.mark.parametrize(
    ("name", "i", "expected"),
    [
        ("CosineQuadratic", 2, [2]),
        ("HuberCosine", 0, [0]),
        ("SineChain", 0, [0, 1]),
        ("SineChain", 3, [2, 3, 4]),
        ("SineChain", 4, [3, 4]),
        ("RotatedCosineQuadratic", 1, None),
    ],
)
def test_a_partial_derivative_reads_little(name, i, expected):
    support = getattr(ob, name)(5).support(0, i)
    assert (None if support is None else support.tolist()) == expected


def test_sparse_rows_are_their_own_support():
    A = ob.synthetic.design(5, 20, density=0.2, rng=0)
    plain = ob.SigmoidRegression(A, np.zeros(5))
    row = A.indices[A.indptr[2] : A.indptr[3]]
    outside = np.setdiff1d(np.arange(20), row)[0]
    np.testing.assert_array_equal(plain.support(2), row)
    np.testing.assert_array_equal(plain.support(2, row[0]), row)
    assert plain.support(2, outside).size == 0
    assert plain.partial(np.ones(20), 2, outside) == 0
    regularised = ob.NonconvexLogistic(A, np.ones(5), reg=0.1)
    assert regularised.support(2) is None
    assert regularised.support(2, outside).tolist() == [outside]


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e20, 1e100])
def test_no_nan_from_finite_points(built_case, size):
    """Overflow to infinity is true where f is that large; NaN would be a false answer."""
    no_nan(built_case.f, built_case.samples, size)


# Terms of both signs overflow before they are added.
@pytest.mark.only(lambda name, f: not name.startswith(("quadratic", "indefinite", "network")))
@pytest.mark.parametrize("size", [1e154, 1e300])
def test_no_nan_from_huge_points(built_case, size):
    no_nan(built_case.f, built_case.samples, size)


def no_nan(f, samples, size):
    signs = np.where(np.arange(f.n) % 2, -1.0, 1.0)
    for x in (size * signs, size * np.eye(f.n)[0], -size * np.eye(f.n)[-1]):
        for sample in [None, samples[0]]:
            assert not np.isnan(f.value(x, sample))
            assert not np.isnan(f.gradient(x, sample)).any()


def test_losses_far_out_have_their_limits():
    one = [[1.0]]
    for z in (-1e308, 1e308):
        assert ob.SigmoidRegression(one, [1.0]).value([z]) == (1.0 if z < 0 else 0.0)
        assert ob.NonconvexLogistic(one, [1.0], reg=0).value([z]) == (1e308 if z < 0 else 0.0)
        assert ob.RobustRegression(one, [0.0], loss="geman", scale=2).value([z]) == 2.0
        assert ob.RobustRegression(one, [0.0], loss="welsch", scale=2).value([z]) == 2.0
        cauchy = ob.RobustRegression(one, [0.0], loss="cauchy")
        assert cauchy.value([z]) == pytest.approx(np.log(1e308))
        assert cauchy.gradient([z])[0] == pytest.approx(np.sign(z) * 1e-308)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, x: f.value(x[:-1]), "x must have shape"),
        (lambda f, x: f.value([x]), "x must have shape"),
        (lambda f, x: f.gradient(x, -1), "sample must lie in"),
        (lambda f, x: f.gradient(x, 2**64), "sample must lie in"),
        (lambda f, x: f.value(x, f.n_samples or 2**64), "sample must lie in"),
        (lambda f, x: f.partial(x, 0, -1), "i must lie in"),
        (lambda f, x: f.partial(x, 0, f.n), "i must lie in"),
        (lambda f, x: f.partial(x, None, f.n), "i must lie in"),
        (lambda f, x: f.support(0, f.n), "i must lie in"),
        (lambda f, x: f.support(-1), "sample must lie in"),
        (lambda f, x: f.L_T(0), "T must be an integer >= 1"),
        (lambda f, x: f.constants(x, T=-1), "T must be an integer >= 0"),
        (lambda f, x: f.constants(x[:-1]), "x0 must be a vector"),
        (lambda f, x: f.constants(x * np.nan), "x0 must be finite"),
    ],
)
def test_calls_that_do_not_fit_are_refused(built_case, call, message):
    with pytest.raises(InvalidArgument, match=message):
        call(built_case.f, built_case.points[0])

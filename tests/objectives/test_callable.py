"""Objectives in plain Python."""

import traceback

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import asysg
from asysg import InvalidArgument, ObjectiveError, simulate
from asysg.objectives import SigmoidRegression, from_callable
from asysg.simulate import delays

RNG = np.random.default_rng(2)
A = RNG.standard_normal((30, 4))
y = (RNG.random(30) < 0.5).astype(float)
X = RNG.standard_normal(4)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def value(x, j):
    return (sigmoid(A[j] @ x) - y[j]) ** 2


def gradient(x, j):
    s = sigmoid(A[j] @ x)
    return 2 * (s - y[j]) * s * (1 - s) * A[j]


def values(x, samples):
    return sum(value(x, j) for j in samples)


def gradients(x, samples):
    s = sigmoid(A[samples] @ x)
    return (2 * (s - y[samples]) * s * (1 - s)) @ A[samples]


ONE = {"gradient": gradient, "value": value, "n": 4, "n_samples": 30}
MANY = ONE | {"gradient": gradients, "value": values, "at_once": True}


@pytest.mark.parametrize("given", [ONE, MANY], ids=["one", "at once"])
def test_equal_to_the_built_in_one(given):
    f, ours = from_callable(**given), SigmoidRegression(A, y)
    assert (f.n, f.n_samples) == (4, 30)
    for sample in (None, 0, 29):
        assert f.value(X, sample) == pytest.approx(ours.value(X, sample), rel=1e-12)
        np.testing.assert_allclose(f.gradient(X, sample), ours.gradient(X, sample), rtol=1e-10)
    np.testing.assert_allclose(f.minibatch(X, [3, 3, 7]), ours.minibatch(X, [3, 3, 7]), rtol=1e-10)
    assert f.partial(X, 3, 1) == f.gradient(X, 3)[1]
    run = {"steplength": 0.1, "batch_size": 2, "n_updates": 100, "rng": 0}
    for method in ("sgd", "asysg-con", "asysg-incon", "hogwild"):
        mine = asysg.minimize(ours, X, method=method, n_threads=1, **run)
        res = asysg.minimize(f, X, method=method, n_threads=1, **run)
        np.testing.assert_allclose(res.x, mine.x, rtol=1e-9)
    two = asysg.minimize(f, X, n_threads=2, max_delay=8, **run)
    assert (two.success, two.n_threads_used) == (True, 2)
    virtual = simulate.minimize(f, X, delays=delays.uniform(3), **run)
    mine = simulate.minimize(ours, X, delays=delays.uniform(3), **run)
    np.testing.assert_allclose(virtual.x, mine.x, rtol=1e-9)


def test_it_says_what_it_costs():
    assert "one thread's speed" in repr(from_callable(**ONE))


def test_blas_has_one_thread_during_a_run_and_its_own_again_afterwards():
    def threads():
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    seen = []

    def watched(x, j):
        seen.append(threads())
        return gradient(x, j)

    before = threads()
    f = from_callable(watched, n=4, n_samples=30)
    asysg.minimize(f, X, steplength=0.1, n_updates=3, n_records=1, n_threads=1)
    assert before
    assert seen
    assert all(count == 1 for counts in seen for count in counts)
    assert threads() == before


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("method", ["asysg-con", "asysg-incon", "hogwild"])
def test_an_exception_ends_the_run_and_keeps_its_traceback(method, p):
    calls = []

    def deep(j):
        raise ZeroDivisionError(f"sample {j} is no good")

    def failing(x, j):
        calls.append(j)
        if len(calls) > 200:
            deep(j)
        return gradient(x, j)

    f = from_callable(failing, n=4, n_samples=30)
    run = {"steplength": 0.1, "n_updates": 10_000, "n_threads": p, "n_records": 1, "rng": 0}
    res = asysg.minimize(f, X, method=method, **run)
    assert res.status == "failed"
    assert 0 < res.nit < 10_000
    assert "is no good" in res.message
    with pytest.raises(ObjectiveError) as caught:
        res.raise_if_failed()
    cause = caught.value.__cause__
    assert isinstance(cause, ZeroDivisionError)
    assert "in deep" in "".join(traceback.format_exception(cause))
    with pytest.raises(ObjectiveError, match="is no good") as caught:
        asysg.minimize(f, X, method=method, **run)  # at x0 already
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_ctrl_c_in_a_call_stays_what_it_is():
    def interrupted(x, j):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_callable(interrupted, n=4, n_samples=30).gradient(X)


def test_a_gradient_of_another_shape_is_an_error():
    f = from_callable(lambda x, j: 1.0, n=4, n_samples=30)
    with pytest.raises(ObjectiveError, match=r"must return shape \(4,\), got \(\)"):
        f.gradient(X)


def test_without_a_value():
    f = from_callable(gradient, n=4, n_samples=30)
    with pytest.raises(InvalidArgument, match="value must be given"):
        f.value(X)
    res = asysg.minimize(f, X, steplength=0.1, n_updates=50, n_threads=1, rng=0)
    assert np.isnan(res.fun)
    assert res.trace.grad_norm_sq[-1] < res.trace.grad_norm_sq[0]


def test_what_is_refused():
    for given in (
        {"gradient": 3},
        {"value": 3},
        {"n": 0},
        {"n_samples": 1.5},
        {"at_once": 1},
        {"constants": 3},
    ):
        with pytest.raises(InvalidArgument, match=f"^{next(iter(given))}"):
            from_callable(**(ONE | given))

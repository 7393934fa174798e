"""Compiled objectives of a user: numba, Cython, C by ctypes, addresses; and what is refused."""

import ctypes
import pickle

import numba
import numpy as np
import pytest
import scipy.sparse

import asysg
from asysg import InvalidArgument, objectives, simulate
from asysg.objectives import SigmoidRegression, from_lowlevel, signature
from asysg.simulate import delays

DOUBLES = ctypes.POINTER(ctypes.c_double)
N, n = 60, 12
RNG = np.random.default_rng(5)
A = scipy.sparse.random_array((N, n), density=0.3, rng=RNG, format="csr")
A.data = RNG.standard_normal(A.nnz)
DENSE = A.toarray()
y = (RNG.random(N) < 0.5).astype(float)
X = RNG.standard_normal(n)
values, columns, start = A.data, A.indices, A.indptr


@numba.cfunc(signature("numba", row=True))
def row_gradient(x, g, count, sample, row):
    z = 0.0
    for t in range(count):
        z += row[t] * x[t]
    s = 1 / (1 + np.exp(-z))
    for t in range(count):
        g[t] += 2 * (s - row[count]) * s * (1 - s) * row[t]
    return 1


@numba.cfunc(signature("numba", "value", row=True))
def row_value(x, out, count, sample, row):
    z = 0.0
    for t in range(count):
        z += row[t] * x[t]
    out[0] = (1 / (1 + np.exp(-z)) - row[count]) ** 2
    return 1


@numba.cfunc(signature("numba", "partial", row=True))
def row_partial(x, out, count, sample, i, row):
    z = 0.0
    for t in range(count):
        z += row[t] * x[t]
    s = 1 / (1 + np.exp(-z))
    out[0] = 2 * (s - row[count]) * s * (1 - s) * row[i]
    return 1


@numba.cfunc(signature("numba"))
def looked_up(x, g, count, sample, user_data):
    z = 0.0
    for e in range(start[sample], start[sample + 1]):
        z += values[e] * x[columns[e]]
    s = 1 / (1 + np.exp(-z))
    for e in range(start[sample], start[sample + 1]):
        g[columns[e]] += 2 * (s - y[sample]) * s * (1 - s) * values[e]
    return 1


def made(kind, **options):
    if kind == "support":
        return from_lowlevel(looked_up, n=n, n_samples=N, support=A, **options)
    data = DENSE if kind == "dense" else A
    return from_lowlevel(row_gradient, A=data, y=y, value=row_value, **options)


KINDS = ("dense", "sparse", "support")


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_the_built_in_one(kind, checked):
    ours = SigmoidRegression(DENSE if kind == "dense" else A, y)
    for theirs in (made(kind, checked=checked), made(kind)):
        if kind != "support":
            assert theirs.value(X) == pytest.approx(ours.value(X), rel=1e-13)
            assert theirs.value(X, 7) == pytest.approx(ours.value(X, 7), rel=1e-13)
        for sample in (None, 0, N - 1):
            np.testing.assert_allclose(
                theirs.gradient(X, sample), ours.gradient(X, sample), rtol=1e-12, atol=1e-15
            )
            for i in range(n):
                expected = ours.partial(X, sample, i)
                assert theirs.partial(X, sample, i) == pytest.approx(expected, rel=1e-12, abs=1e-15)
        for sample in range(N):
            for i in range(-1, n):
                expected = ours.support(sample, i)
                found = theirs.support(sample, i)
                assert (found is None) == (expected is None)
                if found is not None:
                    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_partial_of_ones_own_is_used(kind):
    ours = SigmoidRegression(DENSE if kind == "dense" else A, y)
    theirs = made(kind, partial=row_partial)
    for i in range(n):
        expected = ours.partial(X, 3, i)
        assert theirs.partial(X, 3, i) == pytest.approx(expected, rel=1e-12, abs=1e-15)


METHODS = ("sgd", "asysg-con", "asysg-incon", "hogwild", "asyscd", "sync", "delayed", "downpour")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_method_takes_it_and_ends_where_the_built_in_one_does(kind, method):
    ours = SigmoidRegression(DENSE if kind == "dense" else A, y)
    run = {"method": method, "steplength": 0.2, "n_updates": 400, "rng": 3}
    for M in (1, 3)[: 1 if method == "asyscd" else 2]:
        mine = asysg.minimize(ours, X, n_threads=1, batch_size=M, **run)
        res = asysg.minimize(made(kind), X, n_threads=1, batch_size=M, **run)
        np.testing.assert_allclose(res.x, mine.x, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(res.trace.grad_norm_sq, mine.trace.grad_norm_sq, rtol=1e-7)
    if method != "sgd":
        two = asysg.minimize(made(kind), X, n_threads=2, **run)
        assert (two.success, two.nit, two.n_threads_used) == (True, 400, 2)


@pytest.mark.parametrize("update", ["atomic", "replica", "lossy"])
def test_ways_to_write(update):
    run = {"method": "hogwild", "update": update, "steplength": 0.2, "n_updates": 5000, "rng": 0}
    res = asysg.minimize(made("sparse"), X, n_threads=2, **run)
    assert res.success
    assert res.fun < SigmoidRegression(A, y).value(X)


def test_virtual_workers_and_a_replay():
    run = {"method": "asysg-con", "delays": delays.uniform(4), "steplength": 0.1, "n_updates": 300}
    mine = simulate.minimize(SigmoidRegression(A, y), X, rng=1, **run)
    res = simulate.minimize(made("sparse"), X, rng=1, **run)
    np.testing.assert_allclose(res.x, mine.x, rtol=1e-9)
    recorded = asysg.minimize(
        made("sparse"), X, steplength=0.1, n_updates=200, n_threads=1, record="full", rng=0
    )
    assert simulate.replay(recorded).exact


def test_without_a_value_the_trace_has_norms_alone():
    f = made("support")
    with pytest.raises(InvalidArgument, match="value must be given"):
        f.value(X)
    res = asysg.minimize(f, X, steplength=0.1, n_updates=500, n_threads=1, rng=0)
    assert np.isnan(res.fun)
    assert np.isnan(res.trace.f).all()
    assert np.isfinite(res.trace.grad_norm_sq).all()
    assert res.success


def test_data_that_do_not_fit_are_refused():
    def refused(match, **given):
        with pytest.raises(InvalidArgument, match=match):
            from_lowlevel(row_gradient, **given)

    refused("n must be an integer", n_samples=3)
    refused("n_samples must be an integer", n=3, n_samples=0)
    refused("n must be that of A", A=A, n=n + 1)
    refused("y must have shape", A=A, y=y[1:])
    refused("y must be left out", n=n, n_samples=N, y=y)
    refused("support must be left out", A=A, support=A)
    refused("user_data must be left out", A=A, user_data=y)
    refused("user_data must be a contiguous array", n=n, n_samples=N, user_data=[1.0])
    refused("support must be CSR of shape", n=n, n_samples=N, support=A.tocsc())
    refused("support must be CSR of shape", n=n, n_samples=N + 1, support=A)
    refused("support must be a sparse matrix", n=n, n_samples=N, support=DENSE)
    refused("support must have 60 rows", n=n, n_samples=N, support=(start[:-1], columns))
    refused("support must have rows of incr", n=n, n_samples=N, support=(start, columns[::-1]))
    refused("support must have vectors", n=n, n_samples=N, support=(start, values))
    refused("constants must be", A=A, constants=3)
    refused("checked must be", A=A, checked=1)


def test_it_cannot_be_pickled_and_says_so():
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(made("sparse"))


def test_given_constants_are_used_and_certificates_carry_their_mark(tmp_path):
    estimated = objectives.check(made("sparse"), X).constants
    f = made("sparse", constants=estimated)
    assert f.constants(X) == estimated
    assert (f.L, f.sigma) == (estimated.L, estimated.sigma)
    with pytest.raises(InvalidArgument, match=r"objectives\.check"):
        asysg.minimize(made("sparse"), X, n_updates=10)
    res = asysg.minimize(f, X, n_updates=20_000, n_threads=2, max_delay=8, rng=0)
    assert "ESTIMATED" in res.certificate.explain()
    res.to_json(tmp_path / "run.json")
    again = asysg.verify.load(tmp_path / "run.json")
    assert again.constants.estimated
    descent = asysg.minimize(f, X, method="asyscd", n_updates=500, n_threads=1, rng=0)
    assert descent.certificate.constants.sigma == 0
    assert descent.certificate.constants.estimated

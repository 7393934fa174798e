"""f itself as an objective: exact derivatives, all that they read, of every family."""

import ctypes
import gc
import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import asysg
from asysg import objectives as ob
from asysg._core.callback import Callback
from asysg._core.exact import Exact
from asysg._core.kernel import Kernel


def test_every_sample_is_all_of_f(built_case):
    f, exact = built_case.f, built_case.f.exact
    assert (exact.n, exact.n_samples, exact.sigma) == (f.n, 1, 0.0)
    for x in built_case.points:
        for sample in (None, 0):
            assert exact.value(x, sample) == f.value(x)
            np.testing.assert_array_equal(exact.gradient(x, sample), f.gradient(x))
            for i in range(f.n):
                assert exact.partial(x, sample, i) == f.partial(x, None, i)


def test_constants_are_those_of_f(built_case):
    f, exact = built_case.f, built_case.f.exact
    assert (exact.L, exact.L_max, exact.lower_bound) == (f.L, f.L_max, f.lower_bound)
    assert [exact.L_T(T) for T in (1, 2, 3)] == [f.L_T(T) for T in (1, 2, 3)]
    assert exact.exact is exact
    assert repr(exact) == f"{f!r}.exact"


def test_the_mean_over_samples_begins_at_zero_in_every_update():
    """Gradients of samples add up in a scratch that serves one update after the other."""

    @ctypes.CFUNCTYPE(
        ctypes.c_int, *2 * [ctypes.POINTER(ctypes.c_double)], *2 * [ctypes.c_long], ctypes.c_void_p
    )
    def gradient(x, g, n, sample, _):
        for i in range(n):
            g[i] += x[i] - sample
        return 1

    f = ob.from_lowlevel(gradient, n=3, n_samples=5)
    x = x0 = np.array([1.0, -2.0, 4.0])
    for _ in range(4):
        x = x - 0.25 * (x - 2.0)
    run = asysg.minimize(
        f.exact, x0, method="sgd", steplength=0.25, n_updates=4, n_threads=1, rng=0
    )  # fmt: skip
    np.testing.assert_allclose(run.x, x, rtol=1e-14)


@pytest.mark.parametrize("noise", ["gaussian", "rademacher", "coordinate", "jumps", "skewed"])
def test_no_noise_is_left(noise):
    """The exact derivatives of a stream are what its samples scatter around."""
    noisy, quiet = (ob.SineChain(4, sigma=sigma, noise=noise) for sigma in (5.0, 0.0))
    x = np.array([0.3, -1.0, 2.0, 0.5])
    for i in range(4):
        assert noisy.exact.partial(x, 0, i) == noisy.partial(x, None, i) == quiet.partial(x, 3, i)


def test_nothing_outside_the_support_is_read(built_case):
    exact, x = built_case.f.exact, built_case.points[1]
    assert exact.support(0) is None
    for i in range(exact.n):
        support = exact.support(0, i)
        if support is not None:
            poisoned = np.full(exact.n, np.nan)
            poisoned[support] = x[support]
            assert exact.partial(poisoned, 0, i) == exact.partial(x, 0, i)


def test_it_outlives_its_objective_and_pickles(built_case):
    exact, x = built_case.case.build().exact, built_case.points[1]
    expected = [exact.partial(x, 0, i) for i in range(exact.n)]
    capsule, twin = exact._capsule, pickle.loads(pickle.dumps(exact))
    assert [twin.partial(x, 0, i) for i in range(exact.n)] == expected
    del exact
    gc.collect()
    _litter = [np.full(100 + k, np.nan) for k in range(300)]
    assert [ob._base.evaluate.partial(capsule, x, 0, i) for i in range(len(x))] == expected


@given(
    st.integers(0, 2**32),
    st.integers(1, 12),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    st.sampled_from([np.int32, np.int64]),
    st.sampled_from([0.0, 0.2]),
    st.booleans(),
)
def test_the_index_changes_no_bit(seed, n_samples, n, density, width, reg, packed):
    """Rows found by column, or one by one before there is an index, or all of a dense matrix."""
    rng = np.random.default_rng(seed)
    A = scipy.sparse.random_array((n_samples, n), density=density, format="csr", rng=rng)
    A.indices, A.indptr = A.indices.astype(width), A.indptr.astype(width)
    y, x = rng.choice([-1.0, 1.0], n_samples), rng.normal(size=n)
    f = ob.NonconvexLogistic(A, y, reg, packed=packed)
    before, size = [f.partial(x, None, i) for i in range(n)], f.nbytes
    exact = f.exact
    assert f.nbytes >= size + 4 * A.nnz + 16 * n
    assert f.exact.partial(x, 0, 0) == before[0]
    gradient = ob.NonconvexLogistic(A.toarray(), y, reg).gradient(x)
    for i in range(n):
        support = exact.support(0, i)
        named = np.unique(A.indices[np.isin(A.tocoo().row, A.tocoo().row[A.indices == i])])
        if support is None:  # as many entries as x has, or the regulariser's alone
            support = np.arange(n)
        else:
            np.testing.assert_array_equal(support, named)
        poisoned = np.full(n, np.nan)
        poisoned[support] = x[support]
        assert exact.partial(poisoned, 0, i) == before[i]
        assert before[i] == pytest.approx(gradient[i], rel=1e-12, abs=1e-15)


def test_a_common_column_reads_all_of_x():
    """Four rows of three entries look at twelve, more than x has; one row at three."""
    A = np.zeros((5, 8))
    A[:4, 0] = A[4, 7] = A[4, 6] = A[4, 5] = 1.0
    for j in range(4):
        A[j, j + 1] = A[j, j + 2] = 2.0
    exact = ob.SineRegression(scipy.sparse.csr_array(A), np.zeros(5)).exact
    assert exact.support(0, 0) is None
    assert exact.support(0, 7).tolist() == [5, 6, 7]
    assert exact.support(0, 1).tolist() == [0, 1, 2]


def test_python_functions_have_exact_derivatives_too():
    """By the full gradient where there is one, otherwise by the mean over samples."""

    def gradient(x, samples):
        return sum((j + 1.0) * x for j in samples)

    def value(x, samples):
        return sum((j + 1.0) * float(x @ x) / 2 for j in samples)

    x = np.array([1.0, -2.0, 4.0])
    for full in (None, lambda x: (float(x @ x), 2 * x)):
        exact = Exact(Callback(3, 3, value, gradient, full)).capsule
        out = np.ones(3)
        assert ob._base.evaluate.gradient(exact, x, 0, out).tolist() == [3.0, -3.0, 9.0]
        assert [ob._base.evaluate.partial(exact, x, 0, i) for i in range(3)] == [2.0, -4.0, 8.0]


def test_a_base_has_no_function():
    with pytest.raises(TypeError, match="only a base"):
        Exact(Kernel())

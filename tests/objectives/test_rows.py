"""One objective in every layout of its data, CSR or packed, int32 or int64; and descent."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from asysg import objectives as ob
from asysg._core import evaluate
from asysg.errors import InvalidArgument

FAMILIES = {
    "sigmoid": lambda A, y, **o: ob.SigmoidRegression(A, y, **o),
    "welsch": lambda A, y, **o: ob.RobustRegression(A, y, scale=1.5, **o),
    "sine": lambda A, y, **o: ob.SineRegression(A, y, **o),
    "amplitude": lambda A, y, **o: ob.PhaseRetrieval(A, y, **o),
    "logistic": lambda A, y, **o: ob.NonconvexLogistic(A, 2 * np.rint(y) - 1, reg=0, **o),
    "regularised": lambda A, y, **o: ob.NonconvexLogistic(A, 2 * np.rint(y) - 1, reg=0.2, **o),
}


def data(rng, N, n, kind):
    """CSR with empty rows, rows of every length up to n, and indices of one kind."""
    there = rng.uniform(size=(N, n)) < rng.uniform(size=(N, 1))
    there[0] = True
    A = sparse.csr_array(np.where(there, rng.normal(size=(N, n)), 0.0))
    A.indices, A.indptr = A.indices.astype(kind), A.indptr.astype(kind)
    return A


@given(
    st.sampled_from(sorted(FAMILIES)),
    st.integers(0, 2**32),
    st.integers(1, 8),
    st.integers(1, 40),
    st.sampled_from([np.int32, np.int64]),
)
def test_packed_rows_give_the_same_bits(family, seed, N, n, kind):
    rng = np.random.default_rng(seed)
    A, y = data(rng, N, n, kind), rng.uniform(size=N)
    plain, packed = FAMILIES[family](A, y), FAMILIES[family](A, y, packed=True)
    x = rng.normal(size=n)
    for f in (packed, pickle.loads(pickle.dumps(packed))):
        assert (f.n, f.n_samples, repr(f)) == (plain.n, plain.n_samples, repr(plain))
        assert f.value(x) == plain.value(x)
        np.testing.assert_array_equal(f.gradient(x), plain.gradient(x))
        for j in range(N):
            assert f.value(x, j) == plain.value(x, j)
            np.testing.assert_array_equal(f.gradient(x, j), plain.gradient(x, j))
            for i in {-1, 0, n // 2, n - 1}:
                np.testing.assert_array_equal(f.support(j, i), plain.support(j, i))
                if i >= 0:
                    assert f.partial(x, j, i) == plain.partial(x, j, i)
        np.testing.assert_array_equal(f._rows.toarray(), A.toarray())
        for name in ("L", "L_max", "sigma", "lower_bound"):
            assert getattr(f, name) == getattr(plain, name)
        assert f.L_T(2) == plain.L_T(2)


def test_bytes_are_counted():
    rng = np.random.default_rng(0)
    for kind, width in ((np.int32, 4), (np.int64, 8)):
        A = data(rng, 50, 60, kind)
        plain = ob.SineRegression(A, np.zeros(50))
        assert plain.nbytes == A.nnz * (8 + width) + 8 * 51 + 8 * 50
        packed = ob.SineRegression(A, np.zeros(50), packed=True)
        # A label and a word of counts a sample, and less than a line to the next.
        assert 0 <= packed.nbytes - (A.nnz * (8 + width) + 8 * 51 + 16 * 50) < 50 * (64 + 8)
        assert packed._kernel.__reduce__()[1][2].ctypes.data % 64 == 0
    dense = ob.SineRegression(np.ones((3, 5)), np.zeros(3))
    assert dense.nbytes == 8 * (15 + 3)


def test_packed_data_replace_the_arrays():
    """The objective keeps nothing of A, and later changes of A do not reach it."""
    A = data(np.random.default_rng(1), 20, 9, np.int32)
    f = ob.SigmoidRegression(A, np.full(20, 0.5), packed=True)
    before = f.gradient(np.ones(9))
    A.data[:] = np.nan
    np.testing.assert_array_equal(f.gradient(np.ones(9)), before)
    assert f._matrix is None


def test_dense_data_cannot_be_packed():
    with pytest.raises(InvalidArgument, match="packed must be False for dense data, got True"):
        ob.SigmoidRegression(np.ones((2, 2)), np.zeros(2), packed=True)


def test_descent_is_a_step_along_the_gradient_to_the_bit(built_case):
    f = built_case.f
    for x in built_case.points:
        for sample in built_case.samples:
            for step in (0.0, 0.3, 1e-3):
                found = evaluate.descend(f._capsule, x, sample, step)
                if found is None:  # optional; the families that have it are named below
                    continue
                expected = x.copy()
                g = f.gradient(x, sample)
                for j in np.flatnonzero(g):
                    expected[j] += -(step * g[j])
                assert found.tobytes() == expected.tobytes()
                assert evaluate.touch(f._capsule, sample)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_linear_models_descend(family, kind, packed):
    """Signed zeros included: x = -0.0 keeps its sign where the gradient is zero."""
    rng = np.random.default_rng(5)
    A = data(rng, 12, 17, kind)
    f = FAMILIES[family](A, rng.uniform(size=12), packed=packed)
    x = rng.normal(size=17)
    x[::3] = -0.0
    for sample in range(12):
        expected = x.copy()
        g = f.gradient(x, sample)
        for j in np.flatnonzero(g):
            expected[j] += -(0.25 * g[j])
        found = evaluate.descend(f._capsule, x, sample, 0.25)
        assert found.tobytes() == expected.tobytes()
        assert evaluate.touch(f._capsule, sample)


def test_descent_of_what_is_not_finite_shows():
    A = sparse.csr_array(np.array([[1e300, 1.0]]))
    f = ob.SineRegression(A, np.ones(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = evaluate.descend(f._capsule, np.zeros(2), 0, 1e300)
    assert np.isinf(x[0])
    assert np.isnan(evaluate.descend(f._capsule, x, 0, 1.0)).all()


def test_rows_of_every_length_are_touched_within_their_arrays():
    """Run under AddressSanitizer too: the last row ends where its arrays end."""
    for n in (*range(1, 20), 64, 65, 129, 700):
        for kind in (np.int32, np.int64):
            A = sparse.csr_array(np.ones((2, n)))
            A.indices, A.indptr = A.indices.astype(kind), A.indptr.astype(kind)
            for packed in (False, True):
                f = ob.SineRegression(A, np.zeros(2), packed=packed)
                assert evaluate.touch(f._capsule, 0)
                assert evaluate.touch(f._capsule, 1)
        dense = ob.SineRegression(np.ones((2, n)), np.zeros(2))
        assert evaluate.touch(dense._capsule, 1)

"""A fit depends on the weighted set of its samples, and on no order or number of them."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from asysg.sklearn import AsySGClassifier, AsySGRegressor, _samples
from asysg.sklearn._samples import distinct

PENALTY = 1e-3
rng = np.random.default_rng(0)
X = rng.integers(-1, 2, size=(30, 3)) * rng.choice([1.0, 0.5], size=(30, 3))
Y = rng.integers(0, 2, 30).astype(float)


def as_dict(samples):
    """Return the weight of every sample, as a share."""
    A = samples.A if isinstance(samples.A, np.ndarray) else samples.A.toarray()
    weights = np.ones(len(A)) if samples.weights is None else samples.weights
    assert weights.mean() == pytest.approx(1)
    keys = [tuple(np.append(row, y) + 0.0) for row, y in zip(A, samples.y, strict=True)]
    assert len(set(keys)) == len(keys)
    return {key: w / len(A) for key, w in zip(keys, weights, strict=True)}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_equal_samples_become_one_of_their_weight(sparse, intercept):
    weights = rng.integers(0, 4, 30).astype(float)
    given = scipy.sparse.csr_array(X) if sparse else X
    expected = {}
    for row, y, w in zip(X, Y, weights, strict=True):
        if w:
            key = (*(row + 0.0), 1.0, y) if intercept else (*(row + 0.0), y)
            expected[key] = expected.get(key, 0.0) + w / weights.sum()
    assert as_dict(distinct(given, Y, weights, intercept=intercept)) == pytest.approx(expected)


@given(st.permutations(range(30)))
def test_order_and_repetition_do_not_matter(order):
    weights = np.arange(30) % 4.0
    one = distinct(X, Y, weights, intercept=True)
    repeated = np.repeat(np.array(order), weights[order].astype(int))
    two = distinct(X[repeated], Y[repeated], np.ones(repeated.size), intercept=True)
    np.testing.assert_array_equal(one.A, two.A)
    np.testing.assert_array_equal(one.y, two.y)
    np.testing.assert_array_equal(one.weights, two.weights)


def test_dense_and_sparse_rows_come_in_the_same_order():
    dense = distinct(X, Y, np.ones(30), intercept=True)
    signs = scipy.sparse.coo_array(np.where(X == 0, -0.0, X)).tocsr()
    signs.data[:2] += 0.0
    sparse = distinct(signs, Y, np.ones(30), intercept=True)
    np.testing.assert_array_equal(dense.A, sparse.A.toarray())
    np.testing.assert_array_equal(dense.y, sparse.y)


def test_what_is_not_canonical_is_not_touched():
    given = scipy.sparse.csr_array(
        (np.array([1.0, 2.0, 0.0, 3.0]), np.array([1, 1, 0, 0]), np.array([0, 2, 4])), shape=(2, 2)
    )
    before = given.data.copy(), given.indices.copy()
    found = distinct(given, np.array([0.0, 1.0]), np.ones(2), intercept=False)
    assert sorted(map(tuple, found.A.toarray())) == [(0.0, 3.0), (3.0, 0.0)]
    np.testing.assert_array_equal(given.data, before[0])
    np.testing.assert_array_equal(given.indices, before[1])


@pytest.mark.parametrize("sparse", [False, True])
def test_samples_that_share_a_key_stay_apart(monkeypatch, sparse):
    """As if all keys collided: only neighbours that are equal are merged."""
    monkeypatch.setattr(
        _samples, "mixed", lambda values, columns: np.zeros(np.shape(values), dtype=np.uint64)
    )
    A = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    rows = scipy.sparse.csr_array(A) if sparse else A
    found = distinct(rows, np.array([1.0, 1.0, 1.0]), np.ones(3), intercept=False)
    assert as_dict(found) == pytest.approx({(1.0, 0.0, 1.0): 2 / 3, (0.0, 2.0, 1.0): 1 / 3})
    apart = distinct(rows, np.array([1.0, 0.0, 1.0]), np.ones(3), intercept=False)
    assert len(apart.y) == 3


@pytest.mark.parametrize(
    "estimator",
    [
        AsySGClassifier(),
        AsySGClassifier("sigmoid", class_weight="balanced", alpha=PENALTY),
        AsySGClassifier(method="asysg-incon", max_iter=20, tol=None),
        AsySGRegressor(),
        AsySGRegressor("cauchy", steplength="prescribed", max_iter=20),
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_weights_are_repetitions_to_the_bit(estimator, sparse):
    weights = np.arange(30) % 3
    order = np.random.default_rng(1).permutation(30)
    times = np.repeat(order, weights[order])
    y = X[:, 0] + Y if isinstance(estimator, AsySGRegressor) else Y
    data = scipy.sparse.csr_matrix(X) if sparse else X
    estimator.set_params(random_state=3)
    one = estimator.fit(data, y, sample_weight=weights)
    coef, intercept = one.coef_, one.intercept_
    two = estimator.fit(data[times], y[times])
    np.testing.assert_array_equal(coef, two.coef_)
    np.testing.assert_array_equal(intercept, two.intercept_)

"""Training data as a weighted set of distinct samples, in an order of its own.

A mean over samples depends on their order in no way, and on a repeated sample as on one of twice
the weight. A fit should neither: so equal samples become one, whose weight is their sum, those of
weight 0 go, and the others are put in an order that their content alone decides. The same set then
means the same draws, hence (with one thread) the same model to the bit, however it was given:
shuffled, with repetitions or weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .._draws import _mix

Vector = NDArray[np.float64]
Words = NDArray[np.uint64]

#: Entries that are mixed at once: they stay in the cache.
BLOCK = 2**15


@dataclass(frozen=True)
class Samples:
    """Distinct samples.

    Attributes
    ----------
    A : ndarray or csr_array of shape (n_samples, n)
        With a last column of ones where there is an intercept.
    y : ndarray of shape (n_samples,)
        Their targets.
    weights : ndarray of shape (n_samples,) or None
        Of mean 1; None if all are 1.
    """

    A: Any
    y: Vector
    weights: Vector | None


def distinct(X: Any, y: Vector, weights: Vector, *, intercept: bool) -> Samples:
    """Merge samples that are equal, target included, and order them by their content.

    Parameters
    ----------
    X : ndarray or SciPy sparse matrix of shape (n_samples, n), finite
    y : array of shape (n_samples,)
    weights : array of shape (n_samples,)
        At least 0, not all 0.
    intercept : bool
        Whether to append a column of ones.
    """
    X = canonical(X)
    kept = np.flatnonzero(weights > 0)
    keys = content(X, y)[kept]
    order = kept[np.argsort(keys, kind="stable")]
    keys = np.sort(keys)
    first = np.ones(order.size, dtype=bool)
    at = np.flatnonzero(keys[1:] == keys[:-1])
    # Different samples with the same key are very rare; they stay apart.
    first[at + 1] = ~equal(X, y, order[at], order[at + 1])
    total: Vector = np.bincount(np.cumsum(first) - 1, weights[order]).astype(np.float64)
    chosen = order[first]
    total *= chosen.size / total.sum()
    rows = X[chosen]
    if intercept:
        ones = np.ones((chosen.size, 1))
        if isinstance(rows, np.ndarray):
            rows = np.hstack([rows, ones])
        else:
            stacked: Any = scipy.sparse.hstack([rows, scipy.sparse.csr_array(ones)])
            rows = scipy.sparse.csr_array(stacked)
    return Samples(rows, y[chosen], None if (total == 1).all() else total)


def canonical(X: Any) -> Any:
    """Return float64 rows; sparse ones sorted, without duplicates and explicit zeros."""
    if not scipy.sparse.issparse(X):
        return np.asarray(X, dtype=np.float64)
    given: Any = X
    X = given.tocsr().astype(np.float64, copy=True)  # the caller's stays as it is
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def mixed(values: Vector, columns: NDArray[np.int64]) -> Words:
    """Return a word for every value in its column, 0 for zeros of either sign."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        key = _mix((columns.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
        words = _mix(values.view(np.uint64) ^ key)
    return np.asarray(words * (values != 0))


def content(X: Any, y: Vector) -> Words:
    """Return a 64-bit key of every sample, the same for dense and sparse rows."""
    n = X.shape[1]
    keys = mixed(np.ascontiguousarray(y, dtype=np.float64), np.array([n]))
    if isinstance(X, np.ndarray):
        columns, step = np.arange(n), max(1, BLOCK // max(1, n))
        for begin in range(0, len(X), step):
            block = np.ascontiguousarray(X[begin : begin + step])
            keys[begin : begin + step] += mixed(block, columns).sum(axis=1, dtype=np.uint64)
        return keys
    words = np.zeros(X.nnz + 1, dtype=np.uint64)
    for begin in range(0, X.nnz, BLOCK):
        these = slice(begin, begin + BLOCK)
        words[1:][these] = mixed(X.data[these], X.indices[these].astype(np.int64))
    # Sums modulo 2^64 are exact, so the sum of a row is a difference of sums from the beginning.
    sums = np.cumsum(words, dtype=np.uint64)
    return np.asarray(keys + (sums[X.indptr[1:]] - sums[X.indptr[:-1]]))


def equal(X: Any, y: Vector, these: NDArray[np.int64], those: NDArray[np.int64]) -> Any:
    """Say of each pair of samples whether they are equal."""
    if isinstance(X, np.ndarray):
        same = (X[these] == X[those]).all(axis=1)
    else:
        same = np.diff(scipy.sparse.csr_array(X[these] != X[those]).indptr) == 0
    return same & (y[these] == y[those])

"""Certified bounds on matrix norms.

A power iteration or a Lanczos method approaches a norm from below, so neither proves anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse

from ._check import Vector

EXACT_LIMIT = 1500  # largest Gram matrix whose eigenvalues are computed (about a second)
POWER_STEPS = 60
EPS = float(np.finfo(np.float64).eps)


def top_eigenvalue(H: Vector) -> float:
    """Return the largest eigenvalue of a symmetric matrix, not rounded down.

    The allowance is for the backward error of LAPACK's symmetric solver, a small multiple of
    m eps ||H|| for an m x m matrix.
    """
    m = H.shape[0]
    top = scipy.linalg.eigvalsh(H, subset_by_index=[m - 1, m - 1])[0]
    return float(top) + 4 * m * EPS * float(np.linalg.norm(H))


def squared_norm(A: Any) -> float:
    """Return a certified upper bound of ||A||^2 = lambda_max(A'A), A dense or CSR.

    Up to `EXACT_LIMIT` rows or columns, the largest eigenvalue of the smaller Gram matrix plus
    an allowance for the rounding of both steps. Beyond, the least of three upper bounds: the
    squared Frobenius norm, ||A||_1 ||A||_inf, and Collatz and Wielandt's
    max_i (B v)_i / v_i for B = |A|'|A| and a positive v, which bounds the spectral radius of the
    nonnegative B, and that bounds ||A||^2; v comes from a power iteration, but any would do.
    """
    rows, columns = A.shape
    frobenius = float(squared_column_norms(A).sum())
    if min(rows, columns) <= EXACT_LIMIT:
        gram = A @ A.T if rows < columns else A.T @ A
        gram = gram.toarray() if scipy.sparse.issparse(gram) else gram
        # Each entry of the Gram matrix is a rounded sum of max(A.shape) products; in norm
        # that is at most max(A.shape) eps ||A||_F^2.
        return top_eigenvalue(gram) + (max(rows, columns) + 1) * EPS * frobenius
    B = abs(A)
    v = np.ones(columns)
    ratio = np.inf
    for _ in range(POWER_STEPS):
        w = B.T @ (B @ v)
        ratio = min(ratio, float((w / v).max()))
        # Columns of zeros must not make v vanish; any positive v gives a true bound.
        v = np.maximum(w / w.max(initial=EPS), 1e-12)
    holder = float(B.sum(axis=0).max()) * float(B.sum(axis=1).max())
    return min(frobenius, holder, ratio) * (1 + 4 * max(rows, columns) * EPS)


def squared_column_norms(A: Any) -> Vector:
    """Return sum_j A[j, i]^2 for every column i."""
    if scipy.sparse.issparse(A):
        nnz = A.indptr[-1]
        return np.bincount(A.indices[:nnz], weights=A.data[:nnz] ** 2, minlength=A.shape[1])
    return np.einsum("ij,ij->j", A, A)


def squared_row_norms(A: Any) -> Vector:
    """Return sum_i A[j, i]^2 for every row j."""
    if scipy.sparse.issparse(A):
        rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
        return np.bincount(rows, weights=A.data[: rows.size] ** 2, minlength=A.shape[0])
    return np.einsum("ij,ij->i", A, A)

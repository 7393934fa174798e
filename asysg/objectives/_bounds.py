"""Certified bounds on matrix norms.

A power iteration or a Lanczos method approaches a norm from below, so neither proves anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from .._check import Vector

EXACT_LIMIT = 1500  # largest Gram matrix whose eigenvalues are computed (about a second)
GRAM_LIMIT = 2e8  # most products of entries for which |A|'|A| is formed (some seconds)
POWER_STEPS = 60
TINY = 1e-12
EPS = float(np.finfo(np.float64).eps)


def top_eigenvalue(H: Vector) -> float:
    """Return the largest eigenvalue of a symmetric matrix, not rounded down.

    The allowance is for the backward error of LAPACK's symmetric solver, a small multiple of
    m eps ||H|| for an m x m matrix.
    """
    m = len(H)
    top = scipy.linalg.eigvalsh(H, subset_by_index=[m - 1, m - 1])[0]
    return float(top) + 4 * m * EPS * float(np.linalg.norm(H))


def spectral_radius(apply: Callable[[Vector], Vector], n: int) -> float:
    """Return an upper bound of the spectral radius of a nonnegative n by n matrix B.

    Collatz and Wielandt: the radius is at most max_i (B v)_i / v_i for every positive v. The v
    here come from a power iteration, which makes the bound nearly attained, but any would do.
    """
    v = np.ones(n)
    bound = np.inf
    for _ in range(POWER_STEPS):
        w = apply(v)
        bound = min(bound, float((w / v).max()))
        v = np.maximum(w / w.max(initial=TINY), TINY)  # positive even where B has a zero row
    return bound * (1 + 4 * n * EPS)


def squared_norm(A: Any) -> float:
    """Return a certified upper bound of ||A||^2 = lambda_max(A'A), A dense or CSR.

    Up to `EXACT_LIMIT` rows or columns, the largest eigenvalue of the smaller Gram matrix plus
    an allowance for the rounding of both steps. Beyond, the least of three upper bounds: the
    squared Frobenius norm, ||A||_1 ||A||_inf, and the `spectral_radius` of |A|'|A|.
    """
    rows, columns = map(int, A.shape)
    slack = (rows + columns) * EPS  # relative rounding of a sum of so many squares or products
    frobenius = float(squared_column_norms(A).sum()) * (1 + slack)
    if min(rows, columns) <= EXACT_LIMIT:
        gram = A @ A.T if rows < columns else A.T @ A
        gram = gram if isinstance(gram, np.ndarray) else gram.toarray()
        # Each entry of the Gram matrix is a rounded sum of max(A.shape) products; in norm
        # that is at most max(A.shape) eps ||A||_F^2.
        return top_eigenvalue(gram) + slack * frobenius
    B = abs(A)
    holder = float(B.sum(axis=0).max()) * float(B.sum(axis=1).max())
    radius = spectral_radius(lambda v: B.T @ (B @ v), columns)
    return min(frobenius, (1 + 2 * slack) * min(holder, radius))


def squared_column_norms(A: Any) -> Vector:
    """Return sum_j A[j, i]^2 for every column i."""
    if isinstance(A, np.ndarray):
        return np.asarray(np.einsum("ij,ij->j", A, A), dtype=np.float64)
    nnz = A.indptr[-1]
    return np.bincount(A.indices[:nnz], A.data[:nnz] ** 2, A.shape[1]).astype(np.float64)


def squared_gram_columns(A: Any) -> Vector | None:
    """Return the squared column norms of |A|'|A| for a CSR matrix with short rows, else None.

    Where few columns overlap, ||A'W A e_i|| <= |||A|'|A| e_i|| (|W| <= 1) is much sharper than
    ||A|| ||A e_i||; dense data cancel, which absolute values cannot see.
    """
    if isinstance(A, np.ndarray) or np.square(np.diff(A.indptr), dtype=float).sum() > GRAM_LIMIT:
        return None
    B = abs(A)
    rows = B.T.tocsr()
    out = np.zeros(A.shape[1])
    for first in range(0, A.shape[1], 512):  # the whole product may not fit in memory
        product = rows[first : first + 512] @ B
        out[first : first + 512] = np.ravel(product.power(2).sum(axis=1))
    return out * (1 + 4 * int(sum(A.shape)) * EPS)


def squared_row_norms(A: Any) -> Vector:
    """Return sum_i A[j, i]^2 for every row j."""
    if isinstance(A, np.ndarray):
        return np.asarray(np.einsum("ij,ij->i", A, A), dtype=np.float64)
    rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    return np.bincount(rows, A.data[: rows.size] ** 2, A.shape[0]).astype(np.float64)

"""Tests of a recorded run: its coordinates, and the martingale of its noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy

from ._check import matrix, whole
from ._errors import InvalidArgument
from ._outcome import Outcome, probability

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._check import Array


def coordinates_test(counts: npt.ArrayLike, *, alpha: float) -> Outcome:
    """Test that coordinates are drawn uniformly.

    Null: the counts are those of independent uniform draws. Statistic: Pearson's chi-square with
    n - 1 degrees of freedom. False alarm: alpha, accurate once every expected count is well above
    5 (for small alpha: above 20).

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    counts : array_like of int, shape (n,)
        How often each coordinate was drawn; n >= 2.
    alpha : float
        False alarm, in (0, 1).

    Returns
    -------
    Outcome
        One-sided p-value: only too uneven is suspicious.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, or fewer than 5 expected per coordinate.

    Examples
    --------
    >>> from asysg.theory import testing
    >>> testing.coordinates_test([100, 100, 0], alpha=1e-6).rejected
    True
    """
    x = matrix("counts", counts, (-1,))
    if x.size < 2 or np.any(x < 0) or x.mean() < 5:
        raise InvalidArgument.of(
            "counts", "must be of 2 or more, at least 5 expected of each", counts
        )
    statistic = float(np.sum((x - x.mean()) ** 2) / x.mean())
    p = float(scipy.stats.chi2.sf(statistic, x.size - 1))
    return Outcome("coordinates", "draws are uniform", statistic, p, probability("alpha", alpha))


def coordinate_pairs_test(coordinates: npt.ArrayLike, n: int, *, alpha: float) -> Outcome:
    """Test that successive coordinates are independent and uniform.

    Null: independent uniform draws. Statistic: chi-square of the n^2 pairs (i_k, i_{k+1}) of
    *disjoint* neighbours (k odd), with n^2 - 1 degrees of freedom. False alarm: as
    `coordinates_test`.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    coordinates : array_like of int, shape (K,)
        The draws, 0..n-1.
    n : int
        Number of coordinates, at least 2.
    alpha : float
        False alarm, in (0, 1).

    Returns
    -------
    Outcome
        One-sided p-value.

    Raises
    ------
    InvalidArgument
        For arguments outside their ranges, or fewer than 10 n^2 draws.

    Examples
    --------
    >>> from asysg.theory import testing
    >>> testing.coordinate_pairs_test([0, 1] * 100, 2, alpha=1e-6).rejected
    True
    """
    n = whole("n", n, low=2)
    i = np.asarray(coordinates)
    if i.ndim != 1 or i.dtype.kind not in "iu" or np.any(i < 0) or np.any(i >= n):
        raise InvalidArgument.of("coordinates", f"must be integers in 0..{n - 1}", coordinates)
    half = i.size // 2
    pairs = i[0 : 2 * half : 2].astype(np.int64) * n + i[1 : 2 * half : 2]
    found = coordinates_test(np.bincount(pairs, minlength=n * n), alpha=alpha)
    null = "successive draws are independent and uniform"
    return Outcome("coordinate pairs", null, found.statistic, found.p_value, found.alpha)


def trace_bias_test(
    residuals: npt.ArrayLike, directions: npt.ArrayLike, covariance: npt.ArrayLike, *, alpha: float
) -> Outcome:
    """Test that recorded stochastic gradients have no bias.

    r_k = x_{k+1} - x_k + gamma sum_m grad f(xh_{k,m}) is a martingale difference with covariance
    gamma^2 M Q. Null: E[r_k | past] = 0. Statistic: sum <r_k, v_k>/sqrt(sum v_k' cov v_k) for
    directions v_k that depend on the past only. False alarm: alpha, exact for Gaussian noise if the
    variances v_k' cov v_k do not depend on the past, by the martingale central limit theorem else.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    residuals : array_like of shape (K, d)
        r_k. For incon d = 1: the residual of coordinate i_k.
    directions : array_like of shape (K, d)
        v_k.
    covariance : array_like of shape (d, d) or (K, d, d)
        gamma^2 M Q; for incon its diagonal entry i_k.
    alpha : float
        False alarm, in (0, 1).

    Returns
    -------
    Outcome
        Two-sided p-value.

    Raises
    ------
    InvalidArgument
        For arguments of other shapes, or directions without noise.

    Examples
    --------
    >>> import numpy as np
    >>> from asysg.theory import testing
    >>> r = np.full((100, 1), 0.5)
    >>> testing.trace_bias_test(r, np.ones((100, 1)), [[1.0]], alpha=1e-6).statistic
    5.0
    """
    r, cov = _trace(residuals, covariance)
    v = matrix("directions", directions, r.shape)
    variance = float(np.einsum("ki,kij,kj->", v, cov, v))
    return _normal("bias", "residuals have mean 0", float(np.sum(r * v)), variance, alpha)


def trace_variance_test(
    residuals: npt.ArrayLike, covariance: npt.ArrayLike, *, alpha: float, gaussian: bool = False
) -> Outcome:
    """Test that recorded noise has the variance it should have.

    Null: E||r_k||^2 = trace of the covariance gamma^2 M Q. Statistic: the sum of the differences
    over its standard deviation: exact fourth moments for Gaussian noise, else estimated from the
    differences. False alarm: alpha asymptotically. Finds a wrong M, a wrong sigma, lost and
    duplicated samples.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    residuals : array_like of shape (K, d)
        r_k as in `trace_bias_test`.
    covariance : array_like of shape (d, d) or (K, d, d)
        gamma^2 M Q.
    alpha : float
        False alarm, in (0, 1).
    gaussian : bool, optional
        True if the noise is Gaussian.

    Returns
    -------
    Outcome
        Two-sided p-value.

    Raises
    ------
    InvalidArgument
        For arguments of other shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from asysg.theory import testing
    >>> r = np.random.default_rng(0).standard_normal((2000, 3))
    >>> testing.trace_variance_test(r, np.eye(3), alpha=1e-6, gaussian=True).rejected
    False
    >>> testing.trace_variance_test(r * 1.1, np.eye(3), alpha=1e-6, gaussian=True).rejected
    True
    """
    r, cov = _trace(residuals, covariance)
    excess = np.sum(r * r, axis=1) - np.einsum("kii->k", cov)
    fourth = 2 * np.einsum("kij,kij->", cov, cov)
    # About the null's mean 0, not about the sample's: a constant excess must not hide itself.
    variance = float(fourth) if gaussian else float(np.sum(excess**2))
    null = "residuals have the variance of the noise"
    return _normal("variance", null, float(excess.sum()), variance, alpha)


def trace_reuse_test(
    residuals: npt.ArrayLike, covariance: npt.ArrayLike, *, alpha: float
) -> Outcome:
    """Test that no noise is used twice in a row.

    Null: E<r_k, r_{k-1}> = 0. Statistic: sum <r_k, r_{k-1}> over the square root of
    sum_k tr(cov_k cov_{k-1}). False alarm: alpha asymptotically.

    Proof: documentation, "The statistical tests".

    Parameters
    ----------
    residuals : array_like of shape (K, d)
        r_k as in `trace_bias_test`; K >= 2.
    covariance : array_like of shape (d, d) or (K, d, d)
        gamma^2 M Q.
    alpha : float
        False alarm, in (0, 1).

    Returns
    -------
    Outcome
        Two-sided p-value.

    Raises
    ------
    InvalidArgument
        For arguments of other shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from asysg.theory import testing
    >>> r = np.random.default_rng(0).standard_normal((1000, 2))
    >>> testing.trace_reuse_test(r, np.eye(2), alpha=1e-6).rejected
    False
    >>> testing.trace_reuse_test(np.repeat(r, 2, axis=0), np.eye(2), alpha=1e-6).rejected
    True
    """
    r, cov = _trace(residuals, covariance)
    if len(r) < 2:
        raise InvalidArgument.of("residuals", "must be of at least two updates", r.shape)
    variance = float(np.einsum("kij,kij->", cov[1:], cov[:-1]))
    null = "successive residuals are uncorrelated"
    return _normal("reuse", null, float(np.sum(r[1:] * r[:-1])), variance, alpha)


def _normal(name: str, null: str, total: float, variance: float, alpha: float) -> Outcome:
    a = probability("alpha", alpha)
    if not math.isfinite(total):
        return Outcome(name, null, math.inf, 0.0, a)
    if variance <= 0:
        return Outcome(name, null, 0.0 if total == 0 else math.inf, float(total == 0), a)
    z = total / math.sqrt(variance)
    return Outcome(name, null, z, float(2 * scipy.stats.norm.sf(abs(z))), a)


def _trace(residuals: npt.ArrayLike, covariance: npt.ArrayLike) -> tuple[Array, Array]:
    r = np.asarray(residuals, dtype=np.float64)
    if r.ndim != 2 or r.size == 0:
        raise InvalidArgument.of("residuals", "must be of shape (K, d), not empty", r.shape)
    K, d = r.shape
    each = np.ndim(covariance) == 3
    cov = matrix("covariance", covariance, (K, d, d) if each else (d, d))
    return r, np.broadcast_to(cov, (K, d, d))

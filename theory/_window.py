"""The linear recursion of second moments over a window of iterates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._check import matrix
from ._errors import InvalidArgument

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._check import Array

    Mask = npt.NDArray[np.bool_]
    Reads = tuple[Array, Array, Array, Array]


@dataclass(frozen=True)
class Moments:
    """Expectations at every update. An unstable schedule may end in inf and NaN.

    Source: documentation, "Exact moments on quadratics".

    Parameters
    ----------
    A : ndarray of shape (K,)
        E||grad f(x_k)||^2, k = 1..K. Its mean is the ergodic gradient norm.
    B : ndarray of shape (K,)
        E||(1/M) sum_m grad f(xh_{k,m})||^2: the mean gradient at what was read.
    B1 : ndarray of shape (K,)
        (1/M) sum_m E||grad f(xh_{k,m})||^2, at least B.
    D : ndarray of shape (K,)
        (1/M) sum_m E||grad f(x_k) - grad f(xh_{k,m})||^2: the staleness.
    f : ndarray of shape (K + 1,)
        E f(x_k) - f(x*), k = 1..K+1.
    mean : ndarray of shape (K + 1, n)
        E x_k - x*. (From `isotropic` shape (K + 1, 1): the factor of x_1 - x*.)
    """

    A: Array
    B: Array
    B1: Array
    D: Array
    f: Array
    mean: Array


class Engine:
    """The window's second moments, pushed forward one update at a time."""

    def __init__(self, H: Array, z: Array, Q: Array, g: float, M: int, T: int, p: int) -> None:
        self.H, self.Q, self.H2 = H, Q, H @ H
        self.g, self.M, self.p, self.n = g, M, p, z.size
        self.window = np.tile(z, T + 1)
        self.S = np.outer(self.window, self.window)
        self.rows: list[tuple[float, float, float, float]] = []
        self.f = [self._value()]
        self.mean = [z]

    def _value(self) -> float:
        n = self.n
        return float(np.sum(self.H * self.S[:n, :n])) / 2

    def record(self, C: Array, second: Array, each: Array, apart: Array) -> None:
        """Note the moments at this update and make it.

        C is E sum_m C_m, second E C S C', each the mean over m of E C_m S C_m', apart that of
        E (C_0 - C_m) S (C_0 - C_m)'.
        """
        n, S, H, H2 = self.n, self.S, self.H, self.H2
        self.rows.append(
            (
                float(np.sum(H2 * S[:n, :n])),
                float(np.sum(H2 * second)) / self.M**2,
                float(np.sum(H2 * each)),
                float(np.sum(H2 * apart)),
            )
        )
        step = self.g / self.p
        pull = H @ (C @ S)
        force = H @ second @ H + self.M * self.Q
        if self.p > 1:
            force = np.diag(np.diag(force))
        ahead = S[:n] - step * pull
        last = S[:n, :n] - step * (pull[:, :n] + pull[:, :n].T) + step * self.g * force
        new = np.empty_like(S)
        new[n:, n:] = S[:-n, :-n]
        new[:n, n:] = ahead[:, :-n]
        new[n:, :n] = ahead[:, :-n].T
        # The antisymmetric part of the rounding grows where the symmetric one decays.
        new[:n, :n] = (last + last.T) / 2
        self.S = new
        x = self.window[:n] - step * (H @ (C @ self.window))
        self.window = np.concatenate([x, self.window[:-n]])
        self.f.append(self._value())
        self.mean.append(x)

    def moments(self) -> Moments:
        A, B, B1, D = np.array(self.rows).T
        return Moments(A, B, B1, D, np.array(self.f), np.array(self.mean))


def table_reads(lacks: Mask, S: Array) -> Reads:
    """Reads of one update, lacks of shape (M, T, n)."""
    M, T, n = lacks.shape
    w = np.zeros((M, T + 2, n))
    w[:, 1:-1] = lacks
    w[:, 0] = 1
    # x_k - sum_d lacks_d (x_{k-d+1} - x_{k-d}): the weight of x_{k-t} is lacks_t - lacks_{t+1}.
    weights = w[:, :-1] - w[:, 1:]
    C = np.zeros((M, n, T + 1, n))
    i = np.arange(n)
    C[:, i, :, i] = weights.transpose(2, 0, 1)
    C = C.reshape(M, n, (T + 1) * n)
    total = C.sum(axis=0)
    away = -C
    away[:, i, i] += 1
    each = np.einsum("mij,mkj->ik", C @ S, C) / M
    apart = np.einsum("mij,mkj->ik", away @ S, away) / M
    return total, total @ S @ total.T, each, apart


def law_reads(pi: Array, M: int, shared: bool, S: Array, n: int) -> Reads:
    """Reads of one update with random delays."""
    blocks = S.reshape(pi.size, n, pi.size, n)
    own = np.einsum("t,titj->ij", pi, blocks)
    apart = S[:n, :n] + own - np.einsum("t,tij->ij", pi, blocks[0].transpose(1, 0, 2))
    apart = apart - np.einsum("t,tij->ij", pi, blocks[:, :, 0])
    pairs = own if shared else np.einsum("t,tisj,s->ij", pi, blocks, pi, optimize=True)
    total = np.asarray(M * np.kron(pi, np.eye(n)), dtype=np.float64)
    return total, M * own + M * (M - 1) * pairs, own, apart


def problem(H: npt.ArrayLike, z1: npt.ArrayLike, Q: npt.ArrayLike) -> tuple[Array, Array, Array]:
    z = matrix("z1", z1, (-1,))
    shape = (z.size, z.size)
    for name, value in (("H", H), ("Q", Q)):
        a = matrix(name, value, shape)
        if z.size == 0 or not np.allclose(a, a.T, rtol=1e-12, atol=1e-12 * np.abs(a).max()):
            raise InvalidArgument.of(name, "must be symmetric and not empty", a.tolist())
    q = matrix("Q", Q, shape)
    if np.linalg.eigvalsh(q).min() < -1e-10 * np.abs(q).max():
        raise InvalidArgument.of("Q", "must be a covariance (no negative eigenvalue)", q.tolist())
    return matrix("H", H, shape), z, q


def delay_table(delays: npt.ArrayLike) -> npt.NDArray[np.int64]:
    table = np.asarray(delays)
    if table.ndim != 2 or table.size == 0 or table.dtype.kind not in "iu" or np.any(table < 0):
        raise InvalidArgument.of("delays", "must be integers at least 0 of shape (K, M)", delays)
    # Nothing is older than x_1: a longer delay reads x_1 too.
    return np.minimum(table.astype(np.int64), np.arange(len(table))[:, None])


def missed_by_delay(delays: npt.ArrayLike | None, n: int) -> Mask:
    table = delay_table([] if delays is None else delays)
    d = np.arange(1, int(table.max()) + 1)
    return np.broadcast_to((d <= table[:, :, None])[..., None], (*table.shape, d.size, n))


def missed_table(missed: npt.ArrayLike, n: int) -> Mask:
    lacks = np.asarray(missed)
    if lacks.dtype != np.bool_ or lacks.ndim not in (3, 4) or 0 in lacks.shape[:2]:
        raise InvalidArgument.of(
            "missed", "must be bools of shape (K, M, T) or (K, M, T, n)", missed
        )
    if lacks.ndim == 3:
        lacks = lacks[..., None]
    if lacks.shape[3] not in (1, n):
        raise InvalidArgument.of("missed", f"must have a last axis of {n}", lacks.shape)
    return np.broadcast_to(lacks, (*lacks.shape[:3], n))

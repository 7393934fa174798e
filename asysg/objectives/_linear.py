"""Finite sums of a scalar loss of a linear model: what all of them share."""

from __future__ import annotations

from functools import cached_property
from math import sqrt
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike

from .. import _check
from .._check import Vector
from .._core import linear as _compiled
from ..errors import InvalidArgument
from . import _bounds, synthetic
from ._base import Objective


class LinearModel(Objective):
    """f(x) = (1/N) sum_j w_j psi(a_j'x; b_j) + reg sum_i x_i^2 / (1 + x_i^2), sampled uniformly.

    The weights w_j are 1 unless they are given; the last `free` coordinates (an intercept) are left
    out of the regulariser.

    A family sets, besides psi, `_curvature` = sup |psi''|, `_slopes` = sup |psi'| for every
    sample. With rows sqrt(w_j) a_j in A and W diagonal, |W| <= sup |psi''|, the Hessian is
    A'WA/N + D, where the regulariser's D lies in [-reg/2, 2 reg]. Hence, with c = sup |psi''|,

    * L = c ||A||^2 / N + 2 reg and L_max = c max_i ||A e_i||^2 / N + 2 reg (no reg for the i left
      out), attained where every psi'' is c at once (and x = 0, if all of it is regularised);
    * L_T = (c/N) ||A|| min(||A||, F_T) + 2 reg, F_T^2 the sum of the T largest squared column
      norms, as ||A'W A_S|| <= c ||A|| ||A_S||; for sparse data also with the root of the T
      largest squared column norms of |A|'|A| in place of the product of norms;
    * sigma^2 = (1/N) sum_j w_j^2 ||a_j||^2 sup |psi'(.; b_j)|^2: the variance over a uniform sample
      is below the second moment, and the regulariser is in no way random.

    ||A|| is exact up to rounding where A has at most 1500 rows or columns, and a certified
    upper bound else (a close one if A is nonnegative, else maybe several times too large).

    Contiguous float64 rows and canonical CSR arrays with float64 values (int32 or int64
    indices; read-only and memory-mapped ones too) are used in place: do not change them.
    Anything else is converted once. With ``packed=True`` sparse rows are copied instead, each
    with its label into one contiguous record that starts on a cache line: nothing else is kept,
    so the copy takes the place of A where the caller lets A go. `nbytes` counts.
    """

    _curvature: float
    _slopes: Vector | float
    _reg: float = 0.0
    _weights: Vector | None = None
    _free: int = 0
    _kernel: _compiled.Linear

    def _set_model(
        self,
        loss: str,
        A: Any,
        b: Vector,
        scale: float = 1.0,
        reg: float = 0.0,
        *,
        packed: bool = False,
        weights: ArrayLike | None = None,
        free: int = 0,
    ) -> None:
        matrix, arguments = rows(A)
        self._matrix = None if packed else matrix
        self._reg = _check.number("reg", reg, least=0, remedy="It is the weight of the penalty.")
        data, start, indices = arguments
        n_samples, n = matrix.shape
        if b.shape != (n_samples,):
            raise InvalidArgument.of(
                "y", f"must have shape ({n_samples},)", b.shape, "Give one number per row of A."
            )
        if weights is not None:
            self._weights = _check_weights(weights, n_samples)
        self._free = _check.integer("free", free, least=0)
        if self._free > n:
            raise InvalidArgument.of("free", f"must be at most n = {n}", free)
        options = scale, reg, self._weights, self._free
        if packed:
            if start is None:
                raise InvalidArgument.of(
                    "packed",
                    "must be False for dense data",
                    packed,
                    "Dense rows lie in one piece as they are.",
                )
            data, start = _compiled.pack(data, b, start, indices)
            self._kernel = _compiled.Linear(loss, n, data, None, start, None, *options)
        else:
            self._kernel = _compiled.Linear(loss, n, data, b, start, indices, *options)

    @property
    def nbytes(self) -> int:
        """Bytes of the data in use: A (referenced or copied) and y, or the packed records."""
        return self._kernel.nbytes

    @property
    def _rows(self) -> Any:
        """The data matrix; made anew, for a moment, where the rows are packed."""
        if self._matrix is not None:
            return self._matrix
        data, start, indices = self._kernel.unpacked()
        return scipy.sparse.csr_array(
            (data, indices, start), shape=(self._kernel.n_samples, self.n)
        )

    @classmethod
    def planted(
        cls,
        n_samples: int,
        n: int,
        density: float | None = None,
        rng: Any = None,
        **options: Any,
    ) -> Self:
        """Return a problem on synthetic data (`synthetic.design`) that a hidden x solves.

        The answers are what the model gives at the hidden x, so its loss is zero there (for
        `NonconvexLogistic` they are its signs, and the loss is merely small).

        Parameters
        ----------
        n_samples, n : int
            Shape of the data.
        density : float, optional
            Share of nonzero entries per row, in (0, 1]: CSR data. None: dense.
        rng : optional
            Anything that ``numpy.random.default_rng`` takes.
        **options
            Further arguments of the class.
        """
        rng = np.random.default_rng(rng)
        A = synthetic.design(n_samples, n, density=density, rng=rng)
        x = np.sqrt(n) * rng.standard_normal(n) / 2
        return cls(A, cls._answers(A @ x), **options)  # type: ignore[call-arg]

    @staticmethod
    def _answers(z: Vector) -> Vector:
        """The y_j that the model gives where a_j'x = z_j."""
        return z

    @property
    def _weighted_rows(self) -> Any:
        """The rows, each times the root of its weight."""
        if self._weights is None:
            return self._rows
        roots = np.sqrt(self._weights)
        if isinstance(self._rows, np.ndarray):
            return self._rows * roots[:, np.newaxis]
        matrix = self._rows.copy()
        matrix.data = matrix.data[: matrix.indptr[-1]] * np.repeat(roots, np.diff(matrix.indptr))
        return matrix

    @cached_property
    def _norm(self) -> float:
        return sqrt(_bounds.squared_norm(self._weighted_rows))

    @cached_property
    def _column_norms(self) -> Vector:
        """Squared column norms."""
        return _bounds.squared_column_norms(self._weighted_rows)

    @cached_property
    def _columns(self) -> Vector:
        """Squared column norms, largest first."""
        return -np.sort(-self._column_norms)

    @cached_property
    def _gram(self) -> Vector | None:
        """Squared column norms of |A|'|A|, largest first, if they are worth having."""
        squares = _bounds.squared_gram_columns(self._weighted_rows)
        return None if squares is None else -np.sort(-squares)

    @property
    def _weight(self) -> float:
        return self._curvature / float(self._kernel.n_samples)

    @cached_property
    def lower_bound(self) -> float:
        """0: no term is negative."""
        return 0.0

    @cached_property
    def L(self) -> float:
        """Bound c ||A||^2 / N + 2 reg, c = sup |psi''|."""
        return max(self._weight * self._norm**2 + 2 * self._reg, self.L_max)

    @cached_property
    def L_max(self) -> float:
        """Bound max_i (c ||A e_i||^2 / N + 2 reg), c = sup |psi''|, no reg for what is left out."""
        bounds = self._weight * self._column_norms
        bounds[: self.n - self._free] += 2 * self._reg
        return float(bounds.max())

    @cached_property
    def L_sample(self) -> float:
        """Proven Lipschitz constant of every sample's gradient: max_j w_j c ||a_j||^2 + 2 reg."""
        largest = float(_bounds.squared_row_norms(self._weighted_rows).max())
        return self._curvature * largest + 2 * self._reg

    def _share_norms(self, other: LinearModel) -> None:
        """Take over what was found of the same data and weights with other answers."""
        for name in ("_norm", "_column_norms", "_columns", "_gram"):
            if name in vars(other):
                vars(self)[name] = vars(other)[name]

    @cached_property
    def sigma(self) -> float:
        """Root of (1/N) sum_j w_j^2 ||a_j||^2 sup |psi'(.; b_j)|^2."""
        squares = _bounds.squared_row_norms(self._rows) * np.square(self._slopes)
        if self._weights is not None:
            squares *= np.square(self._weights)
        return sqrt(float(squares.mean()))

    def _L_T(self, T: int) -> float:
        block = sqrt(float(self._columns[:T].sum()))
        bound = self._norm * min(self._norm, block)
        if self._gram is not None:
            bound = min(bound, sqrt(float(self._gram[:T].sum())))
        return self._weight * bound + 2 * self._reg


def rows(A: Any) -> tuple[Any, tuple[Vector, Any, Any]]:
    """Check a data matrix; return it (dense or CSR) and the flat arrays the kernel reads."""
    if scipy.sparse.issparse(A):
        return _sparse_rows(A)
    _check_real(np.asarray(A))
    try:
        dense = np.ascontiguousarray(A, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument.of(
            "A",
            "must be an array or a SciPy sparse matrix",
            type(A).__name__,
            "Give numbers, shape (n_samples, n).",
        ) from None
    _check_shape(np.shape(A))
    _check_finite(dense.reshape(-1))
    return dense, (dense.reshape(-1), None, None)


def _sparse_rows(A: Any) -> tuple[Any, tuple[Vector, Any, Any]]:
    _check_shape(A.shape)
    _check_real(A)
    matrix = A if A.format == "csr" else scipy.sparse.csr_array(A)
    if matrix.dtype != np.float64:
        matrix = matrix.astype(np.float64)
    for attempt in range(2):
        start = np.ascontiguousarray(matrix.indptr, dtype=np.int64)
        indices = np.ascontiguousarray(matrix.indices)
        data = np.ascontiguousarray(matrix.data)
        fits = start.size == A.shape[0] + 1 and data.size >= start[-1] and indices.dtype.kind == "i"
        flaw = _compiled.csr_flaw(start, indices, A.shape[1]) if fits else "broken"
        if flaw == "broken" or (flaw and attempt):
            raise InvalidArgument.of(
                "A",
                "must be a sound CSR matrix",
                "indices out of range or of the wrong number",
                "Build it by scipy.sparse.csr_array((data, indices, indptr), shape).",
            )
        if not flaw:
            break
        matrix = matrix.copy()  # the caller's matrix stays as it is
        matrix.has_canonical_format = False
        matrix.sum_duplicates()
    _check_finite(data)
    return matrix, (data, start, indices)


def _check_weights(weights: ArrayLike, n_samples: int) -> Vector:
    found = _check.vector("weights", weights, n_samples, remedy="Give one number per row of A.")
    if found.min() < 0:
        raise InvalidArgument.of(
            "weights", "must be at least 0", float(found.min()), "f must be bounded from below."
        )
    return found


def _check_real(A: Any) -> None:
    if np.iscomplexobj(A):
        raise InvalidArgument.of(
            "A", "must be real", A.dtype, "Give real and imaginary parts as columns."
        )


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or 0 in shape:
        raise InvalidArgument.of(
            "A", "must be a non-empty matrix of shape (m, n)", shape, "Give one row per sample."
        )


def _check_finite(values: Vector) -> None:
    if not _compiled.all_finite(values):
        raise InvalidArgument.of(
            "A", "must be finite", float(values[~np.isfinite(values)][0]), "Clean the data first."
        )


def answers(y: ArrayLike) -> Vector:
    """Check a vector of labels or targets."""
    return _check.vector("y", y, None, remedy="Give one number per row of A.")

"""Synthetic data, reproducible from one `rng`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from .. import _check
from ..errors import InvalidArgument

__all__ = ["design"]


def design(n_samples: int, n: int, *, density: float | None = None, rng: Any = None) -> Any:
    """Return a random data matrix whose rows have expected squared norm 1.

    Parameters
    ----------
    n_samples, n : int
        Its shape, both at least 1.
    density : float, optional
        None: dense, normal entries. Else in (0, 1]: CSR with max(1, round(density n)) nonzero
        normal entries in every row, at uniform places.
    rng : optional
        Anything that ``numpy.random.default_rng`` takes.

    Returns
    -------
    ndarray or csr_array, shape (n_samples, n)

    Raises
    ------
    InvalidArgument
        If a size or the density is out of range.

    Examples
    --------
    >>> from asysg.objectives import synthetic
    >>> synthetic.design(100, 50, density=0.1, rng=0).nnz
    500
    """
    rng = np.random.default_rng(rng)
    n_samples = _check.integer("n_samples", n_samples, least=1, remedy="It is a number of rows.")
    n = _check.integer("n", n, least=1, remedy="It is the number of coordinates.")
    if density is None:
        return rng.standard_normal((n_samples, n)) / np.sqrt(n)
    density = _check.number("density", density, above=0, remedy="It is the share of nonzeros.")
    if density > 1:
        raise InvalidArgument.of("density", "must be at most 1", density, "1 stores every entry.")
    per_row = min(n, max(1, round(density * n)))
    indices = np.sort(_distinct(n_samples, per_row, n, rng), axis=1).reshape(-1)
    data = rng.standard_normal(n_samples * per_row) / np.sqrt(per_row)
    start = np.arange(0, n_samples * per_row + 1, per_row)
    return scipy.sparse.csr_array((data, indices, start), shape=(n_samples, n))


def _distinct(n_rows: int, count: int, n: int, rng: np.random.Generator) -> Any:
    """Draw `count` distinct numbers below n for every row: redraw rows that have a repetition."""
    if 2 * count * count > n:  # few rows would be free of repetitions
        return np.array([rng.choice(n, count, replace=False) for _ in range(n_rows)])
    drawn = rng.integers(n, size=(n_rows, count))
    while True:
        ordered = np.sort(drawn, axis=1)
        again = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if not again.any():
            return drawn
        drawn[again] = rng.integers(n, size=(int(again.sum()), count))

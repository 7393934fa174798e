"""Oscillators coupled by sines: a partial derivative reads a coordinate and its neighbours."""

from __future__ import annotations

from functools import cached_property
from math import pi, sin, sqrt
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._core import coupled as _compiled
from ..errors import InvalidArgument
from . import _bounds
from ._stream import Stream


class SineChain(Stream):
    """A chain of pinned oscillators (Frenkel and Kontorova's model, discretised).

    f(x) = sum_i pinning (1 - cos x_i) + spring x_i^2 / 2
         + sum_i coupling (1 - cos(x_i - x_{i+1})).

    With H0 the Hessian at 0, -H0 <= Hess f <= H0 everywhere, so that the constants are exact:
    L = ||H0|| = pinning + spring + 4 coupling sin^2(pi (n-1) / (2n)), L_max its largest diagonal
    entry, L_1 its largest column norm (L_T is bounded by sqrt(T) L_1 and L).

    Parameters
    ----------
    n : int
        Number of coordinates, at least 1.
    pinning, spring, coupling : float
        All at least 0, not all 0.
    sigma : float
        Standard deviation of the gradient noise, at least 0.
    noise : str
        Its law, see `Stream`.

    Raises
    ------
    InvalidArgument
        If an argument is out of range.

    Examples
    --------
    >>> from asysg.objectives import SineChain
    >>> f = SineChain(5, pinning=1.0, spring=0.5, coupling=2.0)
    >>> f.L_max, f.support(0, 2)
    (5.5, array([1, 2, 3]))
    """

    def __init__(
        self,
        n: int,
        pinning: float = 1.0,
        spring: float = 0.1,
        coupling: float = 1.0,
        sigma: float = 0.0,
        noise: str = "gaussian",
    ) -> None:
        n = _check.integer("n", n, least=1, remedy="It is the number of coordinates.")
        pinning = _check.number("pinning", pinning, least=0, remedy="Use 0 for none.")
        spring = _check.number("spring", spring, least=0, remedy="Use 0 for none.")
        coupling = _check.number("coupling", coupling, least=0, remedy="Use 0 for none.")
        neighbours = min(n - 1, 2)
        self.L_max = pinning + spring + neighbours * coupling
        if self.L_max == 0:
            raise InvalidArgument.of(
                "pinning + spring + coupling", "must be > 0", 0.0, "A constant has no minimiser."
            )
        self._set_noise(sigma, noise)
        self.lower_bound = 0.0  # no term is negative
        self.L = pinning + spring + 4 * coupling * sin(pi * (n - 1) / (2 * n)) ** 2
        self._column = sqrt(self.L_max**2 + neighbours * coupling**2)
        self._kernel = _compiled.Chain(n, pinning, spring, coupling, self.sigma, self.noise)

    def _L_T(self, T: int) -> float:
        return sqrt(T) * self._column


class Synchronization(Stream):
    """Phases on a graph from noisy differences: f(x) = sum_e w_e (1 - cos(x_i - x_j - phase_e)).

    The Hessian is B' diag(w cos) B with the incidence matrix B, hence L = lambda_max of the
    weighted Laplacian (a certified bound of it for n > 1500), L_max the largest weighted degree,
    L_T at most the root of the T largest squared columns of the Laplacian; L, L_max and L_1 are
    attained if some x fits all phases.

    Parameters
    ----------
    n : int
        Number of coordinates (nodes), at least 2.
    edges : array_like of int, shape (m, 2)
        Distinct pairs of distinct nodes.
    phases : array_like, shape (m,)
        What x_i - x_j should be, modulo 2 pi, for an edge (i, j).
    weights : array_like, shape (m,), optional
        Positive; 1 by default.
    sigma : float
        Standard deviation of the gradient noise, at least 0.
    noise : str
        Its law, see `Stream`.

    Raises
    ------
    InvalidArgument
        If an argument is of the wrong shape or out of range, or an edge occurs twice.

    Examples
    --------
    >>> from asysg.objectives import Synchronization
    >>> f = Synchronization(3, [(0, 1), (1, 2)], [0.0, 0.0])
    >>> f.L_max, f.support(0, 0)
    (2.0, array([0, 1]))
    """

    def __init__(
        self,
        n: int,
        edges: ArrayLike,
        phases: ArrayLike,
        weights: ArrayLike | None = None,
        sigma: float = 0.0,
        noise: str = "gaussian",
    ) -> None:
        n = _check.integer("n", n, least=2, remedy="It is the number of nodes.")
        pairs = _pairs(n, edges)
        m = len(pairs)
        phase = _check.vector("phases", phases, m, remedy="Give one angle per edge.")
        weight = np.ones(m) if weights is None else weights
        weight = _check.vector("weights", weight, m, remedy="Give one positive number per edge.")
        if weight.min() <= 0:
            raise InvalidArgument.of(
                "weights",
                "must be positive",
                float(weight.min()),
                "Leave out edges that do not count.",
            )
        self._set_noise(sigma, noise)
        self.lower_bound = 0.0  # no term is negative
        tail = np.concatenate([pairs[:, 0], pairs[:, 1]])
        head = np.concatenate([pairs[:, 1], pairs[:, 0]])
        order = np.lexsort((head, tail))
        both = np.concatenate([weight, weight])[order]
        start = np.searchsorted(tail[order], np.arange(n + 1)).astype(np.int64)
        self._kernel = _compiled.Graph(
            start,
            head[order],
            both,
            np.concatenate([phase, -phase])[order],
            self.sigma,
            self.noise,
        )
        adjacency = scipy.sparse.csr_array((both, head[order], start), shape=(n, n))
        self._degrees = np.bincount(tail, weights=np.concatenate([weight, weight]), minlength=n)
        self._adjacency = adjacency
        self.L_max = float(self._degrees.max())

    @classmethod
    def planted(
        cls,
        n: int,
        degree: int = 4,
        sigma: float = 0.0,
        noise: str = "gaussian",
        rng: Any = None,
    ) -> Synchronization:
        """Return a ring with random chords whose phases a hidden x fits: inf f = 0.

        Parameters
        ----------
        n : int
            Number of nodes, at least 3.
        degree : int
            Mean number of neighbours (about), from 2 to n - 1.
        sigma, noise
            As for the class.
        rng : optional
            Anything that ``numpy.random.default_rng`` takes.
        """
        rng = np.random.default_rng(rng)
        n = _check.integer("n", n, least=3, remedy="It is the number of nodes of a ring.")
        degree = _check.integer("degree", degree, least=2, remedy="A ring has two.")
        if degree > n - 1:
            raise InvalidArgument.of("degree", f"must be at most n - 1 = {n - 1}", degree)
        ring = np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1)
        chords = rng.integers(n, size=(n * (degree - 2) // 2, 2))
        chords = chords[chords[:, 0] != chords[:, 1]]
        edges = np.unique(np.sort(np.concatenate([ring, chords]), axis=1), axis=0)
        x = rng.uniform(-pi, pi, n)
        return cls(n, edges, x[edges[:, 0]] - x[edges[:, 1]], sigma=sigma, noise=noise)

    @cached_property
    def L(self) -> float:
        """lambda_max of the weighted Laplacian, exact or a certified upper bound."""
        if self.n <= _bounds.EXACT_LIMIT:
            adjacency = self._adjacency.toarray()
            laplacian = np.asarray(np.diag(self._degrees) - adjacency, dtype=np.float64)
            return max(self.L_max, _bounds.top_eigenvalue(laplacian))
        # The Laplacian is dominated by degrees + adjacency, entrywise.
        return _bounds.spectral_radius(lambda v: self._degrees * v + self._adjacency @ v, self.n)

    def _L_T(self, T: int) -> float:
        columns = self._degrees**2 + _bounds.squared_column_norms(self._adjacency)
        return sqrt(float(-np.sort(-columns)[:T].sum()))


def _pairs(n: int, edges: ArrayLike) -> NDArray[np.int64]:
    pairs = np.asarray(edges)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs) or pairs.dtype.kind not in "iu":
        raise InvalidArgument.of(
            "edges", "must be integers of shape (m, 2)", edges, "Give one pair of nodes per edge."
        )
    if pairs.min() < 0 or pairs.max() >= n:
        raise InvalidArgument.of(
            "edges", f"must name nodes 0..{n - 1}", (int(pairs.min()), int(pairs.max())), "Raise n."
        )
    ordered = np.sort(pairs, axis=1)
    if (ordered[:, 0] == ordered[:, 1]).any() or len(np.unique(ordered, axis=0)) < len(pairs):
        raise InvalidArgument.of(
            "edges",
            "must be distinct pairs of distinct nodes",
            edges,
            "Drop loops, which are constant, and join repetitions into one edge.",
        )
    return pairs.astype(np.int64)

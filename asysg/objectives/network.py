"""The fully connected network of the paper's synthetic experiment."""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from .. import _check
from .._check import Vector
from ..errors import InvalidArgument
from ._base import Objective

MAX_HIDDEN = 31  # layers the compiled struct has room for, less the outputs
PAPER_LAYERS = (400, 100, 50, 20, 10)


class Network(Objective):
    """Mean loss of a fully connected network with tanh units and linear outputs.

    Labels are learned under the softmax loss -log softmax(z)_label, real targets under
    ||z - target||^2 / 2, z the outputs. x holds, layer by layer, the matrix of weights (one row
    per unit) and then the biases: 46,380 numbers for the layers 400-100-50-20-10 of Lian et al.
    (NIPS 2015).

    The Hessian of a network is unbounded, so there is no L or sigma for all x: `constants`
    refuses. The lower bound is 0.

    A minibatch goes through the layers together, by products of matrices (BLAS): the sums are
    those of its samples up to rounding, which may differ between kinds of processors.

    Parameters
    ----------
    X : array_like, shape (n_samples, n_inputs)
        Inputs, finite; a contiguous float64 array is used in place.
    y : array_like, shape (n_samples,) of int, or (n_samples, n_outputs) of float
        Labels from 0 on, or targets.
    hidden : tuple of int
        Units of the hidden layers.
    n_outputs : int, optional
        Number of classes, where y may not show them all.

    Raises
    ------
    InvalidArgument
        If X or y is not finite or of the wrong shape, or a layer is empty.

    Examples
    --------
    >>> from asysg.objectives import Network
    >>> f = Network.planted(rng=0)
    >>> f
    Network(n=46380, n_samples=1000)
    >>> x0 = f.initial_point(rng=0)
    >>> f.gradient(x0, sample=3).shape
    (46380,)
    """

    _remedy = (
        "A network's Hessian and noise are unbounded: give a float steplength, or your own "
        "theory.ProblemConstants(..., estimated=True) for the region you expect."
    )

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        hidden: tuple[int, ...] = PAPER_LAYERS[1:-1],
        n_outputs: int | None = None,
    ) -> None:
        inputs = _matrix("X", X)
        targets = _targets(y, inputs.shape[0], n_outputs)
        outputs = targets.shape[1] if targets.ndim == 2 else n_outputs or int(targets.max()) + 1
        units = [
            _check.integer("hidden", size, least=1, remedy="Leave the layer out.")
            for size in hidden
        ]
        self.lower_bound = 0.0  # no loss is negative
        if len(units) > MAX_HIDDEN:
            raise InvalidArgument.of(
                "hidden", f"must name at most {MAX_HIDDEN} layers", hidden, "Make some wider."
            )
        self.layers = (inputs.shape[1], *units, outputs)
        # Here, because its BLAS comes with scipy.linalg, which no other objective waits for.
        from .._core import network as _compiled

        self._kernel = _compiled.Network(self.layers, inputs, targets)

    @classmethod
    def planted(
        cls,
        n_samples: int = 1000,
        layers: tuple[int, ...] = PAPER_LAYERS,
        loss: str = "softmax",
        rng: Any = None,
    ) -> Network:
        """Return a network on normal inputs with the answers of a hidden network of its shape.

        Parameters
        ----------
        n_samples : int
            Number of inputs, at least 1.
        layers : tuple of int
            Inputs, units of the hidden layers, outputs.
        loss : str
            ``"softmax"``: the labels are the hidden network's largest outputs; ``"squared"``:
            the targets are its outputs, and inf f = 0.
        rng : optional
            Anything that ``numpy.random.default_rng`` takes.
        """
        rng = np.random.default_rng(rng)
        n_samples = _check.integer("n_samples", n_samples, least=1, remedy="Give some data.")
        if len(layers) < 2:
            raise InvalidArgument.of(
                "layers", "must name inputs and outputs at least", layers, "Give (400, 10)."
            )
        for size in layers:
            _check.integer("layers", size, least=1, remedy="Leave the layer out.")
        _check.choice("loss", loss, ("softmax", "squared"), remedy="Give data to the class itself.")
        X = rng.standard_normal((n_samples, layers[0]))
        outputs = _outputs(X, _random_weights(layers, rng), layers)
        y = outputs.argmax(axis=1) if loss == "softmax" else outputs
        return cls(X, y, tuple(layers[1:-1]), layers[-1])

    def _one_thread(self) -> AbstractContextManager[object]:
        limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
        return limits

    def initial_point(self, rng: Any = None) -> Vector:
        """Return random weights of variance 1 / fan-in and zero biases, shape (n,)."""
        return _random_weights(self.layers, np.random.default_rng(rng))


def _matrix(name: str, value: ArrayLike) -> Vector:
    shape = np.shape(value)
    if len(shape) != 2 or 0 in shape:
        raise InvalidArgument.of(
            name, "must be a non-empty matrix of shape (m, n)", shape, "Give one row per sample."
        )
    flat = np.ascontiguousarray(value).reshape(-1)
    return _check.vector(name, flat, None, remedy="Clean the data first.").reshape(shape)


def _targets(y: ArrayLike, n_samples: int, n_outputs: int | None) -> Any:
    given = np.asarray(y)
    if given.shape[:1] != (n_samples,):
        raise InvalidArgument.of(
            "y",
            f"must have {n_samples} rows, like X",
            given.shape,
            "Give a label or a row of targets for every input.",
        )
    if given.ndim == 2:
        targets = _matrix("y", given)
        if n_outputs not in (None, targets.shape[1]):
            raise InvalidArgument.of("n_outputs", "must be y.shape[1]", n_outputs, "Leave it out.")
        return targets
    if given.ndim != 1 or given.dtype.kind not in "iu" or given.min() < 0:
        raise InvalidArgument.of(
            "y",
            "must hold integers from 0 on or rows of numbers",
            given,
            "For targets of one output give y[:, None].",
        )
    if n_outputs is not None and not int(given.max()) < n_outputs:
        raise InvalidArgument.of(
            "n_outputs",
            f"must exceed the label {given.max()}",
            n_outputs,
            "Number classes from zero.",
        )
    return np.ascontiguousarray(given, dtype=np.int64)


def _random_weights(layers: tuple[int, ...], rng: np.random.Generator) -> Vector:
    parts = []
    for fan_in, fan_out in pairwise(layers):
        parts.append(rng.standard_normal(fan_in * fan_out) / np.sqrt(fan_in))
        parts.append(np.zeros(fan_out))
    return np.concatenate(parts)


def _outputs(X: Vector, x: Vector, layers: tuple[int, ...]) -> Vector:
    """Outputs of the network x for the rows of X."""
    a, at = X, 0
    for layer, (fan_in, fan_out) in enumerate(pairwise(layers)):
        weights = x[at : at + fan_in * fan_out].reshape(fan_out, fan_in)
        at += fan_in * fan_out
        z = a @ weights.T + x[at : at + fan_out]
        at += fan_out
        a = np.tanh(z) if layer + 2 < len(layers) else z
    return a

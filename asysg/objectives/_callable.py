"""Objectives in plain Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._core.callback import Callback
from ..errors import InvalidArgument
from ..theory import ProblemConstants
from ._own import OwnObjective, check_constants

Vector = NDArray[np.float64]


class CallableObjective(OwnObjective):
    """A finite sum whose functions are Python's; made by `from_callable`."""

    _kernel: Callback

    def __init__(
        self,
        gradient: Callable[..., ArrayLike],
        value: Callable[..., float] | None,
        n: int,
        n_samples: int,
        at_once: bool,
        constants: ProblemConstants | None,
    ) -> None:
        self._gradient_of, self._value_of, self._at_once = gradient, value, at_once
        self._has_value = value is not None
        self._given = constants
        self._kernel = Callback(n, n_samples, self._sum, self._sum_of_gradients)

    def _sum(self, x: Vector, samples: NDArray[np.int64]) -> float:
        assert self._value_of is not None
        if self._at_once:
            return float(self._value_of(x, samples))
        return sum(float(self._value_of(x, int(sample))) for sample in samples)

    def _sum_of_gradients(self, x: Vector, samples: NDArray[np.int64]) -> Vector:
        if self._at_once:
            return self._checked(self._gradient_of(x, samples))
        total = self._checked(self._gradient_of(x, int(samples[0]))).copy()
        for sample in samples[1:]:
            total += self._checked(self._gradient_of(x, int(sample)))
        return total

    def _checked(self, found: ArrayLike) -> Vector:
        """Return a gradient as it should be; an integer or a scalar would be a mistake."""
        gradient = np.asarray(found, dtype=np.float64)
        if gradient.shape != (self.n,):
            raise InvalidArgument.of(
                "gradient", f"must return shape ({self.n},)", gradient.shape,
                "One number per coordinate, all samples added up.",
            )  # fmt: skip
        return gradient

    def _failure(self) -> str:
        return "" if self._kernel.error is None else f" {self._kernel.error!r}"

    def _cause(self) -> BaseException | None:
        return self._kernel.error

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, in Python: one thread's speed)"


def from_callable(
    gradient: Callable[..., ArrayLike],
    *,
    n: int,
    n_samples: int,
    value: Callable[..., float] | None = None,
    at_once: bool = False,
    constants: ProblemConstants | None = None,
) -> CallableObjective:
    r"""Make an objective of plain Python functions: correct, and slow.

    f(x) is the mean of `n_samples` functions F(x; sample). All methods and schedulers take it, but
    every call holds Python's lock (the GIL): several threads are no faster than one, and a call
    costs microseconds where compiled code takes nanoseconds. Try things with it, then
    compile them: `from_lowlevel`. BLAS has one thread while a run lasts.

    Parameters
    ----------
    gradient : callable
        ``gradient(x, sample)`` returns the gradient of F(.; sample) at x, an array of shape (n,).
        x is its own, to keep or to change. An exception in an update ends the run:
        ``result.status`` is "failed", ``result.x`` the iterate before it, and
        ``result.raise_if_failed()`` raises an `ObjectiveError` from it, traceback and all. At x0,
        before any update, the run itself raises it.
    n, n_samples : int
        Coordinates of x, and samples, numbered from 0; both at least 1.
    value : callable, optional
        ``value(x, sample)`` returns F(x; sample). Without it f is unknown: the trace has the norm
        of the gradient and NaN in the place of f.
    at_once : bool
        The functions take an int64 array of samples in the place of one, and return *sums*
        over them: faster by far for minibatches, where NumPy does the work.
    constants : ProblemConstants, optional
        What you know, or what `check` estimated, for steplengths by name and certificates.

    Returns
    -------
    CallableObjective

    Raises
    ------
    InvalidArgument
        If the functions are not callable or a number is out of range.

    Examples
    --------
    >>> import numpy as np, asysg
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((50, 3))
    >>> b = np.tanh(A @ [1.0, -2.0, 0.5])
    >>> def value(x, j):
    ...     return (np.tanh(A[j] @ x) - b[j]) ** 2
    >>> def gradient(x, j):
    ...     t = np.tanh(A[j] @ x)
    ...     return 2 * (t - b[j]) * (1 - t * t) * A[j]
    >>> f = asysg.objectives.from_callable(gradient, value=value, n=3, n_samples=50)
    >>> f
    CallableObjective(n=3, n_samples=50, in Python: one thread's speed)
    >>> res = asysg.minimize(f, np.zeros(3), steplength=0.2, n_updates=3000, n_threads=1, rng=0)
    >>> res.fun < 1e-3
    True
    """
    for name, function in (("gradient", gradient), ("value", value)):
        if not (callable(function) or (name == "value" and function is None)):
            raise InvalidArgument.of(
                name, "must be callable", function, f"Give a function {name}(x, sample)."
            )
    n = _check.integer("n", n, least=1)
    n_samples = _check.integer("n_samples", n_samples, least=1)
    _check.choice("at_once", at_once, (True, False))
    return CallableObjective(gradient, value, n, n_samples, at_once, check_constants(constants, n))

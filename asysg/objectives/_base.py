"""What every objective can do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _check
from .._core import evaluate, skip
from .._core.kernel import Kernel
from ..errors import InvalidArgument, ObjectiveError
from ..theory import ProblemConstants

if TYPE_CHECKING:
    from ._exact import Exact


class Objective:
    """A function f(x) = E F(x; xi) of n variables with its stochastic gradients.

    Either a mean of `n_samples` functions, sampled uniformly, or a stream, whose sample is any
    64-bit word. Below, F(.; sample) is written F and its expectation f.
    """

    _kernel: Kernel
    # Samples whose gradients one gradient is made of.
    _samples_each = 1
    # Said where a constant is missing.
    _remedy = "Give a float steplength, or your own theory.ProblemConstants(..., estimated=True)."
    # What whoever made the objective claims, in the place of what is proven.
    _given: ProblemConstants | None = None
    # Whether f itself can be evaluated.
    _has_value = True

    @property
    def _capsule(self) -> Any:
        """The objective for compiled code; keeps all that it points to alive."""
        return self._kernel.capsule

    @property
    def n(self) -> int:
        """Number of coordinates."""
        return self._kernel.n

    @property
    def n_samples(self) -> int | None:
        """Number of samples; None for a stream."""
        return self._kernel.n_samples or None

    @property
    def exact(self) -> Exact:
        """The function f itself as an objective: one sample, which is all of f, and no noise.

        Methods run on it compute exact derivatives: "asysg-incon" is then asynchronous coordinate
        descent, which `asysg.minimize` knows as "asyscd". A partial derivative costs what
        ``partial(x, None, i)`` costs; of sparse linear models only the rows that contain i, for
        which they are indexed by column when this is first asked for (4 bytes an entry).

        Examples
        --------
        >>> from asysg.objectives import SigmoidRegression
        >>> f = SigmoidRegression([[1.0, 0.0], [0.0, 2.0]], [1.0, 0.0])
        >>> f.exact.gradient([0.0, 0.0], 0)
        array([-0.125,  0.25 ])
        >>> f.exact.sigma, f.exact.n_samples
        (0.0, 1)
        """
        from ._exact import Exact

        return Exact(self)

    @cached_property
    def _pattern(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | str:
        """Where the samples' gradients are not zero by structure, or why nothing is known of it."""
        return skip.structure(self._capsule)

    @cached_property
    def _pattern_columns(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The samples of each coordinate; only where `_pattern` is known."""
        assert not isinstance(self._pattern, str)
        return skip.columns(self._capsule, self._pattern[1])

    @cached_property
    def lower_bound(self) -> float:
        """A number proven to be at most inf f; -inf where none is known."""
        return -math.inf

    @cached_property
    def L(self) -> float:
        """Proven Lipschitz constant of the gradient; inf where none is known."""
        return math.inf

    @cached_property
    def L_max(self) -> float:
        """Proven: moving x_i by t changes the i-th partial derivative by at most L_max |t|."""
        return math.inf

    @cached_property
    def sigma(self) -> float:
        """Proven: E ||grad F - grad f||^2 <= sigma^2 at every x; inf where none is known.

        For updates of one coordinate it bounds the sum of the variances of all partials.
        """
        return math.inf

    def _one_thread(self) -> AbstractContextManager[object]:
        """Keep libraries that an evaluation calls from starting threads beside each worker."""
        return nullcontext()

    def _failure(self) -> str:
        """Say, behind a space, why the last evaluation failed, where that is known."""
        return ""

    def _cause(self) -> BaseException | None:
        """Return what the last evaluation that failed raised, where it was Python's."""
        return None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say of a failed evaluation why it failed."""
        try:
            yield
        except ObjectiveError as error:
            cause = self._cause()
            if cause is not None and not isinstance(cause, Exception):  # Ctrl-C
                raise cause from None
            raise ObjectiveError(self._described(error)) from cause

    def _described(self, error: ObjectiveError) -> str:
        """Return the message of an evaluation that failed."""
        return f"{error}{self._failure()}"

    def __repr__(self) -> str:
        samples = "" if self.n_samples is None else f", n_samples={self.n_samples}"
        return f"{type(self).__name__}(n={self.n}{samples})"

    def value(self, x: ArrayLike, sample: int | None = None) -> float:
        """Return F(x; sample), or f(x) if `sample` is None.

        Parameters
        ----------
        x : array_like, shape (n,)
            Where to evaluate.
        sample : int, optional
            0..n_samples-1, or any 64-bit word for a stream.

        Returns
        -------
        float

        Raises
        ------
        InvalidArgument
            If x or sample does not fit the objective.
        ObjectiveError
            If the evaluation fails.
        """
        with self._explained():
            return evaluate.value(self._capsule, x, sample)

    def gradient(
        self, x: ArrayLike, sample: int | None = None, out: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the gradient of F(.; sample), or of f if `sample` is None, shape (n,).

        Parameters and errors are those of `value`; where `out` is given, the gradient is added
        to it and it is returned.
        """
        with self._explained():
            return evaluate.gradient(self._capsule, x, sample, out)

    def minibatch(
        self,
        x: ArrayLike,
        samples: Sequence[int] | NDArray[np.integer[Any]],
        out: NDArray[Any] | None = None,
        *,
        dtype: DTypeLike = "float64",
    ) -> NDArray[Any]:
        """Return the sum of the gradients of F(.; sample) over some samples, shape (n,).

        What an update of a whole vector is made of; objectives that compute it faster than
        gradient by gradient (`Network`) differ from the sum of `gradient` in rounding only.

        Parameters
        ----------
        x, out
            As in `gradient`.
        samples : sequence of int
            As in `value`; one may appear several times.
        dtype : {"float64", "float32"}
            What it is computed in. "float32", where `asysg.minimize` has it for this objective: of
            x rounded to it, to the bits of such a run; `out` must then be float32 too.

        Returns
        -------
        ndarray
            Of `dtype`.

        Raises
        ------
        InvalidArgument, ObjectiveError
            As in `value`; and if there is no such `dtype`.

        Examples
        --------
        >>> from asysg.objectives import SineRegression
        >>> f = SineRegression([[1.0, 2.0]], [0.5])
        >>> f.minibatch([0.0, 0.0], [0, 0], dtype="float32")
        array([-0.9588511, -1.9177022], dtype=float32)
        """
        with self._explained():
            if _check.precision(dtype) == "float64":
                return evaluate.minibatch(self._capsule, x, samples, out)
            self._kernel.single()
            return evaluate.minibatch32(self._capsule, x, samples, out)

    def partial(self, x: ArrayLike, sample: int | None, i: int) -> float:
        """Return entry i of ``gradient(x, sample)`` at the cost of one entry.

        Parameters and errors are those of `value`; i lies in 0..n-1. With `sample` None it is the
        partial derivative of f: at the cost of one entry for a stream, of the rows of the data
        that contain i for a linear model, and of a full gradient otherwise.
        """
        with self._explained():
            return evaluate.partial(self._capsule, x, sample, i)

    def support(self, sample: int, i: int = -1) -> NDArray[np.int64] | None:
        """Return the coordinates of x that a call reads; None if that may be all of them.

        Parameters
        ----------
        sample : int
            As in `value`.
        i : int, optional
            -1: the call is ``value`` or ``gradient`` (which is zero outside the support);
            otherwise it is ``partial(x, sample, i)``.
        """
        return evaluate.support(self._capsule, sample, i)

    def L_T(self, T: int = 1) -> float:
        """Return a proven Lipschitz constant of the gradient for moves of at most T coordinates.

        Parameters
        ----------
        T : int
            At least 1. The constant grows with T and is L from T = n on.
        """
        T = _check.integer("T", T, least=1, remedy="For T = 0 no such constant is needed.")
        return self.L if self.n <= T else max(self.L_max, min(self.L, self._L_T(T)))

    def _L_T(self, T: int) -> float:
        """Bound for 1 <= T < n; a family that knows better than L says so here."""
        return self.L

    def constants(self, x0: ArrayLike, T: int = 1) -> ProblemConstants:
        """Return what the theory needs to know of a run that starts from x0.

        Parameters
        ----------
        x0 : array_like, shape (n,)
            The start; its value sets the gap f(x0) - lower_bound.
        T : int
            The staleness for which L_T is taken, at least 0.

        Returns
        -------
        ProblemConstants
            All proven, none estimated, but for those that a user gave with an objective of their
            own.

        Raises
        ------
        InvalidArgument
            If x0 does not fit or f(x0) is not finite, or if this objective has no proven
            lower bound, sigma or L.
        """
        T = _check.integer("T", T, least=0, remedy="It is a number of updates.")
        start = _check.vector("x0", x0, self.n, remedy="Give one number per coordinate.")
        if self._given is not None:
            return self._given
        for name in ("lower_bound", "L", "sigma"):
            if not math.isfinite(getattr(self, name)):
                raise InvalidArgument.of(
                    name, "must be proven for all x and finite", getattr(self, name), self._remedy
                )
        value = self.value(start)
        if not math.isfinite(value):
            raise InvalidArgument.of("f(x0)", "must be finite", value, "Start nearer to zero.")
        # Rounding in f(x0) must not make a gap negative.
        gap = max(0.0, value - self.lower_bound)
        return ProblemConstants(
            gap=gap, sigma=self.sigma, L=self.L, n=self.n, L_max=self.L_max, L_T=self.L_T(max(T, 1))
        )

"""Objectives that a user compiled: numba, Cython, C."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._core import linear as _linear
from .._core import native as _compiled
from ..errors import InvalidArgument, ObjectiveError
from ..theory import ProblemConstants
from ._linear import rows as matrix_rows
from ._own import OwnObjective, check_constants
from ._signature import NONE, Function, function, pointer

Vector = NDArray[np.float64]


class NativeObjective(OwnObjective):
    """A finite sum whose functions were compiled by somebody else; made by `from_lowlevel`."""

    _kernel: _compiled.Native

    def __init__(
        self,
        functions: dict[str, Function],
        n: int,
        n_samples: int,
        data: dict[str, Any],
        checked: bool,
        constants: ProblemConstants | None,
        keep: Any,
    ) -> None:
        self._has_value = bool(functions["value"].address)
        self._given = constants
        pairs: dict[str, Any] = {
            f"{name}_": (one.address, one.data) for name, one in functions.items()
        }
        self._kernel = _compiled.Native(
            n, n_samples, **pairs, **data, checked=checked, keep=(functions, keep)
        )

    def _failure(self) -> str:
        if self._kernel.failure is None:
            return ""
        what, why, sample = self._kernel.failure
        return f" {what} {why} at sample {sample}."

    def _described(self, error: ObjectiveError) -> str:
        return self._failure().strip()


def from_lowlevel(
    f: Any,
    *,
    n: int | None = None,
    n_samples: int | None = None,
    A: Any = None,
    y: ArrayLike | None = None,
    value: Any = None,
    partial: Any = None,
    user_data: Any = None,
    support: Any = None,
    checked: bool = False,
    constants: ProblemConstants | None = None,
) -> NativeObjective:
    r"""Make an objective of functions that were compiled: numba, Cython, C or any other language.

    f(x) is the mean of `n_samples` functions F(x; sample). It runs without Python at full speed,
    with every method, on threads, ranks and virtual workers.

    Parameters
    ----------
    f : scipy.LowLevelCallable, numba cfunc, ctypes function, capsule of Cython's or tuple
        ``int f(const double *x, double *g, long n, long sample, void *user_data)`` *adds* the
        gradient of F(.; sample) at x to g and returns 1. Anything else than 1 is a failure, and
        ends the run with the iterate before it; a numba function that raises returns 0. It is
        called by several threads at once, and must write to nothing but g. Capsules come
        from ``module.__pyx_capi__``; a tuple is (address or ctypes function, signature). Every
        spelling of the types is accepted (``int64_t``, ``npy_intp``, ``double const *``, ...).
        `signature` returns what to write for each tool.
    n, n_samples : int, optional
        Coordinates of x, and samples, numbered from 0; both at least 1. Needed without `A`.
    A : array or CSR matrix of shape (n_samples, n), optional
        Data of which a sample uses a row. The last argument of the functions is then that
        row, ``const double *row``: its values, and behind them those of `y`. Of a sparse row
        they are the stored values alone, and so are x and g: n is their number, and x[t], g[t] and
        row[t] belong together. Rows lie in contiguous records, a copy of the data, which are
        fetched ahead of the computation. The fastest way, and no function needs indices.
    y : array of shape (n_samples,) or (n_samples, m), optional
        Numbers that belong to the samples, such as labels, for ``row[n]``, ``row[n + 1]``, ...
        Only with `A`.
    value : like `f`, optional
        Same signature: *stores* F(x; sample) in its second argument. Without it f is unknown: the
        trace has the norm of the gradient and NaN in the place of f, and ``obj.value`` is an
        error.
    partial : like `f`, optional
        ``int partial(const double *x, double *out, long n, long sample, long i, void *user_data)``
        *stores* entry i of the gradient (of a sparse row of `A`: the entry of row[i]). For
        "asysg-incon", whose updates are of one coordinate. Without it they compute a sample's
        whole gradient each, and use one entry: correct, and n times the work where samples are
        dense.
    user_data : array, ctypes object, PyCapsule or int, optional
        Passed on by its address to functions that bring none of their own, and kept alive. Not
        with `A`.
    support : sparse matrix of shape (n_samples, n), or (indptr, indices), optional
        For functions that look up their sparse data themselves: where the gradients of the samples
        are not zero, and all that the functions look at of x, which is not valid elsewhere. Rows
        must be sorted and without duplicates. "hogwild" then reads and writes nothing else. Not
        with `A`, which has its own.
    checked : bool
        Look at every call, slower by a few passes over x: numbers must be finite, g must be zero
        outside of the support, x unchanged. x is NaN outside of the support, and what a function
        should store is NaN before. The first fault ends the run, which says at which sample.
    constants : ProblemConstants, optional
        What you know, or what `check` estimated, for steplengths by name and certificates: of the
        start and the delay that you will run with.

    Returns
    -------
    NativeObjective

    Raises
    ------
    InvalidArgument
        For a function that is none of these or has another signature (the right one is shown), and
        for data or a support that do not fit.

    Notes
    -----
    An objective holds addresses: it cannot be pickled, and each MPI rank makes its own. Pass a
    numba cfunc itself: ``LowLevelCallable(cfunc.ctypes)`` does not keep it alive.

    Examples
    --------
    Functions of Python's in C's clothes, for want of a compiler here:

    >>> import ctypes, asysg
    >>> from asysg import objectives
    >>> @objectives.signature("ctypes")
    ... def gradient(x, g, n, sample, user_data):
    ...     g[sample] += x[sample] - 1.0
    ...     return 1
    >>> f = objectives.from_lowlevel(gradient, n=2, n_samples=2, checked=True)
    >>> f
    NativeObjective(n=2, n_samples=2)
    >>> f.gradient([0.0, 3.0])
    array([-0.5,  1. ])

    With sparse data, of which a function sees one row:

    >>> import scipy.sparse
    >>> A = scipy.sparse.csr_array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    >>> @objectives.signature("ctypes", row=True)
    ... def gradient(x, g, n, sample, row):
    ...     z = sum(row[t] * x[t] for t in range(n)) - row[n]
    ...     for t in range(n):
    ...         g[t] += z * row[t]
    ...     return 1
    >>> f = objectives.from_lowlevel(gradient, A=A, y=[1.0, 2.0])
    >>> f.gradient([0.0, 0.0, 0.0], 1), f.support(1)
    (array([-2.,  0., -6.]), array([0, 2]))

    Another signature is refused:

    >>> other = ctypes.pythonapi.Py_IsInitialized, "int (void)"
    >>> objectives.from_lowlevel(other, n=2, n_samples=2)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    asysg.theory._errors.InvalidArgument: f must be a function 'int gradient(const double *x, ...
    """
    _check.choice("checked", checked, (True, False))
    if A is not None:
        for name, given in (("user_data", user_data), ("support", support)):
            if given is not None:
                raise InvalidArgument.of(
                    name, "must be left out with A", type(given).__name__,
                    "A's rows are the last argument, and A is its own support.",
                )  # fmt: skip
        shape, data = _records(A, y)
        for name, number, own in (("n", n, shape[1]), ("n_samples", n_samples, shape[0])):
            if number not in (None, own):
                raise InvalidArgument.of(name, f"must be that of A, {own}", number, "Leave it out.")
        n_samples, n = shape
    else:
        if y is not None:
            raise InvalidArgument.of("y", "must be left out without A", type(y).__name__)
        n = _check.integer("n", n, least=1)
        n_samples = _check.integer("n_samples", n_samples, least=1)
        start, indices = (None, None) if support is None else _pattern(support, n, n_samples)
        data = {"start": start, "indices": indices, "rows": None, "extras": 0}
    address = pointer(user_data)
    functions = {
        name: NONE if one is None and name != "gradient" else function(called, one, name, address)
        for name, called, one in (
            ("gradient", "f", f),
            ("value", "value", value),
            ("partial", "partial", partial),
        )
    }
    return NativeObjective(
        functions, n, n_samples, data, checked, check_constants(constants, n), user_data
    )


def _records(A: Any, y: ArrayLike | None) -> tuple[tuple[int, int], dict[str, Any]]:
    """Return the shape of the data, and their rows as the kernel takes them."""
    matrix, (values, start, indices) = matrix_rows(A)
    n_samples, n = matrix.shape
    extras = np.zeros((n_samples, 0))
    if y is not None:
        extras = np.ascontiguousarray(y, dtype=np.float64)
        if extras.ndim not in (1, 2) or len(extras) != n_samples:
            raise InvalidArgument.of(
                "y", f"must have shape ({n_samples},) or ({n_samples}, m)", extras.shape,
                "Give what belongs to one row of A in one row.",
            )  # fmt: skip
        extras = extras.reshape(n_samples, -1)
    if start is None:
        rows = np.ascontiguousarray(np.hstack([matrix, extras])) if extras.size else matrix
        data = {"start": None, "rows": rows}
    else:
        if n >= 2**31:
            raise InvalidArgument.of("A", "must have fewer than 2**31 columns", n)
        rows, begin = _compiled.pack(values, start, indices.astype(np.int32, copy=False), extras)
        data = {"start": begin, "rows": rows}
    return (n_samples, n), data | {"indices": None, "extras": extras.shape[1]}


def _pattern(support: Any, n: int, n_samples: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return (start, indices) of a support, checked."""
    sparse = bool(scipy.sparse.issparse(support))
    if sparse:
        if support.shape != (n_samples, n) or support.format != "csr":
            raise InvalidArgument.of(
                "support", f"must be CSR of shape {(n_samples, n)}",
                f"{support.format} of shape {support.shape}",
                "Give one row per sample: support.tocsr().",
            )  # fmt: skip
        given = support.indptr, support.indices
    elif isinstance(support, tuple) and len(support) == 2:
        given = support
    else:
        raise InvalidArgument.of(
            "support", "must be a sparse matrix or (indptr, indices)", type(support).__name__,
            "Leave it out for dense gradients.",
        )  # fmt: skip
    arrays = [np.ascontiguousarray(array) for array in given]
    if any(array.ndim != 1 or array.dtype.kind not in "iu" for array in arrays):
        raise InvalidArgument.of(
            "support", "must have vectors of integers", [str(array.dtype) for array in arrays]
        )
    start = arrays[0].astype(np.int64)
    narrow = arrays[1].dtype == np.int32
    indices = arrays[1] if narrow else np.ascontiguousarray(arrays[1], dtype=np.int64)
    if len(start) != n_samples + 1:
        raise InvalidArgument.of(
            "support", f"must have {n_samples} rows, one per sample", len(start) - 1
        )
    flaw = _linear.csr_flaw(start, indices, n)
    if flaw:
        raise InvalidArgument.of(
            "support", f"must have rows of increasing column indices in 0..{n - 1}", flaw,
            "matrix.sum_duplicates() sorts it; make the functions' data from the sorted one.",
        )  # fmt: skip
    if not indices.size:  # the kernel needs an address
        indices = np.zeros(1, dtype=indices.dtype)
    return start, indices

"""Objectives that a user compiled: numba, Cython, C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .. import _check
from .._core import linear as _linear
from .._core.native import Native
from ..errors import InvalidArgument
from ..theory import ProblemConstants
from ._own import OwnObjective, check_constants
from ._signature import NONE, Function, function, pointer

#: Arrays whose lines are asked for in advance, the column indices among them.
PARTS = 8


class NativeObjective(OwnObjective):
    """A finite sum whose functions were compiled by somebody else; made by `from_lowlevel`."""

    _kernel: Native

    def __init__(
        self,
        functions: dict[str, Function],
        n: int,
        n_samples: int,
        pattern: tuple[NDArray[np.int64], NDArray[Any]] | None,
        parts: list[tuple[int, int, bool]],
        options: dict[str, bool],
        constants: ProblemConstants | None,
        keep: tuple[Any, ...],
    ) -> None:
        self._has_value = bool(functions["value"].address)
        self._given = constants
        start, indices = (None, None) if pattern is None else pattern
        pairs = {name: (one.address, one.data) for name, one in functions.items()}
        self._kernel = Native(
            n, n_samples, pairs["gradient"], pairs["value"], pairs["partial"], start, indices,
            options["gather"], options["checked"], parts, (functions, keep),
        )  # fmt: skip

    def _failure(self) -> str:
        if self._kernel.failure is None:
            return ""
        what, why, sample = self._kernel.failure
        return f" {what} {why} at sample {sample}."


def from_lowlevel(
    f: Any,
    *,
    n: int,
    n_samples: int,
    value: Any = None,
    partial: Any = None,
    user_data: Any = None,
    support: Any = None,
    gather: bool = False,
    reads: Sequence[NDArray[Any]] = (),
    checked: bool = False,
    constants: ProblemConstants | None = None,
) -> NativeObjective:
    r"""Make an objective of functions that were compiled: numba, Cython, C or any other language.

    f(x) is the mean of `n_samples` functions F(x; sample). It runs without Python at full speed,
    with every method, on threads, ranks and virtual workers.

    Parameters
    ----------
    f : scipy.LowLevelCallable, numba cfunc, ctypes function, capsule of Cython's or tuple
        ``int f(const double *x, double *g, long n, long sample, void *user_data)``: *adds* the
        gradient of F(.; sample) at x into g and returns 1. Anything else than 1 is a failure, and
        ends the run with the iterate before it; a numba function that raises returns 0. It is
        called by several threads at once, and must not write to anything but g. Capsules come
        from ``module.__pyx_capi__``; a tuple is (address or ctypes function, signature). Every
        spelling of the types is accepted (``int64_t``, ``npy_intp``, ``double const *``, ...).
        `signature` returns what to write for each tool.
    n, n_samples : int
        Coordinates of x, and samples, numbered from 0; both at least 1.
    value : like `f`, optional
        Same signature: *stores* F(x; sample) in its second argument. Without it f is unknown: the
        trace has the norm of the gradient and NaN in the place of f, and ``obj.value`` is an
        error.
    partial : optional
        ``int partial(const double *x, double *out, long n, long sample, long i, void *)``
        *stores* entry i of the gradient. For "asysg-incon", whose updates are of one coordinate.
        Without it they compute a whole gradient each, and use one entry: correct, and n times the
        work where the samples are dense.
    user_data : array, ctypes object, PyCapsule or int, optional
        Passed on by its address, for functions that bring none of their own, and kept alive.
    support : sparse matrix of shape (n_samples, n), or (indptr, indices), optional
        Where the gradients of the samples are not zero, and all that the functions read of x.
        Only these entries of x are then read, and written by "hogwild"; x is not valid elsewhere.
        Rows must be sorted and without duplicates. None: dense.
    gather : bool
        With `support`: give the functions the entries of the support alone, in its order. n is
        then their number, x and g have n entries, and i counts among them. Faster for short rows,
        and easier to write: no column indices are needed.
    reads : sequence of contiguous arrays, at most 7
        What the functions read of a sample: row `sample` of arrays with `n_samples` rows, or the
        sample's entries of vectors with as many entries as `support`. They are kept alive, and the
        parts of the next samples are asked for while one is computed, which makes random samples
        of large data several times faster.
    checked : bool
        Look at every call, slower by a few passes over x: numbers must be finite, g must be zero
        outside of the support, x unchanged. x is NaN outside of the support, and what a function
        should store is NaN before. The first fault ends the run, which says at which sample.
    constants : ProblemConstants, optional
        What you know, or what `check` estimated, for steplengths by name and certificates.

    Returns
    -------
    NativeObjective

    Raises
    ------
    InvalidArgument
        For a function that is none of these or has another signature (the right one is shown), a
        support that does not fit, or arrays that have neither a row a sample nor an entry each.

    Notes
    -----
    An objective holds addresses: it cannot be pickled, and each MPI rank makes its own. Keep the
    numba cfunc itself or pass it here; ``LowLevelCallable(cfunc.ctypes)`` does not keep it alive.

    Examples
    --------
    A function of Python's in C's clothes, for want of a compiler here:

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
    >>> other = ctypes.pythonapi.Py_IsInitialized, "int (void)"
    >>> objectives.from_lowlevel(other, n=2, n_samples=2)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    asysg.theory._errors.InvalidArgument: f must be a function 'int gradient(const double *x, ...
    """
    n = _check.integer("n", n, least=1)
    n_samples = _check.integer("n_samples", n_samples, least=1)
    for name, flag in (("gather", gather), ("checked", checked)):
        _check.choice(name, flag, (True, False))
    data = pointer(user_data)
    functions = {
        "gradient": function("f", f, "gradient", data),
        "value": NONE if value is None else function("value", value, "value", data),
        "partial": NONE if partial is None else function("partial", partial, "partial", data),
    }
    pattern = None if support is None else _pattern(support, n, n_samples)
    if gather and pattern is None:
        raise InvalidArgument.of(
            "gather", "must be False without support", gather, "All of x is in one piece."
        )
    parts = _parts(reads, n_samples, pattern)
    options = {"gather": gather, "checked": checked}
    return NativeObjective(
        functions, n, n_samples, pattern, parts, options, check_constants(constants, n),
        (user_data, support, tuple(reads)),
    )  # fmt: skip


def _pattern(support: Any, n: int, n_samples: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return (start, indices) of a support, checked."""
    if scipy.sparse.issparse(support):
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


def _parts(
    reads: Sequence[NDArray[Any]],
    n_samples: int,
    pattern: tuple[NDArray[np.int64], NDArray[Any]] | None,
) -> list[tuple[int, int, bool]]:
    """Return (address, bytes of a part, an entry each) of all that samples read."""
    parts = []
    entries = -1
    if pattern is not None:
        start, indices = pattern
        entries = int(start[-1])
        parts.append((int(indices.ctypes.data), indices.itemsize, True))
    if isinstance(reads, np.ndarray) or len(reads) >= PARTS:
        raise InvalidArgument.of(
            "reads", f"must be a sequence of at most {PARTS - 1} arrays", type(reads).__name__
        )
    for array in reads:
        if not isinstance(array, np.ndarray) or not array.flags.c_contiguous or array.ndim < 1:
            raise InvalidArgument.of(
                "reads", "must hold contiguous arrays", type(array).__name__,
                "numpy.ascontiguousarray makes one: the functions must read that one too.",
            )  # fmt: skip
        if len(array) == n_samples:
            parts.append((int(array.ctypes.data), array.nbytes // n_samples, False))
        elif array.shape == (entries,):
            parts.append((int(array.ctypes.data), array.itemsize, True))
        else:
            raise InvalidArgument.of(
                "reads", f"must have {n_samples} rows, or one entry for each of the support's",
                array.shape,
                "Leave out what is not read sample by sample.",
            )  # fmt: skip
    return parts

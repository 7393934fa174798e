"""Objectives called from Python: one evaluation at a time, through the ABI of any objective."""

import numpy as np

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc

from .abi cimport ASYSG_OBJECTIVE, ASYSG_OK, asysg_objective, gradients, gradients32
from .full cimport full_gradient, full_partial, full_value, full_work_size

from ..errors import InvalidArgument, ObjectiveError


cdef asysg_objective *unpack(capsule) except NULL:
    if not PyCapsule_IsValid(capsule, ASYSG_OBJECTIVE):
        raise InvalidArgument.of(
            "capsule",
            f"must be a PyCapsule named {ASYSG_OBJECTIVE.decode()!r}",
            capsule,
            "Take it from an objective of this version of asysg.",
        )
    return <asysg_objective *>PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)


cdef const double[::1] point(const asysg_objective *f, x):
    array = np.ascontiguousarray(x, dtype=np.float64)
    if array.ndim != 1 or array.shape[0] != f.n:
        raise InvalidArgument.of(
            "x", f"must have shape ({f.n},)", np.shape(x), "Give one number per coordinate."
        )
    return array


cdef uint64_t sample_word(const asysg_objective *f, sample) except? 0:
    cdef object top = f.n_samples if f.n_samples > 0 else 2**64
    if not 0 <= sample < top:
        raise InvalidArgument.of(
            "sample", f"must lie in 0..{top - 1}", sample, "Number samples from zero."
        )
    return sample


cdef int64_t coordinate(const asysg_objective *f, i, int64_t least) except? -1:
    if not least <= i < f.n:
        raise InvalidArgument.of(
            "i", f"must lie in {least}..{f.n - 1}", i, "Number coordinates from zero."
        )
    return i


cdef object failure(what, sample):
    where = "the full objective" if sample is None else f"sample {sample}"
    return ObjectiveError(
        f"{what} must return 1 for success, got another value at {where}. "
        "Check that x lies where the objective is defined."
    )


cdef double *scratch(const asysg_objective *f) except NULL:
    cdef double *work = <double *>malloc((full_work_size(f) + 1) * sizeof(double))
    if work == NULL:
        raise MemoryError
    return work


def value(capsule, x, sample=None):
    """Return F(x; sample), or f(x) where `sample` is None.

    Parameters
    ----------
    capsule : PyCapsule
        An objective.
    x : array_like, shape (n,)
        Where to evaluate; converted to contiguous float64 if it is not.
    sample : int, optional
        0..n_samples-1, or any 64-bit word for a stream. None: the mean over all samples,
        added in their order (or the objective's own full value).

    Returns
    -------
    float

    Raises
    ------
    InvalidArgument
        If x or sample does not fit the objective.
    ObjectiveError
        If the objective reports a failure.
    """
    cdef asysg_objective *f = unpack(capsule)
    cdef const double[::1] at = point(f, x)
    cdef uint64_t word = 0 if sample is None else sample_word(f, sample)
    cdef bint full = sample is None
    cdef double out = 0.0
    cdef int code
    cdef double *work = scratch(f)
    with nogil:
        if full:
            code = full_value(f, &at[0], work, &out)
        else:
            code = f.value(f.self, &at[0], word, work, &out)
        free(work)
    if code != ASYSG_OK:
        raise failure("value", sample)
    return out


def gradient(capsule, x, sample=None, out=None):
    """Return the gradient of F(.; sample) at x, or of f where `sample` is None.

    Parameters and errors are those of `value`; returns a new array of shape (n,), or `out`
    (float64, contiguous, shape (n,)) with the gradient added to it.
    """
    cdef asysg_objective *f = unpack(capsule)
    cdef const double[::1] at = point(f, x)
    cdef uint64_t word = 0 if sample is None else sample_word(f, sample)
    cdef bint full = sample is None
    result = np.zeros(f.n) if out is None else out
    cdef double[::1] g = result
    cdef int code
    cdef double *work
    if g.shape[0] != f.n:
        raise InvalidArgument(f"out must have shape ({f.n},), got ({g.shape[0]},).")
    work = scratch(f)
    with nogil:
        if full:
            code = full_gradient(f, &at[0], work, &g[0])
        else:
            code = f.gradient(f.self, &at[0], word, work, &g[0])
        free(work)
    if code != ASYSG_OK:
        raise failure("gradient", sample)
    return result


def minibatch(capsule, x, samples, out=None):
    """Return the sum of ``gradient(capsule, x, sample)`` over `samples`, as an update adds it.

    Parameters and errors are those of `gradient`; `samples` is a sequence of them.
    """
    cdef asysg_objective *f = unpack(capsule)
    cdef const double[::1] at = point(f, x)
    words = np.array([sample_word(f, int(sample)) for sample in samples], dtype=np.uint64)
    cdef uint64_t[::1] word = words
    cdef int64_t count = len(words)
    result = np.zeros(f.n) if out is None else out
    cdef double[::1] g = result
    cdef int code = ASYSG_OK
    cdef double *work
    if g.shape[0] != f.n:
        raise InvalidArgument(f"out must have shape ({f.n},), got ({g.shape[0]},).")
    work = scratch(f)
    if count:
        with nogil:
            code = gradients(f, &at[0], &word[0], count, work, &g[0])
    free(work)
    if code != ASYSG_OK:
        raise failure("gradient", f"one of {list(samples)}")
    return result


def minibatch32(capsule, x, samples, out=None):
    """Return `minibatch` as an update in single precision adds it: x and the sum are float32.

    Raises InvalidArgument for objectives that do not compute in it.
    """
    cdef asysg_objective *f = unpack(capsule)
    cdef const float[::1] at = np.ascontiguousarray(point(f, x), dtype=np.float32)
    words = np.array([sample_word(f, int(sample)) for sample in samples], dtype=np.uint64)
    cdef uint64_t[::1] word = words
    cdef int64_t count = len(words)
    result = np.zeros(f.n, dtype=np.float32) if out is None else out
    cdef float[::1] g = result
    cdef int code = ASYSG_OK
    cdef double *work
    if f.minibatch32 == NULL:
        raise InvalidArgument("dtype must be 'float64' for this objective, got 'float32'.")
    if g.shape[0] != f.n:
        raise InvalidArgument(f"out must have shape ({f.n},), got ({g.shape[0]},).")
    work = scratch(f)
    if count:
        with nogil:
            code = gradients32(f, &at[0], &word[0], count, <float *>work, &g[0])
    free(work)
    if code != ASYSG_OK:
        raise failure("gradient", f"one of {list(samples)}")
    return result


def partial(capsule, x, sample, i):
    """Return the i-th entry of the gradient of F(.; sample) at x, at the cost of one entry.

    Parameters and errors are those of `value`, and i in 0..n-1. With `sample` None it is the
    i-th partial derivative of f, at the cost of a full gradient where the objective does not know
    how to do with less.
    """
    cdef asysg_objective *f = unpack(capsule)
    cdef int64_t entry = coordinate(f, i, 0)
    cdef const double[::1] at = point(f, x)
    cdef uint64_t word = 0 if sample is None else sample_word(f, sample)
    cdef bint full = sample is None
    cdef double out = 0.0
    cdef int code
    cdef double *work = scratch(f)
    with nogil:
        if full:
            code = full_partial(f, &at[0], entry, work, &out)
        else:
            code = f.partial(f.self, &at[0], word, entry, work, &out)
        free(work)
    if code != ASYSG_OK:
        raise failure("partial", sample)
    return out


def support(capsule, sample, i=-1):
    """Return which coordinates of x a call reads.

    Parameters
    ----------
    capsule : PyCapsule
        An objective.
    sample : int
        As in `value`.
    i : int, optional
        -1: the call is `value` or `gradient` (whose entries are zero outside the support);
        otherwise it is `partial` i.

    Returns
    -------
    ndarray of int64, or None
        The coordinates; None where the call may read all of x.

    Raises
    ------
    InvalidArgument
        If sample or i does not fit the objective.
    """
    cdef asysg_objective *f = unpack(capsule)
    cdef uint64_t word = sample_word(f, sample)
    cdef int64_t entry = coordinate(f, i, -1)
    cdef int64_t count, k
    cdef const void *idx = NULL
    cdef int64_t[::1] out
    if f.support == NULL:
        return None
    room = np.empty(max(1, f.support_size), dtype=np.int64)
    cdef int64_t[::1] buffer = room
    with nogil:
        count = f.support(f.self, word, entry, &buffer[0], &idx)
    if count < 0:
        return None
    result = np.empty(count, dtype=np.int64)
    out = result
    for k in range(count):
        out[k] = (<const int32_t *>idx)[k] if f.index_size == 4 else (<const int64_t *>idx)[k]
    return result


def shape(capsule):
    """Return (n, n_samples) of an objective; n_samples is 0 for a stream."""
    cdef asysg_objective *f = unpack(capsule)
    return f.n, f.n_samples


def descend(capsule, x, sample, step):
    """Return x after one step of size `step` along minus the gradient of F(.; sample).

    Parameters and errors are those of `value`; None where the objective cannot do it in place.
    """
    cdef asysg_objective *f = unpack(capsule)
    if f.descend == NULL:
        return None
    result = np.array(point(f, x))
    cdef double[::1] at = result
    cdef uint64_t word = sample_word(f, sample)
    cdef double size = step
    cdef int code
    cdef double *work = scratch(f)
    with nogil:
        code = f.descend(f.self, &at[0], word, size, work)
        free(work)
    if code != ASYSG_OK:
        raise failure("descend", sample)
    return result


def touch(capsule, sample):
    """Bring the data of a sample into the cache; return whether the objective knows how to."""
    cdef asysg_objective *f = unpack(capsule)
    cdef uint64_t word = sample_word(f, sample)
    if f.touch == NULL:
        return False
    with nogil:
        f.touch(f.self, word)
    return True

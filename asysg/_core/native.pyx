"""Objectives whose functions somebody else compiled: numba, Cython, C.

A user's function gets x, adds a gradient into what it is given, and returns 1. There are three ways
to call it:

dense       with all of x;
support     with all of x, of which only the support of the sample is valid;
records     with the entries of the support alone, one after the other, and the sample's row of the
            data. It needs no column indices then, and its gradient stays in the nearest cache.

A record is a cache-aligned piece of doubles: a word that holds the number of entries, the values
of the row, what else belongs to the sample, and the column indices, two a word. All that a sample
needs is in one place, which is asked for in advance.
"""

from cpython.pycapsule cimport (
    PyCapsule_CheckExact,
    PyCapsule_GetContext,
    PyCapsule_GetName,
    PyCapsule_GetPointer,
)
from libc.math cimport NAN, isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memcpy, memset

from .abi cimport ASYSG_OK
from .clock cimport asysg_peek, asysg_poke
from .rows cimport LINE, index_t, row_column, row_find, row_t, touch_lines
from .vector cimport asysg_step

import numpy as np

from .linear import aligned

# The function that failed, and how; the words of both are below.
cdef enum What:
    GRADIENT
    VALUE
    PARTIAL

cdef enum Why:
    RETURNED
    NOT_FINITE
    OUTSIDE
    WROTE_X
    MISSING

WHATS = ("gradient", "value", "partial")
WHYS = (
    "returned another value than 1 (a numba function that raises returns 0)",
    "returned 1 without storing a finite number, or read x outside of its support",
    "added to the gradient outside of its support",
    "wrote into x",
    "is not there",
)


cdef inline int failed(const native_t *p, What what, Why why, int64_t sample) noexcept nogil:
    """Note what failed; of several workers that fail at once, one is told of."""
    asysg_poke(p.trouble, 1 + what + 4 * (why + 8 * sample))
    return 0


cdef inline row_t row_of(const native_t *p, int64_t sample) noexcept nogil:
    """The sample's columns (none where x is dense) and, where the data are ours, its values."""
    cdef row_t r
    cdef const double *at
    r.b = 0.0
    r.a = NULL
    r.narrow = NULL
    r.wide = NULL
    r.count = p.n
    if p.rows != NULL:
        if p.start == NULL:
            r.a = p.rows + sample * p.stride
        else:
            at = p.rows + p.start[sample]
            r.count = (<const int64_t *>at)[0]
            r.a = at + 1
            r.narrow = <const int32_t *>(r.a + r.count + p.stride)
    elif p.start != NULL:
        r.count = p.start[sample + 1] - p.start[sample]
        if p.narrow != NULL:
            r.narrow = p.narrow + p.start[sample]
        else:
            r.wide = p.wide + p.start[sample]
    return r


cdef inline bint gathers(const native_t *p) noexcept nogil:
    """Whether functions get the support's entries alone."""
    return p.rows != NULL and p.start != NULL


cdef inline void *data_of(const native_t *p, row_t r, void *user) noexcept nogil:
    return user if p.rows == NULL else <void *>r.a


cdef inline void zero(const index_t *idx, int64_t count, double *g) noexcept nogil:
    cdef int64_t t
    for t in range(count):
        g[idx[t]] = 0.0


cdef inline void move(
    const index_t *idx, int64_t count, double step, const double *g, double *x
) noexcept nogil:
    """x -= step * g on the support."""
    cdef int64_t t
    for t in range(count):
        x[idx[t]] += -(step * g[idx[t]])


cdef inline const double *read(
    const native_t *p, row_t r, const double *x, double *room
) noexcept nogil:
    """x as the function is to see it: gathered; where it is checked, NaN outside of the support."""
    cdef int64_t t, i
    if gathers(p):
        for t in range(r.count):
            room[t] = x[r.narrow[t]]
        return room
    if not p.checked:
        return x
    if p.start == NULL:
        memcpy(room, x, p.n * sizeof(double))
        return room
    for t in range(p.n):
        room[t] = NAN
    for t in range(r.count):
        i = row_column(r, t)
        room[i] = x[i]
    return room


cdef bint wrote(
    const native_t *p, row_t r, const double *x, const double *seen
) noexcept nogil:
    """Whether the function changed the copy of x that it saw."""
    cdef int64_t t, i, at = 0
    if p.start == NULL:
        return memcmp(seen, x, p.n * sizeof(double)) != 0
    for t in range(r.count):
        i = row_column(r, t)
        if memcmp(seen + (t if gathers(p) else i), x + i, sizeof(double)):
            return True
    if not gathers(p):
        for i in range(p.n):
            if at < r.count and row_column(r, at) == i:
                at += 1
            elif seen[i] == seen[i]:
                return True
    return False


cdef bint finite_at(row_t r, const double *x) noexcept nogil:
    """Whether what the function sees of x is finite; if not, the run has diverged, not failed."""
    cdef int64_t t
    for t in range(r.count):
        if not isfinite(x[row_column(r, t)]):
            return False
    return True


cdef int inspect(
    const native_t *p, row_t r, const double *x, const double *seen, const double *found,
    int64_t sample,
) noexcept nogil:
    """Refuse a gradient that is not finite or not where it should be."""
    cdef int64_t t, i, at = 0
    if wrote(p, r, x, seen):
        return failed(p, GRADIENT, WROTE_X, sample)
    if p.start != NULL and not gathers(p):
        for i in range(p.n):
            if at < r.count and row_column(r, at) == i:
                at += 1
            elif found[i] != 0.0:
                return failed(p, GRADIENT, OUTSIDE, sample)
    for t in range(r.count):
        i = t if gathers(p) else row_column(r, t)
        if not isfinite(found[i]) and finite_at(r, x):
            return failed(p, GRADIENT, NOT_FINITE, sample)
    return ASYSG_OK


cdef inline int compute(
    const native_t *p, row_t r, const double *x, int64_t sample, double *work
) noexcept nogil:
    """Put the gradient into `work`: gathered, or all of it, of which only the support counts."""
    cdef const double *seen = x
    cdef int64_t t, count = p.n
    if gathers(p):
        # One loop for both: a call of memset would cost as much as the loop.
        count = r.count
        for t in range(count):
            work[p.room + t] = x[r.narrow[t]]
            work[t] = 0.0
        seen = work + p.room
    else:
        seen = read(p, r, x, work + p.room)
        if p.start == NULL or p.checked:
            memset(work, 0, count * sizeof(double))
        elif r.narrow != NULL:
            zero(r.narrow, r.count, work)
        else:
            zero(r.wide, r.count, work)
    if p.gradient(
        <double *>seen, work, count, sample, data_of(p, r, p.gradient_data)
    ) != ASYSG_OK:
        return failed(p, GRADIENT, RETURNED, sample)
    if p.checked:
        return inspect(p, r, x, seen, work, sample)
    return ASYSG_OK


cdef int gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = row_of(p, <int64_t>sample)
    cdef int64_t t, i
    if not (gathers(p) or p.checked):  # straight into g
        if p.gradient(
            <double *>x, g, p.n, <int64_t>sample, data_of(p, r, p.gradient_data)
        ) != ASYSG_OK:
            return failed(p, GRADIENT, RETURNED, <int64_t>sample)
        return ASYSG_OK
    if compute(p, r, x, <int64_t>sample, work) != ASYSG_OK:
        return 0
    for t in range(r.count):
        i = row_column(r, t)
        g[i] += work[t if gathers(p) else i]
    return ASYSG_OK


cdef int descend(
    void *self, double *x, uint64_t sample, double step, double *work
) noexcept nogil:
    """x is written once the whole gradient is there: where it fails x is as it was."""
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = row_of(p, <int64_t>sample)
    cdef int64_t t
    if compute(p, r, x, <int64_t>sample, work) != ASYSG_OK:
        return 0
    if p.start == NULL:
        asysg_step(step, x, work, p.n)
    elif gathers(p):
        for t in range(r.count):
            x[r.narrow[t]] += -(step * work[t])
    elif r.narrow != NULL:
        move(r.narrow, r.count, step, work, x)
    else:
        move(r.wide, r.count, step, work, x)
    return ASYSG_OK


cdef int partial(
    void *self, const double *x, uint64_t sample, int64_t i, double *work, double *out
) noexcept nogil:
    """By the user's function, or as an entry of the gradient and at its cost."""
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = row_of(p, <int64_t>sample)
    cdef int64_t at = row_find(r, i)
    cdef const double *seen
    cdef double found = NAN
    if at < 0:
        return ASYSG_OK
    if not gathers(p):
        at = i
    if p.partial == NULL:
        if compute(p, r, x, <int64_t>sample, work) != ASYSG_OK:
            return 0
        out[0] += work[at]
        return ASYSG_OK
    seen = read(p, r, x, work + p.room)
    if p.partial(
        <double *>seen, &found, r.count if gathers(p) else p.n, <int64_t>sample, at,
        data_of(p, r, p.partial_data),
    ) != ASYSG_OK:
        return failed(p, PARTIAL, RETURNED, <int64_t>sample)
    if p.checked:
        if wrote(p, r, x, seen):
            return failed(p, PARTIAL, WROTE_X, <int64_t>sample)
        if not isfinite(found) and finite_at(r, x):
            return failed(p, PARTIAL, NOT_FINITE, <int64_t>sample)
    out[0] += found
    return ASYSG_OK


cdef int value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    """`out` is NaN before, so that a function that stores nothing shows."""
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = row_of(p, <int64_t>sample)
    cdef const double *seen
    out[0] = NAN
    if p.value == NULL:
        return failed(p, VALUE, MISSING, <int64_t>sample)
    seen = read(p, r, x, work + p.room)
    if p.value(
        <double *>seen, out, r.count if gathers(p) else p.n, <int64_t>sample,
        data_of(p, r, p.value_data),
    ) != ASYSG_OK:
        return failed(p, VALUE, RETURNED, <int64_t>sample)
    if p.checked:
        if wrote(p, r, x, seen):
            return failed(p, VALUE, WROTE_X, <int64_t>sample)
        if not isfinite(out[0]) and finite_at(r, x):
            return failed(p, VALUE, NOT_FINITE, <int64_t>sample)
    return ASYSG_OK


cdef int64_t support(
    void *self, uint64_t sample, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    """The support of the sample; nothing for a partial derivative outside of it."""
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = row_of(p, <int64_t>sample)
    if i >= 0 and row_find(r, i) < 0:
        return 0
    if r.narrow != NULL:
        idx[0] = r.narrow
    else:
        idx[0] = r.wide
    return r.count


cdef void touch(void *self, uint64_t sample) noexcept nogil:
    """Ask for the sample's row, or for its column indices where the row is the function's own."""
    cdef const native_t *p = <const native_t *>self
    cdef int64_t at
    if p.start == NULL:
        touch_lines(p.rows + <int64_t>sample * p.stride, p.stride)
        return
    at = p.start[sample]
    if p.rows != NULL:
        touch_lines(p.rows + at, p.start[sample + 1] - at)
    elif p.narrow != NULL:
        touch_lines(p.narrow + at, (p.start[sample + 1] - at + 1) // 2)
    else:
        touch_lines(p.wide + at, p.start[sample + 1] - at)


cdef class Native(Kernel):
    """A finite sum computed by functions at given addresses.

    Parameters
    ----------
    n, n_samples : int
        Both at least 1.
    gradient_, value_, partial_ : tuple of two int
        Address of the function and of its user data; 0: none. The gradient is needed.
    start, indices : ndarray or None
        Without `rows`: the support of sample j is ``indices[start[j]:start[j + 1]]``, strictly
        increasing, in 0..n-1; int64 and int32 or int64.
    rows : ndarray or None
        Dense rows with `extras` numbers behind each, shape (n_samples, n + extras), or with `start`
        what `pack` returns: a row is then the last argument of the functions.
    extras : int
        Numbers behind the values of each row.
    checked : bool
        Every call is checked: finite, within the support, x not written.
    keep : object
        What must live as long as this.

    Attributes
    ----------
    failure : tuple (what, why, sample) or None
        What failed last.
    """

    def __init__(
        self, int64_t n, int64_t n_samples, gradient_, value_, partial_, start, indices, rows,
        int64_t extras, bint checked, keep,
    ):
        cdef native_t *p = &self.model
        cdef int64_t j, widest = 1
        self.keep = keep
        p.n = n
        p.gradient = <function_t><uintptr_t>gradient_[0]
        p.gradient_data = <void *><uintptr_t>gradient_[1]
        p.value = <function_t><uintptr_t>value_[0]
        p.value_data = <void *><uintptr_t>value_[1]
        p.partial = <entry_t><uintptr_t>partial_[0]
        p.partial_data = <void *><uintptr_t>partial_[1]
        p.checked = checked
        p.trouble = &self.trouble
        self.abi.index_size = 4
        if rows is not None:
            self.rows = rows.reshape(-1)
            p.rows = &self.rows[0]
            p.stride = n + extras if start is None else extras
        if start is not None:
            self.start = start
            p.start = &self.start[0]
            if rows is None and indices.dtype.itemsize == 4:
                self.narrow = indices
                p.narrow = &self.narrow[0]
            elif rows is None:
                self.wide = indices
                p.wide = &self.wide[0]
                self.abi.index_size = 8
            for j in range(n_samples):
                widest = max(widest, row_of(p, j).count)
            self.abi.support = support
            self.abi.support_size = widest
        p.room = ((widest if gathers(p) else n) + 15) // LINE * LINE
        self.abi.self = p
        self.abi.n = n
        self.abi.n_samples = n_samples
        self.abi.work_size = p.room * (2 if gathers(p) or checked else 1)
        self.abi.value = value
        self.abi.gradient = gradient
        self.abi.partial = partial
        self.abi.descend = descend
        if start is not None or rows is not None:
            self.abi.touch = touch

    @property
    def failure(self):
        cdef int64_t code = asysg_peek(self.model.trouble)
        if code == 0:
            return None
        code -= 1
        return WHATS[code % 4], WHYS[code // 4 % 8], code // 32

    def __reduce__(self):
        raise TypeError(
            "a compiled function cannot be pickled: it is an address in this process. Make the "
            "objective anew where it is needed."
        )


def pack(
    const double[::1] data, const int64_t[::1] start, const int32_t[::1] indices,
    const double[:, ::1] extras,
):
    """Return (records, start) of CSR rows with some numbers more behind each.

    Parameters
    ----------
    data, start, indices : ndarray
        CSR.
    extras : ndarray of shape (n_samples, m)
        m may be 0.
    """
    cdef int64_t j, count, samples = start.shape[0] - 1, m = extras.shape[1]
    cdef double *at
    where = np.zeros(samples + 1, dtype=np.int64)
    cdef int64_t[::1] out = where
    for j in range(samples):
        count = start[j + 1] - start[j]
        out[j + 1] = out[j] + (1 + count + m + (count + 1) // 2 + LINE - 1) // LINE * LINE
    records = aligned(np.zeros(out[samples], dtype=np.float64))
    cdef double[::1] to = records
    for j in range(samples):
        count = start[j + 1] - start[j]
        at = &to[out[j]]
        (<int64_t *>at)[0] = count
        if count:
            memcpy(at + 1, &data[start[j]], count * sizeof(double))
            memcpy(at + 1 + count + m, &indices[start[j]], count * sizeof(int32_t))
        if m:
            memcpy(at + 1 + count, &extras[j, 0], m * sizeof(double))
    return records, where


def capsule_parts(capsule):
    """Return (name, pointer, context) of a PyCapsule: the last two as int, 0 for NULL.

    Raises
    ------
    TypeError
        If it is not one.
    """
    if not PyCapsule_CheckExact(capsule):
        raise TypeError(f"capsule must be a PyCapsule, got {type(capsule).__name__}.")
    cdef const char *name = PyCapsule_GetName(capsule)
    cdef uintptr_t pointer = <uintptr_t>PyCapsule_GetPointer(capsule, name)
    cdef uintptr_t context = <uintptr_t>PyCapsule_GetContext(capsule)
    return ("" if name == NULL else name.decode()), pointer, context

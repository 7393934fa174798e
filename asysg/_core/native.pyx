"""Objectives whose functions somebody else compiled: numba, Cython, C.

A user's function gets x, adds a gradient into what it is given, and returns 1. Where the support of
the samples is known there are two ways to call it: with all of x, of which only the support is
valid, or (`gather`) with the entries of the support alone, one after the other, which needs no
column indices in the function and keeps its gradient in the nearest cache.
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
from .rows cimport index_t, row_column, row_find, row_t, touch_lines
from .vector cimport asysg_step

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


cdef inline row_t support_of(const native_t *p, int64_t sample) noexcept nogil:
    """The columns of a sample; none where x is dense."""
    cdef row_t r
    r.b = 0.0
    r.a = NULL
    r.narrow = NULL
    r.wide = NULL
    r.count = p.n
    if p.start != NULL:
        r.count = p.start[sample + 1] - p.start[sample]
        if p.narrow != NULL:
            r.narrow = p.narrow + p.start[sample]
        else:
            r.wide = p.wide + p.start[sample]
    return r


cdef inline void pick(
    const index_t *idx, int64_t count, const double *x, double *out
) noexcept nogil:
    cdef int64_t t
    for t in range(count):
        out[t] = x[idx[t]]


cdef inline void zero(const index_t *idx, int64_t count, double *g) noexcept nogil:
    cdef int64_t t
    for t in range(count):
        g[idx[t]] = 0.0


cdef inline void scatter(
    const index_t *idx, int64_t count, const double *found, double *g
) noexcept nogil:
    cdef int64_t t
    for t in range(count):
        g[idx[t]] += found[t]


cdef inline void move(
    const index_t *idx, int64_t count, double step, const double *found, double *x
) noexcept nogil:
    """x -= step * found."""
    cdef int64_t t
    for t in range(count):
        x[idx[t]] += -(step * found[t])


cdef inline void move_whole(
    const index_t *idx, int64_t count, double step, const double *g, double *x
) noexcept nogil:
    """x -= step * g, both as long as x."""
    cdef int64_t t
    for t in range(count):
        x[idx[t]] += -(step * g[idx[t]])


cdef inline const double *read(
    const native_t *p, row_t r, const double *x, double *room
) noexcept nogil:
    """x as the function is to see it: gathered; where it is checked, NaN outside of the support."""
    cdef int64_t t, i
    if p.gather:
        if r.narrow != NULL:
            pick(r.narrow, r.count, x, room)
        else:
            pick(r.wide, r.count, x, room)
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
        if memcmp(seen + (t if p.gather else i), x + i, sizeof(double)):
            return True
    if not p.gather:
        for i in range(p.n):
            if at < r.count and row_column(r, at) == i:
                at += 1
            elif seen[i] == seen[i]:
                return True
    return False


cdef bint finite_at(const native_t *p, row_t r, const double *x) noexcept nogil:
    """Whether what the function sees of x is finite; if not, the run has diverged, not failed."""
    cdef int64_t t
    for t in range(r.count):
        if not isfinite(x[t if p.start == NULL else row_column(r, t)]):
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
    if p.start != NULL and not p.gather:
        for i in range(p.n):
            if at < r.count and row_column(r, at) == i:
                at += 1
            elif found[i] != 0.0:
                return failed(p, GRADIENT, OUTSIDE, sample)
    for t in range(r.count):
        i = t if p.gather or p.start == NULL else row_column(r, t)
        if not isfinite(found[i]) and finite_at(p, r, x):
            return failed(p, GRADIENT, NOT_FINITE, sample)
    return ASYSG_OK


cdef inline int compute(
    const native_t *p, row_t r, const double *x, int64_t sample, double *work
) noexcept nogil:
    """Put the gradient into `work`: gathered, or all of it, of which only the support counts."""
    cdef const double *seen = read(p, r, x, work + p.room)
    cdef int64_t count = r.count if p.gather else p.n
    if p.gather or p.start == NULL or p.checked:
        memset(work, 0, count * sizeof(double))
    elif r.narrow != NULL:
        zero(r.narrow, r.count, work)
    else:
        zero(r.wide, r.count, work)
    if p.gradient(<double *>seen, work, count, sample, p.gradient_data) != ASYSG_OK:
        return failed(p, GRADIENT, RETURNED, sample)
    if p.checked:
        return inspect(p, r, x, seen, work, sample)
    return ASYSG_OK


cdef int gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = support_of(p, <int64_t>sample)
    cdef int64_t t, i
    if not (p.gather or p.checked):  # straight into g
        if p.gradient(<double *>x, g, p.n, <int64_t>sample, p.gradient_data) != ASYSG_OK:
            return failed(p, GRADIENT, RETURNED, <int64_t>sample)
        return ASYSG_OK
    if compute(p, r, x, <int64_t>sample, work) != ASYSG_OK:
        return 0
    if not p.gather:
        for t in range(r.count):
            i = t if p.start == NULL else row_column(r, t)
            g[i] += work[i]
    elif r.narrow != NULL:
        scatter(r.narrow, r.count, work, g)
    else:
        scatter(r.wide, r.count, work, g)
    return ASYSG_OK


cdef int descend(
    void *self, double *x, uint64_t sample, double step, double *work
) noexcept nogil:
    """x is written once the whole gradient is there: where it fails x is as it was."""
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = support_of(p, <int64_t>sample)
    if compute(p, r, x, <int64_t>sample, work) != ASYSG_OK:
        return 0
    if p.start == NULL:
        asysg_step(step, x, work, p.n)
    elif r.narrow != NULL and p.gather:
        move(r.narrow, r.count, step, work, x)
    elif r.narrow != NULL:
        move_whole(r.narrow, r.count, step, work, x)
    elif p.gather:
        move(r.wide, r.count, step, work, x)
    else:
        move_whole(r.wide, r.count, step, work, x)
    return ASYSG_OK


cdef int partial(
    void *self, const double *x, uint64_t sample, int64_t i, double *work, double *out
) noexcept nogil:
    """By the user's function, or as an entry of the gradient and at its cost."""
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = support_of(p, <int64_t>sample)
    cdef int64_t at = i
    cdef const double *seen
    cdef double found = NAN
    if p.start != NULL:
        at = row_find(r, i)
        if at < 0:
            return ASYSG_OK
        if not p.gather:
            at = i
    if p.partial == NULL:
        if compute(p, r, x, <int64_t>sample, work) != ASYSG_OK:
            return 0
        out[0] += work[at]
        return ASYSG_OK
    seen = read(p, r, x, work + p.room)
    if p.partial(
        <double *>seen, &found, r.count if p.gather else p.n, <int64_t>sample, at, p.partial_data
    ) != ASYSG_OK:
        return failed(p, PARTIAL, RETURNED, <int64_t>sample)
    if p.checked:
        if wrote(p, r, x, seen):
            return failed(p, PARTIAL, WROTE_X, <int64_t>sample)
        if not isfinite(found) and finite_at(p, r, x):
            return failed(p, PARTIAL, NOT_FINITE, <int64_t>sample)
    out[0] += found
    return ASYSG_OK


cdef int value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    """`out` is NaN before, so that a function that stores nothing shows."""
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = support_of(p, <int64_t>sample)
    cdef const double *seen
    out[0] = NAN
    if p.value == NULL:
        return failed(p, VALUE, MISSING, <int64_t>sample)
    seen = read(p, r, x, work + p.room)
    if p.value(
        <double *>seen, out, r.count if p.gather else p.n, <int64_t>sample, p.value_data
    ) != ASYSG_OK:
        return failed(p, VALUE, RETURNED, <int64_t>sample)
    if p.checked:
        if wrote(p, r, x, seen):
            return failed(p, VALUE, WROTE_X, <int64_t>sample)
        if not isfinite(out[0]) and finite_at(p, r, x):
            return failed(p, VALUE, NOT_FINITE, <int64_t>sample)
    return ASYSG_OK


cdef int64_t support(
    void *self, uint64_t sample, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    """The support of the sample; nothing for a partial derivative outside of it."""
    cdef const native_t *p = <const native_t *>self
    cdef row_t r = support_of(p, <int64_t>sample)
    if i >= 0 and row_find(r, i) < 0:
        return 0
    if r.narrow != NULL:
        idx[0] = r.narrow
    else:
        idx[0] = r.wide
    return r.count


cdef void touch(void *self, uint64_t sample) noexcept nogil:
    cdef const native_t *p = <const native_t *>self
    cdef int64_t t, first = <int64_t>sample, count = 1
    cdef const part_t *part
    for t in range(p.n_parts):
        part = &p.parts[t]
        if part.by_entry:
            first = p.start[sample]
            count = p.start[sample + 1] - first
        else:
            first, count = <int64_t>sample, 1
        touch_lines(part.base + first * part.stride, (count * part.stride + 7) // 8)


cdef class Native(Kernel):
    """A finite sum computed by functions at given addresses.

    Parameters
    ----------
    n, n_samples : int
        Both at least 1.
    gradient, value, partial : tuple of two int
        Address of the function and of its user data; 0: none. `gradient` is needed.
    start, indices : ndarray or None
        The support of sample j is ``indices[start[j]:start[j + 1]]``, strictly increasing, in
        0..n-1; int64 and int32 or int64.
    gather : bool
        Functions get the entries of the support alone.
    checked : bool
        Every call is checked: finite, within the support, x not written.
    parts : sequence of (address, bytes, by_entry)
        Memory that a sample's part of is asked for in advance; at most 8.
    keep : object
        What must live as long as this.

    Attributes
    ----------
    failure : tuple (what, why, sample) or None
        What failed last.
    """

    def __init__(
        self, int64_t n, int64_t n_samples, gradient_, value_, partial_, start, indices,
        bint gather, bint checked, parts, keep,
    ):
        cdef native_t *p = &self.model
        cdef int64_t j, t, widest = n if start is None else 1
        self.keep = keep
        p.n = n
        p.gradient, p.gradient_data = <function_t><uintptr_t>gradient_[0], <void *><uintptr_t>gradient_[1]
        p.value, p.value_data = <function_t><uintptr_t>value_[0], <void *><uintptr_t>value_[1]
        p.partial, p.partial_data = <entry_t><uintptr_t>partial_[0], <void *><uintptr_t>partial_[1]
        p.gather, p.checked = gather, checked
        p.trouble = &self.trouble
        self.abi.index_size = 8
        if start is not None:
            self.start = start
            p.start = &self.start[0]
            if indices.dtype.itemsize == 4:
                self.narrow = indices
                p.narrow = &self.narrow[0]
                self.abi.index_size = 4
            else:
                self.wide = indices
                p.wide = &self.wide[0]
            for j in range(n_samples):
                widest = max(widest, p.start[j + 1] - p.start[j])
            self.abi.support = support
            self.abi.support_size = widest
        for t in range(len(parts)):
            self.parts[t] = part_t(<const char *><uintptr_t>parts[t][0], parts[t][1], parts[t][2])
        p.parts, p.n_parts = self.parts, len(parts)
        p.room = ((widest if gather else n) + 15) // 8 * 8
        self.abi.self = p
        self.abi.n = n
        self.abi.n_samples = n_samples
        self.abi.work_size = p.room * (2 if gather or checked else 1)
        self.abi.value = value
        self.abi.gradient = gradient
        self.abi.partial = partial
        self.abi.descend = descend
        if p.n_parts:
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

"""Finite sums whose functions somebody else compiled (see native.pyx)."""

from libc.stdint cimport int32_t, int64_t

from .clock cimport asysg_cell
from .kernel cimport Kernel

# What a user compiles. `out` is the gradient to add to, or one number.
ctypedef int (*function_t)(double *x, double *out, int64_t n, int64_t sample, void *data) noexcept nogil
ctypedef int (*entry_t)(
    double *x, double *out, int64_t n, int64_t sample, int64_t i, void *data
) noexcept nogil

# Memory of which each sample reads a part: `stride` bytes at base + stride * sample, or, of an array
# with an item for each entry of the support, the items of its entries.
ctypedef struct part_t:
    const char *base
    int64_t stride
    bint by_entry

ctypedef struct native_t:
    int64_t n
    function_t gradient
    function_t value
    entry_t partial
    void *gradient_data
    void *value_data
    void *partial_data
    const int64_t *start    # the support of sample j is start[j] .. start[j + 1]; NULL: all of x
    const int32_t *narrow   # of its column indices: one of these two
    const int64_t *wide
    bint gather             # functions get the support's entries alone
    bint checked
    int64_t room            # doubles of a gradient, whole cache lines
    const part_t *parts
    int64_t n_parts
    asysg_cell *trouble     # what failed last, and at which sample


cdef class Native(Kernel):
    cdef native_t model
    cdef const int64_t[::1] start
    cdef const int32_t[::1] narrow
    cdef const int64_t[::1] wide
    cdef part_t parts[8]
    cdef asysg_cell trouble
    cdef object keep

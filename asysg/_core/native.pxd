"""Finite sums whose functions somebody else compiled (see native.pyx)."""

from libc.stdint cimport int32_t, int64_t

from .clock cimport asysg_cell
from .kernel cimport Kernel

# What a user compiles. `out` is the gradient to add to, or one number.
ctypedef int (*function_t)(
    double *x, double *out, int64_t n, int64_t sample, void *data
) noexcept nogil
ctypedef int (*entry_t)(
    double *x, double *out, int64_t n, int64_t sample, int64_t i, void *data
) noexcept nogil

ctypedef struct native_t:
    int64_t n
    function_t gradient
    function_t value
    entry_t partial
    void *gradient_data
    void *value_data
    void *partial_data
    # The rows of the data, if they are ours: row or record j begins at rows[j * stride] (dense) or
    # rows[start[j]] (sparse).
    const double *rows
    int64_t stride
    # The record of sample j, or without rows its column indices, lie at start[j] .. start[j + 1];
    # NULL: all of x is looked at.
    const int64_t *start
    const int32_t *narrow   # column indices, one of these two
    const int64_t *wide
    bint checked
    int64_t room            # doubles of a gradient, whole cache lines
    asysg_cell *trouble     # what failed last, and at which sample


cdef class Native(Kernel):
    cdef native_t model
    cdef const double[::1] rows
    cdef const int64_t[::1] start
    cdef const int32_t[::1] narrow
    cdef const int64_t[::1] wide
    cdef asysg_cell trouble
    cdef object keep

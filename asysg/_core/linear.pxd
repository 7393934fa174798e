"""Finite sums of a scalar function of a linear model (see linear.pyx)."""

from libc.stdint cimport int32_t, int64_t

from .kernel cimport Kernel
from .rows cimport rows_t

ctypedef double (*loss_t)(double z, double b, double scale) noexcept nogil

ctypedef struct linear_t:
    rows_t rows
    const float *data32  # dense rows once more, in single precision, where that was asked for
    double scale
    double reg
    int64_t penalised       # of the coordinates the first so many
    const double *weight    # of the samples; NULL: all 1
    loss_t loss
    loss_t slope
    # The rows of coordinate i are row_of[column[i]:column[i + 1]], ascending; NULL: not known.
    const int64_t *column
    const int32_t *row_of
    const int64_t *looks  # their entries altogether; -1: as many as x has, or more


cdef class Linear(Kernel):
    cdef linear_t model
    cdef const double[::1] data
    cdef const int64_t[::1] start
    cdef const int32_t[::1] narrow
    cdef const int64_t[::1] wide
    cdef const double[::1] b
    cdef const double[::1] weight
    cdef tuple index
    cdef object rounded

    cdef int use_sparse(self, object start, object indices) except -1
    cdef int prepare(self) except -1
    cdef int choose(self, str loss) except -1

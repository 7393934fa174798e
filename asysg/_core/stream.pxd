"""Objectives F(x; xi) = f(x) + <zeta(xi), x>: f exact, noise of known law."""

from libc.stdint cimport int64_t, uint64_t

from .abi cimport support_t
from .kernel cimport Kernel
from .noise cimport noise_t

ctypedef double (*exact_value_t)(const void *, const double *, double *) noexcept nogil
ctypedef void (*exact_gradient_t)(const void *, const double *, double *, double *) noexcept nogil
ctypedef double (*exact_entry_t)(const void *, const double *, int64_t, double *) noexcept nogil

ctypedef struct stream_t:
    noise_t noise
    const void *family  # first argument of the three functions: the parameters of f
    exact_value_t value
    exact_gradient_t gradient  # adds into its last argument
    exact_entry_t entry
    support_t support  # of an entry; no sample matters to it


cdef inline int64_t own_coordinate(
    void *self, uint64_t sample, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    """Support of a partial derivative that depends on its own coordinate only."""
    if i < 0:
        return -1
    (<int64_t *>scratch)[0] = i
    idx[0] = scratch
    return 1


cdef class Stream(Kernel):
    cdef stream_t stream
    cdef int setup(
        self, int64_t n, double sigma, str noise, const void *family, exact_value_t value,
        exact_gradient_t gradient, exact_entry_t entry, support_t support,
        int64_t support_size, int64_t work_size,
    ) except -1

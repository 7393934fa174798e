"""The two things a server does with a vector, over and over, to be timed."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy


def copy(const double[::1] x, double[::1] out, int64_t count):
    """Copy x to `out`, of the same length, `count` times."""
    cdef int64_t _i, n = x.shape[0]
    if out.shape[0] != n:
        raise ValueError(f"out must have {n} entries, got {out.shape[0]}.")
    with nogil:
        for _i in range(count):
            memcpy(&out[0], &x[0], n * sizeof(double))


def add(double step, const double[::1] g, double[::1] x, int64_t count):
    """Do ``x += -(step * g)``, of the same length, `count` times."""
    cdef int64_t _i, j, n = x.shape[0]
    if g.shape[0] != n:
        raise ValueError(f"g must have {n} entries, got {g.shape[0]}.")
    with nogil:
        for _i in range(count):
            for j in range(n):
                x[j] += -(step * g[j])

"""f itself, of any objective: by its own full functions, or as the mean over its samples.

`work` holds ``full_work_size(f)`` doubles.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from .abi cimport ASYSG_OK, asysg_objective


cdef inline int64_t full_work_size(const asysg_objective *f) noexcept nogil:
    """Room for the objective's own scratch, and for a gradient where a function needs one."""
    if f.full_gradient != NULL and f.full_partial != NULL:
        return f.work_size
    return f.work_size + f.n


cdef inline int full_value(
    const asysg_objective *f, const double *x, double *work, double *out
) noexcept nogil:
    """*out = f(x)."""
    cdef int64_t j
    cdef double term = 0.0, total = 0.0
    if f.full_value != NULL:
        return f.full_value(f.self, x, work, out)
    for j in range(f.n_samples):
        if f.value(f.self, x, j, work, &term) != ASYSG_OK:
            return 0
        total += term
    out[0] = total / <double> f.n_samples
    return ASYSG_OK


cdef inline int full_gradient(
    const asysg_objective *f, const double *x, double *work, double *g
) noexcept nogil:
    """g += the gradient of f at x."""
    cdef int64_t i, j
    cdef double *total = work + f.work_size
    if f.full_gradient != NULL:
        return f.full_gradient(f.self, x, work, g)
    memset(total, 0, f.n * sizeof(double))
    for j in range(f.n_samples):
        if f.gradient(f.self, x, j, work, total) != ASYSG_OK:
            return 0
    for i in range(f.n):
        g[i] += total[i] / <double> f.n_samples
    return ASYSG_OK


cdef inline int full_partial(
    const asysg_objective *f, const double *x, int64_t i, double *work, double *out
) noexcept nogil:
    """*out += the i-th partial derivative of f at x, in one addition."""
    cdef int64_t j
    cdef double *g = work + f.work_size
    cdef double total = 0.0
    if f.full_partial != NULL:
        return f.full_partial(f.self, x, i, work, out)
    if f.full_gradient != NULL:
        memset(g, 0, f.n * sizeof(double))
        if f.full_gradient(f.self, x, work, g) != ASYSG_OK:
            return 0
        out[0] += g[i]
        return ASYSG_OK
    for j in range(f.n_samples):
        if f.partial(f.self, x, j, i, work, &total) != ASYSG_OK:
            return 0
    out[0] += total / <double> f.n_samples
    return ASYSG_OK

"""Sums of one scalar function of every coordinate, or of every coordinate of Qx.

f(x) = sum_i u((Qx)_i) with an orthogonal Q, the identity for `Separable`. u is called through a
pointer: its cosine costs several times more than the call.
"""

from libc.math cimport fabs, hypot, sin
from libc.stdint cimport int64_t

from .stream cimport Stream, own_coordinate
from .vector cimport asysg_axpy, asysg_dot

ctypedef double (*scalar_t)(const double *c, double t) noexcept nogil

ctypedef struct separable_t:
    int64_t n
    double c[3]
    scalar_t u
    scalar_t slope
    const double *q  # rows of Q


cdef double cosine(const double *c, double t) noexcept nogil:
    """c0 t^2 / 2 + c1 (1 - cos(c2 t)), the cosine by its half angle: exact near zero."""
    cdef double h = sin(0.5 * c[2] * t)
    return 0.5 * c[0] * t * t + 2.0 * c[1] * h * h


cdef double cosine_slope(const double *c, double t) noexcept nogil:
    return c[0] * t + c[1] * c[2] * sin(c[2] * t)


cdef double huber(const double *c, double t) noexcept nogil:
    """c0 (sqrt(1 + t^2) - 1) + c1 (1 - cos(c2 t)), exact near zero, no overflow far out."""
    cdef double h = sin(0.5 * c[2] * t)
    cdef double r = hypot(1.0, t)
    return c[0] * (fabs(t) * (fabs(t) / (1.0 + r))) + 2.0 * c[1] * h * h


cdef double huber_slope(const double *c, double t) noexcept nogil:
    return c[0] * (t / hypot(1.0, t)) + c[1] * c[2] * sin(c[2] * t)


cdef double separable_value(const void *self, const double *x, double *work) noexcept nogil:
    cdef const separable_t *p = <const separable_t *>self
    cdef double total = 0.0
    cdef int64_t i
    for i in range(p.n):
        total += p.u(p.c, x[i])
    return total


cdef void separable_gradient(
    const void *self, const double *x, double *work, double *g
) noexcept nogil:
    cdef const separable_t *p = <const separable_t *>self
    cdef int64_t i
    for i in range(p.n):
        g[i] += p.slope(p.c, x[i])


cdef double separable_entry(
    const void *self, const double *x, int64_t i, double *work
) noexcept nogil:
    cdef const separable_t *p = <const separable_t *>self
    return p.slope(p.c, x[i])


cdef double rotated_value(const void *self, const double *x, double *work) noexcept nogil:
    cdef const separable_t *p = <const separable_t *>self
    cdef double total = 0.0
    cdef int64_t j
    for j in range(p.n):
        total += p.u(p.c, asysg_dot(p.q + j * p.n, x, p.n))
    return total


cdef void rotated_gradient(
    const void *self, const double *x, double *work, double *g
) noexcept nogil:
    cdef const separable_t *p = <const separable_t *>self
    cdef const double *row
    cdef int64_t j
    for j in range(p.n):
        row = p.q + j * p.n
        asysg_axpy(p.slope(p.c, asysg_dot(row, x, p.n)), row, g, p.n)


cdef double rotated_entry(
    const void *self, const double *x, int64_t i, double *work
) noexcept nogil:
    cdef const separable_t *p = <const separable_t *>self
    cdef const double *row
    cdef double total = 0.0
    cdef int64_t j
    for j in range(p.n):
        row = p.q + j * p.n
        total += p.slope(p.c, asysg_dot(row, x, p.n)) * row[i]
    return total


cdef class Separable(Stream):
    """`u` is "cosine" or "huber", `c` its three numbers, `q` an n by n matrix or None."""

    cdef separable_t family
    cdef const double[:, ::1] q

    def __cinit__(self, int64_t n, str u, tuple c, double sigma, str noise, q=None):
        cdef int64_t k
        self.arguments = (n, u, c, sigma, noise, q)
        self.family.n = n
        for k in range(3):
            self.family.c[k] = c[k]
        if u == "cosine":
            self.family.u, self.family.slope = cosine, cosine_slope
        elif u == "huber":
            self.family.u, self.family.slope = huber, huber_slope
        else:
            raise ValueError(f"u must be one the kernel has, got {u!r}.")
        if q is None:
            self.setup(n, sigma, noise, &self.family, separable_value, separable_gradient,
                       separable_entry, own_coordinate, 1, 0)
        else:
            self.q = q
            self.family.q = &self.q[0, 0]
            self.setup(n, sigma, noise, &self.family, rotated_value, rotated_gradient,
                       rotated_entry, NULL, 0, 0)

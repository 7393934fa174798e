"""Noisy quadratics: f(x) = (x - x*)' H (x - x*) / 2 with H diagonal or dense symmetric."""

from libc.stdint cimport int64_t, uint64_t

from .abi cimport ASYSG_OK
from .noise cimport noise_add
from .stream cimport Stream, own_coordinate, stream_t
from .vector cimport asysg_add_distance, asysg_add_distance32, asysg_dot

from .kernel import rounded

ctypedef struct quadratic_t:
    int64_t n
    int64_t stride  # from one diagonal entry to the next; 0: all are the same number
    const double *h
    const double *x_star
    const float *h32  # and once more in single precision, where that was asked for
    const float *x_star32


cdef double diagonal_value(const void *self, const double *x, double *work) noexcept nogil:
    cdef const quadratic_t *q = <const quadratic_t *>self
    cdef double total = 0.0
    cdef double u
    cdef int64_t i
    for i in range(q.n):
        u = x[i] - q.x_star[i]
        total += q.h[i * q.stride] * u * u
    return 0.5 * total


cdef double diagonal_entry(
    const void *self, const double *x, int64_t i, double *work
) noexcept nogil:
    cdef const quadratic_t *q = <const quadratic_t *>self
    return q.h[i * q.stride] * (x[i] - q.x_star[i])


cdef void diagonal_gradient(
    const void *self, const double *x, double *work, double *g
) noexcept nogil:
    cdef const quadratic_t *q = <const quadratic_t *>self
    asysg_add_distance(q.h[0], q.h if q.stride else NULL, x, q.x_star, g, q.n)


cdef int diagonal_minibatch32(
    void *self, const float *x, const uint64_t *samples, int64_t count, float *work, float *g
) noexcept nogil:
    cdef const stream_t *s = <const stream_t *>self
    cdef const quadratic_t *q = <const quadratic_t *>s.family
    cdef int64_t m
    for m in range(count):
        asysg_add_distance32(q.h32[0], q.h32 if q.stride else NULL, x, q.x_star32, g, q.n)
        noise_add(&s.noise, samples[m], g)
    return ASYSG_OK


cdef void dense_gradient(
    const void *self, const double *x, double *work, double *g
) noexcept nogil:
    cdef const quadratic_t *q = <const quadratic_t *>self
    cdef int64_t i
    for i in range(q.n):
        work[i] = x[i] - q.x_star[i]
    for i in range(q.n):
        g[i] += asysg_dot(q.h + i * q.n, work, q.n)


cdef double dense_value(const void *self, const double *x, double *work) noexcept nogil:
    cdef const quadratic_t *q = <const quadratic_t *>self
    cdef double total = 0.0
    cdef int64_t i
    for i in range(q.n):
        work[i] = x[i] - q.x_star[i]
    for i in range(q.n):
        total += work[i] * asysg_dot(q.h + i * q.n, work, q.n)
    return 0.5 * total


cdef double dense_entry(
    const void *self, const double *x, int64_t i, double *work
) noexcept nogil:
    cdef const quadratic_t *q = <const quadratic_t *>self
    cdef int64_t j
    for j in range(q.n):
        work[j] = x[j] - q.x_star[j]
    return asysg_dot(q.h + i * q.n, work, q.n)


cdef class Quadratic(Stream):
    """`h` holds 1 entry (times the identity), n (a diagonal) or n*n (rows of a matrix)."""

    cdef quadratic_t family
    cdef const double[::1] h
    cdef const double[::1] x_star
    cdef tuple rounded

    def __cinit__(self, h, x_star, double sigma, str noise):
        self.arguments = (h, x_star, sigma, noise)
        self.h = h
        self.x_star = x_star
        cdef int64_t n = self.x_star.shape[0]
        self.family.n = n
        self.family.h = &self.h[0]
        self.family.x_star = &self.x_star[0]
        self.family.stride = 0 if self.h.shape[0] == 1 else 1
        if self.h.shape[0] == 1 or self.h.shape[0] == n:
            self.setup(n, sigma, noise, &self.family, diagonal_value, diagonal_gradient,
                       diagonal_entry, own_coordinate, 1, 0)
        elif self.h.shape[0] == n * n:
            self.setup(n, sigma, noise, &self.family, dense_value, dense_gradient,
                       dense_entry, NULL, 0, n)
        else:
            raise ValueError(f"h must hold 1, n or n*n entries, got {self.h.shape[0]} for n = {n}.")

    def single(self):
        """Keep a diagonal and the stationary point in single precision; False for dense H.

        Raises OverflowError if an entry is beyond its range.
        """
        cdef const float[::1] h, x_star
        if self.abi.support == NULL:
            return False
        if self.rounded is None:
            h, x_star = rounded(self.h), rounded(self.x_star)
            self.rounded = h, x_star
            self.family.h32, self.family.x_star32 = &h[0], &x_star[0]
            self.abi.minibatch32 = diagonal_minibatch32
        return True

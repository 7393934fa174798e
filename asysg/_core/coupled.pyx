"""Oscillators coupled by sines: on a chain, and on any graph.

A partial derivative reads a coordinate and its neighbours only. 1 - cos is written as
2 sin(./2)^2, which is exact near zero.
"""

from libc.math cimport sin
from libc.stdint cimport int64_t, uint64_t

from .stream cimport Stream, stream_t

ctypedef struct chain_t:
    int64_t n
    double pinning
    double spring
    double coupling

ctypedef struct graph_t:
    int64_t n
    const int64_t *start  # neighbours of i: neighbour[start[i]:start[i + 1]], sorted
    const int64_t *neighbour
    const double *weight
    const double *phase  # phase of (i, j), minus that of (j, i)


cdef inline double hill(double t) noexcept nogil:
    """1 - cos(t)."""
    cdef double h = sin(0.5 * t)
    return 2.0 * h * h


cdef double chain_value(const void *self, const double *x, double *work) noexcept nogil:
    cdef const chain_t *p = <const chain_t *>self
    cdef double total = 0.0
    cdef int64_t i
    for i in range(p.n):
        total += p.pinning * hill(x[i]) + 0.5 * p.spring * x[i] * x[i]
        if i + 1 < p.n:
            total += p.coupling * hill(x[i] - x[i + 1])
    return total


cdef double chain_entry(
    const void *self, const double *x, int64_t i, double *work
) noexcept nogil:
    cdef const chain_t *p = <const chain_t *>self
    cdef double left = sin(x[i - 1] - x[i]) if i > 0 else 0.0
    cdef double right = sin(x[i] - x[i + 1]) if i + 1 < p.n else 0.0
    return p.pinning * sin(x[i]) + p.spring * x[i] + p.coupling * (right - left)


cdef void chain_gradient(
    const void *self, const double *x, double *work, double *g
) noexcept nogil:
    """The formula of `chain_entry`, every coupling computed once."""
    cdef const chain_t *p = <const chain_t *>self
    cdef double left = 0.0
    cdef double right
    cdef int64_t i
    for i in range(p.n):
        right = sin(x[i] - x[i + 1]) if i + 1 < p.n else 0.0
        g[i] += p.pinning * sin(x[i]) + p.spring * x[i] + p.coupling * (right - left)
        left = right


cdef int64_t chain_support(
    void *self, uint64_t sample, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    cdef const chain_t *p = <const chain_t *>(<const stream_t *>self).family
    cdef int64_t *out = <int64_t *>scratch
    cdef int64_t j, count = 0
    if i < 0:
        return -1
    for j in range(i - 1, i + 2):
        if 0 <= j < p.n:
            out[count] = j
            count += 1
    idx[0] = scratch
    return count


cdef double graph_value(const void *self, const double *x, double *work) noexcept nogil:
    cdef const graph_t *p = <const graph_t *>self
    cdef double total = 0.0
    cdef int64_t i, k
    for i in range(p.n):
        for k in range(p.start[i], p.start[i + 1]):
            total += p.weight[k] * hill(x[i] - x[p.neighbour[k]] - p.phase[k])
    return 0.5 * total  # every edge was met from both ends


cdef double graph_entry(
    const void *self, const double *x, int64_t i, double *work
) noexcept nogil:
    cdef const graph_t *p = <const graph_t *>self
    cdef double total = 0.0
    cdef int64_t k
    for k in range(p.start[i], p.start[i + 1]):
        total += p.weight[k] * sin(x[i] - x[p.neighbour[k]] - p.phase[k])
    return total


cdef void graph_gradient(
    const void *self, const double *x, double *work, double *g
) noexcept nogil:
    cdef const graph_t *p = <const graph_t *>self
    cdef int64_t i
    for i in range(p.n):
        g[i] += graph_entry(self, x, i, work)


cdef int64_t graph_support(
    void *self, uint64_t sample, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    cdef const graph_t *p = <const graph_t *>(<const stream_t *>self).family
    cdef int64_t *out = <int64_t *>scratch
    cdef int64_t k, count = 1
    if i < 0:
        return -1
    out[0] = i
    for k in range(p.start[i], p.start[i + 1]):
        out[count] = p.neighbour[k]
        count += 1
    idx[0] = scratch
    return count


cdef class Chain(Stream):
    """Pinned oscillators on a line, each coupled to the next."""

    cdef chain_t family

    def __cinit__(
        self, int64_t n, double pinning, double spring, double coupling, double sigma, str noise
    ):
        self.arguments = (n, pinning, spring, coupling, sigma, noise)
        self.family.n = n
        self.family.pinning = pinning
        self.family.spring = spring
        self.family.coupling = coupling
        self.setup(n, sigma, noise, &self.family, chain_value, chain_gradient, chain_entry,
                   chain_support, 3, 0)


cdef class Graph(Stream):
    """Oscillators on a graph; arrays list every edge from both of its ends."""

    cdef graph_t family
    cdef const int64_t[::1] start
    cdef const int64_t[::1] neighbour
    cdef const double[::1] weight
    cdef const double[::1] phase

    def __cinit__(self, start, neighbour, weight, phase, double sigma, str noise):
        self.arguments = (start, neighbour, weight, phase, sigma, noise)
        self.start = start
        self.neighbour = neighbour
        self.weight = weight
        self.phase = phase
        cdef int64_t n = self.start.shape[0] - 1
        cdef int64_t i, degree = 0
        for i in range(n):
            degree = max(degree, self.start[i + 1] - self.start[i])
        self.family.n = n
        self.family.start = &self.start[0]
        self.family.neighbour = &self.neighbour[0]
        self.family.weight = &self.weight[0]
        self.family.phase = &self.phase[0]
        self.setup(n, sigma, noise, &self.family, graph_value, graph_gradient, graph_entry,
                   graph_support, degree + 1, 0)

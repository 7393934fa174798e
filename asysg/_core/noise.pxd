"""Additive gradient noise of known law, hashed from the 64-bit word of a sample.

Every law has mean zero and E ||zeta||^2 = sigma^2 exactly, whatever x is. An entry costs O(1),
so a partial derivative is as cheap with noise as without.
"""

from libc.math cimport M_PI, cos, log, sin, sqrt
from libc.stdint cimport int64_t, uint64_t

from .rng cimport asysg_below, asysg_unit, asysg_word
from .vector cimport real_t

cdef enum:
    NO_NOISE
    GAUSSIAN  # independent normal entries of variance sigma^2 / n
    RADEMACHER  # independent signs times sigma / sqrt(n): ||zeta|| = sigma surely
    COORDINATE  # one coordinate, uniform, gets sigma with a random sign
    JUMPS  # 8 times RADEMACHER with probability 1/64, else nothing
    SKEWED  # entries 3 sigma / sqrt(n) with probability 1/10, else -sigma / (3 sqrt(n))

ctypedef struct noise_t:
    int law
    int64_t n
    double scale  # standard deviation of one entry, sigma / sqrt(n); sigma for COORDINATE


cdef inline double noise_sign(uint64_t sample, int64_t i) noexcept nogil:
    """+1 or -1: bit i % 64 of the word that draw i / 64 gives."""
    cdef uint64_t word = asysg_word(sample, 0, <uint64_t>(i >> 6), 0)
    return 1.0 if (word >> (i & 63)) & 1 else -1.0


cdef inline bint noise_jumps(uint64_t sample) noexcept nogil:
    return asysg_word(sample, 0, 0, 1) >> 58 == 0


cdef inline double noise_radius(uint64_t sample, int64_t pair) noexcept nogil:
    """Radius of Box and Muller's pair; 1 - u is never zero."""
    return sqrt(-2.0 * log(1.0 - asysg_unit(asysg_word(sample, 0, <uint64_t>pair, 0))))


cdef inline double noise_angle(uint64_t sample, int64_t pair) noexcept nogil:
    return 2.0 * M_PI * asysg_unit(asysg_word(sample, 0, <uint64_t>pair, 1))


cdef inline double noise_entry(const noise_t *z, uint64_t sample, int64_t i) noexcept nogil:
    """zeta_i of this sample."""
    cdef double angle
    if z.law == GAUSSIAN:
        angle = noise_angle(sample, i >> 1)
        return z.scale * noise_radius(sample, i >> 1) * (sin(angle) if i & 1 else cos(angle))
    if z.law == RADEMACHER:
        return z.scale * noise_sign(sample, i)
    if z.law == COORDINATE:
        if asysg_below(asysg_word(sample, 0, 0, 1), <uint64_t>z.n) != <uint64_t>i:
            return 0.0
        return z.scale * noise_sign(sample, 0)
    if z.law == JUMPS:
        return 8.0 * z.scale * noise_sign(sample, i) if noise_jumps(sample) else 0.0
    if z.law == SKEWED:
        if asysg_below(asysg_word(sample, 0, <uint64_t>i, 0), 10) == 0:
            return 3.0 * z.scale
        return -z.scale / 3.0
    return 0.0


cdef inline void noise_add(const noise_t *z, uint64_t sample, real_t *g) noexcept nogil:
    """g += zeta, entry by entry equal to `noise_entry`, cheaper where entries share a draw."""
    cdef int64_t i, block
    cdef double radius, angle, size
    cdef uint64_t chosen, word
    if z.law == NO_NOISE or (z.law == JUMPS and not noise_jumps(sample)):
        return
    if z.law == COORDINATE:
        chosen = asysg_below(asysg_word(sample, 0, 0, 1), <uint64_t>z.n)
        g[chosen] += z.scale * noise_sign(sample, 0)
    elif z.law == GAUSSIAN:
        for i in range(0, z.n, 2):
            radius = z.scale * noise_radius(sample, i >> 1)
            angle = noise_angle(sample, i >> 1)
            g[i] += radius * cos(angle)
            if i + 1 < z.n:
                g[i + 1] += radius * sin(angle)
    elif z.law == SKEWED:
        for i in range(z.n):
            g[i] += noise_entry(z, sample, i)
    else:
        size = z.scale if z.law == RADEMACHER else 8.0 * z.scale
        for block in range(0, z.n, 64):
            word = asysg_word(sample, 0, <uint64_t>(block >> 6), 0)
            for i in range(block, min(block + 64, z.n)):
                g[i] += size if (word >> (i & 63)) & 1 else -size


cdef inline double noise_dot(const noise_t *z, uint64_t sample, const double *x) noexcept nogil:
    """<zeta, x>."""
    cdef int64_t i
    cdef double total = 0.0
    if z.law == NO_NOISE:
        return 0.0
    for i in range(z.n):
        total += noise_entry(z, sample, i) * x[i]
    return total

"""Numbers of given laws, each a function of (key, counter): delays and times, block by block."""

from libc.math cimport M_PI, cos, exp, log1p, sqrt
from libc.stdint cimport int64_t, uint64_t

from .rng cimport asysg_below, asysg_unit, asysg_word

import numpy as np


def below(key, int64_t start, int64_t stop, int64_t slots, uint64_t bound):
    """Return uniform integers below `bound`, of the words (start..stop-1, 0..slots-1).

    Parameters
    ----------
    key : tuple of two int
    start, stop, slots : int
        Range of the counter, and words of each.
    bound : int
        At least 1.

    Returns
    -------
    ndarray of shape (stop - start, slots), int64
    """
    cdef uint64_t key0 = key[0], key1 = key[1]
    cdef int64_t k, m
    out = np.empty((stop - start, slots), dtype=np.int64)
    cdef int64_t[:, ::1] view = out
    with nogil:
        for k in range(start, stop):
            for m in range(slots):
                view[k - start, m] = asysg_below(asysg_word(key0, key1, k, m), bound)
    return out


def alias(key, int64_t start, int64_t stop, int64_t slots, const uint64_t[::1] share,
          const int64_t[::1] other):
    """Return integers of any law, by Walker's method: one word, one comparison each.

    A word chooses a column; what is left of it (the low half of the product) decides between the
    column's own number and its alias.

    Parameters
    ----------
    key, start, stop, slots
        As in `below`.
    share : ndarray of shape (n,), uint64
        How many of 2^64 parts of column i are its own.
    other : ndarray of shape (n,), int64
        The alias of each column.
    """
    cdef uint64_t key0 = key[0], key1 = key[1], n = share.shape[0], word, column
    cdef int64_t k, m
    out = np.empty((stop - start, slots), dtype=np.int64)
    cdef int64_t[:, ::1] view = out
    with nogil:
        for k in range(start, stop):
            for m in range(slots):
                word = asysg_word(key0, key1, k, m)
                column = asysg_below(word, n)
                view[k - start, m] = column if word * n < share[column] else other[column]
    return out


def uniform(key, int64_t start, int64_t stop):
    """Return numbers uniform on [0, 1), shape (stop - start,)."""
    cdef uint64_t key0 = key[0], key1 = key[1]
    cdef int64_t k
    out = np.empty(stop - start)
    cdef double[::1] view = out
    with nogil:
        for k in range(start, stop):
            view[k - start] = asysg_unit(asysg_word(key0, key1, k, 0))
    return out


def exponential(key, int64_t start, int64_t stop):
    """Return exponential numbers of mean 1, shape (stop - start,)."""
    cdef uint64_t key0 = key[0], key1 = key[1]
    cdef int64_t k
    out = np.empty(stop - start)
    cdef double[::1] view = out
    with nogil:
        for k in range(start, stop):
            view[k - start] = -log1p(-asysg_unit(asysg_word(key0, key1, k, 0)))
    return out


def lognormal(key, int64_t start, int64_t stop, double spread):
    """Return lognormal numbers of mean 1 whose logarithm has standard deviation `spread`."""
    cdef uint64_t key0 = key[0], key1 = key[1]
    cdef int64_t k
    cdef double radius, z
    out = np.empty(stop - start)
    cdef double[::1] view = out
    with nogil:
        for k in range(start, stop):
            radius = sqrt(-2.0 * log1p(-asysg_unit(asysg_word(key0, key1, k, 0))))
            z = radius * cos(2.0 * M_PI * asysg_unit(asysg_word(key0, key1, k, 1)))
            view[k - start] = exp(spread * z - 0.5 * spread * spread)
    return out


def pareto(key, int64_t start, int64_t stop, double shape):
    """Return Pareto numbers of mean 1, P(t > s) = (s0 / s)^shape, shape (stop - start,)."""
    cdef uint64_t key0 = key[0], key1 = key[1]
    cdef int64_t k
    cdef double least = (shape - 1.0) / shape
    out = np.empty(stop - start)
    cdef double[::1] view = out
    with nogil:
        for k in range(start, stop):
            view[k - start] = least * exp(
                -log1p(-asysg_unit(asysg_word(key0, key1, k, 0))) / shape
            )
    return out

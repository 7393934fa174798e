"""The proximal step for the kernels: its numbers, and what it owes where it is lazy."""

from libc.stdint cimport int64_t

import numpy as np


cdef class Proximal:
    """What the kernels know of h; see ``prox.h``.

    Parameters
    ----------
    l1, l2 : float
        At least 0.
    lower, upper : ndarray of shape (1,) or, both, (n,), float64
        The box.
    """

    def __init__(self, l1, l2, lower, upper):
        if len(lower) != len(upper) or not len(lower):
            raise ValueError("lower and upper must have the same length.")
        self.lower, self.upper = lower, upper
        self.law.l1, self.law.l2 = l1, l2
        self.law.lower, self.law.upper = &self.lower[0], &self.upper[0]
        self.law.stride = 0 if len(lower) == 1 else 1

    def once(self, const double[::1] v, double t):
        """Return ``prox_{t h}(v)``."""
        result = np.empty(len(v))
        cdef double[::1] out = result
        cdef int64_t j
        for j in range(len(v)):
            out[j] = asysg_prox_once(&self.law, j, t, v[j])
        return result

    def times(self, const double[::1] v, double t, int64_t m):
        """Return v, which lies in the box, after m steps."""
        result = np.empty(len(v))
        cdef double[::1] out = result
        cdef int64_t j
        for j in range(len(v)):
            out[j] = asysg_prox_times(&self.law, j, t, m, v[j])
        return result


cdef class Lazy:
    """x as it is stored where proximal steps are made when an entry is next looked at.

    Parameters
    ----------
    proximal : Proximal
    stored : ndarray of shape (n,), float64
        The entries as they are in memory; kept, not copied. The steps of all updates before
        `clock` are in them.
    clock : int
    """

    def __init__(self, Proximal proximal, stored, clock):
        counted = np.full(len(stored), clock, dtype=np.int64)
        self.proximal = proximal
        self.arrays = stored, counted
        self.stored, self.counted = stored, counted
        self.t = 0.0

    def settle(self, out, int64_t clock):
        """Write to `out` the iterate after `clock` updates; what is stored stays as it is.

        So the bits of a run do not depend on when it is looked at.
        """
        cdef double[::1] x = out
        cdef int64_t j
        cdef const asysg_prox *h = &self.proximal.law
        with nogil:
            for j in range(x.shape[0]):
                x[j] = asysg_prox_times(h, j, self.t, clock - self.counted[j], self.stored[j])

    def pending(self):
        """Return what is stored and how many steps are in it, as arrays to store."""
        stored, counted = self.arrays
        return {"stored": stored.copy(), "counted": counted.copy()}

    def restore(self, pending):
        """Go on from what `pending` returned.

        Raises ValueError if it belongs to another run.
        """
        for name, array in zip(("stored", "counted"), self.arrays, strict=True):
            if name not in pending or pending[name].shape != array.shape:
                raise ValueError("what was pending must have the shape it has in this run.")
            array[:] = pending[name]

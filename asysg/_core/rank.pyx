"""What the ranks of a cluster compute: a worker's gradient, the server's pass over x.

All that travels between them is in `asysg.mpi`; here is the arithmetic, the same to the last bit
as that of the threads and of the recursion.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.float cimport DBL_MAX
from libc.math cimport fabs
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from .abi cimport ASYSG_OBJECTIVE, ASYSG_OK, asysg_objective, gradients
from .draws cimport sample
from .vector cimport asysg_step

import numpy as np

# What became of a gradient.
OK, FAILED, NOT_FINITE = range(3)
# Small enough that what is written is still in the nearest cache when it is copied.
cdef int64_t SEGMENT = 4096


cdef class Gradients:
    """The gradients that draws stand for.

    Parameters
    ----------
    capsule : PyCapsule
        The objective. Whoever owns it must outlive this object.
    M : int
        Samples of a draw, at least 1.
    key : tuple of two int
        Key of the counter-based draws.
    """

    cdef asysg_objective *f
    cdef uint64_t key0
    cdef uint64_t key1
    cdef int64_t M
    cdef object keep
    cdef double[::1] work
    cdef uint64_t[::1] samples

    def __init__(self, capsule, *, M, key):
        self.keep = capsule
        self.f = <asysg_objective *> PyCapsule_GetPointer(capsule, ASYSG_OBJECTIVE)
        self.key0, self.key1 = key
        self.M = M
        self.work = np.zeros(max(1, self.f.work_size))
        self.samples = np.zeros(M, dtype=np.uint64)

    def sum(self, x, draw, first, last, g):
        """Set g to the sum of the gradients at x of the samples first..last-1 of a draw.

        Parameters
        ----------
        x, g : ndarray of shape (n,), float64
        draw, first, last : int
            0 <= first < last <= M.

        Returns
        -------
        int
            OK, FAILED (by the objective) or NOT_FINITE.
        """
        cdef const double[::1] at = x
        cdef double[::1] out = g
        cdef int64_t d = draw, begin = first, end = last, n = self.f.n, m, j
        cdef int code, bad = 0
        if at.shape[0] != n or out.shape[0] != n or not 0 <= begin < end <= self.M:
            raise ValueError("x and g must have n entries, and samples lie in 0..M-1.")
        with nogil:
            for m in range(begin, end):
                self.samples[m] = sample(self.f, self.key0, self.key1, d, m)
            memset(&out[0], 0, n * sizeof(double))
            code = gradients(
                self.f, &at[0], &self.samples[begin], end - begin, &self.work[0], &out[0]
            )
            for j in range(n):  # without a way out of it, so that it can be vectorised
                bad |= not fabs(out[j]) <= DBL_MAX
        if code != ASYSG_OK:
            return FAILED
        return NOT_FINITE if bad else OK


def descend(x, g, step, snapshot=None):
    """Do x += -(step * g), and copy the new x to `snapshot` in the same pass.

    Parameters
    ----------
    x, g : ndarray of shape (n,), float64
    step : float
    snapshot : ndarray of shape (n,), float64, optional
    """
    cdef double[::1] at = x, copy = None
    cdef const double[::1] direction = g
    cdef double c = step
    cdef int64_t n = at.shape[0], first = 0, count
    cdef double *out = NULL
    if snapshot is not None:
        copy = snapshot
    if direction.shape[0] != n or (snapshot is not None and copy.shape[0] != n):
        raise ValueError("x, g and snapshot must have the same length.")
    if snapshot is not None:
        out = &copy[0]
    with nogil:
        while first < n:
            count = min(SEGMENT, n - first)
            asysg_step(c, &at[first], &direction[first], count)
            if out is not NULL:
                memcpy(out + first, &at[first], count * sizeof(double))
            first += count

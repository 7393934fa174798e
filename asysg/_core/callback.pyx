"""Objectives whose functions are Python's.

Each call takes the GIL, so the workers of one process wait for one another unless what they call
gives it back (PyTorch and large NumPy operations do).
"""

import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from .abi cimport ASYSG_OK
from .kernel cimport Kernel


cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    static inline int asysg_in_parallel(void) { return omp_in_parallel(); }
    #else
    static inline int asysg_in_parallel(void) { return 0; }
    #endif
    """
    int asysg_in_parallel()


cdef class Callback(Kernel):
    """A finite sum computed by Python, some samples at a time.

    Parameters
    ----------
    n, n_samples : int
        Both at least 1.
    value : callable
        ``value(x, samples)`` returns the sum of F(x; sample) over an array of samples, int64.
        x is the callee's own.
    gradient : callable
        ``gradient(x, samples)`` returns the sum of the gradients, shape (n,).
    full : callable, optional
        ``full(x)`` returns f and its gradient, where that is faster than a sum over samples.

    Attributes
    ----------
    error : BaseException or None
        What the last call that failed raised.
    outside : callable or None
        ``outside(function, *arguments)`` calls the function in a thread that is in no parallel
        region; used by workers that are in one.
    """

    cdef object _value
    cdef object _gradient
    cdef object _full
    cdef readonly object error
    cdef public object outside

    def __init__(self, int64_t n, int64_t n_samples, value, gradient, full=None):
        self.arguments = (n, n_samples, value, gradient, full)
        self._value, self._gradient, self._full = value, gradient, full
        self.error = self.outside = None
        self.abi.self = <void *>self
        self.abi.n = n
        self.abi.n_samples = n_samples
        self.abi.work_size = n
        self.abi.value = sample_value
        self.abi.gradient = sample_gradient
        self.abi.partial = partial
        self.abi.minibatch = minibatch
        self.abi.batch_size = n_samples
        if full is not None:
            self.abi.full_value = full_value
            self.abi.full_gradient = full_gradient

    cdef object call(self, function, x, samples):
        if self.outside is not None and asysg_in_parallel():
            return self.outside(function, x, samples)
        return function(x, samples)

    cdef object point(self, const double *x):
        """A copy of x: whoever keeps it must not see the worker's next read in it."""
        cdef double[::1] view
        array = np.empty(self.abi.n)
        view = array
        memcpy(&view[0], x, self.abi.n * sizeof(double))
        return array

    cdef int add(self, gradient, double *g) except 0:
        cdef const double[::1] found = np.ascontiguousarray(gradient, dtype=np.float64)
        cdef int64_t i
        if found.shape[0] != self.abi.n:
            raise ValueError(f"gradient must have {self.abi.n} entries, got {found.shape[0]}.")
        for i in range(self.abi.n):
            g[i] += found[i]
        return ASYSG_OK

    cdef int fail(self, error):
        self.error = error
        return 0


cdef object numbers(const uint64_t *samples, int64_t count):
    cdef int64_t[::1] view
    cdef int64_t m
    array = np.empty(count, dtype=np.int64)
    view = array
    for m in range(count):
        view[m] = <int64_t>samples[m]
    return array


cdef int sample_value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    with gil:
        me = <Callback>self
        try:
            out[0] = me.call(me._value, me.point(x), numbers(&sample, 1))
            return ASYSG_OK
        except BaseException as error:
            return me.fail(error)


cdef int minibatch(
    void *self, const double *x, const uint64_t *samples, int64_t count, double *work, double *g
) noexcept nogil:
    with gil:
        me = <Callback>self
        try:
            return me.add(me.call(me._gradient, me.point(x), numbers(samples, count)), g)
        except BaseException as error:
            return me.fail(error)


cdef int sample_gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    return minibatch(self, x, &sample, 1, work, g)


cdef int partial(
    void *self, const double *x, uint64_t sample, int64_t i, double *work, double *out
) noexcept nogil:
    """One entry at the cost of the whole gradient."""
    cdef int64_t j, n
    cdef int code
    n = (<Callback>self).abi.n
    for j in range(n):
        work[j] = 0.0
    code = minibatch(self, x, &sample, 1, NULL, work)
    if code == ASYSG_OK:
        out[0] += work[i]
    return code


cdef int full_value(void *self, const double *x, double *work, double *out) noexcept nogil:
    with gil:
        me = <Callback>self
        try:
            out[0] = me._full(me.point(x))[0]
            return ASYSG_OK
        except BaseException as error:
            return me.fail(error)


cdef int full_gradient(void *self, const double *x, double *work, double *g) noexcept nogil:
    with gil:
        me = <Callback>self
        try:
            return me.add(me._full(me.point(x))[1], g)
        except BaseException as error:
            return me.fail(error)

"""f itself as an objective: one sample, and that is all of f.

What runs on it runs without noise: AsySG-incon of one sample is asynchronous coordinate descent
(AsySCD), its derivatives exact.
"""

from libc.stdint cimport int64_t, uint64_t

from .abi cimport asysg_objective
from .full cimport full_gradient, full_partial, full_value, full_work_size
from .kernel cimport Kernel


cdef int value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    return full_value(<asysg_objective *>self, x, work, out)


cdef int gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    return full_gradient(<asysg_objective *>self, x, work, g)


cdef int partial(
    void *self, const double *x, uint64_t sample, int64_t i, double *work, double *out
) noexcept nogil:
    return full_partial(<asysg_objective *>self, x, i, work, out)


cdef int own_value(void *self, const double *x, double *work, double *out) noexcept nogil:
    return full_value(<asysg_objective *>self, x, work, out)


cdef int own_gradient(void *self, const double *x, double *work, double *g) noexcept nogil:
    return full_gradient(<asysg_objective *>self, x, work, g)


cdef int own_partial(
    void *self, const double *x, int64_t i, double *work, double *out
) noexcept nogil:
    return full_partial(<asysg_objective *>self, x, i, work, out)


cdef int64_t own_support(
    void *self, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    cdef const asysg_objective *f = <const asysg_objective *>self
    return f.full_support(f.self, i, scratch, idx)


cdef int64_t support(
    void *self, uint64_t sample, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    return -1 if i < 0 else own_support(self, i, scratch, idx)


cdef class Exact(Kernel):
    """The function of `inner`, without what is random in it."""

    cdef Kernel inner

    def __cinit__(self, Kernel inner):
        cdef asysg_objective *f = &inner.abi
        if f.self == NULL:
            raise TypeError(f"{type(inner).__name__} is only a base of the compiled families.")
        inner.prepare()
        self.arguments = (inner,)
        self.inner = inner
        self.abi.self = f
        self.abi.n = f.n
        self.abi.n_samples = 1
        self.abi.work_size = full_work_size(f)
        self.abi.index_size = f.index_size
        self.abi.value = value
        self.abi.gradient = gradient
        self.abi.partial = partial
        self.abi.full_value = own_value
        self.abi.full_gradient = own_gradient
        self.abi.full_partial = own_partial
        if f.full_support != NULL:
            self.abi.support = support
            self.abi.full_support = own_support
            self.abi.support_size = f.support_size

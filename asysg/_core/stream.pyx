"""Objectives F(x; xi) = f(x) + <zeta(xi), x>: f exact, noise of known law."""

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint64_t

from .abi cimport ASYSG_OK, support_t
from .kernel cimport Kernel
from .noise cimport (
    COORDINATE,
    GAUSSIAN,
    JUMPS,
    NO_NOISE,
    RADEMACHER,
    SKEWED,
    noise_add,
    noise_dot,
    noise_entry,
)

LAWS = {
    "gaussian": GAUSSIAN,
    "rademacher": RADEMACHER,
    "coordinate": COORDINATE,
    "jumps": JUMPS,
    "skewed": SKEWED,
}


cdef int full_value(void *self, const double *x, double *work, double *out) noexcept nogil:
    cdef stream_t *s = <stream_t *>self
    out[0] = s.value(s.family, x, work)
    return ASYSG_OK


cdef int full_gradient(void *self, const double *x, double *work, double *g) noexcept nogil:
    cdef stream_t *s = <stream_t *>self
    s.gradient(s.family, x, work, g)
    return ASYSG_OK


cdef int value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    cdef stream_t *s = <stream_t *>self
    out[0] = s.value(s.family, x, work) + noise_dot(&s.noise, sample, x)
    return ASYSG_OK


cdef int gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    cdef stream_t *s = <stream_t *>self
    s.gradient(s.family, x, work, g)
    noise_add(&s.noise, sample, g)
    return ASYSG_OK


cdef int partial(
    void *self, const double *x, uint64_t sample, int64_t i, double *work, double *out
) noexcept nogil:
    cdef stream_t *s = <stream_t *>self
    out[0] += s.entry(s.family, x, i, work) + noise_entry(&s.noise, sample, i)
    return ASYSG_OK


cdef int full_partial(
    void *self, const double *x, int64_t i, double *work, double *out
) noexcept nogil:
    cdef stream_t *s = <stream_t *>self
    out[0] += s.entry(s.family, x, i, work)
    return ASYSG_OK


cdef int64_t full_support(
    void *self, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    return (<stream_t *>self).support(self, 0, i, scratch, idx)


cdef class Stream(Kernel):
    """A smooth function with exact derivatives, observed through additive noise."""

    cdef int setup(
        self, int64_t n, double sigma, str noise, const void *family, exact_value_t exact_value,
        exact_gradient_t exact_gradient, exact_entry_t exact_entry, support_t support,
        int64_t support_size, int64_t work_size,
    ) except -1:
        """Fill the struct. `support` answers for partial derivatives only (NULL: they read x)."""
        cdef int law = LAWS[noise]
        self.stream.noise.law = law if sigma > 0 else NO_NOISE
        self.stream.noise.n = n
        self.stream.noise.scale = sigma if law == COORDINATE else sigma / sqrt(<double>n)
        self.stream.family = family
        self.stream.value = exact_value
        self.stream.gradient = exact_gradient
        self.stream.entry = exact_entry
        self.stream.support = support
        self.abi.self = &self.stream
        self.abi.n = n
        self.abi.n_samples = 0
        self.abi.work_size = work_size
        self.abi.support = support
        self.abi.support_size = support_size
        self.abi.index_size = 8
        self.abi.value = value
        self.abi.gradient = gradient
        self.abi.partial = partial
        self.abi.full_value = full_value
        self.abi.full_gradient = full_gradient
        self.abi.full_partial = full_partial
        if support != NULL:
            self.abi.full_support = full_support
        return 0

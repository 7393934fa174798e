"""Cython's view of abi.h (read that file: it says what each member means)."""

from libc.stdint cimport int64_t, uint64_t

ctypedef int (*value_t)(void *, const double *, uint64_t, double *, double *) noexcept nogil
ctypedef int (*gradient_t)(void *, const double *, uint64_t, double *, double *) noexcept nogil
ctypedef int (*partial_t)(
    void *, const double *, uint64_t, int64_t, double *, double *
) noexcept nogil
ctypedef int64_t (*support_t)(void *, uint64_t, int64_t, void *, const void **) noexcept nogil
ctypedef int (*full_t)(void *, const double *, double *, double *) noexcept nogil
ctypedef int (*descend_t)(void *, double *, uint64_t, double, double *) noexcept nogil
ctypedef void (*touch_t)(void *, uint64_t) noexcept nogil
ctypedef int (*minibatch_t)(
    void *, const double *, const uint64_t *, int64_t, double *, double *
) noexcept nogil
ctypedef int (*full_partial_t)(
    void *, const double *, int64_t, double *, double *
) noexcept nogil
ctypedef int64_t (*full_support_t)(void *, int64_t, void *, const void **) noexcept nogil

ctypedef int (*minibatch32_t)(
    void *, const float *, const uint64_t *, int64_t, float *, float *
) noexcept nogil
ctypedef int (*descend32_t)(void *, float *, uint64_t, float, float *) noexcept nogil

cdef extern from "abi.h" nogil:
    const char *ASYSG_OBJECTIVE
    enum:
        ASYSG_OK

    ctypedef struct asysg_objective:
        void *self
        int64_t n
        int64_t n_samples
        int64_t work_size
        int64_t support_size
        int64_t index_size
        value_t value
        gradient_t gradient
        partial_t partial
        support_t support
        full_t full_value
        full_t full_gradient
        descend_t descend
        touch_t touch
        minibatch_t minibatch
        int64_t batch_size
        full_partial_t full_partial
        full_support_t full_support
        minibatch32_t minibatch32
        descend32_t descend32


cdef inline int gradients(
    const asysg_objective *f, const double *x, const uint64_t *samples, int64_t count,
    double *work, double *g,
) noexcept nogil:
    """g += the sum over these samples of the gradient of F(.; sample) at x."""
    cdef int64_t m = 0, piece
    if f.minibatch is NULL or count == 1:
        for m in range(count):
            if f.gradient(f.self, x, samples[m], work, g) != ASYSG_OK:
                return 0
        return ASYSG_OK
    while m < count:
        piece = min(f.batch_size, count - m)
        if f.minibatch(f.self, x, samples + m, piece, work, g) != ASYSG_OK:
            return 0
        m += piece
    return ASYSG_OK


cdef inline int gradients32(
    const asysg_objective *f, const float *x, const uint64_t *samples, int64_t count,
    float *work, float *g,
) noexcept nogil:
    """`gradients` in single precision, of an objective that has `minibatch32`."""
    cdef int64_t m = 0, piece
    while m < count:
        piece = min(f.batch_size, count - m) if f.batch_size else count
        if f.minibatch32(f.self, x, samples + m, piece, work, g) != ASYSG_OK:
            return 0
        m += piece
    return ASYSG_OK

"""Cython's view of vector.h."""

from libc.stdint cimport int64_t

# The precisions of a dense kernel.
ctypedef fused real_t:
    double
    float

cdef extern from "vector.h" nogil:
    double asysg_dot(const double *a, const double *b, int64_t n) noexcept
    void asysg_axpy(double c, const double *a, double *y, int64_t n) noexcept
    void asysg_add_distance(
        double h, const double *entries, const double *x, const double *centre, double *g,
        int64_t n
    ) noexcept
    void asysg_step(double step, double *x, const double *g, int64_t n) noexcept
    void asysg_axpy_step(
        double c, double step, const double *a, double *x, double *below, int64_t n
    ) noexcept
    void asysg_tanh(double *x, int64_t n) noexcept
    void asysg_descend(double step, double c, const double *a, double *x, int64_t n) noexcept
    float asysg_dot32(const float *a, const float *b, int64_t n) noexcept
    void asysg_axpy32(float c, const float *a, float *y, int64_t n) noexcept
    void asysg_add_distance32(
        float h, const float *entries, const float *x, const float *centre, float *g, int64_t n
    ) noexcept
    void asysg_step32(float step, float *x, const float *g, int64_t n) noexcept
    void asysg_axpy_step32(
        float c, float step, const float *a, float *x, float *below, int64_t n
    ) noexcept
    void asysg_descend32(float step, float c, const float *a, float *x, int64_t n) noexcept
    void asysg_tanh32(float *x, int64_t n) noexcept
    void asysg_touch_line(const void *p) noexcept


cdef inline real_t dot(const real_t *a, const real_t *b, int64_t n) noexcept nogil:
    if real_t is float:
        return asysg_dot32(a, b, n)
    else:
        return asysg_dot(a, b, n)


cdef inline void axpy(real_t c, const real_t *a, real_t *y, int64_t n) noexcept nogil:
    if real_t is float:
        asysg_axpy32(c, a, y, n)
    else:
        asysg_axpy(c, a, y, n)


cdef inline void axpy_step(
    real_t c, real_t step, const real_t *a, real_t *x, real_t *below, int64_t n
) noexcept nogil:
    if real_t is float:
        asysg_axpy_step32(c, step, a, x, below, n)
    else:
        asysg_axpy_step(c, step, a, x, below, n)


cdef inline void descend_along(
    real_t step, real_t c, const real_t *a, real_t *x, int64_t n
) noexcept nogil:
    if real_t is float:
        asysg_descend32(step, c, a, x, n)
    else:
        asysg_descend(step, c, a, x, n)


cdef inline void tanh_all(real_t *x, int64_t n) noexcept nogil:
    if real_t is float:
        asysg_tanh32(x, n)
    else:
        asysg_tanh(x, n)

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
    void asysg_tanh32(float *x, int64_t n) noexcept
    void asysg_touch_line(const void *p) noexcept

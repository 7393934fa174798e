"""Cython's view of prox.h, and who owns its struct."""

from libc.stdint cimport int64_t

cdef extern from "prox.h" nogil:
    ctypedef struct asysg_prox:
        double l1
        double l2
        const double *lower
        const double *upper
        int64_t stride

    double asysg_prox_once(const asysg_prox *h, int64_t j, double t, double v) noexcept
    double asysg_prox_times(
        const asysg_prox *h, int64_t j, double t, int64_t m, double v
    ) noexcept
    void asysg_prox_step(
        const asysg_prox *h, double step, double t, double *x, const double *g, int64_t first,
        int64_t count
    ) noexcept
    double asysg_prox_add(
        const asysg_prox *h, double *x, int64_t j, double t, double increment
    ) noexcept
    double asysg_prox_read(
        const asysg_prox *h, const double *x, const int64_t *counted, int64_t j, double t,
        int64_t start
    ) noexcept
    void asysg_prox_write(
        const asysg_prox *h, double *x, int64_t *counted, int64_t j, double t, int64_t k,
        double increment
    ) noexcept


cdef class Proximal:
    cdef asysg_prox law
    cdef const double[::1] lower
    cdef const double[::1] upper


cdef class Lazy:
    cdef Proximal proximal
    cdef double[::1] stored
    cdef int64_t[::1] counted
    cdef object arrays
    cdef double t

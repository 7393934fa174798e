"""Cython's view of atomic.h, clock.h and merge.h."""

from libc.stdint cimport int64_t

cdef extern from "atomic.h" nogil:
    ctypedef struct asysg_cell:
        int64_t value

    double asysg_load(const double *p) noexcept
    void asysg_stress() noexcept
    double asysg_add(double *p, double increment) noexcept
    double asysg_add_lossy(double *p, double increment, double *replaced) noexcept
    void asysg_yield() noexcept
    void asysg_lock(asysg_cell *lock) noexcept
    void asysg_unlock(asysg_cell *lock) noexcept
    int64_t asysg_peek(const asysg_cell *cell) noexcept
    void asysg_poke(asysg_cell *cell, int64_t value) noexcept
    int64_t asysg_take(asysg_cell *cell, int64_t count) noexcept
    void asysg_publish(asysg_cell *cell, int64_t value) noexcept
    void asysg_arrive(asysg_cell *cell) noexcept
    bint asysg_await(
        const asysg_cell *cell, int64_t least, const asysg_cell *stop
    ) noexcept

cdef extern from "clock.h" nogil:
    const int64_t ASYSG_NONE
    const int64_t ASYSG_LATE

    ctypedef struct asysg_clock:
        asysg_cell *now
        asysg_cell *slot
        int64_t workers

    int64_t asysg_clock_start(const asysg_clock *c) noexcept
    int64_t asysg_clock_delay(int64_t k, int64_t start, int64_t count) noexcept
    int64_t asysg_clock_ticket(
        const asysg_clock *c, int64_t w, int64_t start, int64_t max_delay
    ) noexcept
    int64_t asysg_clock_tickets(
        const asysg_clock *c, int64_t w, int64_t start, int64_t count, int64_t max_delay
    ) noexcept
    void asysg_clock_done(const asysg_clock *c, int64_t w) noexcept

cdef extern from "merge.h" nogil:

    void asysg_merge(double *shared, double *replica, double *base, int64_t n) noexcept
    void asysg_pull(const double *shared, double *replica, double *base, int64_t n) noexcept
    bint asysg_finite(const double *x, int64_t n) noexcept
    bint asysg_step_finite(double step, const double *x, const double *g, int64_t n) noexcept

"""When a virtual worker stands still."""

from libc.math cimport floor


# From `stop` to `resume`, and again every `period`.
cdef struct Pause:
    double stop
    double resume
    double period


cdef inline double busy_until(const Pause *p, double t, double work) noexcept nogil:
    """When `work` seconds of work begun at t are done."""
    cdef double begin, end, turn
    while True:
        begin, end = p.stop, p.resume
        if t >= end:
            turn = floor((t - p.stop) / p.period)
            if turn > 0.0:
                begin += turn * p.period
                end += turn * p.period
            if t >= end:
                begin += p.period
                end += p.period
        if t + work <= begin:
            return t + work
        if t < begin:
            work -= begin - t
        t = end

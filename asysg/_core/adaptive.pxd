"""Steplengths that shrink with the delay of their update (Theorem A)."""

from libc.stdint cimport int64_t


cdef inline double shortened(double step, double slope, int64_t delay) noexcept nogil:
    """min{step, 1/(slope delay)}; `step` itself where nothing is late or slope is 0."""
    if slope > 0.0 and delay > 0:
        return min(step, 1.0 / (slope * delay))
    return step

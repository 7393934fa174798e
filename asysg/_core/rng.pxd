"""Cython's view of rng.h."""

from libc.stdint cimport uint64_t

cdef extern from "rng.h" nogil:
    const uint64_t ASYSG_STEPS
    const uint64_t ASYSG_GAPS
    uint64_t asysg_word(uint64_t key0, uint64_t key1, uint64_t draw, uint64_t slot) noexcept
    uint64_t asysg_below(uint64_t word, uint64_t bound) noexcept
    double asysg_unit(uint64_t word) noexcept

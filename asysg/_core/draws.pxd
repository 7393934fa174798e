"""Which samples and which coordinate a draw means, and what a sample looks at."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from .abi cimport asysg_objective
from .rng cimport asysg_below, asysg_word


cdef inline uint64_t sample(
    const asysg_objective *f, uint64_t key0, uint64_t key1, int64_t draw, int64_t m
) noexcept nogil:
    """Sample m of the minibatch of this draw: slot 1 + m of the draw's words."""
    cdef uint64_t word = asysg_word(key0, key1, draw, 1 + m)
    return asysg_below(word, f.n_samples) if f.n_samples else word


cdef inline int64_t coordinate(
    const asysg_objective *f, uint64_t key0, uint64_t key1, int64_t draw
) noexcept nogil:
    """The coordinate of this draw: slot 0 of its words."""
    return <int64_t> asysg_below(asysg_word(key0, key1, draw, 0), f.n)


cdef inline int64_t index(const asysg_objective *f, const void *idx, int64_t t) noexcept nogil:
    """Entry t of the indices that `support` handed out."""
    return (<const int32_t *> idx)[t] if f.index_size == 4 else (<const int64_t *> idx)[t]


cdef inline int64_t reach(const asysg_objective *f, void *scratch) noexcept nogil:
    """Most entries of x that one sample's gradient looks at; -1 where some may look at all."""
    cdef const void *idx = NULL
    cdef int64_t j, count, most = 0
    if f.support is NULL or f.n_samples == 0:
        return -1
    for j in range(f.n_samples):
        count = f.support(f.self, j, -1, scratch, &idx)
        if count < 0:
            return -1
        most = max(most, count)
    return most

"""Skip-ahead: the next update that changes anything, drawn without the others (see skip.pyx)."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from .worker cimport Run, Worker

# Items drawn with probability proportional to whole numbers: item j owns upto[j] .. upto[j+1] - 1.
ctypedef struct table_t:
    const int64_t *upto   # items + 1
    const int32_t *guide  # the owner of each bucket's first number, and of the last number of all
    int64_t total
    int64_t items
    int64_t window        # first step of a search, a power of two; 0: the guide says all
    int shift             # a number's bucket: number >> shift

# What the samples of a minibatch do in one column.
ctypedef struct chance_t:
    double hit      # the probability that one or more of them hit
    double per_log  # 1 / log(1 - p), p the probability that a given one does

ctypedef struct skip_t:
    int64_t M
    int64_t block             # draws between two fresh starts of the gaps
    int64_t batch             # hits drawn at once: their rows fit ROWS, or there is one
    int64_t turn              # hits of one turn at the clock, at most
    double per_log            # gap = floor(log(u) * per_log)
    table_t table             # M = 1: rows by their entries; M > 1: columns by their chance
    const chance_t *chances   # M > 1, as the others: of each column
    const int64_t *column     # the rows of column i are rows[column[i]:column[i + 1]]
    const int32_t *rows


cdef class Skip:
    cdef skip_t law
    cdef const int64_t[::1] upto
    cdef const int32_t[::1] guide
    cdef const double[:, ::1] chances
    cdef const int64_t[::1] column
    cdef const int32_t[::1] rows
    cdef readonly double share
    cdef readonly int64_t nbytes


cdef void skip_ahead(Run *r, int64_t w, Worker *me) noexcept nogil

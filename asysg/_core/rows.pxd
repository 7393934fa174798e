"""The row a_j and the answer b_j of one sample: dense, CSR, or packed.

A packed sample is one contiguous record of doubles: b_j, a word that holds the number of entries
and the bytes of an index, the indices (the last word filled up), the values. It starts on a cache
line, so that a random sample costs one access whose address is not known from the last one.
"""

from libc.stdint cimport int32_t, int64_t

from .vector cimport asysg_axpy, asysg_descend, asysg_dot, asysg_touch_line

ctypedef fused index_t:
    int32_t
    int64_t

ctypedef struct rows_t:
    int64_t n
    int64_t n_samples
    const double *data      # dense rows, CSR values, or records
    const int64_t *start    # row or record j is data[start[j]:start[j + 1]]; NULL: dense
    const double *b         # NULL: packed
    const int32_t *narrow   # CSR column indices: one of these two
    const int64_t *wide

# Doubles before the indices of a record.
cdef enum:
    HEAD = 2

ctypedef struct record_t:
    double b
    int32_t count
    int32_t width

# One sample, wherever it lies.
ctypedef struct row_t:
    double b
    int64_t count
    const double *a
    const int32_t *narrow   # NULL, as `wide`, where the row is dense
    const int64_t *wide


cdef inline row_t row(const rows_t *p, int64_t j) noexcept nogil:
    cdef row_t r
    cdef const double *at
    cdef const record_t *head
    r.narrow = NULL
    r.wide = NULL
    if p.start == NULL:
        r.b = p.b[j]
        r.count = p.n
        r.a = p.data + j * p.n
    elif p.b == NULL:
        at = p.data + p.start[j]
        head = <const record_t *>at
        r.b = head.b
        r.count = head.count
        if head.width == 4:
            r.narrow = <const int32_t *>(at + HEAD)
            r.a = at + HEAD + (r.count + 1) // 2
        else:
            r.wide = <const int64_t *>(at + HEAD)
            r.a = at + HEAD + r.count
    else:
        r.b = p.b[j]
        r.count = p.start[j + 1] - p.start[j]
        r.a = p.data + p.start[j]
        if p.narrow != NULL:
            r.narrow = p.narrow + p.start[j]
        else:
            r.wide = p.wide + p.start[j]
    return r


cdef inline double sparse_dot(
    const double *a, const index_t *idx, int64_t m, const double *x
) noexcept nogil:
    """Four partial sums hide the latency of the additions."""
    cdef double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0
    cdef int64_t k = 0
    while k + 4 <= m:
        s0 += a[k] * x[idx[k]]
        s1 += a[k + 1] * x[idx[k + 1]]
        s2 += a[k + 2] * x[idx[k + 2]]
        s3 += a[k + 3] * x[idx[k + 3]]
        k += 4
    while k < m:
        s0 += a[k] * x[idx[k]]
        k += 1
    return (s0 + s2) + (s1 + s3)


cdef inline void sparse_axpy(
    double c, const double *a, const index_t *idx, int64_t m, double *y
) noexcept nogil:
    cdef int64_t k
    for k in range(m):
        y[idx[k]] += c * a[k]


cdef inline void sparse_descend(
    double step, double c, const double *a, const index_t *idx, int64_t m, double *x
) noexcept nogil:
    """x -= step * (0 + c * a); the zero is that of a gradient nothing was added to yet."""
    cdef int64_t k
    for k in range(m):
        x[idx[k]] -= step * (0.0 + c * a[k])


cdef inline int64_t find(const index_t *idx, int64_t m, int64_t i) noexcept nogil:
    """Position of i among m sorted indices, -1 if it is not there.

    Without branches that depend on the data: at random places they would be mispredicted.
    """
    cdef int64_t low = 0, half
    while m > 1:
        half = m >> 1
        low += half * (idx[low + half - 1] < i)
        m -= half
    return low if m and idx[low] == i else -1


cdef inline double row_dot(row_t r, const double *x) noexcept nogil:
    if r.narrow != NULL:
        return sparse_dot(r.a, r.narrow, r.count, x)
    if r.wide != NULL:
        return sparse_dot(r.a, r.wide, r.count, x)
    return asysg_dot(r.a, x, r.count)


cdef inline void row_add(row_t r, double c, double *g) noexcept nogil:
    """g += c * a_j."""
    if r.narrow != NULL:
        sparse_axpy(c, r.a, r.narrow, r.count, g)
    elif r.wide != NULL:
        sparse_axpy(c, r.a, r.wide, r.count, g)
    else:
        asysg_axpy(c, r.a, g, r.count)


cdef inline void row_descend(row_t r, double step, double c, double *x) noexcept nogil:
    """x -= step * (c * a_j)."""
    if r.narrow != NULL:
        sparse_descend(step, c, r.a, r.narrow, r.count, x)
    elif r.wide != NULL:
        sparse_descend(step, c, r.a, r.wide, r.count, x)
    else:
        asysg_descend(step, c, r.a, x, r.count)


cdef inline int64_t row_find(row_t r, int64_t i) noexcept nogil:
    """Position of coordinate i in the row, -1 if it is zero by structure."""
    if r.narrow != NULL:
        return find(r.narrow, r.count, i)
    if r.wide != NULL:
        return find(r.wide, r.count, i)
    return i


cdef inline int64_t row_column(row_t r, int64_t t) noexcept nogil:
    """Coordinate of the t-th entry of the row."""
    if r.narrow != NULL:
        return r.narrow[t]
    return r.wide[t] if r.wide != NULL else t


# Lines that are asked for ahead; the processor's own prefetcher fetches the rest of a long run.
cdef enum:
    LINE = 8  # doubles
    AHEAD = 8  # lines


cdef inline void touch_lines(const void *p, int64_t size) noexcept nogil:
    """Ask for the lines of `size` doubles from p on, if they are many the first."""
    cdef int64_t k = 0
    while k < size and k < LINE * AHEAD:
        asysg_touch_line(<const double *>p + k)
        k += LINE
    if 0 < size <= k:
        asysg_touch_line(<const double *>p + size - 1)  # where p is amidst a line, one line more


cdef inline void row_touch(const rows_t *p, int64_t j) noexcept nogil:
    cdef int64_t at
    if p.start == NULL:
        asysg_touch_line(p.b + j)
        touch_lines(p.data + j * p.n, p.n)
    elif p.b == NULL:
        at = p.start[j]
        touch_lines(p.data + at, p.start[j + 1] - at)
    else:
        at = p.start[j]
        asysg_touch_line(p.b + j)
        touch_lines(p.data + at, p.start[j + 1] - at)
        if p.narrow != NULL:
            touch_lines(p.narrow + at, (p.start[j + 1] - at + 1) // 2)
        else:
            touch_lines(p.wide + at, p.start[j + 1] - at)

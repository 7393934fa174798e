"""Finite sums of a scalar function of a linear model, dense or CSR, maybe regularised.

F(x; j) = w_j psi(a_j'x; b_j) + reg * sum_i x_i^2 / (1 + x_i^2), and f is the mean over j. The sum
goes over the first coordinates only, where the last ones are not penalised.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from . cimport losses
from .abi cimport ASYSG_OK
from .kernel cimport Kernel
from .rows cimport (
    HEAD,
    LINE,
    index_t,
    record_t,
    row,
    row_add,
    row_column,
    row_descend,
    row_dot,
    row_find,
    row_t,
    row_touch,
    rows_t,
)
from .vector cimport asysg_axpy32, asysg_descend32, asysg_dot32

import numpy as np

from .kernel import rounded


cdef inline double penalty(const linear_t *p, const double *x) noexcept nogil:
    cdef int64_t i
    cdef double total = 0.0
    if p.reg == 0.0:
        return 0.0
    for i in range(p.penalised):
        total += losses.saturating(x[i])
    return p.reg * total


cdef inline void penalty_add(const linear_t *p, const double *x, double *g) noexcept nogil:
    cdef int64_t i
    if p.reg != 0.0:
        for i in range(p.penalised):
            g[i] += p.reg * losses.saturating_slope(x[i])


cdef inline double weighted(const linear_t *p, int64_t j, double c) noexcept nogil:
    """w_j c; nothing of a sample without weight, even where its c is infinite."""
    if p.weight == NULL:
        return c
    return p.weight[j] * c if p.weight[j] != 0.0 else 0.0


cdef inline double slope(const linear_t *p, row_t r, int64_t j, const double *x) noexcept nogil:
    return weighted(p, j, p.slope(row_dot(r, x), r.b, p.scale))


cdef inline double loss(const linear_t *p, row_t r, int64_t j, const double *x) noexcept nogil:
    return weighted(p, j, p.loss(row_dot(r, x), r.b, p.scale))


cdef int value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef row_t r = row(&p.rows, <int64_t>sample)
    out[0] = loss(p, r, <int64_t>sample, x) + penalty(p, x)
    return ASYSG_OK


cdef int gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef row_t r = row(&p.rows, <int64_t>sample)
    row_add(r, slope(p, r, <int64_t>sample, x), g)
    penalty_add(p, x, g)
    return ASYSG_OK


cdef int partial(
    void *self, const double *x, uint64_t sample, int64_t i, double *work, double *out
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef row_t r = row(&p.rows, <int64_t>sample)
    cdef int64_t at = row_find(r, i)
    cdef double found = 0.0
    if at >= 0:
        found = slope(p, r, <int64_t>sample, x) * r.a[at]
    if p.reg != 0.0 and i < p.penalised:
        found += p.reg * losses.saturating_slope(x[i])
    out[0] += found
    return ASYSG_OK


cdef int descend(
    void *self, double *x, uint64_t sample, double step, double *work
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef row_t r = row(&p.rows, <int64_t>sample)
    cdef double g, c = slope(p, r, <int64_t>sample, x)
    cdef int64_t i, t = 0
    if p.reg == 0.0:
        row_descend(r, step, c, x)
        return ASYSG_OK
    for i in range(p.rows.n):
        g = 0.0
        if t < r.count and row_column(r, t) == i:
            g += c * r.a[t]
            t += 1
        if i < p.penalised:
            g += p.reg * losses.saturating_slope(x[i])
        x[i] -= step * g
    return ASYSG_OK


cdef inline float slope32(
    const linear_t *p, uint64_t sample, const float *x, const float **a
) noexcept nogil:
    """The slope of one sample, computed in double precision from a dot product in single."""
    a[0] = p.data32 + <int64_t>sample * p.rows.n
    cdef double c = p.slope(asysg_dot32(a[0], x, p.rows.n), p.rows.b[sample], p.scale)
    return <float>weighted(p, <int64_t>sample, c)


cdef int minibatch32(
    void *self, const float *x, const uint64_t *samples, int64_t count, float *work, float *g
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t m, i
    cdef const float *a = NULL
    cdef float c
    for m in range(count):
        c = slope32(p, samples[m], x, &a)
        asysg_axpy32(c, a, g, p.rows.n)
        if p.reg != 0.0:
            for i in range(p.penalised):
                g[i] += <float>(p.reg * losses.saturating_slope(x[i]))
    return ASYSG_OK


cdef int descend32(
    void *self, float *x, uint64_t sample, float step, float *work
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t i
    cdef const float *a = NULL
    cdef float g, c = slope32(p, sample, x, &a)
    if p.reg == 0.0:
        asysg_descend32(step, c, a, x, p.rows.n)
        return ASYSG_OK
    for i in range(p.rows.n):
        g = 0 + c * a[i]
        if i < p.penalised:
            g += <float>(p.reg * losses.saturating_slope(x[i]))
        x[i] -= step * g
    return ASYSG_OK


cdef void touch(void *self, uint64_t sample) noexcept nogil:
    row_touch(&(<const linear_t *>self).rows, <int64_t>sample)


cdef int64_t support(
    void *self, uint64_t sample, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    """The row; nothing or {i} for a partial derivative outside it; all n if regularised."""
    cdef const linear_t *p = <const linear_t *>self
    cdef row_t r = row(&p.rows, <int64_t>sample)
    if i < 0 and p.reg != 0.0:
        return -1
    if i >= 0 and row_find(r, i) < 0:
        if p.reg == 0.0 or i >= p.penalised:
            return 0
        if r.narrow != NULL:
            (<int32_t *>scratch)[0] = <int32_t>i
        else:
            (<int64_t *>scratch)[0] = i
        idx[0] = scratch
        return 1
    if r.narrow != NULL:
        idx[0] = r.narrow
    else:
        idx[0] = r.wide
    return r.count


cdef int full_value(void *self, const double *x, double *work, double *out) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef double total = 0.0
    cdef int64_t j
    cdef row_t r
    for j in range(p.rows.n_samples):
        r = row(&p.rows, j)
        total += loss(p, r, j, x)
    out[0] = total / <double>p.rows.n_samples + penalty(p, x)
    return ASYSG_OK


cdef int full_gradient(void *self, const double *x, double *work, double *g) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t j
    cdef row_t r
    for j in range(p.rows.n_samples):
        r = row(&p.rows, j)
        row_add(r, slope(p, r, j, x) / <double>p.rows.n_samples, g)
    penalty_add(p, x, g)
    return ASYSG_OK


cdef int full_partial(
    void *self, const double *x, int64_t i, double *work, double *out
) noexcept nogil:
    """Of all rows those that contain i, in their order, found by the index or one by one."""
    cdef const linear_t *p = <const linear_t *>self
    cdef double total = 0.0
    cdef int64_t j, k, at, first = 0, last = p.rows.n_samples
    cdef row_t r
    if p.column != NULL:
        first, last = p.column[i], p.column[i + 1]
    for k in range(first, last):
        j = k if p.column == NULL else p.row_of[k]
        r = row(&p.rows, j)
        at = row_find(r, i)
        if at >= 0:
            total += slope(p, r, j, x) * r.a[at]
    total /= <double>p.rows.n_samples
    if p.reg != 0.0 and i < p.penalised:
        total += p.reg * losses.saturating_slope(x[i])
    out[0] += total
    return ASYSG_OK


cdef int64_t full_support(
    void *self, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    """All entries of the rows that contain i, i itself among them."""
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t k, count = 0
    cdef row_t r
    if p.column == NULL or p.looks[i] < 0:
        return -1
    for k in range(p.column[i], p.column[i + 1]):
        r = row(&p.rows, p.row_of[k])
        if r.narrow != NULL:
            memcpy(<int32_t *>scratch + count, r.narrow, r.count * sizeof(int32_t))
        else:
            memcpy(<int64_t *>scratch + count, r.wide, r.count * sizeof(int64_t))
        count += r.count
    idx[0] = scratch
    return count


cdef class Linear(Kernel):
    """Dense: `data` is flat, n_samples rows of n. CSR: it holds the values of the rows.

    `start` is int64; `indices` is int32 or int64, sorted and distinct within each row (see
    `csr_flaw`). Packed: `data` and `start` are what `pack` returns, and `b` and `indices` None.
    Arrays are referenced, not copied, and may be read-only or memory-mapped. `weight` has an entry
    for every sample; the last `free` coordinates are not penalised.
    """

    def __cinit__(
        self, str loss, int64_t n, data, b, start=None, indices=None, double scale=1.0,
        double reg=0.0, weight=None, int64_t free=0,
    ):
        if b is None:
            data = aligned(data)
        self.arguments = (loss, n, data, b, start, indices, scale, reg, weight, free)
        self.data = data
        self.model.rows.n = n
        self.model.rows.data = &self.data[0]
        self.model.scale = scale
        self.model.reg = reg
        self.model.penalised = n - free
        if weight is not None:
            self.weight = weight
            self.model.weight = &self.weight[0]
        self.abi.index_size = 8
        if b is not None:
            self.b = b
            self.model.rows.b = &self.b[0]
            self.model.rows.n_samples = self.b.shape[0]
        if start is not None:
            self.use_sparse(start, indices)
        self.choose(loss)
        self.abi.self = &self.model
        self.abi.n = n
        self.abi.n_samples = self.model.rows.n_samples
        self.abi.value = value
        self.abi.gradient = gradient
        self.abi.partial = partial
        self.abi.full_value = full_value
        self.abi.full_gradient = full_gradient
        self.abi.descend = descend
        self.abi.touch = touch
        self.abi.full_partial = full_partial

    cdef int use_sparse(self, object start, object indices) except -1:
        cdef int64_t j
        cdef rows_t *rows = &self.model.rows
        self.start = start
        rows.start = &self.start[0]
        rows.n_samples = self.start.shape[0] - 1
        if indices is None:
            self.abi.index_size = (<const record_t *>rows.data).width
        elif indices.dtype.itemsize == 4:
            self.narrow = indices
            rows.narrow = &self.narrow[0]
            self.abi.index_size = 4
        else:
            self.wide = indices
            rows.wide = &self.wide[0]
        self.abi.support = support
        self.abi.full_support = full_support
        self.abi.support_size = 1
        for j in range(rows.n_samples):
            self.abi.support_size = max(self.abi.support_size, row(rows, j).count)
        return 0

    @property
    def nbytes(self):
        """Bytes of the arrays that this objective is computed from, referenced ones included."""
        held = (*self.arguments, *(self.index or ()), self.rounded)
        return sum(array.nbytes for array in held if isinstance(array, np.ndarray))

    def single(self):
        """Keep a copy of dense rows in single precision; return whether they are dense.

        Raises OverflowError if an entry is beyond its range.
        """
        cdef const float[::1] view
        if self.model.rows.start != NULL:
            return False
        if self.rounded is None:
            self.rounded = rounded(self.data)
            view = self.rounded
            self.model.data32 = &view[0]
            self.abi.minibatch32 = minibatch32
            self.abi.descend32 = descend32
        return True

    cdef int prepare(self) except -1:
        """Index sparse rows by column: a partial derivative of f then goes to its rows at once.

        Costs 4 bytes an entry and 16 a coordinate. Rows are numbered by 32 bits; where that is too
        little they are searched one by one.
        """
        cdef linear_t *p = &self.model
        cdef int64_t i, j, t, n = p.rows.n, most = 1
        cdef row_t r
        if p.rows.start == NULL or self.index is not None or p.rows.n_samples >= 2**31:
            return 0
        columns, looked = np.zeros(n + 1, dtype=np.int64), np.zeros(n, dtype=np.int64)
        cdef int64_t[::1] column = columns, looks = looked
        with nogil:
            for j in range(p.rows.n_samples):
                r = row(&p.rows, j)
                for t in range(r.count):
                    i = row_column(r, t)
                    column[i + 1] += 1
                    looks[i] += r.count
            for i in range(n):
                column[i + 1] += column[i]
                if looks[i] == 0 and p.reg != 0.0 and i < p.penalised:
                    looks[i] = -1  # no row names i, but the regulariser looks at it
                elif looks[i] >= n:
                    looks[i] = -1
                most = max(most, looks[i])
        rows, cursor = np.empty(max(1, column[n]), dtype=np.int32), columns[:n].copy()
        cdef int32_t[::1] row_of = rows
        cdef int64_t[::1] at = cursor
        with nogil:
            for j in range(p.rows.n_samples):
                r = row(&p.rows, j)
                for t in range(r.count):
                    i = row_column(r, t)
                    row_of[at[i]] = <int32_t>j
                    at[i] += 1
        self.index = columns, rows, looked
        self.abi.support_size = max(self.abi.support_size, most)
        p.row_of, p.looks = &row_of[0], &looks[0]
        p.column = &column[0]
        return 0

    def unpacked(self):
        """Return (data, start, indices), the CSR rows that were packed, indices as int64."""
        cdef const rows_t *p = &self.model.rows
        cdef int64_t j, t, at = 0
        cdef row_t r
        starts = np.zeros(p.n_samples + 1, dtype=np.int64)
        cdef int64_t[::1] start = starts
        for j in range(p.n_samples):
            start[j + 1] = start[j] + row(p, j).count
        data, columns = np.empty(start[p.n_samples]), np.empty(start[p.n_samples], dtype=np.int64)
        cdef double[::1] values = data
        cdef int64_t[::1] indices = columns
        for j in range(p.n_samples):
            r = row(p, j)
            for t in range(r.count):
                values[at], indices[at] = r.a[t], row_column(r, t)
                at += 1
        return data, starts, columns

    cdef int choose(self, str loss) except -1:
        cdef linear_t *p = &self.model
        if loss == "sigmoid":
            p.loss, p.slope = losses.sigmoid_square, losses.sigmoid_square_slope
        elif loss == "logistic":
            p.loss, p.slope = losses.logistic, losses.logistic_slope
        elif loss == "sine":
            p.loss, p.slope = losses.sine, losses.sine_slope
        elif loss == "welsch":
            p.loss, p.slope = losses.welsch, losses.welsch_slope
        elif loss == "geman":
            p.loss, p.slope = losses.geman, losses.geman_slope
        elif loss == "cauchy":
            p.loss, p.slope = losses.cauchy, losses.cauchy_slope
        elif loss == "squared":
            p.loss, p.slope = losses.squared, losses.squared_slope
        elif loss == "amplitude":
            p.loss, p.slope = losses.amplitude, losses.amplitude_slope
        else:
            raise ValueError(f"loss must be one the kernel has, got {loss!r}.")
        return 0


def csr_flaw(const int64_t[::1] start, const index_t[::1] indices, int64_t n):
    """Say what makes these CSR arrays unsafe or unsorted: "" (sound), "unsorted" or "broken".

    "unsorted" means that every index is in range but some row is not strictly increasing.
    """
    cdef int64_t rows = start.shape[0] - 1
    cdef int64_t j, k
    cdef bint is_sorted = True
    if rows < 0 or start[0] != 0 or start[rows] > indices.shape[0]:
        return "broken"
    for j in range(rows):
        if start[j] > start[j + 1]:
            return "broken"
    for j in range(rows):
        for k in range(start[j], start[j + 1]):
            if indices[k] < 0 or indices[k] >= n:
                return "broken"
            if k > start[j] and indices[k] <= indices[k - 1]:
                is_sorted = False
    return "" if is_sorted else "unsorted"


def all_finite(const double[::1] values):
    """Whether every entry is finite, without a temporary as large as the data."""
    cdef int64_t i
    for i in range(values.shape[0]):
        if not isfinite(values[i]):
            return False
    return True


def aligned(values):
    """Return the float64 vector, or a copy of it, starting on a cache line."""
    if values.ctypes.data % (8 * LINE) == 0:
        return values
    room = np.empty(len(values) + LINE, dtype=np.float64)
    skip = -room.ctypes.data % (8 * LINE) // 8
    room[skip:skip + len(values)] = values
    return room[skip:skip + len(values)]


def pack(
    const double[::1] data, const double[::1] b, const int64_t[::1] start,
    const index_t[::1] indices,
):
    """Return (records, start) of CSR rows: one contiguous record a sample (see rows.pxd)."""
    cdef int64_t j, count, size, width = sizeof(index_t), samples = b.shape[0]
    cdef double *at
    cdef record_t *head
    where = np.zeros(samples + 1, dtype=np.int64)
    cdef int64_t[::1] out = where
    for j in range(samples):
        count = start[j + 1] - start[j]
        if count >= 2**31:
            raise ValueError(f"a packed row must have fewer than 2**31 entries, got {count}.")
        size = HEAD + (count * width + 7) // 8 + count
        out[j + 1] = out[j] + (size + LINE - 1) // LINE * LINE
    records = aligned(np.zeros(out[samples], dtype=np.float64))
    cdef double[::1] to = records
    with nogil:
        for j in range(samples):
            count = start[j + 1] - start[j]
            at = &to[out[j]]
            head = <record_t *>at
            head.b = b[j]
            head.count = <int32_t>count
            head.width = <int32_t>width
            if count:
                memcpy(at + HEAD, &indices[start[j]], count * width)
                at += HEAD + (count * width + 7) // 8
                memcpy(at, &data[start[j]], count * sizeof(double))
    return records, where

"""Finite sums of a scalar function of a linear model, dense or CSR, maybe regularised.

F(x; j) = psi(a_j'x; b_j) + reg * sum_i x_i^2 / (1 + x_i^2), and f is the mean over j.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t

from . cimport losses
from .abi cimport ASYSG_OK
from .kernel cimport Kernel
from .vector cimport asysg_axpy, asysg_dot

ctypedef fused index_t:
    int32_t
    int64_t


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


cdef inline int64_t find(const index_t *idx, int64_t m, int64_t i) noexcept nogil:
    """Position of i among m sorted indices, -1 if it is not there."""
    cdef int64_t low = 0, high = m, middle
    while low < high:
        middle = (low + high) >> 1
        if idx[middle] < i:
            low = middle + 1
        else:
            high = middle
    return low if low < m and idx[low] == i else -1


cdef inline double row_dot(const linear_t *p, int64_t j, const double *x) noexcept nogil:
    cdef int64_t at
    if p.start == NULL:
        return asysg_dot(p.data + j * p.n, x, p.n)
    at = p.start[j]
    if p.narrow != NULL:
        return sparse_dot(p.data + at, p.narrow + at, p.start[j + 1] - at, x)
    return sparse_dot(p.data + at, p.wide + at, p.start[j + 1] - at, x)


cdef inline void row_add(const linear_t *p, int64_t j, double c, double *g) noexcept nogil:
    """g += c * a_j."""
    cdef int64_t at
    if p.start == NULL:
        asysg_axpy(c, p.data + j * p.n, g, p.n)
        return
    at = p.start[j]
    if p.narrow != NULL:
        sparse_axpy(c, p.data + at, p.narrow + at, p.start[j + 1] - at, g)
    else:
        sparse_axpy(c, p.data + at, p.wide + at, p.start[j + 1] - at, g)


cdef inline int64_t row_find(const linear_t *p, int64_t j, int64_t i) noexcept nogil:
    """Where a_ji is stored in `data`, -1 if it is zero by structure."""
    cdef int64_t at, k
    if p.start == NULL:
        return j * p.n + i
    at = p.start[j]
    if p.narrow != NULL:
        k = find(p.narrow + at, p.start[j + 1] - at, i)
    else:
        k = find(p.wide + at, p.start[j + 1] - at, i)
    return k if k < 0 else at + k


cdef inline double penalty(const linear_t *p, const double *x) noexcept nogil:
    cdef int64_t i
    cdef double total = 0.0
    if p.reg == 0.0:
        return 0.0
    for i in range(p.n):
        total += losses.saturating(x[i])
    return p.reg * total


cdef inline void penalty_add(const linear_t *p, const double *x, double *g) noexcept nogil:
    cdef int64_t i
    if p.reg != 0.0:
        for i in range(p.n):
            g[i] += p.reg * losses.saturating_slope(x[i])


cdef int value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t j = <int64_t>sample
    out[0] = p.loss(row_dot(p, j, x), p.b[j], p.scale) + penalty(p, x)
    return ASYSG_OK


cdef int gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t j = <int64_t>sample
    row_add(p, j, p.slope(row_dot(p, j, x), p.b[j], p.scale), g)
    penalty_add(p, x, g)
    return ASYSG_OK


cdef int partial(
    void *self, const double *x, uint64_t sample, int64_t i, double *work, double *out
) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t j = <int64_t>sample
    cdef int64_t at = row_find(p, j, i)
    if at >= 0:
        out[0] += p.slope(row_dot(p, j, x), p.b[j], p.scale) * p.data[at]
    if p.reg != 0.0:
        out[0] += p.reg * losses.saturating_slope(x[i])
    return ASYSG_OK


cdef int64_t support(
    void *self, uint64_t sample, int64_t i, void *scratch, const void **idx
) noexcept nogil:
    """The row; nothing or {i} for a partial derivative outside it; all n if regularised."""
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t j = <int64_t>sample
    cdef int64_t at = p.start[j]
    if i < 0 and p.reg != 0.0:
        return -1
    if i >= 0 and row_find(p, j, i) < 0:
        if p.reg == 0.0:
            return 0
        if p.narrow != NULL:
            (<int32_t *>scratch)[0] = <int32_t>i
        else:
            (<int64_t *>scratch)[0] = i
        idx[0] = scratch
        return 1
    if p.narrow != NULL:
        idx[0] = p.narrow + at
    else:
        idx[0] = p.wide + at
    return p.start[j + 1] - at


cdef int full_value(void *self, const double *x, double *work, double *out) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef double total = 0.0
    cdef int64_t j
    for j in range(p.n_samples):
        total += p.loss(row_dot(p, j, x), p.b[j], p.scale)
    out[0] = total / <double>p.n_samples + penalty(p, x)
    return ASYSG_OK


cdef int full_gradient(void *self, const double *x, double *work, double *g) noexcept nogil:
    cdef const linear_t *p = <const linear_t *>self
    cdef int64_t j
    for j in range(p.n_samples):
        row_add(p, j, p.slope(row_dot(p, j, x), p.b[j], p.scale) / <double>p.n_samples, g)
    penalty_add(p, x, g)
    return ASYSG_OK


cdef class Linear(Kernel):
    """`data` is flat: n_samples rows of n, or CSR values with `start` and `indices`.

    `start` is int64; `indices` is int32 or int64, sorted and distinct within each row (see
    `csr_flaw`). Arrays are referenced, not copied, and may be read-only or memory-mapped.
    """

    def __cinit__(
        self, str loss, int64_t n, data, b, start=None, indices=None, double scale=1.0,
        double reg=0.0,
    ):
        self.arguments = (loss, n, data, b, start, indices, scale, reg)
        self.data = data
        self.b = b
        self.model.n = n
        self.model.n_samples = self.b.shape[0]
        self.model.data = &self.data[0]
        self.model.b = &self.b[0]
        self.model.scale = scale
        self.model.reg = reg
        self.abi.index_size = 8
        if start is not None:
            self.use_rows(start, indices)
        self.choose(loss)
        self.abi.self = &self.model
        self.abi.n = n
        self.abi.n_samples = self.model.n_samples
        self.abi.value = value
        self.abi.gradient = gradient
        self.abi.partial = partial
        self.abi.full_value = full_value
        self.abi.full_gradient = full_gradient

    cdef int use_rows(self, object start, object indices) except -1:
        cdef int64_t j
        self.start = start
        self.model.start = &self.start[0]
        if indices.dtype.itemsize == 4:
            self.narrow = indices
            self.model.narrow = &self.narrow[0]
            self.abi.index_size = 4
        else:
            self.wide = indices
            self.model.wide = &self.wide[0]
        self.abi.support = support
        self.abi.support_size = 1
        for j in range(self.model.n_samples):
            self.abi.support_size = max(
                self.abi.support_size, self.start[j + 1] - self.start[j]
            )
        return 0

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

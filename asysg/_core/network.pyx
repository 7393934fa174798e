"""Fully connected tanh networks with a softmax or a squared loss.

x holds, layer by layer, the weights (one row per unit) and then the biases. `work` holds the
outputs of all layers, then the derivatives of the loss in the inputs of all units; of a
minibatch, each of these for all its samples, one row per sample, after the rows of inputs.
"""

from libc.math cimport exp, log
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport dgemm, sgemm

from .abi cimport ASYSG_OK
from .kernel cimport Kernel
from .vector cimport axpy, axpy_step, descend_along, dot, real_t, tanh_all

cdef enum:
    MAX_LAYERS = 32
    # Samples that go through the layers together: enough for products of matrices to be bound by
    # arithmetic, few enough for their outputs to stay in the second cache.
    BATCH = 128

ctypedef struct network_t:
    int64_t n_samples
    int64_t depth  # layers of weights
    int64_t units  # outputs of all layers together
    int64_t size[MAX_LAYERS + 1]  # size[0] inputs, size[l] units in layer l
    int64_t weights[MAX_LAYERS + 1]  # where layer l's weights start in x; then n
    int64_t outputs[MAX_LAYERS + 1]  # where layer l's outputs start in work
    const double *inputs
    const int64_t *labels  # NULL: squared loss
    const double *targets


cdef inline const double *inputs_of(const network_t *p, uint64_t sample) noexcept nogil:
    return p.inputs + <int64_t>sample * p.size[0]


cdef inline void copy_inputs(const network_t *p, uint64_t sample, real_t *inputs) noexcept nogil:
    """Copy the inputs of a sample; rounded, in single precision: they are kept in double alone."""
    cdef const double *row = inputs_of(p, sample)
    cdef int64_t i
    for i in range(p.size[0]):
        inputs[i] = <real_t>row[i]


cdef inline const real_t *layer_input(
    const network_t *p, int64_t layer, const real_t *inputs, const real_t *work
) noexcept nogil:
    return inputs if layer == 0 else work + p.outputs[layer - 1]


cdef void forward(
    const network_t *p, const real_t *x, const real_t *inputs, real_t *work
) noexcept nogil:
    cdef const real_t *a
    cdef const real_t *w
    cdef const real_t *bias
    cdef real_t *out
    cdef int64_t layer, o, fan_in
    for layer in range(p.depth):
        fan_in = p.size[layer]
        a = layer_input(p, layer, inputs, work)
        w = x + p.weights[layer]
        bias = w + fan_in * p.size[layer + 1]
        out = work + p.outputs[layer]
        for o in range(p.size[layer + 1]):
            out[o] = dot(w + o * fan_in, a, fan_in) + bias[o]
        if layer + 1 < p.depth:
            tanh_all(out, p.size[layer + 1])


cdef double loss(const network_t *p, uint64_t sample, const real_t *z, real_t *d) noexcept nogil:
    """The loss at the outputs z; its derivative into d, unless that is NULL."""
    cdef int64_t m = p.size[p.depth]
    cdef int64_t k
    cdef const double *t
    cdef double total = 0.0
    cdef double top
    if p.labels == NULL:
        t = p.targets + <int64_t>sample * m
        for k in range(m):
            total += (z[k] - t[k]) * (z[k] - t[k])
            if d != NULL:
                d[k] = <real_t>(z[k] - t[k])
        return 0.5 * total
    top = z[0]
    for k in range(1, m):
        top = max(top, z[k])
    for k in range(m):
        total += exp(z[k] - top)
    if d != NULL:
        for k in range(m):
            d[k] = <real_t>(exp(z[k] - top) / total)
        d[p.labels[sample]] -= 1
    return log(total) - (z[p.labels[sample]] - top)


cdef void backward(
    const network_t *p, const real_t *x, const real_t *inputs, uint64_t sample, real_t *work,
    int64_t last, real_t *g,
) noexcept nogil:
    """Derivatives in the inputs of all units from the outputs down to layer `last`.

    Gradients go into g on the way, unless it is NULL.
    """
    cdef real_t *d
    cdef real_t *below
    cdef const real_t *a
    cdef const real_t *w
    cdef int64_t layer, o, fan_in, fan_out
    loss(p, sample, work + p.outputs[p.depth - 1], work + p.units + p.outputs[p.depth - 1])
    for layer in range(p.depth - 1, last - 1, -1):
        fan_in = p.size[layer]
        fan_out = p.size[layer + 1]
        a = layer_input(p, layer, inputs, work)
        w = x + p.weights[layer]
        d = work + p.units + p.outputs[layer]
        if g != NULL:
            for o in range(fan_out):
                axpy(d[o], a, g + p.weights[layer] + o * fan_in, fan_in)
            axpy(<real_t>1, d, g + p.weights[layer] + fan_in * fan_out, fan_out)
        if layer > last:
            below = work + p.units + p.outputs[layer - 1]
            for o in range(fan_in):
                below[o] = 0
            for o in range(fan_out):
                axpy(d[o], w + o * fan_in, below, fan_in)
            for o in range(fan_in):
                below[o] *= 1 - a[o] * a[o]


cdef void step_through(
    const network_t *p, real_t *x, const real_t *inputs, uint64_t sample, real_t step, real_t *work
) noexcept nogil:
    """The step of one sample; each row of weights is read and written in one pass."""
    cdef real_t *d
    cdef real_t *below
    cdef real_t *w
    cdef const real_t *a
    cdef int64_t layer, o, fan_in, fan_out
    forward(p, x, inputs, work)
    loss(p, sample, work + p.outputs[p.depth - 1], work + p.units + p.outputs[p.depth - 1])
    for layer in range(p.depth - 1, -1, -1):
        fan_in = p.size[layer]
        fan_out = p.size[layer + 1]
        a = layer_input(p, layer, inputs, work)
        w = x + p.weights[layer]
        d = work + p.units + p.outputs[layer]
        if layer == 0:
            for o in range(fan_out):
                descend_along(step, d[o], a, w + o * fan_in, fan_in)
        else:
            below = work + p.units + p.outputs[layer - 1]
            for o in range(fan_in):
                below[o] = 0
            for o in range(fan_out):
                axpy_step(d[o], step, a, w + o * fan_in, below, fan_in)
            for o in range(fan_in):
                below[o] *= 1 - a[o] * a[o]
        descend_along(step, <real_t>1, d, w + fan_in * fan_out, fan_out)


cdef void product(
    char *first, char *second, int64_t rows, int64_t columns, int64_t inner,
    const real_t *a, int64_t width_a, const real_t *b, int64_t width_b, real_t add, real_t *out,
) noexcept nogil:
    """out = first(a) second(b) + add * out, by columns: BLAS's gemm with the dialect's widths.

    A matrix stored by rows is its own transpose stored by columns; so products of ours are asked
    for in reverse order. BLAS takes no const, and changes neither.
    """
    cdef int m = <int>rows, n = <int>columns, k = <int>inner
    cdef int lda = <int>width_a, ldb = <int>width_b
    cdef real_t one = 1
    if real_t is float:
        sgemm(first, second, &m, &n, &k, &one, <float *>a, &lda, <float *>b, &ldb, &add, out, &m)
    else:
        dgemm(first, second, &m, &n, &k, &one, <double *>a, &lda, <double *>b, &ldb, &add, out, &m)


cdef void forward_all(
    const network_t *p, const real_t *x, const real_t *inputs, int64_t count, real_t *outputs
) noexcept nogil:
    """The outputs of all layers for `count` rows of inputs, layer by layer."""
    cdef const real_t *a = inputs
    cdef const real_t *w
    cdef real_t *out
    cdef int64_t layer, c, fan_in, fan_out
    for layer in range(p.depth):
        fan_in = p.size[layer]
        fan_out = p.size[layer + 1]
        w = x + p.weights[layer]
        out = outputs + count * p.outputs[layer]
        for c in range(count):
            memcpy(out + c * fan_out, w + fan_in * fan_out, fan_out * sizeof(real_t))
        product(b"T", b"N", fan_out, count, fan_in, w, fan_in, a, fan_in, <real_t>1, out)
        if layer + 1 < p.depth:
            tanh_all(out, count * fan_out)
        a = out


cdef void add_minibatch(
    const network_t *p, const real_t *x, const real_t *inputs, const int64_t *rows,
    int64_t count, real_t *work, real_t *g,
) noexcept nogil:
    """g += the sum of the gradients at `count` rows of inputs, whose numbers are `rows`."""
    cdef real_t *outputs = work
    cdef real_t *slopes = work + count * p.units
    cdef real_t *d
    cdef real_t *below
    cdef real_t *biases
    cdef const real_t *a
    cdef const real_t *w
    cdef int64_t layer, c, o, fan_in, fan_out = p.size[p.depth]
    forward_all(p, x, inputs, count, outputs)
    d = slopes + count * p.outputs[p.depth - 1]
    for c in range(count):
        loss(
            p, rows[c], outputs + count * p.outputs[p.depth - 1] + c * fan_out, d + c * fan_out
        )
    for layer in range(p.depth - 1, -1, -1):
        fan_in = p.size[layer]
        fan_out = p.size[layer + 1]
        a = inputs if layer == 0 else outputs + count * p.outputs[layer - 1]
        w = x + p.weights[layer]
        d = slopes + count * p.outputs[layer]
        product(
            b"N", b"T", fan_in, fan_out, count, a, fan_in, d, fan_out, <real_t>1,
            g + p.weights[layer],
        )
        biases = g + p.weights[layer] + fan_in * fan_out
        for c in range(count):
            axpy(<real_t>1, d + c * fan_out, biases, fan_out)
        if layer > 0:
            below = slopes + count * p.outputs[layer - 1]
            product(b"N", b"N", fan_in, count, fan_out, w, fan_in, d, fan_out, <real_t>0, below)
            for o in range(count * fan_in):
                below[o] *= 1 - a[o] * a[o]


cdef int add_samples(
    const network_t *p, const real_t *x, const uint64_t *samples, int64_t count, real_t *work,
    real_t *g,
) noexcept nogil:
    """g += the sum of the gradients of at most BATCH samples, whose inputs are copied together."""
    cdef int64_t c
    cdef real_t *inputs = work + BATCH * 2 * p.units
    for c in range(count):
        copy_inputs(p, samples[c], inputs + c * p.size[0])
    if real_t is float:
        if count == 1:  # two products of a matrix and a vector; in double precision `gradient`
            forward(p, x, inputs, work)
            backward(p, x, inputs, samples[0], work, 0, g)
            return ASYSG_OK
    add_minibatch(p, x, inputs, <const int64_t *>samples, count, work, g)
    return ASYSG_OK


cdef int minibatch(
    void *self, const double *x, const uint64_t *samples, int64_t count, double *work, double *g
) noexcept nogil:
    return add_samples(<const network_t *>self, x, samples, count, work, g)


cdef int minibatch32(
    void *self, const float *x, const uint64_t *samples, int64_t count, float *work, float *g
) noexcept nogil:
    return add_samples(<const network_t *>self, x, samples, count, work, g)


cdef int descend(
    void *self, double *x, uint64_t sample, double step, double *work
) noexcept nogil:
    cdef const network_t *p = <const network_t *>self
    step_through(p, x, inputs_of(p, sample), sample, step, work)
    return ASYSG_OK


cdef int descend32(
    void *self, float *x, uint64_t sample, float step, float *work
) noexcept nogil:
    cdef const network_t *p = <const network_t *>self
    cdef float *inputs = work + BATCH * 2 * p.units
    copy_inputs(p, sample, inputs)
    step_through(p, x, inputs, sample, step, work)
    return ASYSG_OK


cdef int full_value(void *self, const double *x, double *work, double *out) noexcept nogil:
    cdef const network_t *p = <const network_t *>self
    cdef int64_t piece, first, c, count, fan_out = p.size[p.depth]
    cdef double total = 0.0
    for piece in range(1 + (p.n_samples - 1) // BATCH):
        first = piece * BATCH
        count = min(<int64_t>BATCH, p.n_samples - first)
        forward_all(p, x, p.inputs + first * p.size[0], count, work)
        for c in range(count):
            total += loss(
                p, first + c, work + count * p.outputs[p.depth - 1] + c * fan_out,
                <double *>NULL,
            )
    out[0] = total / <double>p.n_samples
    return ASYSG_OK


cdef int full_gradient(void *self, const double *x, double *work, double *g) noexcept nogil:
    """The samples in their order, BATCH at a time."""
    cdef const network_t *p = <const network_t *>self
    cdef int64_t rows[BATCH]
    cdef int64_t piece, first, c, i, count
    for piece in range(1 + (p.n_samples - 1) // BATCH):
        first = piece * BATCH
        count = min(<int64_t>BATCH, p.n_samples - first)
        for c in range(count):
            rows[c] = first + c
        add_minibatch(p, x, p.inputs + first * p.size[0], rows, count, work, g)
    for i in range(p.weights[p.depth]):
        g[i] /= <double>p.n_samples
    return ASYSG_OK


cdef int value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    cdef const network_t *p = <const network_t *>self
    forward(p, x, inputs_of(p, sample), work)
    out[0] = loss(p, sample, work + p.outputs[p.depth - 1], <double *>NULL)
    return ASYSG_OK


cdef int gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    cdef const network_t *p = <const network_t *>self
    forward(p, x, inputs_of(p, sample), work)
    backward(p, x, inputs_of(p, sample), sample, work, 0, g)
    return ASYSG_OK


cdef int partial(
    void *self, const double *x, uint64_t sample, int64_t i, double *work, double *out
) noexcept nogil:
    """As the gradient, but down to the layer of x_i only and without the outer products."""
    cdef const network_t *p = <const network_t *>self
    cdef int64_t layer = 0
    cdef int64_t fan_in
    while i >= p.weights[layer + 1]:
        layer += 1
    forward(p, x, inputs_of(p, sample), work)
    backward(p, x, inputs_of(p, sample), sample, work, layer, <double *>NULL)
    cdef const double *d = work + p.units + p.outputs[layer]
    i -= p.weights[layer]
    fan_in = p.size[layer]
    if i < fan_in * p.size[layer + 1]:
        out[0] += d[i // fan_in] * layer_input(p, layer, inputs_of(p, sample), work)[i % fan_in]
    else:
        out[0] += d[i - fan_in * p.size[layer + 1]]
    return ASYSG_OK


cdef class Network(Kernel):
    """`targets`: an int64 label (softmax) or a float64 row (squared) per row of `inputs`."""

    cdef network_t net
    cdef const double[:, ::1] inputs
    cdef const double[:, ::1] targets
    cdef const int64_t[::1] labels

    def __cinit__(self, tuple sizes, inputs, targets):
        cdef int64_t layer
        cdef network_t *p = &self.net
        if not 2 <= len(sizes) <= MAX_LAYERS + 1:
            raise ValueError(f"sizes must name 2 to {MAX_LAYERS + 1} layers, got {len(sizes)}.")
        self.arguments = (sizes, inputs, targets)
        self.inputs = inputs
        p.inputs = &self.inputs[0, 0]
        if targets.ndim == 1:
            self.labels = targets
            p.labels = &self.labels[0]
        else:
            self.targets = targets
            p.targets = &self.targets[0, 0]
        p.depth = len(sizes) - 1
        for layer in range(p.depth + 1):
            p.size[layer] = sizes[layer]
        for layer in range(p.depth):
            p.weights[layer + 1] = p.weights[layer] + (p.size[layer] + 1) * p.size[layer + 1]
            p.outputs[layer + 1] = p.outputs[layer] + p.size[layer + 1]
        p.units = p.outputs[p.depth]
        self.abi.self = p
        self.abi.n = p.weights[p.depth]
        self.abi.n_samples = p.n_samples = self.inputs.shape[0]
        self.abi.work_size = BATCH * (2 * p.units + p.size[0])
        self.abi.batch_size = BATCH
        self.abi.index_size = 8
        self.abi.value = value
        self.abi.gradient = gradient
        self.abi.partial = partial
        self.abi.full_value = full_value
        self.abi.full_gradient = full_gradient
        self.abi.descend = descend
        self.abi.minibatch = minibatch
        self.abi.minibatch32 = minibatch32
        self.abi.descend32 = descend32

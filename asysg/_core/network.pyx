"""Fully connected tanh networks with a softmax or a squared loss.

x holds, layer by layer, the weights (one row per unit) and then the biases. `work` holds the
outputs of all layers, then the derivatives of the loss in the inputs of all units.
"""

from libc.math cimport exp, log, tanh
from libc.stdint cimport int64_t, uint64_t

from .abi cimport ASYSG_OK
from .kernel cimport Kernel
from .vector cimport asysg_axpy, asysg_dot

cdef enum:
    MAX_LAYERS = 32

ctypedef struct network_t:
    int64_t depth  # layers of weights
    int64_t units  # outputs of all layers together
    int64_t size[MAX_LAYERS + 1]  # size[0] inputs, size[l] units in layer l
    int64_t weights[MAX_LAYERS + 1]  # where layer l's weights start in x; then n
    int64_t outputs[MAX_LAYERS + 1]  # where layer l's outputs start in work
    const double *inputs
    const int64_t *labels  # NULL: squared loss
    const double *targets


cdef inline const double *layer_input(
    const network_t *p, int64_t layer, uint64_t sample, const double *work
) noexcept nogil:
    if layer == 0:
        return p.inputs + <int64_t>sample * p.size[0]
    return work + p.outputs[layer - 1]


cdef void forward(
    const network_t *p, const double *x, uint64_t sample, double *work
) noexcept nogil:
    cdef const double *a
    cdef const double *w
    cdef const double *bias
    cdef double *out
    cdef int64_t layer, o, fan_in
    for layer in range(p.depth):
        fan_in = p.size[layer]
        a = layer_input(p, layer, sample, work)
        w = x + p.weights[layer]
        bias = w + fan_in * p.size[layer + 1]
        out = work + p.outputs[layer]
        for o in range(p.size[layer + 1]):
            out[o] = asysg_dot(w + o * fan_in, a, fan_in) + bias[o]
        if layer + 1 < p.depth:
            for o in range(p.size[layer + 1]):
                out[o] = tanh(out[o])


cdef double loss(const network_t *p, uint64_t sample, const double *z, double *d) noexcept nogil:
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
                d[k] = z[k] - t[k]
        return 0.5 * total
    top = z[0]
    for k in range(1, m):
        top = max(top, z[k])
    for k in range(m):
        total += exp(z[k] - top)
    if d != NULL:
        for k in range(m):
            d[k] = exp(z[k] - top) / total
        d[p.labels[sample]] -= 1.0
    return log(total) - (z[p.labels[sample]] - top)


cdef void backward(
    const network_t *p, const double *x, uint64_t sample, double *work, int64_t last, double *g
) noexcept nogil:
    """Derivatives in the inputs of all units from the outputs down to layer `last`.

    Gradients go into g on the way, unless it is NULL.
    """
    cdef double *d
    cdef double *below
    cdef const double *a
    cdef const double *w
    cdef int64_t layer, o, fan_in, fan_out
    loss(p, sample, work + p.outputs[p.depth - 1], work + p.units + p.outputs[p.depth - 1])
    for layer in range(p.depth - 1, last - 1, -1):
        fan_in = p.size[layer]
        fan_out = p.size[layer + 1]
        a = layer_input(p, layer, sample, work)
        w = x + p.weights[layer]
        d = work + p.units + p.outputs[layer]
        if g != NULL:
            for o in range(fan_out):
                asysg_axpy(d[o], a, g + p.weights[layer] + o * fan_in, fan_in)
            asysg_axpy(1.0, d, g + p.weights[layer] + fan_in * fan_out, fan_out)
        if layer > last:
            below = work + p.units + p.outputs[layer - 1]
            for o in range(fan_in):
                below[o] = 0.0
            for o in range(fan_out):
                asysg_axpy(d[o], w + o * fan_in, below, fan_in)
            for o in range(fan_in):
                below[o] *= 1.0 - a[o] * a[o]


cdef int value(
    void *self, const double *x, uint64_t sample, double *work, double *out
) noexcept nogil:
    cdef const network_t *p = <const network_t *>self
    forward(p, x, sample, work)
    out[0] = loss(p, sample, work + p.outputs[p.depth - 1], NULL)
    return ASYSG_OK


cdef int gradient(
    void *self, const double *x, uint64_t sample, double *work, double *g
) noexcept nogil:
    cdef const network_t *p = <const network_t *>self
    forward(p, x, sample, work)
    backward(p, x, sample, work, 0, g)
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
    forward(p, x, sample, work)
    backward(p, x, sample, work, layer, NULL)
    cdef const double *d = work + p.units + p.outputs[layer]
    i -= p.weights[layer]
    fan_in = p.size[layer]
    if i < fan_in * p.size[layer + 1]:
        out[0] += d[i // fan_in] * layer_input(p, layer, sample, work)[i % fan_in]
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
        self.abi.n_samples = self.inputs.shape[0]
        self.abi.work_size = 2 * p.units
        self.abi.index_size = 8
        self.abi.value = value
        self.abi.gradient = gradient
        self.abi.partial = partial

/* The objective ABI: all that a scheduler knows of an objective.
 *
 * An objective never sees shared memory. The scheduler makes the read (possibly an
 * inconsistent one) into memory private to the worker and hands over a plain pointer.
 * Every call is one sample, never one element, so a pointer costs nothing measurable.
 *
 * The struct travels in a PyCapsule named ASYSG_OBJECTIVE. A change of layout or meaning
 * changes the name, so that an old objective is refused instead of misread.
 */
#ifndef ASYSG_ABI_H
#define ASYSG_ABI_H

#include <stdint.h>

#define ASYSG_OBJECTIVE "asysg.objective.v4"

/* What the functions below return. Anything but ASYSG_OK means failed (a numba cfunc that
 * raised returns 0), and the run stops with that worker's update not applied. */
#define ASYSG_OK 1

typedef struct asysg_objective {
    void *self;           /* first argument of every function; alive as long as the capsule */
    int64_t n;            /* coordinates of x */
    int64_t n_samples;    /* N: samples are 0..N-1 and f is their mean.
                             0: a stream; any 64-bit word is a sample (noise is hashed from it) */
    int64_t work_size;    /* doubles of private scratch each caller brings as `work` */
    int64_t support_size; /* most indices `support` or `full_support` hands out; 0 where both
                             are NULL */
    int64_t index_size;   /* bytes of one index handed out by them: 4 or 8 */

    /* *out = F(x; sample) */
    int (*value)(void *self, const double *x, uint64_t sample, double *work, double *out);
    /* g += gradient of F(.; sample) at x */
    int (*gradient)(void *self, const double *x, uint64_t sample, double *work, double *g);
    /* *out += i-th entry of that gradient, in one addition */
    int (*partial)(void *self, const double *x, uint64_t sample, int64_t i, double *work,
                   double *out);

    /* Which coordinates of x the call will look at: for `gradient` and `value` (i = -1; the
     * gradient is zero outside them too) or for `partial` i (i >= 0). Sets *idx to that many
     * indices, borrowed or written into `scratch` (support_size indices, private), and returns
     * the count; -1 means all n. NULL: always all n. */
    int64_t (*support)(void *self, uint64_t sample, int64_t i, void *scratch, const void **idx);

    /* f and its gradient (g += ...), where they are cheaper or more exact than a mean over
     * samples; required for streams, may be NULL otherwise. */
    int (*full_value)(void *self, const double *x, double *work, double *out);
    int (*full_gradient)(void *self, const double *x, double *work, double *g);

    /* Both optional (NULL: the scheduler does without) and for speed alone.
     *
     * x -= step * gradient of F(.; sample) at x, in place, step >= 0; x is private to the caller,
     * as everywhere. The same bits as `gradient` into a zeroed g followed by
     * x[j] += -(step * g[j]) wherever g[j] != 0. Where it fails x is as it was. */
    int (*descend)(void *self, double *x, uint64_t sample, double step, double *work);
    /* Bring the first lines of that sample's data into cache: a call on it follows soon. */
    void (*touch)(void *self, uint64_t sample);
    /* g += sum over `count` samples of the gradient of F(.; sample) at x; count <= batch_size.
     * Where it is given, every sum over samples that read the same x is made by it, in pieces of
     * batch_size: the order of its additions is its own. */
    int (*minibatch)(void *self, const double *x, const uint64_t *samples, int64_t count,
                     double *work, double *g);
    int64_t batch_size; /* the most samples of one call; 0 where minibatch is NULL */

    /* *out += i-th partial derivative of f itself, in one addition: what coordinate descent takes.
     * NULL: callers take it from `full_gradient`, or as the mean of `partial` over all samples. */
    int (*full_partial)(void *self, const double *x, int64_t i, double *work, double *out);
    /* Which coordinates of x `full_partial` i looks at, told as `support` tells it, but one may
     * come several times. NULL: always all n. Only where `full_partial` is given. */
    int64_t (*full_support)(void *self, int64_t i, void *scratch, const void **idx);

    /* g += sum over `count` samples, 1 or more, of the gradient of F(.; sample) at x, all of it in
     * single precision. NULL: there is none. Where batch_size is not 0, count <= batch_size. `work`
     * is the memory of work_size doubles. */
    int (*minibatch32)(void *self, const float *x, const uint64_t *samples, int64_t count,
                       float *work, float *g);
    /* `descend` in single precision, of the bits of `minibatch32`; optional where that is given. */
    int (*descend32)(void *self, float *x, uint64_t sample, float step, float *work);
} asysg_objective;

#endif

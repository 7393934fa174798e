/* The proximal step of a separable h(x) = sum over j of l1 |x_j| + l2 x_j^2 / 2, x_j in a box.
 *
 * One step is a shrink towards 0 and then a clip to the box,
 *
 *     prox_{t h}(v)_j = clip(shrink(v_j; a, b), lower_j, upper_j),   a = t l1, b = 1 + t l2,
 *     shrink(v; a, b) = (v - clip(v, -a, a)) / b,
 *
 * which docs/how-to/prox.rst proves. So is this: m steps of a v that lies in the box are one clip
 * of one shrink, with
 *
 *     b_m = b^m,   a_m = a (1 + b + ... + b^(m-1)) = a (b^m - 1)/(b - 1),   m a where b = 1.
 *
 * Where samples are sparse the steps of an entry are made lazily: `counted[j]` says how many of the
 * steps 0, 1, ... the stored x[j] contains, and whoever reads or writes it makes up for the missing
 * ones. The two numbers change together: who writes them holds the entry by ASYSG_BUSY in
 * counted[j], who reads them looks at counted[j] before and after x[j]. (`counted` never goes back,
 * so a number found twice did not change between.) Hence
 *
 *   - no step is lost or made twice: an update k that finds counted[j] <= k brings it to k + 1, and
 *     one that comes later than update k' > k finds its own step among those already made, adds
 *     its gradient alone, and clips;
 *   - what is read contains every gradient written before, and every step before `start`.
 */
#ifndef ASYSG_PROX_H
#define ASYSG_PROX_H

#include <math.h>

#include "atomic.h"
#include "vector.h"

/* An entry that somebody writes. */
#define ASYSG_BUSY (-1)

typedef struct asysg_prox {
    double l1, l2;
    const double *lower, *upper; /* n entries; or one for all, where stride is 0 */
    int64_t stride;
} asysg_prox;

/* NaN stays NaN, here and below. */
static inline double asysg_clip(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static inline double asysg_shrink(double v, double a, double b)
{
    return (v - asysg_clip(v, -a, a)) / b;
}

/* v, in the box. */
static inline double asysg_prox_clip(const asysg_prox *h, int64_t j, double v)
{
    return asysg_clip(v, h->lower[j * h->stride], h->upper[j * h->stride]);
}

/* Entry j of prox_{t h}(v). */
static inline double asysg_prox_once(const asysg_prox *h, int64_t j, double t, double v)
{
    return asysg_prox_clip(h, j, asysg_shrink(v, t * h->l1, 1.0 + t * h->l2));
}

/* m >= 0 steps of a v that lies in the box. */
static inline double asysg_prox_times(const asysg_prox *h, int64_t j, double t, int64_t m, double v)
{
    double a = t * h->l1, b = 1.0 + t * h->l2;
    if (m <= 0)
        return v;
    if (b == 1.0) {
        a *= (double)m;
    } else {
        /* Not pow(b, m) - 1, which is next to nothing but rounding where b is next to 1. */
        double grown = expm1((double)m * log(b));
        a = a > 0.0 ? a * (grown / (b - 1.0)) : 0.0;
        b = 1.0 + grown;
    }
    return asysg_prox_clip(h, j, asysg_shrink(v, a, b));
}

/* Entries first, ..., first + count - 1: x = prox_{t h}(x - step * g); x and g point at the first
 * of them. */
ASYSG_CLONES
static void asysg_prox_step(const asysg_prox *h, double step, double t, double *restrict x,
                            const double *restrict g, int64_t first, int64_t count)
{
    const double a = t * h->l1, b = 1.0 + t * h->l2;
    const double *lower = h->lower + first * h->stride, *upper = h->upper + first * h->stride;
    if (h->stride) {
        for (int64_t i = 0; i < count; i++)
            x[i] = asysg_clip(asysg_shrink(x[i] + -(step * g[i]), a, b), lower[i], upper[i]);
    } else {
        const double low = lower[0], high = upper[0];
        for (int64_t i = 0; i < count; i++)
            x[i] = asysg_clip(asysg_shrink(x[i] + -(step * g[i]), a, b), low, high);
    }
}

/* x[j] = prox_{t h}(x[j] + increment), no update lost; returns the value it was added to. relaxed,
 * as for asysg_add. */
static inline double asysg_prox_add(const asysg_prox *h, double *x, int64_t j, double t,
                                    double increment)
{
    uint64_t *bits = (uint64_t *)(x + j);
    uint64_t old = __atomic_load_n(bits, __ATOMIC_RELAXED), next;
    double before, after;
    do {
        memcpy(&before, &old, sizeof before);
        after = asysg_prox_once(h, j, t, before + increment);
        memcpy(&next, &after, sizeof next);
        asysg_stress();
    } while (!__atomic_compare_exchange_n(bits, &old, next, 1, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return before;
}

/* Lazily: entry j with at least the steps before `start`. */
static inline double asysg_prox_read(const asysg_prox *h, const double *x, const int64_t *counted,
                                     int64_t j, double t, int64_t start)
{
    int64_t had, still;
    double v;
    int spins = 0;
    for (;;) {
        /* acquire, because x[j] read next must be no older than what this number counts. */
        had = __atomic_load_n(&counted[j], __ATOMIC_ACQUIRE);
        asysg_stress();
        /* acquire, because whoever sees the value of a write must, below, see its ASYSG_BUSY or
         * what came after. */
        __atomic_load(&x[j], &v, __ATOMIC_ACQUIRE);
        asysg_stress();
        /* relaxed, because the load before keeps it behind, and nothing is read after it. */
        still = __atomic_load_n(&counted[j], __ATOMIC_RELAXED);
        if (had == still && had != ASYSG_BUSY)
            return asysg_prox_times(h, j, t, start - had, v);
        if (++spins % 128 == 0)
            asysg_yield();
    }
}

/* Lazily: the missing steps, the increment of update k, and its own step. */
static inline void asysg_prox_write(const asysg_prox *h, double *x, int64_t *counted, int64_t j,
                                    double t, int64_t k, double increment)
{
    int64_t had;
    double v;
    int spins = 0;
    /* acquire, because the new owner of the entry must see what the last one wrote to x[j]. */
    while ((had = __atomic_exchange_n(&counted[j], ASYSG_BUSY, __ATOMIC_ACQUIRE)) == ASYSG_BUSY)
        if (++spins % 128 == 0)
            asysg_yield();
    asysg_stress();
    v = asysg_load(&x[j]);
    if (had <= k) {
        v = asysg_prox_once(h, j, t, asysg_prox_times(h, j, t, k - had, v) + increment);
        had = k + 1;
    } else {
        v = asysg_prox_clip(h, j, v + increment);
    }
    /* release, because whoever reads this value must find the entry busy, or its later count. */
    __atomic_store(&x[j], &v, __ATOMIC_RELEASE);
    asysg_stress();
    /* release, because it publishes the value with its count. */
    __atomic_store_n(&counted[j], had, __ATOMIC_RELEASE);
}

#endif

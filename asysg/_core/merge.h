/* A private replica of x meets the shared one, a segment at a time.
 *
 * Both functions touch the shared x by plain loads and stores, which the compiler may do several
 * at a time: the caller holds the segment's lock, and in replica mode nobody reads or writes the
 * shared x without it. Between parallel regions, when all replicas are merged, x is Python's.
 */
#ifndef ASYSG_MERGE_H
#define ASYSG_MERGE_H

#include "vector.h"

/* `base` is the replica as it was when it last equalled the shared x, so replica - base is what its
 * owner has added since. Afterwards all three are equal.
 *
 * Where nobody else has changed an entry the replica's value is taken as it is: a lone worker
 * computes the same bits as without a replica, and an entry that one worker changes is rounded
 * once an update. Equal values that are not untouched (others added and took away again) give the
 * same sum. Three roundings are the most: one an addition to the replica, the difference, the sum. */
ASYSG_CLONES
static void asysg_merge(double *restrict shared, double *restrict replica, double *restrict base,
                        int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double s = shared[i], added = replica[i] - base[i];
        s = s == base[i] ? replica[i] : s + added;
        shared[i] = replica[i] = base[i] = s;
    }
}

/* The same for a replica whose changes are to be forgotten. */
static inline void asysg_pull(const double *restrict shared, double *restrict replica,
                              double *restrict base, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        replica[i] = base[i] = shared[i];
}

/* Whether all entries are finite: 0 * x is nan where x is not, and nan stays. */
ASYSG_CLONES
static int asysg_finite(const double *x, int64_t n)
{
    double s[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            s[k] += 0.0 * x[i + k];
    for (; i < n; i++)
        s[0] += 0.0 * x[i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) == 0.0;
}

/* Whether x + -(step * g) would be. */
ASYSG_CLONES
static int asysg_step_finite(double step, const double *x, const double *g, int64_t n)
{
    double s[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            s[k] += 0.0 * (x[i + k] + -(step * g[i + k]));
    for (; i < n; i++)
        s[0] += 0.0 * (x[i] + -(step * g[i]));
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])) == 0.0;
}

#endif

/* Dense primitives of the kernels.
 *
 * The order of additions is written out (eight partial sums), so every instruction set gives
 * the same bits and the compiler may still use its vector registers. Where the loader can
 * choose between versions of a function (GNU C on Linux), it takes the widest the CPU has.
 */
#ifndef ASYSG_VECTOR_H
#define ASYSG_VECTOR_H

#include <stdint.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define ASYSG_CLONES __attribute__((unused, target_clones("avx512f", "avx2", "default")))
#elif defined(__GNUC__)
#define ASYSG_CLONES __attribute__((unused))
#else
#define ASYSG_CLONES
#endif

ASYSG_CLONES
static double asysg_dot(const double *a, const double *b, int64_t n)
{
    double s[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            s[k] += a[i + k] * b[i + k];
    double sum = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y += c * a */
ASYSG_CLONES
static void asysg_axpy(double c, const double *restrict a, double *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += c * a[i];
}

/* x -= step * (0 + c * a): the bits of a gradient that c * a is added to, then scaled. */
ASYSG_CLONES
static void asysg_descend(double step, double c, const double *restrict a, double *restrict x,
                          int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] -= step * (0.0 + c * a[i]);
}

/* Bring a line into the cache by a real load: the processor may drop a prefetch whose page is not
 * in its translation buffer, and for random samples that is most of them. Nobody waits for the
 * value, so many such loads are under way at once. */
static inline void asysg_load_line(const void *p)
{
    (void)*(const volatile char *)p;
}

#endif

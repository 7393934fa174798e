/* Dense primitives of the kernels.
 *
 * The order of additions is written out (eight partial sums), so every instruction set gives
 * the same bits and the compiler may still use its vector registers. Where the loader can
 * choose between versions of a function (GNU C on Linux), it takes the widest the CPU has.
 */
#ifndef ASYSG_VECTOR_H
#define ASYSG_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

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

/* g += h * (x - centre), h one number or, where `entries` is not NULL, one an entry. */
ASYSG_CLONES
static void asysg_add_distance(double h, const double *restrict entries, const double *restrict x,
                               const double *restrict centre, double *restrict g, int64_t n)
{
    if (entries)
        for (int64_t i = 0; i < n; i++)
            g[i] += entries[i] * (x[i] - centre[i]);
    else
        for (int64_t i = 0; i < n; i++)
            g[i] += h * (x[i] - centre[i]);
}

/* x += -(step * g) */
ASYSG_CLONES
static void asysg_step(double step, double *restrict x, const double *restrict g, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += -(step * g[i]);
}

/* below += c * x, then x -= step * (0 + c * a): one pass over a row of weights. */
ASYSG_CLONES
static void asysg_axpy_step(double c, double step, const double *restrict a,
                            double *restrict x, double *restrict below, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        below[i] += c * x[i];
        x[i] -= step * (0.0 + c * a[i]);
    }
}

/* tanh t = e / (e + 2) with e = exp(2 |t|) - 1, and the sign of t. Written out because the C
 * library's costs ten times as much: it is called number by number. To within three units in the
 * last place; NaN stays NaN. */
static inline double asysg_tanh_of(double t)
{
    const double shift = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to an integer */
    double a = fabs(t);
    double u = 2.0 * (a < 22.0 ? a : 22.0); /* from 22 on it is 1 to the last bit */
    /* u = k log 2 + r with |r| <= log(2) / 2; log 2 in two parts, so that k log 2 is exact. */
    double s = u * 1.4426950408889634 + shift;
    double k = s - shift;
    double r = (u - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    /* exp(r) - 1 by its Taylor series to the 13th power, less than 2^-53 off. */
    double q = 1.0 / 6227020800.0;
    q = q * r + 1.0 / 479001600.0;
    q = q * r + 1.0 / 39916800.0;
    q = q * r + 1.0 / 3628800.0;
    q = q * r + 1.0 / 362880.0;
    q = q * r + 1.0 / 40320.0;
    q = q * r + 1.0 / 5040.0;
    q = q * r + 1.0 / 720.0;
    q = q * r + 1.0 / 120.0;
    q = q * r + 1.0 / 24.0;
    q = q * r + 1.0 / 6.0;
    q = q * r + 0.5;
    q = q * r * r + r;
    /* 2^k: the low bits of s are k. */
    int64_t bits;
    double power;
    memcpy(&bits, &s, sizeof bits);
    bits = (int64_t)((uint64_t)(bits + 1023) << 52);
    memcpy(&power, &bits, sizeof power);
    double e = power * q + (power - 1.0);
    double result = copysign(e / (e + 2.0), t);
    return t == t ? result : t;
}

/* x = tanh x, entry by entry. */
ASYSG_CLONES
static void asysg_tanh(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = asysg_tanh_of(x[i]);
}

/* x -= step * (0 + c * a): the bits of a gradient that c * a is added to, then scaled. */
ASYSG_CLONES
static void asysg_descend(double step, double c, const double *restrict a, double *restrict x,
                          int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] -= step * (0.0 + c * a[i]);
}

/* Ask for a cache line. The statement of assembly does nothing; without it, a function that only
 * asks for lines is one without effects to gcc, which leaves it out. */
static inline void asysg_touch_line(const void *p)
{
    __builtin_prefetch(p, 0, 3);
    __asm__ volatile("" : : "r"(p));
}

#endif

/* Dense primitives of the kernels.
 *
 * The order of additions is written out (partial sums, see dense.h), so every instruction set gives
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

#define REAL double
#define OF(name) asysg_##name
#define LANES 8
#include "dense.h"

#define REAL float
#define OF(name) asysg_##name##32
#define LANES 16
#include "dense.h"

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

/* The same in single precision: a shorter series and a smaller exponent. */
static inline float asysg_tanh32_of(float t)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23 */
    float a = fabsf(t);
    float u = 2.0f * (a < 10.0f ? a : 10.0f); /* from 9.1 on it is 1 to the last bit */
    float s = u * 1.44269504f + shift;
    float k = s - shift;
    float r = (u - k * 0.693359375f) + k * 2.12194440e-4f;
    /* exp(r) - 1 by its Taylor series to the 8th power, less than 2^-27 |r| off. */
    float q = 1.0f / 40320.0f;
    q = q * r + 1.0f / 5040.0f;
    q = q * r + 1.0f / 720.0f;
    q = q * r + 1.0f / 120.0f;
    q = q * r + 1.0f / 24.0f;
    q = q * r + 1.0f / 6.0f;
    q = q * r + 0.5f;
    q = q * r * r + r;
    int32_t bits;
    float power;
    memcpy(&bits, &s, sizeof bits);
    bits = (int32_t)((uint32_t)(bits + 127) << 23);
    memcpy(&power, &bits, sizeof power);
    float e = power * q + (power - 1.0f);
    float result = copysignf(e / (e + 2.0f), t);
    return t == t ? result : t;
}

/* x = tanh x, entry by entry. */
ASYSG_CLONES
static void asysg_tanh(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = asysg_tanh_of(x[i]);
}

ASYSG_CLONES
static void asysg_tanh32(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = asysg_tanh32_of(x[i]);
}

/* Ask for a cache line. The statement of assembly does nothing; without it, a function that only
 * asks for lines is one without effects to gcc, which leaves it out. */
static inline void asysg_touch_line(const void *p)
{
    __builtin_prefetch(p, 0, 3);
    __asm__ volatile("" : : "r"(p));
}

#endif

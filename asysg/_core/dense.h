/* The dense loops of vector.h for numbers of one type; vector.h includes this once for each.
 *
 * REAL       the type
 * OF(name)   the function's name
 * LANES      partial sums of a dot product, 8 or 16: 64 bytes of them
 */

ASYSG_CLONES
static REAL OF(dot)(const REAL *a, const REAL *b, int64_t n)
{
    REAL s[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            s[k] += a[i + k] * b[i + k];
    for (int k = 8; k < LANES; k++)
        s[k - 8] += s[k];
    REAL sum = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y += c * a */
ASYSG_CLONES
static void OF(axpy)(REAL c, const REAL *restrict a, REAL *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += c * a[i];
}

/* g += h * (x - centre), h one number or, where `entries` is not NULL, one an entry. */
ASYSG_CLONES
static void OF(add_distance)(REAL h, const REAL *restrict entries, const REAL *restrict x,
                             const REAL *restrict centre, REAL *restrict g, int64_t n)
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
static void OF(step)(REAL step, REAL *restrict x, const REAL *restrict g, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += -(step * g[i]);
}

/* x -= step * (0 + c * a): the bits of a gradient that c * a is added to, then scaled. */
ASYSG_CLONES
static void OF(descend)(REAL step, REAL c, const REAL *restrict a, REAL *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] -= step * ((REAL)0 + c * a[i]);
}

/* below += c * x, then x -= step * (0 + c * a): one pass over a row of weights. */
ASYSG_CLONES
static void OF(axpy_step)(REAL c, REAL step, const REAL *restrict a, REAL *restrict x,
                          REAL *restrict below, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        below[i] += c * x[i];
        x[i] -= step * ((REAL)0 + c * a[i]);
    }
}

#undef REAL
#undef OF
#undef LANES

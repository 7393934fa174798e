"""Scalar losses psi(z; b) of a linear model z = a'x and their derivatives in z.

Each is a pair `name`, `name_slope` of (z, b, scale). None overflows to NaN for finite z: where
a square would, the formula in 1/z takes over.
"""

from libc.math cimport cos, exp, expm1, fabs, hypot, log, log1p, sin


cdef inline double sigmoid(double z) noexcept nogil:
    cdef double e = exp(-fabs(z))
    return 1.0 / (1.0 + e) if z >= 0 else e / (1.0 + e)


cdef inline double saturating(double u) noexcept nogil:
    """u^2 / (1 + u^2)."""
    cdef double v
    if fabs(u) <= 1.0:
        return u * u / (1.0 + u * u)
    v = 1.0 / u
    return 1.0 / (1.0 + v * v)


cdef inline double saturating_slope(double u) noexcept nogil:
    """2 u / (1 + u^2)^2."""
    cdef double v
    cdef double q
    if fabs(u) <= 1.0:
        q = 1.0 + u * u
        return 2.0 * u / (q * q)
    v = 1.0 / u
    q = 1.0 + v * v
    return 2.0 * v * v * v / (q * q)


cdef inline double sigmoid_square(double z, double b, double scale) noexcept nogil:
    cdef double r = sigmoid(z) - b
    return r * r


cdef inline double sigmoid_square_slope(double z, double b, double scale) noexcept nogil:
    cdef double e = exp(-fabs(z))
    cdef double q = 1.0 / (1.0 + e)
    return 2.0 * ((q if z >= 0 else e * q) - b) * (e * q * q)


cdef inline double logistic(double z, double b, double scale) noexcept nogil:
    cdef double t = -b * z
    return (t if t > 0 else 0.0) + log1p(exp(-fabs(t)))


cdef inline double logistic_slope(double z, double b, double scale) noexcept nogil:
    return -b * sigmoid(-b * z)


cdef inline double sine(double z, double b, double scale) noexcept nogil:
    cdef double h = sin(0.5 * (z - b))
    return 2.0 * h * h


cdef inline double sine_slope(double z, double b, double scale) noexcept nogil:
    return sin(z - b)


cdef inline double welsch(double z, double b, double scale) noexcept nogil:
    cdef double u = (z - b) / scale
    return -0.5 * scale * scale * expm1(-u * u)


cdef inline double welsch_slope(double z, double b, double scale) noexcept nogil:
    cdef double u = (z - b) / scale
    return (z - b) * exp(-u * u)


cdef inline double geman(double z, double b, double scale) noexcept nogil:
    return 0.5 * scale * scale * saturating((z - b) / scale)


cdef inline double geman_slope(double z, double b, double scale) noexcept nogil:
    return 0.5 * scale * saturating_slope((z - b) / scale)


cdef inline double cauchy(double z, double b, double scale) noexcept nogil:
    cdef double u = fabs(z - b) / scale
    return scale * scale * (0.5 * log1p(u * u) if u < 1e8 else log(u))


cdef inline double cauchy_slope(double z, double b, double scale) noexcept nogil:
    cdef double u = (z - b) / scale
    return scale * (u / (1.0 + u * u) if fabs(u) <= 1.0 else 1.0 / (u + 1.0 / u))


cdef inline double squared(double z, double b, double scale) noexcept nogil:
    cdef double r = z - b
    return 0.5 * r * r


cdef inline double squared_slope(double z, double b, double scale) noexcept nogil:
    return z - b


cdef inline double amplitude(double z, double b, double scale) noexcept nogil:
    cdef double r = hypot(1.0, z) - b
    return 0.5 * r * r


cdef inline double amplitude_slope(double z, double b, double scale) noexcept nogil:
    return z - b * (z / hypot(1.0, z))

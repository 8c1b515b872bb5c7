/* Loops along the rows of a tile: softmax, its loss, and products with its Hessian.

Arrays are column-major with `ld` rows, of which a tile has `n` <= TILE. So every inner
loop runs along rows, whatever the number of classes, and a tile stays in the first
cache. The compiler vectorises the loops, once for each of the instruction sets below;
which one is used is decided when the program starts.
*/
#ifndef SKSOFTMAX_ELEMENTWISE_H
#define SKSOFTMAX_ELEMENTWISE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "processors.h"

INLINE double from_bits(int64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE int64_t to_bits(double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* 1.5 * 2^52: added to a small number, it rounds it to an integer, which then is in the
low bits. */
#define ROUNDER 6755399441055744.0
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10

/* 2^k for an integer k of at least -1022. */
INLINE double power_of_two(double k)
{
    return from_bits((int64_t)((uint64_t)to_bits(k + ROUNDER) << 52)
                     + ((int64_t)1023 << 52));
}

/* e^x for x <= 0: 2^k e^r with |r| <= log(2) / 2 and the series of e^r, whose next term
is below 5e-18. 2^k comes in two factors, so that results may be subnormal. */
INLINE double exp_negative(double x)
{
    double k, half, r, p;
    x = x < -750.0 ? -750.0 : x; /* e^-750 is zero; NaN stays */
    k = (x * 1.44269504088896338700 + ROUNDER) - ROUNDER;
    r = (x - k * LN2_HIGH) - k * LN2_LOW;
    p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * (r * r) + r;
    half = (k * 0.5 + ROUNDER) - ROUNDER;
    return (1.0 + p) * power_of_two(half) * power_of_two(k - half);
}

/* log x for x >= 1. Polynomial and constants: fdlibm 5.3, e_log.c (Sun Microsystems
1993), for x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). */
INLINE double log_of_sum(double x)
{
    uint64_t bits = (uint64_t)to_bits(x);
    uint64_t exponent = (bits - 0x3fe6a09e00000000u) >> 52;
    double k = from_bits((int64_t)(exponent | 0x4330000000000000u)) - 4503599627370496.0;
    double f = from_bits((int64_t)(bits - (exponent << 52))) - 1.0;
    double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f, R;
    R = 1.479819860511658591e-01;
    R = R * z + 1.531383769920937332e-01;
    R = R * z + 1.818357216161805012e-01;
    R = R * z + 2.222219843214978396e-01;
    R = R * z + 2.857142874366239149e-01;
    R = R * z + 3.999999999940941908e-01;
    R = R * z + 6.666666666666735130e-01;
    R *= z;
    return k * LN2_HIGH - ((half - (s * (half + R) + k * LN2_LOW)) - f);
}

/* The sum of numbers in double precision, as sixteen sums side by side. */
#define SUM(REAL, NAME)                                                                \
    FOR_EACH_PROCESSOR static double NAME(const REAL *values, ptrdiff_t n)             \
    {                                                                                  \
        double sums[16] = {0.0}, total = 0.0;                                          \
        ptrdiff_t i, j;                                                                \
        for (i = 0; i + 16 <= n; i += 16)                                              \
            for (j = 0; j < 16; j++)                                                   \
                sums[j] += values[i + j];                                              \
        for (j = 0; i + j < n; j++)                                                    \
            sums[j] += values[i + j];                                                  \
        for (j = 0; j < 8; j++)                                                        \
            sums[j] += sums[j + 8];                                                    \
        for (j = 0; j < 8; j++)                                                        \
            total += sums[j];                                                          \
        return total;                                                                  \
    }

SUM(double, sum_double)
SUM(float, sum_float)

/* e^x and log x of arrays, for the tests. */
FOR_EACH_PROCESSOR static void exps(const double *x, double *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = exp_negative(x[i]);
}

FOR_EACH_PROCESSOR static void logs(const double *x, double *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = log_of_sum(x[i]);
}

/* The loss of a tile of logits Z; Z becomes sP, and dZ becomes sP - sY. With codes,
the columns of its entries, sY has one entry for each row. */
FOR_EACH_PROCESSOR static double softmax_tile(double *restrict Z,
                                              double *restrict dZ,
                                              const double *restrict sY,
                                              const ptrdiff_t *restrict codes,
                                              const double *restrict s, ptrdiff_t n,
                                              ptrdiff_t ld, ptrdiff_t n_classes)
{
    double largest[TILE], sums[TILE], losses[TILE];
    ptrdiff_t i, k;
    for (i = 0; i < n; i++) {
        largest[i] = Z[i];
        sums[i] = losses[i] = 0.0;
    }
    for (k = 1; k < n_classes; k++)
        for (i = 0; i < n; i++)
            largest[i] = Z[k * ld + i] > largest[i] ? Z[k * ld + i] : largest[i];
    if (codes)
        for (i = 0; i < n; i++)
            losses[i] -= sY[i] * (Z[codes[i] * ld + i] - largest[i]);
    else
        for (k = 0; k < n_classes; k++)
            for (i = 0; i < n; i++)
                losses[i] -= sY[k * ld + i] * (Z[k * ld + i] - largest[i]);
    for (k = 0; k < n_classes; k++)
        for (i = 0; i < n; i++) {
            double e = exp_negative(Z[k * ld + i] - largest[i]);
            sums[i] += e;
            Z[k * ld + i] = e;
        }
    for (i = 0; i < n; i++) {
        losses[i] += s[i] * log_of_sum(sums[i]);
        sums[i] = s[i] / sums[i];
    }
    for (k = 0; k < n_classes; k++)
        for (i = 0; i < n; i++) {
            double sp = Z[k * ld + i] * sums[i];
            Z[k * ld + i] = sp;
            dZ[k * ld + i] = codes ? sp : sp - sY[k * ld + i];
        }
    if (codes)
        for (i = 0; i < n; i++)
            dZ[codes[i] * ld + i] -= sY[i];
    return sum_double(losses, n);
}

/* The same for one logit z beside a reference; sy are the targets of the other class,
or with codes of the own class, 0 or 1.
A row that is certain of its class has s = sy or sy = 0: then the loss is the logarithm
alone. */
FOR_EACH_PROCESSOR static double logistic_tile(double *restrict z,
                                               double *restrict dz,
                                               const double *restrict sy,
                                               const ptrdiff_t *restrict codes,
                                               const double *restrict s, ptrdiff_t n)
{
    double losses[TILE], own[TILE];
    for (ptrdiff_t i = 0; i < n; i++)
        own[i] = codes && codes[i] == 0 ? 0.0 : sy[i];
    for (ptrdiff_t i = 0; i < n; i++) {
        double e = exp_negative(z[i] > 0.0 ? -z[i] : z[i]);
        double sum = 1.0 + e;
        double sp = s[i] * ((z[i] > 0.0 ? 1.0 : e) / sum);
        losses[i] = z[i] * ((z[i] > 0.0 ? s[i] : 0.0) - own[i]);
        losses[i] += s[i] * log_of_sum(sum);
        z[i] = sp;
        dz[i] = sp - own[i];
    }
    return sum_double(losses, n);
}

/* Softmax of a tile of logits, or with `logarithms` its logarithm, by rows. Z may have
any strides, in numbers. Returns how many rows have no softmax: those with NaN or +inf,
or with nothing but -inf. Computed in double precision. */
#define PROBABILITIES_TILE(REAL, NAME)                                                 \
    FOR_EACH_PROCESSOR static ptrdiff_t NAME(                                          \
        const REAL *Z, ptrdiff_t row_stride, ptrdiff_t class_stride, REAL *restrict P, \
        ptrdiff_t n, ptrdiff_t n_classes, int logarithms)                              \
    {                                                                                  \
        double largest[TILE], sums[TILE], column[TILE];                                \
        ptrdiff_t i, k, without = 0;                                                   \
        for (i = 0; i < n; i++) {                                                      \
            largest[i] = Z[i * row_stride];                                            \
            sums[i] = 0.0;                                                             \
        }                                                                              \
        for (k = 1; k < n_classes; k++)                                                \
            for (i = 0; i < n; i++) {                                                  \
                double z = Z[i * row_stride + k * class_stride];                       \
                largest[i] = z > largest[i] ? z : largest[i];                          \
            }                                                                          \
        for (k = 0; k < n_classes; k++) {                                              \
            for (i = 0; i < n; i++)                                                    \
                column[i] = Z[i * row_stride + k * class_stride];                      \
            for (i = 0; i < n; i++)                                                    \
                column[i] -= largest[i];                                               \
            if (logarithms)                                                            \
                for (i = 0; i < n; i++)                                                \
                    P[i * n_classes + k] = (REAL)column[i];                            \
            for (i = 0; i < n; i++) {                                                  \
                column[i] = exp_negative(column[i]);                                   \
                sums[i] += column[i];                                                  \
            }                                                                          \
            if (!logarithms)                                                           \
                for (i = 0; i < n; i++)                                                \
                    P[i * n_classes + k] = (REAL)column[i];                            \
        }                                                                              \
        for (i = 0; i < n; i++) {                                                      \
            without += !(sums[i] >= 1.0);                                              \
            if (logarithms)                                                            \
                sums[i] = log_of_sum(sums[i]);                                         \
        }                                                                              \
        for (i = 0; i < n; i++, P += n_classes)                                        \
            for (k = 0; k < n_classes; k++)                                            \
                P[k] = (REAL)(logarithms ? P[k] - sums[i] : P[k] / sums[i]);           \
        return without;                                                                \
    }

PROBABILITIES_TILE(double, probabilities_tile_double)
PROBABILITIES_TILE(float, probabilities_tile_float)

/* V becomes (d2L/dZ2) V, of sP. */
#define HESSIAN_TILE(REAL, NAME)                                                       \
    FOR_EACH_PROCESSOR static void NAME(const REAL *restrict sP, REAL *restrict V,     \
                                        const REAL *restrict s, ptrdiff_t n,           \
                                        ptrdiff_t ld, ptrdiff_t n_classes)             \
    {                                                                                  \
        REAL means[TILE];                                                              \
        ptrdiff_t i, k;                                                                \
        for (i = 0; i < n; i++)                                                        \
            means[i] = 0;                                                              \
        for (k = 0; k < n_classes; k++)                                                \
            for (i = 0; i < n; i++)                                                    \
                means[i] += sP[k * ld + i] * V[k * ld + i];                            \
        for (i = 0; i < n; i++)                                                        \
            means[i] /= s[i];                                                          \
        for (k = 0; k < n_classes; k++)                                                \
            for (i = 0; i < n; i++)                                                    \
                V[k * ld + i] = sP[k * ld + i] * (V[k * ld + i] - means[i]);           \
    }

HESSIAN_TILE(double, hessian_tile_double)
HESSIAN_TILE(float, hessian_tile_float)

/* Products of each pair of columns of X, (n, q), a first and b from a on: the columns of
U, (n, q (q + 1) / 2). */
FOR_EACH_PROCESSOR static void pair_products(const double *restrict X,
                                             double *restrict U, ptrdiff_t n,
                                             ptrdiff_t q)
{
    for (ptrdiff_t a = 0; a < q; a++)
        for (ptrdiff_t b = a; b < q; b++, U += n)
            for (ptrdiff_t i = 0; i < n; i++)
                U[i] = X[a * n + i] * X[b * n + i];
}

/* Hessian weights of each pair of the first n_free classes, k first and l from k on:
s p_k (1 - p_k), or -s p_k p_l. The columns of R, (n, n_free (n_free + 1) / 2). */
FOR_EACH_PROCESSOR static void pair_weights(const double *restrict sP,
                                            const double *restrict s,
                                            double *restrict R, ptrdiff_t n,
                                            ptrdiff_t ld, ptrdiff_t n_free)
{
    for (ptrdiff_t k = 0; k < n_free; k++) {
        for (ptrdiff_t i = 0; i < n; i++)
            R[i] = sP[k * ld + i] * (1.0 - sP[k * ld + i] / s[i]);
        R += n;
        for (ptrdiff_t l = k + 1; l < n_free; l++, R += n)
            for (ptrdiff_t i = 0; i < n; i++)
                R[i] = -sP[k * ld + i] * (sP[l * ld + i] / s[i]);
    }
}

/* Rows (x - centre, 1) times the square roots of weights, (n, q) by rows. */
FOR_EACH_PROCESSOR static void weighted_rows(const double *restrict X,
                                             ptrdiff_t row_stride,
                                             ptrdiff_t column_stride,
                                             const double *restrict centre,
                                             const double *restrict weights,
                                             double *restrict out, ptrdiff_t n,
                                             ptrdiff_t p, int ones)
{
    for (ptrdiff_t i = 0; i < n; i++, out += p + ones) {
        double root = sqrt(weights[i]);
        if (column_stride == 1)
            for (ptrdiff_t j = 0; j < p; j++)
                out[j] = (X[i * row_stride + j] - centre[j]) * root;
        else
            for (ptrdiff_t j = 0; j < p; j++)
                out[j] = (X[i * row_stride + j * column_stride] - centre[j]) * root;
        if (ones)
            out[p] = root;
    }
}

/* Extremes of the columns of rows, p numbers each, the weight of their zeros, and the
weighted sums of what is above the first row. Sums are of tiles first. */
FOR_EACH_PROCESSOR static void column_sums(const double *X, const double *s,
                                           double *restrict low, double *restrict high,
                                           double *restrict zeros,
                                           double *restrict sums,
                                           double *restrict of_tile, ptrdiff_t n,
                                           ptrdiff_t row_stride, ptrdiff_t p)
{
    ptrdiff_t i, j, start;
    for (j = 0; j < p; j++) {
        low[j] = high[j] = X[j];
        zeros[j] = sums[j] = 0.0;
    }
    for (start = 0; start < n; start += TILE) {
        for (j = 0; j < p; j++)
            of_tile[j] = 0.0;
        for (i = start; i < n && i < start + TILE; i++)
            for (j = 0; j < p; j++) {
                double x = X[i * row_stride + j];
                low[j] = x < low[j] ? x : low[j];
                high[j] = x > high[j] ? x : high[j];
                zeros[j] += x == 0.0 ? s[i] : 0.0;
                of_tile[j] += s[i] * (x - X[j]);
            }
        for (j = 0; j < p; j++)
            sums[j] += of_tile[j];
    }
}

/* Weighted sums of x - centre and of its square for the columns, of tiles first: of_tile
has 2 p numbers. */
FOR_EACH_PROCESSOR static void column_squares(const double *X, const double *s,
                                              const double *restrict centre,
                                              double *restrict drift,
                                              double *restrict squares,
                                              double *restrict of_tile, ptrdiff_t n,
                                              ptrdiff_t row_stride, ptrdiff_t p)
{
    ptrdiff_t i, j, start;
    for (j = 0; j < p; j++)
        drift[j] = squares[j] = 0.0;
    for (start = 0; start < n; start += TILE) {
        for (j = 0; j < 2 * p; j++)
            of_tile[j] = 0.0;
        for (i = start; i < n && i < start + TILE; i++)
            for (j = 0; j < p; j++) {
                double d = X[i * row_stride + j] - centre[j];
                of_tile[j] += s[i] * d;
                of_tile[p + j] += s[i] * d * d;
            }
        for (j = 0; j < p; j++) {
            drift[j] += of_tile[j];
            squares[j] += of_tile[p + j];
        }
    }
}

/* Rows of X by their numbers, centred and scaled: in double precision, so that offsets
cancel before anything is rounded. X has p numbers in a row, and out has `ld`. */
#define SCALED_ROWS(REAL, NAME)                                                        \
    FOR_EACH_PROCESSOR static void NAME(const REAL *X, const ptrdiff_t *rows,          \
                                        const double *restrict centre,                 \
                                        const double *restrict factor,                 \
                                        REAL *restrict out, ptrdiff_t n, ptrdiff_t p,  \
                                        ptrdiff_t ld)                                  \
    {                                                                                  \
        for (ptrdiff_t i = 0; i < n; i++, out += ld) {                                 \
            const REAL *row = X + rows[i] * p;                                         \
            for (ptrdiff_t j = 0; j < p; j++)                                          \
                out[j] = (REAL)((row[j] - centre[j]) * factor[j]);                     \
        }                                                                              \
    }

SCALED_ROWS(double, scaled_rows_double)
SCALED_ROWS(float, scaled_rows_float)

#endif

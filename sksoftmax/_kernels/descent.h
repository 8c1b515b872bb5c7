/* Loops of coordinate descent along the rows of a column: see `coordinate_descent.pyx`.

A, R have n rows and K columns, column-major. A holds weighted probabilities s p, and
`inverse` holds 1 / s. A row of the Hessian of the loss is diag(A) - A A^T / s.
*/
#ifndef SKSOFTMAX_DESCENT_H
#define SKSOFTMAX_DESCENT_H

#include <stddef.h>

#include "processors.h"

/* R += the Hessian of each row times x d. */
FOR_EACH_PROCESSOR
static void move_dense(
    const double *x, const double *A, const double *inverse, const double *d,
    double *R, ptrdiff_t n, ptrdiff_t K)
{
    double mean[TILE];
    for (ptrdiff_t start = 0; start < n; start += TILE) {
        ptrdiff_t rows = n - start < TILE ? n - start : TILE;
        for (ptrdiff_t i = 0; i < rows; i++)
            mean[i] = 0.0;
        for (ptrdiff_t k = 0; k < K; k++) {
            const double *a = A + k * n + start;
            const double step = d[k];
            if (step == 0.0)
                continue;
            for (ptrdiff_t i = 0; i < rows; i++)
                mean[i] += a[i] * step;
        }
        for (ptrdiff_t i = 0; i < rows; i++)
            mean[i] *= inverse[start + i];
        for (ptrdiff_t k = 0; k < K; k++) {
            const double *a = A + k * n + start;
            const double step = d[k];
            double *r = R + k * n + start;
            for (ptrdiff_t i = 0; i < rows; i++)
                r[i] += x[start + i] * a[i] * (step - mean[i]);
        }
    }
}

/* Columns x a / sqrt(s), of which the products are what the Hessian has off its
diagonal. */
FOR_EACH_PROCESSOR
static void scale_dense(
    const double *x, const double *A, const double *root, double *V,
    ptrdiff_t n, ptrdiff_t K)
{
    for (ptrdiff_t k = 0; k < K; k++)
        for (ptrdiff_t i = 0; i < n; i++)
            V[k * n + i] = x[i] * A[k * n + i] * root[i];
}

#endif

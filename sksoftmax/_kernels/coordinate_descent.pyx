# Coordinate descent over the features of a quadratic model: the compiled counterpart of
# `_objective/block_steps.py`, which says what is computed.

from libc.math cimport fabs, sqrt
from libc.stddef cimport ptrdiff_t
from libc.stdlib cimport free, malloc
from scipy.linalg.cython_blas cimport dgemv, dsyrk
from scipy.linalg.cython_lapack cimport dsyev

import numpy as np

cdef extern from "descent.h" nogil:
    void move_dense(
        const double *x, const double *A, const double *inverse, const double *d,
        double *R, ptrdiff_t n, ptrdiff_t K
    )
    void scale_dense(
        const double *x, const double *A, const double *root, double *V,
        ptrdiff_t n, ptrdiff_t K
    )

# Most steps towards the minimum of one block, and the relative change of its norm, or
# the fraction of its decrease, at which there are no more.
cdef enum:
    MOST_STEPS = 50
cdef double ENOUGH = 1e-3
cdef double FLAT = 1e-12  # eigenvalues below this part of the largest are rounding
cdef double NO_CURVATURE = 1e-100


cdef struct Rows:
    # The columns of X, dense or sparse, and the weighted probabilities of the rows.
    const double *values
    const int *indices
    const int *starts  # NULL: X is dense
    const double *A
    const double *inverse
    double *R
    int n
    int K


cdef struct Block:
    # The problem of one feature: its Hessian or the eigenvectors of that, row by row,
    # the eigenvalues, its penalty, and room for vectors of K numbers.
    double *B
    double *E
    double lasso
    double ridge
    double *u
    double *g
    double *v
    double *room


def sweep_blocks(quadratic, penalty, curvature, x, R, blocks):
    X, A, inverse = quadratic
    lasso, ridge, tilt, grouped = penalty
    B, E, known = curvature
    cdef bint is_dense = isinstance(X, np.ndarray)
    cdef const double[::1, :] dense
    cdef const double[::1] values
    cdef const int[::1] indices, starts
    cdef const double[::1, :] A_view = A
    cdef const double[::1] inverse_view = inverse
    cdef const double[::1] lasso_view = lasso, ridge_view = ridge
    cdef const double[:, ::1] tilt_view = tilt
    cdef double[:, :, ::1] B_view = B
    cdef double[:, ::1] E_view = E, x_view = x
    cdef double[::1, :] R_view = R
    cdef unsigned char[::1] known_view = known
    cdef const ptrdiff_t[::1] blocks_view = blocks
    cdef Rows rows
    rows.n, rows.K = A_view.shape[0], A_view.shape[1]
    rows.indices = rows.starts = NULL
    if is_dense:
        dense = X
        rows.values = &dense[0, 0]
    else:
        values, indices, starts = X.data, X.indices, X.indptr
        rows.values = &values[0] if values.shape[0] else NULL
        rows.indices = &indices[0] if values.shape[0] else NULL
        rows.starts = &starts[0]
    rows.A, rows.inverse, rows.R = &A_view[0, 0], &inverse_view[0], &R_view[0, 0]
    cdef size_t K = rows.K
    cdef double *room = <double *>malloc(
        (8 * K + 34 * K + (K + 1) * rows.n) * sizeof(double)
    )
    if room is NULL:
        raise MemoryError
    cdef Block block
    cdef double decrease = 0.0
    cdef bint together = grouped, is_free
    cdef ptrdiff_t number, j, k
    block.u, block.g, block.v = room, room + K, room + 2 * K
    block.room = room + 3 * K
    with nogil:
        for number in range(blocks_view.shape[0]):
            j = blocks_view[number]
            block.lasso, block.ridge = lasso_view[j], ridge_view[j]
            for k in range(rows.K):
                block.u[k] = x_view[j, k]
            gradient(rows, j, block.g)
            for k in range(rows.K):
                block.g[k] += block.ridge * block.u[k] + tilt_view[j, k]
            if stays_zero(block, rows.K, together):
                continue
            is_free = block.lasso == 0.0
            block.B, block.E = &B_view[j, 0, 0], &E_view[j, 0]
            if not known_view[j]:
                hessian_of_block(rows, j, block.B, room + 42 * K)
                if together or is_free:
                    decompose(block, rows.K, room + 8 * K)
                known_view[j] = 1
            if is_free:
                decrease += free_step(block, rows.K)
            elif together:
                decrease += group_step(block, rows.K)
            else:
                decrease += lasso_step(block, rows.K)
            move(rows, j, block.u, block.v)
            for k in range(rows.K):
                x_view[j, k] = block.v[k]
        free(room)
    return decrease


cdef void gradient(Rows rows, ptrdiff_t j, double *g) noexcept nogil:
    """X_j^T R."""
    cdef int one = 1
    cdef double unit = 1.0, none = 0.0
    cdef char across = b"T"
    cdef ptrdiff_t t, k
    cdef double value
    cdef const double *r
    if rows.starts is NULL:
        dgemv(&across, &rows.n, &rows.K, &unit, rows.R, &rows.n,
              <double *>(rows.values + j * rows.n), &one, &none, g, &one)
        return
    for k in range(rows.K):
        r = rows.R + <size_t>k * rows.n
        value = 0.0
        for t in range(rows.starts[j], rows.starts[j + 1]):
            value += rows.values[t] * r[rows.indices[t]]
        g[k] = value


cdef void move(
    Rows rows, ptrdiff_t j, double *u, const double *v
) noexcept nogil:
    """R += the Hessian of each row times X_j (v - u); u becomes v - u."""
    cdef ptrdiff_t t, k, i, n = rows.n
    cdef bint any_step = False
    cdef double mean
    for k in range(rows.K):
        u[k] = v[k] - u[k]
        any_step = any_step or u[k] != 0.0
    if not any_step:
        return
    if rows.starts is NULL:
        move_dense(rows.values + j * n, rows.A, rows.inverse, u, rows.R, n, rows.K)
        return
    for t in range(rows.starts[j], rows.starts[j + 1]):
        i = rows.indices[t]
        mean = 0.0
        for k in range(rows.K):
            mean += rows.A[k * n + i] * u[k]
        mean *= rows.inverse[i]
        for k in range(rows.K):
            rows.R[k * n + i] += rows.values[t] * rows.A[k * n + i] * (u[k] - mean)


cdef void hessian_of_block(
    Rows rows, ptrdiff_t j, double *B, double *room
) noexcept nogil:
    """The Hessian of the weights of feature j; its rows sum to zero exactly."""
    cdef int n = rows.n, K = rows.K
    cdef ptrdiff_t i, k, other, t, first = 0
    cdef double minus = -1.0, none = 0.0, total
    cdef char lower = b"L", across = b"T"
    cdef double *root = room
    cdef double *V = room + n
    if rows.starts is NULL:
        for i in range(n):
            root[i] = sqrt(rows.inverse[i])
        scale_dense(rows.values + j * <ptrdiff_t>n, rows.A, root, V, n, K)
    else:
        first = rows.starts[j]
        n = rows.starts[j + 1] - rows.starts[j]
        for t in range(n):
            i = rows.indices[first + t]
            total = rows.values[first + t] * sqrt(rows.inverse[i])
            for k in range(K):
                V[k * n + t] = total * rows.A[k * rows.n + i]
    if n == 0:
        for k in range(K * K):
            B[k] = 0.0
        return
    # The lower triangle by columns is the upper one by rows.
    dsyrk(&lower, &across, &K, &n, &minus, V, &n, &none, B, &K)
    for k in range(K):
        for other in range(k):
            B[k * K + other] = B[other * K + k]
    for k in range(K):
        total = 0.0
        for other in range(K):
            if other != k:
                total -= B[k * K + other]
        B[k * K + k] = total


cdef void decompose(Block block, int K, double *room) noexcept nogil:
    """B becomes its eigenvectors, row by row, and E its eigenvalues, not negative."""
    cdef int size = 34 * K, info
    cdef ptrdiff_t k
    cdef char vectors = b"V", lower = b"L"
    dsyev(&vectors, &lower, &K, block.B, &K, block.E, room, &size, &info)
    for k in range(K):
        block.E[k] = max(block.E[k], 0.0)


cdef bint stays_zero(Block block, int K, bint together) noexcept nogil:
    """Whether the weights are zero and R holds them there."""
    cdef ptrdiff_t k
    cdef double size = 0.0
    if block.lasso == 0.0:
        return False
    for k in range(K):
        if block.u[k] != 0.0:
            return False
        if together:
            size += block.g[k] * block.g[k]
        else:
            size = max(size, fabs(block.g[k]))
    return (sqrt(size) if together else size) <= block.lasso


cdef void rotate(const double *Q, const double *a, double *out, int K) noexcept nogil:
    """Q a."""
    cdef ptrdiff_t k, l
    cdef double total
    for k in range(K):
        total = 0.0
        for l in range(K):
            total += Q[k * K + l] * a[l]
        out[k] = total


cdef void rotate_back(
    const double *Q, const double *a, double *out, int K
) noexcept nogil:
    """Q^T a."""
    cdef ptrdiff_t k, l
    for l in range(K):
        out[l] = 0.0
    for k in range(K):
        for l in range(K):
            out[l] += a[k] * Q[k * K + l]


cdef double free_step(Block block, int K) noexcept nogil:
    """Newton's step; returns the decrease of the model."""
    cdef ptrdiff_t k
    cdef double a, decrease = 0.0, largest = block.E[K - 1] + block.ridge
    cdef double *g = block.room
    rotate(block.B, block.g, g, K)
    for k in range(K):
        a = block.E[k] + block.ridge
        if a > FLAT * largest and a > NO_CURVATURE:
            decrease += 0.5 * g[k] * g[k] / a
            g[k] = -g[k] / a
        else:
            g[k] = 0.0
    rotate_back(block.B, g, block.v, K)
    for k in range(K):
        block.v[k] += block.u[k]
    return decrease


cdef double group_step(Block block, int K) noexcept nogil:
    """The minimum with a Euclidean norm; returns the decrease of the model."""
    cdef ptrdiff_t k, step
    cdef double a, before = 0.0, size = 0.0, norm, squares, slope, s, change
    cdef double *u = block.room
    cdef double *c = block.room + K
    cdef double *h = block.room + 2 * K
    rotate(block.B, block.u, u, K)
    rotate(block.B, block.g, h, K)
    for k in range(K):
        c[k] = (block.E[k] + block.ridge) * u[k] - h[k]
        before += u[k] * u[k]
        size += c[k] * c[k]
    before = sqrt(before)
    norm = 0.0
    if sqrt(size) > block.lasso:
        norm = before
        for step in range(MOST_STEPS):
            squares, slope = 0.0, 0.0
            for k in range(K):
                a = block.E[k] + block.ridge
                s = c[k] / (a * norm + block.lasso)
                squares += s * s
                slope += s * s * a / (a * norm + block.lasso)
            if not slope > NO_CURVATURE:
                norm = before
                break
            # Newton's method for 1 / sqrt(squares) = 1, which is concave in the norm.
            s = sqrt(squares)
            change = (1.0 - 1.0 / s) * squares * s / slope
            size = norm
            norm = max(norm + change, 0.0)
            if fabs(norm - size) <= 1e-14 * norm:
                break
    change, squares, slope = 0.0, 0.0, 0.0
    for k in range(K):
        a = block.E[k] + block.ridge
        s = c[k] * norm / (a * norm + block.lasso) if norm > 0.0 else 0.0
        squares += s * s
        slope += (s - u[k]) * (s + u[k])
        change += (h[k] + 0.5 * a * (s - u[k])) * (s - u[k])
        c[k] = s
    size = sqrt(squares) + before
    if size > 0.0:  # the change of the norm, to the last digits
        change += block.lasso * slope / size
    rotate_back(block.B, c, block.v, K)
    if norm == 0.0:
        for k in range(K):
            block.v[k] = 0.0
    return -change


cdef double lasso_step(Block block, int K) noexcept nogil:
    """Coordinate descent over the classes; returns the decrease of the model."""
    cdef ptrdiff_t k, l, step
    cdef double a, old, new, cut, delta, gained, decrease = 0.0
    cdef double *g = block.room
    cdef double *v = block.v
    for k in range(K):
        g[k], v[k] = block.g[k], block.u[k]
    for step in range(MOST_STEPS):
        gained = 0.0
        for k in range(K):
            a = block.B[k * K + k] + block.ridge
            if not a > NO_CURVATURE:
                continue
            old, cut = v[k], block.lasso / a
            new = old - g[k] / a
            new = new - cut if new > cut else (new + cut if new < -cut else 0.0)
            if new == old:
                continue
            delta = new - old
            gained -= (g[k] + 0.5 * a * delta) * delta
            if new * old > 0.0:  # to the last digits
                gained -= block.lasso * (delta if new > 0.0 else -delta)
            else:
                gained -= block.lasso * (fabs(new) - fabs(old))
            for l in range(K):
                g[l] += delta * block.B[k * K + l]
            g[k] += delta * block.ridge
            v[k] = new
        decrease += gained
        if not gained > ENOUGH * decrease:
            break
    if block.ridge == 0.0:
        decrease += block.lasso * to_median(v, K)
    return decrease


cdef double to_median(double *v, int K) noexcept nogil:
    """Subtract a median if no number is zero; returns the decrease of the L1 norm.

    A shift of all classes changes no probability, and descent along single weights
    would take many steps for it.
    """
    cdef ptrdiff_t k, l, below, above
    cdef double middle = 0.0, decrease = 0.0, norm = 0.0
    for k in range(K):
        if v[k] == 0.0:
            return 0.0
        norm += fabs(v[k])
    for k in range(K):
        below, above = 0, 0
        for l in range(K):
            below += v[l] < v[k]
            above += v[l] > v[k]
        if 2 * below <= K and 2 * above <= K:
            middle = v[k]
            break
    for k in range(K):
        decrease += fabs(v[k]) - fabs(v[k] - middle)
    if not decrease > FLAT * norm:  # an equal norm, or rounding
        return 0.0
    for k in range(K):
        v[k] -= middle
    return decrease

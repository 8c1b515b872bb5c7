# What `kernel` of `__init__.py` puts in the place of numpy's functions.
#
# Each function has the name, the arguments and the results of its twin in numpy, which
# says what it computes. It returns NotImplemented for arguments that it is not for.

from cython cimport floating
from libc.limits cimport INT_MAX
from libc.math cimport sqrt
from libc.stddef cimport ptrdiff_t
from libc.stdlib cimport free, malloc
from scipy.linalg.cython_blas cimport dgemm, dgemv, dsyrk, sgemm, sgemv
from scipy.linalg.cython_lapack cimport dpotrf, dpotrs

import numpy as np

cdef extern from "elementwise.h" nogil:
    enum: TILE
    void exps(const double *x, double *out, ptrdiff_t n)
    void logs(const double *x, double *out, ptrdiff_t n)
    double softmax_tile(
        double *Z, double *dZ, const double *sY, const ptrdiff_t *codes,
        const double *s, ptrdiff_t n, ptrdiff_t ld, ptrdiff_t n_classes
    )
    double logistic_tile(
        double *z, double *dz, const double *sy, const ptrdiff_t *codes,
        const double *s, ptrdiff_t n
    )
    ptrdiff_t probabilities_tile_double(
        const double *Z, ptrdiff_t row_stride, ptrdiff_t class_stride, double *P,
        ptrdiff_t n, ptrdiff_t n_classes, int logarithms
    )
    ptrdiff_t probabilities_tile_float(
        const float *Z, ptrdiff_t row_stride, ptrdiff_t class_stride, float *P,
        ptrdiff_t n, ptrdiff_t n_classes, int logarithms
    )
    double sum_double(const double *values, ptrdiff_t n)
    double sum_float(const float *values, ptrdiff_t n)
    void hessian_tile_double(
        const double *sP, double *V, const double *s,
        ptrdiff_t n, ptrdiff_t ld, ptrdiff_t n_classes
    )
    void pair_products(const double *X, double *U, ptrdiff_t n, ptrdiff_t q)
    void pair_weights(
        const double *sP, const double *s, double *R,
        ptrdiff_t n, ptrdiff_t ld, ptrdiff_t n_free
    )
    void weighted_rows(
        const double *X, ptrdiff_t row_stride, ptrdiff_t column_stride,
        const double *centre, const double *weights, double *out,
        ptrdiff_t n, ptrdiff_t p, int ones
    )
    void hessian_tile_float(
        const float *sP, float *V, const float *s,
        ptrdiff_t n, ptrdiff_t ld, ptrdiff_t n_classes
    )
    void scaled_rows_double(
        const double *X, const ptrdiff_t *rows, const double *centre,
        const double *factor, double *out, ptrdiff_t n, ptrdiff_t p, ptrdiff_t ld
    )
    void scaled_rows_float(
        const float *X, const ptrdiff_t *rows, const double *centre,
        const double *factor, float *out, ptrdiff_t n, ptrdiff_t p, ptrdiff_t ld
    )
    void column_sums(
        const double *X, const double *s, double *low, double *high, double *zeros,
        double *sums, double *of_tile, ptrdiff_t n, ptrdiff_t row_stride, ptrdiff_t p
    )
    void column_squares(
        const double *X, const double *s, const double *centre, double *drift,
        double *squares, double *of_tile, ptrdiff_t n, ptrdiff_t row_stride, ptrdiff_t p
    )


cdef object DOUBLE = np.dtype(np.float64)
cdef object SINGLE = np.dtype(np.float32)
cdef object INDEX = np.dtype(np.intp)
cdef object ARRAY = np.ndarray


def exp_negative(const double[::1] x):
    """e^x for x <= 0, for the tests."""
    out = np.empty(x.shape[0])
    cdef double[::1] view = out
    exps(&x[0], &view[0], x.shape[0])
    return out


def log_of_sum(const double[::1] x):
    """The logarithm of x >= 1, for the tests."""
    out = np.empty(x.shape[0])
    cdef double[::1] view = out
    logs(&x[0], &view[0], x.shape[0])
    return out


# Matrices as BLAS reads them

cdef struct Matrix:
    # An array as columns, `stride` numbers apart, or with trans = b"T" as rows.
    char trans
    int stride


cdef Matrix layout(ptrdiff_t n_rows, ptrdiff_t n_columns,
                   ptrdiff_t row_stride, ptrdiff_t column_stride) noexcept nogil:
    """How to read an array with these strides, in numbers; stride 0 if BLAS cannot."""
    cdef Matrix matrix
    matrix.trans, matrix.stride = b"T", 0
    if max(row_stride, column_stride) > INT_MAX:
        return matrix
    if (column_stride == 1 or n_columns == 1) and row_stride >= n_columns:
        matrix.stride = <int>row_stride
    elif row_stride == 1 and column_stride >= n_rows:
        matrix.trans, matrix.stride = b"N", <int>column_stride
    return matrix


cdef object readable(object X):
    """X as an array that BLAS reads in place, a copy if it must be."""
    cdef ptrdiff_t size = X.dtype.itemsize
    rows, columns = X.strides
    n_rows, n_columns = X.shape
    if X.flags.aligned and not (rows % size or columns % size) and layout(
        n_rows, n_columns, rows // size, columns // size
    ).stride:
        return X
    return np.array(X, order="C")


cdef void add_product(
    Matrix X, const floating *X_data, const floating *W, floating *Z,
    int n, int p, int m
) noexcept nogil:
    """Z += X W: (n, p) by rows or columns, (p, m) by rows, (n, m) by columns."""
    cdef int one = 1
    cdef floating unit = 1.0
    cdef char across = b"T"
    cdef char *trans = &X.trans
    if n == 0 or p == 0:
        return
    if m == 1:
        # BLAS has the transposed matrix-vector product, too: of rows as columns.
        if floating is double:
            dgemv(trans, &p if X.trans == across else &n,
                  &n if X.trans == across else &p, &unit, <double *>X_data, &X.stride,
                  <double *>W, &one, &unit, Z, &one)
        else:
            sgemv(trans, &p if X.trans == across else &n,
                  &n if X.trans == across else &p, &unit, <float *>X_data, &X.stride,
                  <float *>W, &one, &unit, Z, &one)
    elif floating is double:
        dgemm(trans, &across, &n, &m, &p, &unit, <double *>X_data, &X.stride,
              <double *>W, &m, &unit, Z, &n)
    else:
        sgemm(trans, &across, &n, &m, &p, &unit, <float *>X_data, &X.stride,
              <float *>W, &m, &unit, Z, &n)


cdef void transposed_product(
    Matrix X, const floating *X_data, const floating *dZ, floating *out,
    int n, int p, int m
) noexcept nogil:
    """X^T dZ by columns, (p, m): the product with the long side of X is faster so."""
    cdef int one = 1
    cdef floating unit = 1.0, none = 0.0
    cdef char across = b"T", plain = b"N"
    cdef char *flipped = &plain if X.trans == across else &across
    cdef ptrdiff_t i
    if n == 0:  # of which BLAS writes nothing
        for i in range(p * m):
            out[i] = 0.0
    if n == 0 or p == 0:
        return
    if m == 1:
        if floating is double:
            dgemv(flipped, &p if X.trans == across else &n,
                  &n if X.trans == across else &p, &unit, <double *>X_data, &X.stride,
                  <double *>dZ, &one, &none, out, &one)
        else:
            sgemv(flipped, &p if X.trans == across else &n,
                  &n if X.trans == across else &p, &unit, <float *>X_data, &X.stride,
                  <float *>dZ, &one, &none, out, &one)
    elif floating is double:
        dgemm(flipped, &plain, &p, &m, &n, &unit, <double *>X_data, &X.stride,
              <double *>dZ, &n, &none, out, &p)
    else:
        sgemm(flipped, &plain, &p, &m, &n, &unit, <float *>X_data, &X.stride,
              <float *>dZ, &n, &none, out, &p)


cdef void by_rows(
    const floating *columns, floating *out, int p, int m
) noexcept nogil:
    """A matrix (p, m) by columns, written by rows."""
    cdef int j, k
    for j in range(p):
        for k in range(m):
            out[j * m + k] = columns[k * p + j]


cdef void sums_of_classes(
    const floating *dZ, floating *out, ptrdiff_t n, ptrdiff_t m
) noexcept nogil:
    """Sums of the columns of (n, m)."""
    cdef ptrdiff_t k
    for k in range(m):
        if floating is double:
            out[k] = sum_double(dZ + k * n, n)
        else:
            out[k] = <float>sum_float(dZ + k * n, n)


# Targets

cdef class Targets:
    # sY, which keeps its arrays alive: all entries by columns, or one of each row, in
    # the column `codes`. The first of two classes may be the reference.
    cdef const double[::1] entries
    cdef const ptrdiff_t[::1] codes_view
    cdef const ptrdiff_t *codes
    cdef bint has_reference

    def __cinit__(self, sY, ptrdiff_t m):
        codes = getattr(sY, "codes", None)
        self.codes = NULL
        self.has_reference = m < sY.shape[1]
        if codes is None:
            # Of columns, the second has the class that is not the reference.
            self.entries = np.ravel(sY[:, m:] if self.has_reference else sY, "F")
        else:
            self.entries = sY.values
            self.codes_view = codes
            self.codes = &self.codes_view[0]


# The loss

cdef double loss_of_rows(
    double *Z, double *dZ, const double *sY, const ptrdiff_t *codes, const double *s,
    ptrdiff_t n, ptrdiff_t m, bint has_reference
) noexcept nogil:
    """L; Z becomes sP and dZ becomes dL/dZ, all by columns."""
    cdef double value = 0.0
    cdef ptrdiff_t tile, start, rows
    cdef const ptrdiff_t *own = NULL
    for tile in range((n + TILE - 1) // TILE):
        start = tile * TILE
        rows = min(n - start, TILE)
        if codes is not NULL:
            own = codes + start
        if has_reference:
            value += logistic_tile(
                Z + start, dZ + start, sY + start, own, s + start, rows
            )
        else:
            value += softmax_tile(
                Z + start, dZ + start, sY + start, own, s + start, rows, n, m
            )
    return value


def loss_grad(Z, sY, s):
    if not Z.dtype == sY.dtype == s.dtype == DOUBLE:
        return NotImplemented
    Z = np.asfortranarray(Z)
    dZ = np.empty_like(Z)
    cdef double[::1, :] Z_view = Z, dZ_view = dZ
    cdef const double[::1] s_view = np.ascontiguousarray(s)
    cdef ptrdiff_t n = Z_view.shape[0], m = Z_view.shape[1]
    cdef Targets targets = Targets(sY, m)
    cdef double value
    with nogil:
        value = loss_of_rows(
            &Z_view[0, 0], &dZ_view[0, 0], &targets.entries[0], targets.codes,
            &s_view[0], n, m, targets.has_reference
        )
    return value, dZ, Z


def linear_pass(X, W, sY, s):
    if not isinstance(X, ARRAY) or not X.dtype == W.dtype == DOUBLE or not W.size:
        return NotImplemented
    X = readable(X)
    cdef const double[:, :] X_view = X
    cdef const double[:, ::1] W_view = np.ascontiguousarray(W)
    cdef const double[::1] s_view = np.ascontiguousarray(s)
    cdef int n = X_view.shape[0], p = X_view.shape[1], m = W_view.shape[1]
    cdef bint ones = W_view.shape[0] > p
    cdef Targets targets = Targets(sY, m)
    cdef Matrix matrix = layout(
        n, p,
        X_view.strides[0] // <ptrdiff_t>sizeof(double),
        X_view.strides[1] // <ptrdiff_t>sizeof(double)
    )
    Z, grad = np.empty((m, n)).T, np.empty(W.size)
    cdef double[::1, :] Z_view = Z
    cdef double[::1] grad_view = grad
    cdef double *scratch = <double *>malloc(
        (<size_t>n * m + <size_t>p * m + 1) * sizeof(double)
    )
    if scratch is NULL:
        raise MemoryError
    cdef double value
    with nogil:
        value = pass_of_rows(
            matrix, &X_view[0, 0], &W_view[0, 0], &targets.entries[0], targets.codes,
            &s_view[0], &Z_view[0, 0], &grad_view[0], scratch, n, p, m, ones,
            targets.has_reference
        )
        free(scratch)
    return value, grad, Z


cdef double pass_of_rows(
    Matrix matrix, const double *X, const double *W, const double *sY,
    const ptrdiff_t *codes, const double *s, double *Z, double *grad, double *scratch,
    int n, int p, int m, bint ones, bint has_reference
) noexcept nogil:
    """L of Z = X W + b; Z becomes sP, and grad the gradient by w."""
    cdef double value
    cdef double *dZ = scratch
    cdef double *columns = scratch + <size_t>n * m
    cdef ptrdiff_t i, k
    for k in range(m):
        for i in range(n):
            Z[k * n + i] = W[p * m + k] if ones else 0.0
    add_product(matrix, X, W, Z, n, p, m)
    value = loss_of_rows(Z, dZ, sY, codes, s, n, m, has_reference)
    transposed_product(matrix, X, dZ, columns, n, p, m)
    by_rows(columns, grad, p, m)
    if ones:
        sums_of_classes(dZ, grad + p * m, n, m)
    return value


# Probabilities

def class_probabilities(Z, bint logarithms):
    if type(Z) is not ARRAY or not Z.ndim == 2 or not Z.size:  # not a masked array
        return NotImplemented
    if Z.dtype == DOUBLE:
        return probabilities_of_rows[double](readable(Z), logarithms)
    if Z.dtype == SINGLE:
        return probabilities_of_rows[float](readable(Z), logarithms)
    return NotImplemented


cdef object probabilities_of_rows(const floating[:, :] Z, bint logarithms):
    cdef ptrdiff_t n = Z.shape[0], n_classes = Z.shape[1]
    cdef ptrdiff_t tile, start, rows, without = 0
    P = np.empty((n, n_classes), DOUBLE if floating is double else SINGLE)
    cdef floating[:, ::1] P_view = P
    cdef ptrdiff_t row_stride = Z.strides[0] // <ptrdiff_t>sizeof(floating)
    cdef ptrdiff_t class_stride = Z.strides[1] // <ptrdiff_t>sizeof(floating)
    with nogil:
        for tile in range((n + TILE - 1) // TILE):
            start = tile * TILE
            rows = min(n - start, TILE)
            if floating is double:
                without += probabilities_tile_double(
                    &Z[start, 0], row_stride, class_stride, &P_view[start, 0], rows,
                    n_classes, logarithms
                )
            else:
                without += probabilities_tile_float(
                    &Z[start, 0], row_stride, class_stride, &P_view[start, 0], rows,
                    n_classes, logarithms
                )
    return NotImplemented if without else P


# Products with the Hessian

cdef void hessian_of_rows(
    const floating *sP, floating *V, const floating *s, ptrdiff_t n, ptrdiff_t m
) noexcept nogil:
    cdef ptrdiff_t tile, start, rows
    for tile in range((n + TILE - 1) // TILE):
        start = tile * TILE
        rows = min(n - start, TILE)
        if floating is double:
            hessian_tile_double(sP + start, V + start, s + start, rows, n, m)
        else:
            hessian_tile_float(sP + start, V + start, s + start, rows, n, m)


def linear_hessp(X, sP, s, V):
    if not isinstance(X, ARRAY) or not X.dtype == sP.dtype == s.dtype == V.dtype:
        return NotImplemented
    if X.dtype != DOUBLE and X.dtype != SINGLE or not V.size:
        return NotImplemented
    X, sP = readable(X), np.asfortranarray(sP)
    s, V = np.ascontiguousarray(s), np.ascontiguousarray(V)
    out, ones = np.empty(V.size, V.dtype), len(V) > X.shape[1]
    if X.dtype == DOUBLE:
        hessp_of[double](X, sP, s, V.ravel(), out, ones)
    else:
        hessp_of[float](X, sP, s, V.ravel(), out, ones)
    return out


cdef int hessp_of(
    const floating[:, :] X, const floating[::1, :] sP, const floating[::1] s,
    const floating[::1] v, floating[::1] out, bint ones
) except -1:
    cdef int n = X.shape[0], p = X.shape[1], m = sP.shape[1]
    cdef Matrix matrix = layout(
        n, p,
        X.strides[0] // <ptrdiff_t>sizeof(floating),
        X.strides[1] // <ptrdiff_t>sizeof(floating)
    )
    cdef floating *V = <floating *>malloc(
        (<size_t>n * m + <size_t>p * m + 1) * sizeof(floating)
    )
    if V is NULL:
        raise MemoryError
    cdef floating *columns = V + <size_t>n * m
    cdef ptrdiff_t i, k
    with nogil:
        for k in range(m):
            for i in range(n):
                V[k * n + i] = v[p * m + k] if ones else 0.0
        add_product(matrix, &X[0, 0], &v[0], V, n, p, m)
        hessian_of_rows(&sP[0, 0], V, &s[0], n, m)
        transposed_product(matrix, &X[0, 0], V, columns, n, p, m)
        by_rows(columns, &out[0], p, m)
        if ones:
            sums_of_classes(V, &out[p * m], n, m)
        free(V)
    return 0


# The Hessian as a matrix

# Columns of x up to which the products of pairs of them stay in the cache, for a tile.
# With few classes they are used so seldom that they pay up to fewer columns.
cdef enum:
    MOST_COLUMNS = 64

# Columns up to which OpenBLAS is faster with both halves of a symmetric matrix.
cdef enum:
    MOST_COLUMNS_OF_GEMM = 48


def hessian_without_last_class(X, centre, bint ones, sP, s):
    if not isinstance(X, ARRAY) or not X.dtype == sP.dtype == s.dtype == DOUBLE:
        return NotImplemented
    if not X.flags.aligned or X.strides[0] % 8 or X.strides[1] % 8:
        X = np.array(X, order="C")
    cdef const double[:, :] X_view = X
    cdef const double[::1] centre_view = np.ascontiguousarray(centre, np.float64)
    cdef const double[::1, :] sP_view = np.asfortranarray(sP)
    cdef const double[::1] s_view = np.ascontiguousarray(s)
    cdef int n_free = max(sP_view.shape[1] - 1, 1), q = X_view.shape[1] + ones
    if n_free > 1 and q > min(16 * n_free, MOST_COLUMNS):
        return NotImplemented
    H = np.empty((n_free * q, n_free * q))
    cdef double[:, ::1] H_view = H
    cdef int n_pairs = q * (q + 1) // 2, n_weights = n_free * (n_free + 1) // 2
    cdef size_t size = <size_t>TILE * (q + 1)
    if n_free > 1:
        size = <size_t>TILE * (q + n_pairs + n_weights) + <size_t>n_pairs * n_weights
    cdef double *scratch = <double *>malloc((size + 1) * sizeof(double))
    if scratch is NULL:
        raise MemoryError
    with nogil:
        if n_free == 1:
            hessian_of_one(X_view, centre_view, ones, sP_view, s_view, H_view, scratch)
        else:
            hessian_of_several(
                X_view, centre_view, ones, sP_view, s_view, H_view, n_free, scratch
            )
        free(scratch)
    return H


cdef void take_tile(
    const double[:, :] X, const double[::1] centre, bint ones,
    ptrdiff_t start, ptrdiff_t rows, double *tile
) noexcept nogil:
    """Rows of X minus the centre, beside ones, by columns."""
    cdef ptrdiff_t i, j, p = X.shape[1]
    for i in range(rows):
        for j in range(p):
            tile[j * rows + i] = X[start + i, j] - centre[j]
    if ones:
        for i in range(rows):
            tile[p * rows + i] = 1.0


cdef void hessian_of_one(
    const double[:, :] X, const double[::1] centre, bint ones,
    const double[::1, :] sP, const double[::1] s, double[:, ::1] H, double *scratch
) noexcept nogil:
    """The sum of s p (1 - p) x x^T."""
    cdef ptrdiff_t n = X.shape[0], tile, start, rows, i, j
    cdef int q = H.shape[0], n_rows
    cdef double unit = 1.0
    cdef char lower = b"L", plain = b"N", across = b"T"
    cdef double *x = scratch
    cdef double *weights = scratch + TILE * q
    for i in range(q):
        for j in range(q):
            H[i, j] = 0.0
    for tile in range((n + TILE - 1) // TILE):
        start = tile * TILE
        rows = n_rows = min(n - start, TILE)
        pair_weights(&sP[start, 0], &s[start], weights, rows, n, 1)
        weighted_rows(
            &X[start, 0], X.strides[0] // <ptrdiff_t>sizeof(double),
            X.strides[1] // <ptrdiff_t>sizeof(double),
            &centre[0], weights, x, rows, X.shape[1], ones
        )
        if q <= MOST_COLUMNS_OF_GEMM:
            dgemm(&plain, &across, &q, &q, &n_rows, &unit, x, &q, x, &q,
                  &unit, &H[0, 0], &q)
        else:
            dsyrk(&lower, &plain, &q, &n_rows, &unit, x, &q, &unit, &H[0, 0], &q)
    for i in range(q):
        for j in range(i):
            H[i, j] = H[j, i]


cdef void hessian_of_several(
    const double[:, :] X, const double[::1] centre, bint ones,
    const double[::1, :] sP, const double[::1] s, double[:, ::1] H, int n_free,
    double *scratch
) noexcept nogil:
    """The products of pairs of columns, times the weights of pairs of classes."""
    cdef ptrdiff_t n = X.shape[0], tile, start, rows
    cdef int q = X.shape[1] + ones, n_rows
    cdef int n_pairs = q * (q + 1) // 2, n_weights = n_free * (n_free + 1) // 2
    cdef double unit = 1.0
    cdef char across = b"T", plain = b"N"
    cdef double *x = scratch
    cdef double *R = x + TILE * q
    cdef double *U = R + TILE * n_weights
    cdef double *sums = U + TILE * n_pairs
    cdef ptrdiff_t a, b, k, l, i
    for i in range(<ptrdiff_t>n_pairs * n_weights):
        sums[i] = 0.0
    for tile in range((n + TILE - 1) // TILE):
        start = tile * TILE
        rows = n_rows = min(n - start, TILE)
        take_tile(X, centre, ones, start, rows, x)
        pair_products(x, U, rows, q)
        pair_weights(&sP[start, 0], &s[start], R, rows, n, n_free)
        dgemm(&across, &plain, &n_pairs, &n_weights, &n_rows, &unit, U, &n_rows,
              R, &n_rows, &unit, sums, &n_pairs)
    i = 0
    for k in range(n_free):
        for l in range(k, n_free):
            for a in range(q):
                for b in range(a, q):
                    H[k * q + a, l * q + b] = H[k * q + b, l * q + a] = sums[i]
                    H[l * q + a, k * q + b] = H[l * q + b, k * q + a] = sums[i]
                    i += 1


# Newton systems

# As in `_objective/inverses.py`, where a matrix is not positive definite.
cdef double SMALLEST_RIDGE = 1e-9


def scaled_factor(H, double total_weight, penalty, double ridge):
    if not H.size:
        return NotImplemented
    cdef double[:, ::1] H_view = H
    cdef const double[:, :] penalty_view = penalty
    cdef int size = H_view.shape[0], info = 1
    cdef ptrdiff_t q = penalty_view.shape[0], i, j, k, l
    cdef ptrdiff_t n_classes = penalty_view.shape[1]
    cdef double shared = 1.0 / n_classes if n_classes > 1 else 0.0
    cdef char lower = b"L"
    scale, factor = np.empty(size), np.empty((size, size)).T
    cdef double[::1] scale_view = scale
    cdef double[::1, :] factor_view = factor
    cdef double least = ridge
    with nogil:
        for i in range(size):
            for j in range(size):
                H_view[i, j] /= total_weight
        for k in range(size // q):
            for l in range(size // q):
                for j in range(q):
                    H_view[k * q + j, l * q + j] += (
                        (1.0 if k == l else 0.0) - shared
                    ) * penalty_view[j, 0]
        for i in range(size):
            scale_view[i] = 1.0 / sqrt(H_view[i, i]) if H_view[i, i] > 0.0 else 0.0
        for i in range(size):
            for j in range(size):
                # In this order: the product of the scales could overflow.
                H_view[i, j] = H_view[i, j] * scale_view[i] * scale_view[j]
            if scale_view[i] == 0.0:
                H_view[i, i] = 1.0
        # A ridge above the size suffices, unless there is a NaN.
        while info and least < 1e9:
            for i in range(size):
                for j in range(size):
                    factor_view[j, i] = H_view[i, j]
                factor_view[i, i] += least
            dpotrf(&lower, &size, &factor_view[0, 0], &size, &info)
            least = max(100.0 * least, SMALLEST_RIDGE)
    return scale, factor


def solve_scaled(factor, scale, R):
    if not R.size:
        return NotImplemented
    cdef const double[::1, :] factor_view = factor
    cdef const double[::1] scale_view = scale
    cdef const double[:, :] R_view = R
    cdef ptrdiff_t q = R_view.shape[0], n_free = scale_view.shape[0] // q, j, k
    cdef int size = scale_view.shape[0], one = 1, info
    cdef char lower = b"L"
    right, solution = np.empty(size), np.zeros(R.shape)
    cdef double[::1] right_view = right
    cdef double[:, ::1] solution_view = solution
    with nogil:
        for k in range(n_free):
            for j in range(q):
                right_view[k * q + j] = R_view[j, k] * scale_view[k * q + j]
        dpotrs(&lower, &size, &one, <double *>&factor_view[0, 0], &size,
               &right_view[0], &size, &info)
        for k in range(n_free):
            for j in range(q):
                solution_view[j, k] = right_view[k * q + j] * scale_view[k * q + j]
    return solution


cdef void project(double[:, ::1] W) noexcept nogil:
    """Subtract from each row its mean, unless there is only one column."""
    cdef ptrdiff_t j, k, n_classes = W.shape[1]
    cdef double mean
    if n_classes == 1:
        return
    for j in range(W.shape[0]):
        mean = 0.0
        for k in range(n_classes):
            mean += W[j, k]
        mean /= n_classes
        for k in range(n_classes):
            W[j, k] -= mean


def into_centred(r, centre, bint ones):
    R = np.array(r).reshape(centre.size + ones, -1)
    cdef double[:, ::1] R_view = R
    cdef const double[::1] centre_view = centre
    cdef ptrdiff_t p = centre_view.shape[0], j, k
    with nogil:
        project(R_view)
        if ones:
            for j in range(p):
                for k in range(R_view.shape[1]):
                    R_view[j, k] -= centre_view[j] * R_view[p, k]
    return R


def out_of_centred(D, centre, bint ones):
    D = np.array(D, order="C")
    cdef double[:, ::1] D_view = D
    cdef const double[::1] centre_view = centre
    cdef ptrdiff_t p = centre_view.shape[0], j, k
    with nogil:
        project(D_view)
        if ones:
            for j in range(p):
                for k in range(D_view.shape[1]):
                    D_view[p, k] -= centre_view[j] * D_view[j, k]
    return D.ravel()


# Statistics of columns

# Half the range of a column that is not extreme, as in `_data/statistics.py`.
cdef double LEAST_HALF = 2.0 ** -65
cdef double MOST_HALF = 2.0 ** 64

def moments_of(X, s):
    if not isinstance(X, ARRAY) or not X.dtype == s.dtype == DOUBLE or not X.size:
        return NotImplemented
    if not X.flags.aligned or X.strides[1] != 8 or X.strides[0] % 8:
        return NotImplemented
    cdef const double[:, :] X_view = X
    cdef const double[::1] weights = np.ascontiguousarray(s)
    cdef ptrdiff_t n = X_view.shape[0], p = X_view.shape[1], j
    cdef ptrdiff_t row_stride = X_view.strides[0] // 8
    cdef double weight = sum_double(&weights[0], n), half
    cdef bint is_extreme = False
    low, high, zeros, shift, squares = (np.empty(p) for _ in range(5))
    cdef double[::1] low_view = low, high_view = high, zeros_view = zeros
    cdef double[::1] shift_view = shift, squares_view = squares
    cdef double[:, ::1] scratch = np.empty((4, p))
    cdef double *centre = &scratch[0, 0]
    cdef double *drift = &scratch[1, 0]
    cdef double *of_tile = &scratch[2, 0]
    with nogil:
        column_sums(
            &X_view[0, 0], &weights[0], &low_view[0], &high_view[0], &zeros_view[0],
            &shift_view[0], of_tile, n, row_stride, p
        )
        for j in range(p):
            half = high_view[j] / 2 - low_view[j] / 2
            is_extreme |= half != 0.0 and not LEAST_HALF <= half < MOST_HALF
            shift_view[j] /= weight
            centre[j] = X_view[0, j] + shift_view[j]
        column_squares(
            &X_view[0, 0], &weights[0], centre, drift, &squares_view[0], of_tile,
            n, row_stride, p
        )
        for j in range(p):
            squares_view[j] -= drift[j] * (drift[j] / weight)
            squares_view[j] = max(squares_view[j], 0.0)
    if is_extreme:
        return NotImplemented
    return weight, low, high, zeros, shift, squares, 0


# Rows of mini-batches

def take_scaled(X, rows, centre, factor, out):
    if not rows.dtype == INDEX or not X.dtype == out.dtype:
        return NotImplemented
    if X.dtype == DOUBLE:
        take_scaled_rows[double](X, rows, centre, factor, out)
    elif X.dtype == SINGLE:
        take_scaled_rows[float](X, rows, centre, factor, out)
    else:
        return NotImplemented


cdef void take_scaled_rows(
    const floating[:, ::1] X, const ptrdiff_t[::1] rows, const double[::1] centre,
    const double[::1] factor, floating[:, ::1] out
):
    cdef ptrdiff_t n = rows.shape[0], p = X.shape[1], ld = out.shape[1]
    with nogil:
        if floating is double:
            scaled_rows_double(
                &X[0, 0], &rows[0], &centre[0], &factor[0], &out[0, 0], n, p, ld
            )
        else:
            scaled_rows_float(
                &X[0, 0], &rows[0], &centre[0], &factor[0], &out[0, 0], n, p, ld
            )

"""One Newton step from the optimum of all rows to the optimum without a row.

Without row i, the mean of the other losses plus R is, times 1 - t with t = s_i/S,

    F_i(w) = J(w) - t d_i(w) + (1 - t) R(w),

d_i being the loss of the row. One Newton step on it from the optimum w of F changes the
logits of row i by

    t (I - t A D)^-1 (A (p - y) + u),   A = X_i H^-1 X_i^T,   u = X_i H^-1 grad R,

where X_i v are the logits of row i along v, H is the Hessian of J + (1 - t) R, with the
mean of t for all rows, and D = diag(p) - p p^T that of the row's loss in its logits: K
numbers per row, from one inverse of H (Rad and Maleki 2020, JRSS-B 82:965; they leave
out t R, because they keep R where we keep the weight of R beside the mean loss). With
zero weights, this holds in the others, which are assumed to stay the same and to keep
their signs. Where the first of two classes is the reference and has no logit, p and y
are those of the second and D is p - p p.
"""

from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import take_rows
from sksoftmax._model.loss import targets_beside
from sksoftmax._objective.dense_hessian import CentredRows, dense_hessian, row_slices
from sksoftmax._objective.inverses import add_centred_penalty, scaled_inverse
from sksoftmax._objective.quadratic import DenseModel

# Free parameters up to which the inverse of the Hessian is formed: 0.8 GB.
LARGEST = 10_000

# Rows for H, per free parameter; all rows where there are less than four times as many.
_ROWS_OF_HESSIAN = 4
_LEAST_ROWS_OF_HESSIAN = 1000


class Frame(NamedTuple):
    """The Hessian's inverse in the free parameters, zero in the others.

    The free parameters of a class are the weights of some features, centred, and the
    intercept. Where adding the same number to all classes changes nothing, not even the
    penalty, one class is not free.
    """

    rows_of: CentredRows  # makes x of rows of X
    inverse: np.ndarray  # (n_classes, q, n_classes, q)
    shift: np.ndarray  # (q, n_classes), inverse times the gradient of R
    total_weight: float


def frame_at(objective, w, hessian, curvature):
    n_classes = objective.network.n_units[-1]
    entries = objective.penalty.free_entries(w)
    is_smooth = entries is None
    if is_smooth:
        entries = np.arange(w.size).reshape(-1, n_classes)
        entries = entries[:, : objective.network.n_free_logits].T.ravel()
    if entries.size > LARGEST:
        raise ValueError(
            f"cv='alo' inverts the Hessian, here in {entries.size} parameters; it is"
            f" for up to {LARGEST}. Use a number of folds for cv."
        )
    if is_smooth:
        H = _hessian_without_last_class(objective, hessian, curvature, entries.size)
    else:
        H, free = _hessian_of_support(objective, w, hessian, entries)
        H, entries = H[np.ix_(free, free)], entries[free]
    features, classes = divmod(entries, n_classes)
    features, places = np.unique(features, return_inverse=True)
    q = features.size
    inverse = np.zeros((n_classes * q, n_classes * q))
    where = classes * q + places
    inverse[np.ix_(where, where)] = scaled_inverse(H, ridge=0.0)
    shift = inverse[:, where] @ objective.penalty.grad_of_support(w)[entries]
    return Frame(
        curvature.rows_of(features),
        inverse.reshape(n_classes, q, n_classes, q),
        shift.reshape(n_classes, q).T,
        objective.total_weight,
    )


def _hessian_without_last_class(objective, hessian, curvature, size):
    """The Hessian of J + (1 - t) R without the last class, shape (size, size).

    Where rows are many it is formed from a sample of them.
    """
    n_rows = max(_ROWS_OF_HESSIAN * size, _LEAST_ROWS_OF_HESSIAN)
    if 4 * n_rows < objective.chunks.n_rows:
        drawn = curvature.draw(hessian, n_rows)
        H = dense_hessian(objective.chunks.threads, *drawn)
    else:
        H = curvature.dense(hessian)
    H /= objective.total_weight
    diagonal = objective.penalty.hessian_diagonal(objective.network.n_params)
    diagonal = (1.0 - _mean_fraction(objective)) * diagonal
    add_centred_penalty(H, diagonal.reshape(-1, objective.network.n_units[-1]))
    return H


def _hessian_of_support(objective, w, hessian, entries):
    """The Hessian of J + (1 - t) R in entries that keep their signs; which are free.

    The last class is not free where there is no curvature along the sum of all classes.
    Centred coordinates change the gradient by intercepts only, and R has none by them.
    """
    penalty, model = objective.penalty, DenseModel(objective, hessian, entries)
    H, fraction = model.matrix, _mean_fraction(objective)
    bent = np.zeros_like(H)
    penalty.add_curvature(bent, w[entries[: model.n_weights]])
    ridge = penalty.hessian_diagonal(w.size)[entries]
    H += (1.0 - fraction) * bent - np.diag(fraction * ridge)
    free = np.ones(entries.size, dtype=bool)
    free[entries.size - 1 :] = not objective.network.fit_intercept
    if not penalty.fixes_gauge:
        free[model.full_rows[:, -1]] = False
    return H, free


def _mean_fraction(objective):
    """The weighted mean of t, the fraction of the weight that a row has."""
    total = objective.total_weight

    def sum_of_squares(chunk):
        fractions = chunk.s / total  # the squares of weights could overflow
        return fractions @ fractions

    return float(objective.chunks.sum(sum_of_squares, reads_X=False))


def chunk_without(chunk, state, Z, rows, frame):
    """Logits of some rows of a chunk, each by the model without it."""
    _, sP = state
    sY, Z = targets_beside(sP, chunk.sY), Z[rows]
    for part in row_slices(rows.size, frame.shift.size, least=16):
        some = rows[part]
        X = frame.rows_of(take_rows(chunk.X, some))
        s = chunk.s[some, None]
        Z[part] += _change(X, sP[some] / s, sY[some] / s, s, frame)
    return Z


def _change(X, P, Y, s, frame):
    """What leaving out rows adds to their logits, shape (n_rows, n_classes)."""
    A = _leverage(X, frame.inverse)
    t = s / frame.total_weight
    AD = A * P[:, None, :]
    AD -= AD.sum(axis=2, keepdims=True) * P[:, None, :]
    M = np.eye(P.shape[1]) - t[:, :, None] * AD
    right = t * (np.einsum("ikl,il->ik", A, P - Y) + X @ frame.shift)
    return np.linalg.solve(M, right[:, :, None])[:, :, 0]


def _leverage(X, inverse):
    """A, shape (n_rows, n_classes, n_classes)."""
    n_classes, q = inverse.shape[:2]
    A = np.empty((X.shape[0], n_classes, n_classes))
    for k in range(n_classes):
        T = X @ inverse[k, :, : k + 1].reshape(q, (k + 1) * q)
        T = T.reshape(X.shape[0], k + 1, q)
        A[:, k, : k + 1] = np.matmul(T, X[:, :, None])[:, :, 0]
        A[:, : k + 1, k] = A[:, k, : k + 1]
    return A

"""Leverage: how much of its own residual a row takes out by being in the fit.

Take row i with working columns x and the Hessian W = s (diag(p) - p p^T) of its loss in
the logits, without the last class. At the estimate its residuals e = p - y are to first
order (I - H_i) times those of the true model, with H_i = W A and A = X_i H^-1 X_i^T.
Let W = F F^T with F = sqrt(s) (diag(sqrt p) - p sqrt(p)^T) less its last row. Functions
of H_i follow from the symmetric Q = F^T A F, whose eigenvalues are in [0, 1]:

    f(F F^T A) = f(0) I + F g(Q) F^T A,   g(x) = (f(x) - f(0)) / x.

So nothing is inverted, and it does not matter which class is the last.
"""

from typing import NamedTuple

import numpy as np

# An eigenvalue of H_i that is this close to one leaves nothing of a residual.
_WHOLE = 1e-9


class Leverage(NamedTuple):
    """Q of some rows, and what takes residuals there and back."""

    values: np.ndarray  # eigenvalues of Q, (n_rows, K)
    vectors: np.ndarray  # its eigenvectors, (n_rows, K, K)
    F: np.ndarray  # (n_rows, K - 1, K)
    A: np.ndarray  # (n_rows, K - 1, K - 1)

    @property
    def total(self):
        """The trace of H_i; its sum over rows is the number of coefficients."""
        return self.values.sum(axis=1)

    @property
    def is_whole(self):
        """Mask of the rows whose residuals are zero whatever the data."""
        return self.values.max(axis=1) > 1.0 - _WHOLE

    def left_out(self, residuals):
        """(I - H_i)^-1 e: residuals of rows by models without them, to first order."""
        return self._apply(1.0 / (1.0 - self.values), residuals)

    def unbiased(self, residuals):
        """(I - H_i)^-1/2 e: residuals of the variance that the model says."""
        root = np.sqrt(1.0 - self.values)
        return self._apply(1.0 / (root * (1.0 + root)), residuals)

    def _apply(self, g, residuals):
        """Residuals plus F g(Q) F^T A times them, for g of the eigenvalues."""
        inside = _times(self.F.mT, _times(self.A, residuals))
        along = g * _times(self.vectors.mT, inside)
        return residuals + _times(self.F, _times(self.vectors, along))


def leverage(A, P, s, inverse):
    """The `Leverage` of working rows A, for probabilities P and weights s of the rows.

    inverse is that of the Hessian, ((K - 1) q, (K - 1) q).
    """
    forms = _quadratic_forms(A, inverse, P.shape[1] - 1)
    root = np.sqrt(P)
    F = np.eye(P.shape[1])[:-1] * root[:, None, :] - P[:, :-1, None] * root[:, None, :]
    F *= np.sqrt(s)[:, None, None]
    values, vectors = np.linalg.eigh(F.mT @ forms @ F)
    return Leverage(np.clip(values, 0.0, 1.0), vectors, F, forms)


def _quadratic_forms(A, inverse, n_free):
    """x^T V_kl x for each row x of A and block V_kl of the inverse, (n_rows, k, l)."""
    q = A.shape[1]
    blocks = inverse.reshape(n_free, q, n_free, q)
    forms = np.empty((A.shape[0], n_free, n_free))
    for k in range(n_free):
        for m in range(k, n_free):
            form = np.einsum("ij,ij->i", A @ blocks[k, :, m], A)
            forms[:, k, m] = forms[:, m, k] = form
    return forms


def _times(matrices, vectors):
    """The product of a matrix and a vector for each row."""
    return (matrices @ vectors[:, :, None])[:, :, 0]

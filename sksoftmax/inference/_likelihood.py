"""The penalised log-likelihood in working coordinates, with its dense Hessian.

gamma has a row for each class but the last, whose logits are zero: contrasts with the
last class. Everything here is a sum over rows, not a mean, and a loss: minus the
log-likelihood, in nats.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular

from sksoftmax._data.chunks import Chunks
from sksoftmax._model.loss import loss, loss_grad
from sksoftmax._objective.dense_hessian import dense_hessian
from sksoftmax._solvers.line_search import LineSearch, halve
from sksoftmax._utils.threads import Threads
from sksoftmax.inference._design import Design

_MAX_HALVINGS = 28

# Multiples of a regular Hessian that are added to one that has lost rank.
_DAMPING = (0.0, *10.0 ** np.arange(-12.0, 3.0, 2.0))


@dataclass(frozen=True)
class Likelihood:
    """The loss L(gamma) + n alpha/2 ||W||^2 and its derivatives."""

    chunks: Chunks
    design: Design
    ridge: float  # n alpha

    def derivatives(self, gamma):
        """L, gradient and Hessian of the penalised loss, and the Hessian of L.

        Shapes: float, (K - 1, n_terms), twice ((K - 1) n_terms, (K - 1) n_terms).
        """
        value, grad, H = self.chunks.sum(_chunk_derivatives, self.design, gamma)
        if not self.ridge:
            return value, grad, H, H
        # The penalty acts on coefficients that sum to zero over all K classes.
        n_free = gamma.shape[0]
        centring = np.eye(n_free) - 1.0 / (n_free + 1)
        weights = self.design.U[: self.design.centre.size]
        shrinkage = self.ridge * (weights.T @ weights)
        grad = grad + centring @ gamma @ shrinkage
        return value, grad, H + np.kron(centring, shrinkage), H

    def value(self, gamma):
        """L without the penalty, as `derivatives` has it."""
        return self.chunks.sum(_chunk_value, self.design, gamma)

    def after(self, gamma, step, value, fall):
        """gamma moved along a step that lowers the loss, and `derivatives` there.

        fall is minus the slope along the step. None if rounding hides what is left.
        """
        found = LineSearch(value, -fall).backtrack(
            lambda t: self.derivatives(gamma + t * step),
            halve,
            max_trials=_MAX_HALVINGS,
        )
        return found and (gamma + found[0] * step, found[1])


class Factor:
    """Cholesky factor of a positive definite matrix, scaled to a unit diagonal first.

    Raises numpy's LinAlgError where the matrix is not positive definite.
    """

    def __init__(self, H):
        diagonal = np.diag(H)
        if not (diagonal > 0.0).all():
            raise LinAlgError("The diagonal is not positive.")
        self._scale = 1.0 / np.sqrt(diagonal)
        self._L = cholesky(H * np.outer(self._scale, self._scale), lower=True)

    def solve(self, b):
        """H^-1 b, shaped as b is."""
        x = cho_solve((self._L, True), self._scale * b.ravel())
        return (self._scale * x).reshape(b.shape)

    @property
    def log_determinant(self):
        """The logarithm of the determinant of H."""
        return float(2.0 * np.log(np.diag(self._L) / self._scale).sum())

    def inverse(self):
        """H^-1, symmetric to the last bit."""
        half = solve_triangular(self._L, np.diag(self._scale), lower=True)
        return half.T @ half


def damped_factor(H, regular):
    """The factor of H, or of H and the least multiple of a regular one that has one.

    Raises numpy's LinAlgError where none has.
    """
    for damping in _DAMPING:
        try:
            return Factor(H + damping * regular)
        except LinAlgError:
            continue
    raise LinAlgError("The Hessian has no factor.")


def logits(A, gamma):
    """Z of working rows A, the last class at zero; column-major, as the loss works."""
    Z = np.zeros((A.shape[0], gamma.shape[0] + 1), order="F")
    Z[:, :-1] = A @ gamma.T
    return Z


def _chunk_value(chunk, design, gamma):
    return loss(logits(design.rows(chunk.X), gamma), chunk.sY, chunk.s)


def _chunk_derivatives(chunk, design, gamma):
    A = design.rows(chunk.X)
    value, dZ, sP = loss_grad(logits(A, gamma), chunk.sY, chunk.s)
    H = dense_hessian(Threads(), A, sP, chunk.s)
    return value, dZ[:, :-1].T @ A, H

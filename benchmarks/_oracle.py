"""The judge: objective, null model and optimum in plain numpy, independent of all.

F(W, b) = mean cross-entropy + alpha / 2 ||W||^2 with K columns. The optimum comes from
a damped Newton method taken to rounding error.
"""

import numpy as np
import scipy.linalg
from scipy import sparse


class Oracle:
    """Relative suboptimality (F - F*) / (F_null - F*) of any (W, b) of a problem."""

    def __init__(self, problem, optimum=None):
        self.problem = problem
        shares = np.bincount(problem.y) / problem.n_samples
        self.null = float(-shares @ np.log(shares))
        self.optimum = minimum(problem) if optimum is None else optimum

    def value(self, W, b):
        """F in nats; W is (n_features, n_classes)."""
        problem = self.problem
        log_p = _log_softmax(problem.X @ W + b)
        losses = -log_p[np.arange(problem.n_samples), problem.y]
        return float(losses.mean() + problem.alpha / 2 * np.sum(W * W))

    def suboptimality(self, W, b):
        gap = self.value(W, b) - self.optimum
        return gap / (self.null - self.optimum)


def _log_softmax(Z):
    Z = Z - Z.max(axis=1, keepdims=True)
    return Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))


def minimum(problem):
    """F*, the smallest value of F."""
    scaled, scale = _unit_columns(problem.X)
    A = _with_ones(scaled)
    # In units of the scaled columns the penalty is alpha / scale^2; none on b.
    ridge = np.append(problem.alpha / scale**2, 0.0)[:, None]
    shares = np.bincount(problem.y) / problem.n_samples
    V = np.zeros((A.shape[1], problem.n_classes))
    V[-1] = np.log(shares)
    if problem.n_samples > 20_000 and not sparse.issparse(A):
        # Rows are in random order: a tenth of them gives a start near the end.
        part = problem.n_samples // 10
        V, _ = _newton(A[:part], problem.y[:part], ridge, V, 1e-6)
    return _newton(A, problem.y, ridge, V, 1e-15)[1]


def _unit_columns(X):
    """X with columns of mean square one, and the factors that were divided out."""
    if sparse.issparse(X):
        return X, np.ones(X.shape[1])
    scale = np.sqrt(np.mean(X * X, axis=0))
    scale[scale == 0] = 1.0
    return X / scale, scale


def _with_ones(X):
    ones = np.ones((X.shape[0], 1))
    if sparse.issparse(X):
        return sparse.csr_array(sparse.hstack([X, ones], format="csr"))
    return np.hstack([X, ones])


def _newton(A, y, ridge, V, tol, max_iter=100):
    """Newton-CG with backtracking; stops at half a squared decrement below tol."""
    rows = np.arange(A.shape[0])

    def value_of(Z, V):
        return float(-_log_softmax(Z)[rows, y].mean() + np.sum(ridge * V * V) / 2)

    Z = A @ V
    value = value_of(Z, V)
    for _ in range(max_iter):
        P = np.exp(_log_softmax(Z))
        residual = P.copy()
        residual[rows, y] -= 1
        grad = A.T @ residual / len(y) + ridge * V
        step = _newton_step(A, P, ridge, grad)
        decrement = float(-np.sum(grad * step)) / 2
        dZ = A @ step
        t = 1.0
        while (
            new := value_of(Z + t * dZ, V + t * step)
        ) > value - 1e-4 * t * decrement:
            t /= 2
            if t < 1e-9:
                return V, value
        V, Z, value = V + t * step, Z + t * dZ, new
        if decrement < tol:
            break
    return V, value


def _newton_step(A, P, ridge, grad):
    """-H^-1 grad by conjugate gradients, preconditioned by what memory allows."""
    n_samples = len(P)

    def hessian_product(D):
        U = A @ D
        U = P * (U - np.sum(P * U, axis=1, keepdims=True))
        return A.T @ U / n_samples + ridge * D

    solve = _preconditioner(A, P, ridge)
    step, residual = np.zeros_like(grad), -grad
    z = solve(residual)
    direction, rho = z, np.sum(residual * z)
    # Rough far from the optimum, and tight enough near it for quadratic convergence.
    target = np.clip(rho, 1e-10, 1e-2) * rho
    for _ in range(3000):
        if rho <= target:
            break
        product = hessian_product(direction)
        length = rho / np.sum(direction * product)
        step = step + length * direction
        residual = residual - length * product
        z = solve(residual)
        rho, old = np.sum(residual * z), rho
        direction = z + rho / old * direction
    return step


def _preconditioner(A, P, ridge):
    """The inverse of the Hessian where that fits in memory, else of its diagonal."""
    n_rows, n_columns = A.shape
    jitter = 1e-12
    if sparse.issparse(A) or n_columns * P.shape[1] > 8000:
        squares = A.multiply(A) if sparse.issparse(A) else A * A
        diagonal = squares.T @ (P * (1 - P)) / n_rows + ridge + jitter
        return lambda R: R / diagonal
    H = _hessian(A, P, ridge, jitter)
    factor = scipy.linalg.cho_factor(H, lower=True, overwrite_a=True)
    return lambda R: scipy.linalg.cho_solve(factor, R.T.ravel()).reshape(R.T.shape).T


def _hessian(A, P, ridge, jitter):
    """The exact Hessian, class-major, plus a jitter for its shifts of all classes."""
    n_rows, n_columns = A.shape
    n_classes = P.shape[1]
    H = np.empty((n_classes, n_columns, n_classes, n_columns))
    for j in range(n_classes):
        for k in range(j + 1):
            weights = P[:, j] * ((j == k) - P[:, k])
            H[j, :, k, :] = H[k, :, j, :] = (A * weights[:, None]).T @ A / n_rows
    H = H.reshape(n_classes * n_columns, n_classes * n_columns)
    H[np.diag_indices_from(H)] += np.tile(ridge[:, 0], n_classes) + jitter
    return H

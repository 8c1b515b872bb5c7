"""The delta method by numerical differentiation, and by simulation: for comparison.

Nothing here is shared with the package but the point estimates.
"""

import numpy as np


def probabilities(theta, D):
    """Of rows of a design D with its constant; theta has no row for the first class."""
    Z = np.column_stack([np.zeros(len(D)), D @ theta.T])
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


class DeltaMethod:
    """Estimates theta, against the first class, and their covariance."""

    def __init__(self, theta, D, s=None):
        self.theta, self.D = theta, D
        self.s = np.ones(len(D)) if s is None else s
        P = probabilities(theta, D)[:, 1:]
        n_free, q = theta.shape
        H = np.zeros((n_free, q, n_free, q))
        for k in range(n_free):
            for m in range(n_free):
                weight = self.s * P[:, k] * ((k == m) - P[:, m])
                H[k, :, m] = (D * weight[:, None]).T @ D
        self.covariance = np.linalg.inv(H.reshape(n_free * q, -1))

    def of(self, fn):
        """fn(theta) and its standard errors, by central differences of fourth order."""
        theta = self.theta.ravel()
        columns = []
        for j, size in enumerate(np.sqrt(np.diag(self.covariance))):
            e = np.zeros_like(theta)
            e[j] = 1e-3 * size
            near, far = (
                self._at(fn, theta + t * e) - self._at(fn, theta - t * e)
                for t in (1, 2)
            )
            columns.append((8 * near - far) / (12 * e[j]))
        J = np.stack(columns, axis=-1)
        variance = np.einsum("...i,ij,...j->...", J, self.covariance, J)
        return self._at(fn, theta), np.sqrt(variance)

    def simulated(self, fn, n_draws, rng):
        """The standard deviation of fn over draws of theta."""
        draws = rng.multivariate_normal(self.theta.ravel(), self.covariance, n_draws)
        return np.std([self._at(fn, draw) for draw in draws], axis=0)

    def mean(self, theta, D=None, rows=slice(None)):
        """Weighted mean of the probabilities of a design, over some rows."""
        P = probabilities(theta, self.D if D is None else D)
        return np.average(P[rows], axis=0, weights=self.s[rows])

    def _at(self, fn, theta):
        return np.asarray(fn(theta.reshape(self.theta.shape)))

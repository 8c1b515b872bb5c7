"""Penalties on the flat parameter vector w.

A penalty knows its own value and derivatives and nothing of the data. `strength` holds
one number per parameter, alpha for weights and zero for intercepts, which is how the
intercepts stay free.
"""

from itertools import pairwise

import numpy as np
from scipy.linalg.blas import daxpy, saxpy


class L2Penalty:
    """R(w) = 1/2 sum_j strength_j w_j^2.

    Parameters
    ----------
    strength : ndarray of shape (n_params,)
        alpha where the penalty acts, 0 where it does not.
    """

    def __init__(self, strength):
        self.strength = strength
        edges = np.flatnonzero(np.diff(strength)) + 1
        self._runs = [
            (slice(a, b), float(strength[a]))
            for a, b in pairwise([0, *edges.tolist(), strength.size])
            if strength[a]
        ]

    def value(self, w):
        """R(w), in nats."""
        return 0.5 * float(np.dot(self.strength * w, w))

    def grad(self, w):
        """Gradient of R, shape (n_params,)."""
        return self.strength * w

    def add_grad(self, w, grad):
        """Add the gradient of R to grad, in place: one sweep over each run of weights.

        w and grad are contiguous and of the precision of strength.
        """
        axpy = saxpy if w.dtype == np.float32 else daxpy
        for run, strength in self._runs:
            axpy(w[run], grad[run], a=strength)

    def hessp(self, v):
        """Hessian of R times v; it does not depend on w."""
        return self.strength * v

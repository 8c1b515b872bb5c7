"""Penalties on the flat parameter vector w.

A penalty knows its own value and derivatives and nothing of the data. `strength` holds
one number per parameter, alpha for weights and zero for intercepts, which is how the
intercepts stay free.
"""

import numpy as np


class L2Penalty:
    """R(w) = 1/2 sum_j strength_j w_j^2.

    Parameters
    ----------
    strength : ndarray of shape (n_params,)
        alpha where the penalty acts, 0 where it does not.
    """

    def __init__(self, strength):
        self.strength = strength

    def value(self, w):
        """R(w), in nats."""
        return 0.5 * float(np.dot(self.strength * w, w))

    def grad(self, w):
        """Gradient of R, shape (n_params,)."""
        return self.strength * w

    def hessp(self, v):
        """Hessian of R times v; it does not depend on w."""
        return self.strength * v

"""Penalties on the flat parameter vector w, and the smooth ones.

A penalty knows its own value and derivatives and nothing of the data. A smooth one is a
subclass of `Penalty` with `value`, `grad` and `hessp`.
"""

from itertools import pairwise

import numpy as np
from scipy.linalg.blas import daxpy, saxpy


class Penalty:
    """What R has to be, and what follows from its `grad` and `hessp`.

    The part of R whose derivatives these are is quadratic. Its Hessian is diagonal,
    equal for all classes of a feature, and zero at the intercepts. Of all w with the
    same probabilities a smooth R is least where classes sum to zero.
    """

    is_zero = False  # whether R is zero everywhere
    is_sparse = False  # whether R makes parts of w zero
    # Whether R depends on ||W|| alone. Then the best W is a combination of the rows of
    # X, and fits of wide data may be solved in the space of the rows.
    is_rotation_invariant = False

    def value_and_grad(self, w):
        """R(w), in nats, and its gradient."""
        return self.value(w), self.grad(w)

    def add_grad(self, w, grad):
        """Add the gradient of R to grad, in place."""
        grad += self.grad(w)

    def hessian_diagonal(self, n_params):
        """Diagonal of the Hessian of R, shape (n_params,)."""
        return self.hessp(np.ones(n_params))

    def free_entries(self, w):
        """Numbers of the entries of w near which R is smooth; None stands for all."""
        return None

    def grad_of_support(self, w):
        """Gradient of R where it is smooth, zeros elsewhere, shape (n_params,)."""
        return self.grad(w)


# Runs of equal strength up to which one call for each is faster than all at once.
_FEW_RUNS = 8


class L2Penalty(Penalty):
    """R(w) = 1/2 sum_j strength_j w_j^2, strength_j being zero for b."""

    is_rotation_invariant = True

    def __init__(self, strength):
        self._strength = strength
        edges = np.flatnonzero(np.diff(strength)) + 1
        self._runs = [
            (slice(a, b), float(strength[a]))
            for a, b in pairwise([0, *edges.tolist(), strength.size])
            if strength[a]
        ]

    @property
    def is_zero(self):
        """Whether R is zero everywhere."""
        return not self._runs

    def value(self, w):
        """R(w), in nats."""
        return self.value_and_grad(w)[0]

    def grad(self, w):
        """Gradient of R, shape (n_params,)."""
        return self._strength * w

    def value_and_grad(self, w):
        """Both, of one product."""
        grad = self.grad(w)
        return 0.5 * float(grad @ w), grad

    def add_grad(self, w, grad):
        """Add the gradient of R to grad, one sweep per run; both are contiguous."""
        if len(self._runs) > _FEW_RUNS:
            grad += self._strength * w
            return
        axpy = saxpy if w.dtype == np.float32 else daxpy
        for run, strength in self._runs:
            axpy(w[run], grad[run], a=strength)

    def hessp(self, v):
        """Hessian of R times v; it does not depend on w."""
        return self._strength * v

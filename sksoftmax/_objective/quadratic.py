"""Quadratic models of the objective without hidden layers, in some of its entries.

Entries are numbers of entries of w, in order. As in `Curvature`, coordinates are
centred: intercepts multiply the columns of X minus their means. There the model is well
conditioned where features are far from zero, and weights are the same.
"""

from itertools import islice

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from sksoftmax._objective.preconditioners import factor_cost, product_cost
from sksoftmax._solvers import conjugate_gradients


class _Model:
    """Coordinates of a model; a subclass has diagonal, product and solve.

    `full_rows` has the places of the weights of features with entries for all classes.

    Parameters
    ----------
    objective : SparseObjective
    hessian : Hessian
    entries : ndarray of int
        Sorted, with all intercepts.
    damping : float
        What is added to the diagonal, relative to its bound: the mean square of the
        feature (Böhning 1992, Annals of the Institute of Statistical Mathematics
        44:197).

    Attributes
    ----------
    cost : float
        What solutions and products have cost so far, ns; counted, not measured.
    """

    cost = 0.0

    def __init__(self, objective, hessian, entries, damping=0.0):
        self._n_classes = objective.network.n_units[-1]
        self._features, self._classes = divmod(entries, self._n_classes)
        self._centre = np.append(objective.curvature.centre, 0.0)[self._features]
        self._entries = entries
        self._is_weight = entries < objective.penalty.n_weights
        self.n_weights = np.count_nonzero(self._is_weight)
        self._objective, self._hessian = objective, hessian
        self.full_rows = _full_rows(self._features[self._is_weight], self._n_classes)
        if np.ndim(objective.penalty.ridge):  # where the ridge has factors, it does
            self.full_rows = self.full_rows[:0]
        n_params = objective.network.n_params
        self._damping = 0.0
        if damping:
            squares = np.append(objective.scale**2, 1.0)
            self._damping = damping * squares[self._features]
        diagonal = objective.penalty.hessian_diagonal(n_params)[entries]
        self._ridge = diagonal + self._damping

    def enter(self, grad):
        """The gradient by the entries in centred coordinates, from the one by w."""
        g = grad[self._entries]
        if self.n_weights < g.size:
            g -= self._centre * g[self.n_weights :][self._classes]
        return g

    def leave(self, step):
        """The step of w, from the step of the entries in centred coordinates."""
        d = np.zeros(self._objective.network.n_params)
        d[self._entries] = step
        if self.n_weights < step.size:
            d[-self._n_classes :] -= np.bincount(
                self._classes, self._centre * step, self._n_classes
            )
        return d


def _full_rows(features, n_classes):
    """Places of the entries of each feature that is there with all classes, a row each.

    features are those of the entries, in order.
    """
    is_full = np.bincount(features) == n_classes
    return np.flatnonzero(is_full[features]).reshape(-1, n_classes)


class DenseModel(_Model):
    """The Hessian of the entries as a matrix."""

    def __init__(self, objective, hessian, entries, damping=0.0):
        super().__init__(objective, hessian, entries, damping)
        self.matrix = objective.curvature.dense(hessian, entries)
        self.matrix /= objective.total_weight
        self.diagonal = self.matrix.diagonal() + self._ridge
        np.fill_diagonal(self.matrix, self.diagonal)

    def product(self, v):
        """H v, shape (n_entries,)."""
        return self.matrix @ v

    def solve(self, free, rhs, penalty, u, damping):
        """The step d with (H + Hessian of alpha r N at u) d = rhs in free entries.

        A fraction of the diagonal, the damping, is added to it, and more where that is
        singular. Where nothing helps, because H has no finite entries, d is zero.
        All classes of a feature together change no probability. Without a ridge the
        model has curvature along that direction by rounding only, and next to no slope
        where R is least along it, and their quotient would be a step of any length. So
        H gets the curvature of another direction there.
        """
        self.cost += factor_cost(rhs.size)
        H = self.matrix[np.ix_(free, free)]
        penalty.add_curvature(H, u[: self.n_weights][free[: self.n_weights]])
        rows = _full_rows(self._features[free], self._n_classes)
        rows = rows[self._ridge[free][rows[:, 0]] == 0.0]
        typical = H.diagonal()[rows].mean(axis=1)[:, None, None]
        H[rows[:, :, None], rows[:, None, :]] += typical
        diagonal = H.diagonal().copy()
        while damping < 1e9:
            np.fill_diagonal(H, diagonal * (1.0 + damping) + np.finfo(float).tiny)
            try:
                factor = cho_factor(H, check_finite=False)
            except LinAlgError:
                damping *= 100.0
                self.cost += factor_cost(rhs.size)
            else:
                return cho_solve(factor, rhs, check_finite=False)
        return np.zeros_like(rhs)


class FreeModel(_Model):
    """The Hessian of many entries, through products with it."""

    matrix = None

    def __init__(self, objective, hessian, entries, damping=0.0):
        super().__init__(objective, hessian, entries, damping)
        diagonal = objective.curvature.diagonal(hessian).ravel()[entries]
        self.diagonal = diagonal / objective.total_weight + self._ridge

    def product(self, v):
        """H v, shape (n_entries,)."""
        self.cost += product_cost(self._objective)
        return self.enter(self._hessian(self.leave(v))) + self._damping * v

    def solve(self, free, rhs, penalty, u, damping):
        """The same by conjugate gradients, to a hundredth of the residual.

        They need no damping: they end before they get to directions that need it.
        """
        weights = slice(0, np.count_nonzero(free[: self.n_weights]))
        u = u[: self.n_weights][free[: self.n_weights]]
        inverse = 1.0 / (self.diagonal[free] + np.finfo(float).tiny)

        def product(v):
            full = np.zeros(free.size)
            full[free] = v
            Hv = self.product(full)[free]
            Hv[weights] += penalty.curvature_times(u, v[weights])
            return Hv

        steps = conjugate_gradients(product, rhs, lambda r: inverse * r)
        solution, _, first, _ = next(steps)
        for _, _, residual, _ in islice(steps, 200):
            if residual <= 1e-4 * first:
                break
        return solution

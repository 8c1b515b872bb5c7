"""The quadratic model of F in the weights of features, by residuals of its rows."""

from typing import NamedTuple

import numpy as np

from sksoftmax._objective.block_steps import (
    BlockCurvature,
    BlockPenalty,
    Quadratic,
    sweep_blocks,
)


class Point(NamedTuple):
    """Weights, and the derivative of the model of L/S by the logits there."""

    x: np.ndarray  # (n_blocks, n_classes)
    R: np.ndarray  # (n_rows, n_classes)

    def copy(self):
        """A point that later sweeps leave alone."""
        return Point(self.x.copy(), self.R.copy(order="F"))


class ResidualModel:
    """The quadratic model of F at an iterate, in the weights of all of its features.

    As in `DenseModel`, intercepts multiply the columns of X minus their means. They are
    the last block. The Hessian is never formed: a sweep over the features costs as much
    as about two passes over them.

    Parameters
    ----------
    objective : SparseObjective
    here : Iterate
    damping : float
        As in `DenseModel`.

    Attributes
    ----------
    cost : float
        What sweeps have cost so far, ns; counted, not measured.
    """

    cost = 0.0

    def __init__(self, objective, here, damping=0.0):
        self._penalty = objective.penalty
        self._X, self._centre = objective.columns
        self._size = here.w.size
        sP, sY = objective.probabilities_and_targets(here.hessian.states)
        S, s = objective.total_weight, objective.chunks.row_weights
        sP /= S
        sY /= -S
        sY += sP
        x = here.w.reshape(-1, sP.shape[1]).copy()
        n_features = objective.network.n_units[0]
        ones = len(x) - n_features
        added = damping * np.append(objective.scale**2, np.ones(ones))
        lasso, ridge = np.zeros(len(x)), added.copy()
        lasso[:n_features] = self._penalty.lasso
        ridge[:n_features] += self._penalty.ridge
        self._quadratic = Quadratic(self._X, sP, S / s)
        self._terms = BlockPenalty(
            lasso, ridge, -added[:, None] * x, self._penalty.n_together > 1
        )
        self._curvature = BlockCurvature.unknown(*x.shape)
        self.start = Point(x, sY)
        stored = self._X.size / max(len(x), 1)  # entries of a column
        self._ns_per_block = 2.0 * stored * sP.shape[1]

    def all_blocks(self):
        """Numbers of all blocks."""
        return np.arange(len(self.start.x))

    def active_blocks(self, point):
        """Numbers of the blocks with weights, and of the intercepts."""
        return np.flatnonzero(point.x.any(axis=1) | (self._terms.lasso == 0.0))

    def sweep(self, point, blocks):
        """Minimise over one block after another; the decrease of the model."""
        self.cost += self._ns_per_block * blocks.size
        return sweep_blocks(
            self._quadratic, self._terms, self._curvature, point.x, point.R, blocks
        )

    def extrapolate(self, points, weights):
        """The sum of points times weights, which add up to one."""
        x = sum(c * point.x for c, point in zip(weights, points, strict=True))
        R = sum(c * point.R for c, point in zip(weights, points, strict=True))
        return Point(x, np.asfortranarray(R))

    def change(self, before, after):
        """Change of the model from one point to another."""
        p = after.x - before.x
        middle = (before.R + after.R) / 2.0
        self.cost += self._ns_per_block * len(p)
        smooth = float(np.vdot(p, self._X.T @ middle))
        return smooth + self._terms.change(before.x, p)

    def step_to(self, point):
        """The step of w to a point, shape (n_params,)."""
        d = point.x - self.start.x
        if len(d) > self._centre.size:
            d[-1] -= self._centre @ d[:-1]
        return d.ravel()

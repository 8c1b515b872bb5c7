"""What a sparse penalty needs of the objective: fewer features, optimal intercepts.

For objectives without hidden layers. Here too X is read chunk by chunk, and a solver
sees vectors only.
"""

from dataclasses import replace
from functools import cached_property, partial

import numpy as np
from scipy.special import entr

from sksoftmax._kernels import is_compiled
from sksoftmax._objective.block_steps import sweep_blocks
from sksoftmax._objective.curvature import Curvature
from sksoftmax._objective.objective import Objective
from sksoftmax._objective.preconditioners import product_cost
from sksoftmax._objective.quadratic import DenseModel, FreeModel
from sksoftmax._objective.residual_model import ResidualModel
from sksoftmax._solvers import Iterate
from sksoftmax._solvers.line_search import LineSearch, halve

# Intercepts are optimal where the mean of p - y is under this: a few roundings of it.
_NO_GRADIENT = 1e-15

# Root mean square of a feature times its weight that is rounding next to any logit.
_NO_LOGIT = 1e-14

# Error of a mean of products x (p - y), in units of the root mean square of x and of
# the size of the terms of a logit, whose rounding is the relative error of p.
_GRADIENT_ROUNDING = 2.0 * np.finfo(float).eps

# Entries up to which the Hessian is formed: it takes 32 MB then, and a Cholesky
# factorisation 76 ms on one core.
_LARGEST_MATRIX = 2000

# Entries of X up to which a second copy of it, by columns, is made: 64 MB. So many may
# be in the Hessians of single features, too.
_MOST_NUMBERS = 2**23


class SparseObjective(Objective):
    """F with a penalty that makes weights zero, as functions of a flat w."""

    def restricted(self, features):
        """F of the weights of some features, the others being zero."""
        n_classes = self.network.n_units[-1]
        penalty = self.penalty.restricted(features)
        if features.size == self.network.n_units[0]:
            return self
        last = self._last_restricted
        if not np.array_equal(last.get("features"), features):
            chunks = self.chunks.restricted(features)
            network = replace(self.network, n_units=(features.size, n_classes))
            part = SparseObjective(network, chunks, penalty, self.total_weight)
            part.scale = self.scale[features]
            part.curvature = self.curvature.restricted(chunks, features)
            last.update(features=features, part=part)
        return last["part"].with_penalty(penalty)

    @property
    def last_features(self):
        """The features of the last `restricted`, of whatever penalty, or None."""
        return self._last_restricted.get("features")

    @cached_property
    def _last_restricted(self):
        return {}

    @cached_property
    def _last_pass(self):
        return {}

    def with_penalty(self, penalty):
        """F with another penalty; what is known of the data is kept."""
        # These are shared from here on, not only from their first use.
        _ = self._last_restricted, self._last_pass, self.scale, self.curvature
        return super().with_penalty(penalty)

    def loss_pass(self, w):
        """L, its gradient and the states at w; no pass where the last one was there."""
        last = self._last_pass
        if not np.array_equal(last.get("w"), w):
            last.update(w=w.copy(), found=super().loss_pass(w))
        total, grad, states = last["found"]
        return total, grad.copy(), states

    def value(self, w):
        """F(w), in nats; the pass is that of `value_grad_hessp`."""
        return self.loss_pass(w)[0] / self.total_weight + self.penalty.value(w)

    def entries(self, features):
        """Where w holds the weights of some features, and all intercepts."""
        n_features, n_classes = self.network.n_units
        rows = (
            np.append(features, n_features) if self.network.fit_intercept else features
        )
        return (rows[:, None] * n_classes + np.arange(n_classes)).ravel()

    def project_onto_gauge(self, w):
        """The w of the same probabilities that has the least penalty.

        Weights that are too small to change a logit are zero there. It is w itself
        where that is so up to rounding: then a pass at it may be known.
        """
        moved = w.copy()
        ((W, b),) = self.network.unpack(moved)
        used = np.flatnonzero(W.any(axis=1))
        U = self.penalty.restricted(used).project_onto_gauge(W[used])
        parts = used.size, W.shape[1] // self.penalty.n_together
        logits = self.penalty.norms(U.ravel()).reshape(parts) * self.scale[used, None]
        W[used] = np.where(logits > _NO_LOGIT, U, 0.0)
        if b is not None:
            b -= b.mean()
        rounding = 4.0 * np.finfo(float).eps * np.abs(w).max(initial=0.0)
        is_same = np.abs(moved - w).max(initial=0.0) <= rounding
        return w if is_same and np.array_equal(moved == 0.0, w == 0.0) else moved

    @cached_property
    def scale(self):
        """Root mean square of each feature, shape (n_features,)."""
        origin = np.zeros(self.network.n_units[0])
        return np.sqrt(self.chunks.second_moment(origin))

    @cached_property
    def curvature(self):
        """Curvature of the data, which keeps their centre."""
        return Curvature(self)

    def at_best_intercepts(self, w):
        """The `Iterate` at w with the intercepts that make F least.

        Their gradient is zero up to rounding, as the duality gap needs it. Newton's
        method finds them from the probabilities at w alone; X is read for the gradient
        there, a second time, where they were not optimal before.
        """
        here = Iterate.at(self, w)
        best = self.with_best_intercepts(here)
        return here if best is w else Iterate.at(self, best)

    def with_best_intercepts(self, here):
        """The w of an `Iterate` with the intercepts that make F least."""
        b = self.network.unpack(here.grad)[0][1]
        if b is None or np.abs(b).max() <= _NO_GRADIENT:
            return here.w
        shift = self._best_shift(here.hessian.states, b.size)
        w = here.w.copy()
        self.network.unpack(w)[0][1][:] += shift
        return w

    def _best_shift(self, states, n_classes):
        """What to add to the intercepts, found by Newton's method."""
        at = partial(self.chunks.sum, _chunk_shifted, states, reads_X=False)
        shift = np.zeros(n_classes)
        value, g, H = at(shift)
        little = 1e-12 * self.total_weight * np.eye(n_classes)
        no_gradient = 0.1 * _NO_GRADIENT * self.total_weight
        for _ in range(50):
            if np.abs(g).max() <= no_gradient:
                break
            # Adding the same number to all changes nothing; the ones make H regular,
            # and little does where all rows are certain of something and H is zero.
            step = np.linalg.solve(H + np.trace(H) / n_classes**2 + little, -g)
            before = np.abs(g).max()
            whole = at(shift + step)
            # Near the minimum a smaller gradient shows what the rounding of F hides.
            if np.isfinite(whole[0]) and np.abs(whole[1]).max() < 0.5 * before:
                shift, (value, g, H) = shift + step, whole
                continue
            lower = _lower_shift(at, shift, step, value)
            if lower is None:
                break
            shift, (value, g, H) = lower
            if not np.abs(g).max() < 0.5 * before:
                break
        return shift

    def gap(self, here):
        """Duality gap, nats, at an `Iterate` with optimal intercepts."""
        ((W, b),) = self.network.unpack(here.w)
        logits = 1.0 + float(self.scale @ np.abs(W).max(axis=1))
        if b is not None:
            logits += float(np.abs(b).max())
        return self.penalty.gap(
            here.w,
            here.grad - self.penalty.grad(here.w),
            partial(self._entropy, here.hessian.states),
            here.value,
            _GRADIENT_ROUNDING * logits * self.scale,
        )

    def _entropy(self, states, t):
        total = self.chunks.sum(_chunk_entropy, states, t, reads_X=False)
        return total / self.total_weight

    # What a product with the Hessian costs, ns.
    product_cost = property(product_cost)

    @cached_property
    def columns(self):
        """Centred columns of X, with one of ones for the intercepts, and the centre."""
        centre = self.curvature.centre
        return self.chunks.columns(centre, self.network.fit_intercept), centre

    def probabilities_and_targets(self, states):
        """SP and sY of all rows, column-major copies, (n_rows, n_classes) each."""
        parts = self.chunks.collect(_chunk_targets, states, reads_X=False)
        return [
            np.concatenate([part.T for part in some], axis=1).T
            for some in zip(*parts, strict=True)
        ]

    def residual_model(self, here, damping=0.0):
        """The model by residuals of its rows, or None where `model` is cheaper.

        It always is where sweeps are not compiled: NumPy has a dozen calls a block.
        """
        if not is_compiled(sweep_blocks):
            return None
        n_rows = self.chunks.n_rows
        n_used = self.penalty.free_entries(here.w).size
        n_features, n_classes = self.network.n_units
        if max(self.chunks.size, n_features * n_classes**2) > _MOST_NUMBERS:
            return None
        if n_used / 400.0 + n_used**2 / (200.0 * n_rows) < 1.0:
            return None
        return ResidualModel(self, here, damping)

    def model(self, hessian, entries, damping=0.0):
        """The Hessian at some of the entries of w, as the solver of the model wants it.

        A dense matrix while that is small, and products with it beyond. The damping is
        added to its diagonal, relative to the mean squares of the features.
        """
        make = DenseModel if entries.size <= _LARGEST_MATRIX else FreeModel
        return make(self, hessian, entries, damping)


def _chunk_targets(chunk, state):
    return state[1], chunk.sY


def _chunk_shifted(chunk, state, shift):
    """Change of L, its gradient and Hessian by intercepts, when these are shifted.

    An infinite change where a shift is so long that it leaves a row no probability.
    """
    _, sP = state
    largest = shift.max()
    sQ = sP * np.exp(shift - largest)
    ratios = sQ.sum(axis=1) / chunk.s
    mass = chunk.sY.sum(axis=0)
    if not ratios.all():
        return np.inf, np.zeros_like(mass), np.zeros((mass.size, mass.size))
    sQ /= ratios[:, None]
    value = chunk.s @ np.log(ratios) + chunk.s.sum() * largest - mass @ shift
    H = np.diag(sQ.sum(axis=0)) - sQ.T @ (sQ / chunk.s[:, None])
    return float(value), sQ.sum(axis=0) - mass, H


def _lower_shift(at, shift, step, value):
    """Shift by the step, halved until F does not rise, and `at` of it; or None."""
    found = LineSearch(value, 0.0).backtrack(
        lambda length: at(shift + length * step), halve, max_trials=30
    )
    return found and (shift + found[0] * step, found[1])


def _chunk_entropy(chunk, state, t):
    """Sum of s H(y + t (p - y))."""
    _, sP = state
    sQ = chunk.sY + t * (sP - chunk.sY)
    return float(entr(sQ / chunk.s[:, None]).sum(axis=1) @ chunk.s)

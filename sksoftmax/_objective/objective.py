"""The objective F(w) = J(w) + R(w) that solvers minimise: data, network, loss, penalty.

J(w) = 1/S sum_i s_i d(softmax(Z_i(w)), y_i). By the chain rule

    value = L(Z(w))     gradient = J^T dL     hessp(v) = J^T (d2L) J v

with J = dZ/dw from the network and L, dL, d2L from the loss, one chunk of rows at a
time. Only this file and `batch_objective` divide by S and add the penalty. With hidden
layers the Hessian is the Gauss-Newton matrix (Schraudolph 2002, Neural Computation
14:1723), which drops the curvature of the network and is positive semi-definite.
"""

import copy

import numpy as np

from sksoftmax._model.linear import linear_hessp, linear_pass
from sksoftmax._model.loss import all_logits, loss, loss_grad, loss_hessp
from sksoftmax._model.network import in_gauge
from sksoftmax._objective.duality import has_dual, value_and_gap
from sksoftmax._objective.separation import (
    is_separated,
    scaled_up,
    separates,
)
from sksoftmax._objective.single_precision import SingleCopy, is_worth_copying

# Making the copy takes as long as it saves on 1 (letter) to 26 products (5,000 x 50
# with 4 classes; digits 5). A fit that has needed this many is likely to need as many
# again.
_PRODUCTS_BEFORE_COPY = 6


class Objective:
    """F and its derivatives as functions of a flat w.

    Parameters
    ----------
    network : Network
    chunks : Chunks
    penalty : Penalty
    total_weight : float
        S, the sum of the sample weights.
    make_preconditioner : callable, optional
        Objective -> preconditioner of its Hessian, for solvers that use one.
    """

    def __init__(
        self, network, chunks, penalty, total_weight, make_preconditioner=None
    ):
        self.network = network
        self.chunks = chunks
        self.penalty = penalty
        self.total_weight = total_weight
        self._make_preconditioner = make_preconditioner
        self.n_products = 0  # with Hessians of F so far; `Hessian` counts them
        self._single_copy = None

    def single_copy(self):
        """X in single precision for Hessian products, or None while it does not pay."""
        if self.n_products < _PRODUCTS_BEFORE_COPY or not is_worth_copying(self):
            return None
        if self._single_copy is None:
            self._single_copy = SingleCopy(self)
        return self._single_copy

    # Methods: whether F has no minimum, and how far away a minimum is at most.
    is_separated = is_separated
    scaled_up = scaled_up
    separates = separates
    has_dual = property(has_dual)
    value_and_gap = value_and_gap

    @property
    def n_passes(self):
        """Passes over X so far; subsamples count as fractions."""
        return self.chunks.n_passes

    def with_penalty(self, penalty):
        """F with another penalty; what is known of the data is kept."""
        other = copy.copy(self)
        other.penalty = penalty
        return other

    def project_onto_gauge(self, w):
        """The w of the same probabilities that has the least penalty."""
        if not self.network.is_linear:
            return w
        return in_gauge(w.reshape(-1, self.network.n_units[-1])).ravel()

    def preconditioner(self, earlier=None, *, weak=False):
        """A new preconditioner, which begins with what an earlier one has learned."""
        return self._make_preconditioner(self, earlier, weak)

    def subsamples(self, w):
        """Yield objectives on subsamples, from small to large, each with a tolerance.

        Yields nothing if the data are small or w is a warm start. The minimum of a
        subsample of m rows is about n_params / 2m nats away from that of all rows, and
        the tolerance is a tenth of that.
        """
        if not self.network.is_linear or self.network.unpack(w)[0][0].any():
            return
        network = self.network
        n_free = network.n_params * network.n_free_logits // network.n_units[-1]
        sizes = [max(10 * n_free, 2000)]
        while 8 * sizes[-1] <= self.chunks.largest_subsample:
            sizes.append(8 * sizes[-1])
        if sizes[-1] > self.chunks.largest_subsample:
            return
        for n_rows in sizes:
            chunks = self.chunks.subsample(n_rows, largest=sizes[-1])
            weight = float(chunks.sum(_chunk_weight, reads_X=False))
            sample = type(self)(
                self.network, chunks, self.penalty, weight, self._make_preconditioner
            )
            yield sample, 0.05 * n_free / n_rows

    def value(self, w):
        """F(w), in nats."""
        total = self.chunks.sum(_chunk_value, self.network, w)
        return total / self.total_weight + self.penalty.value(w)

    def value_and_accuracy(self, w):
        """F(w) and the weighted fraction of rows whose likeliest class is right."""
        total, right = self.chunks.sum(_chunk_value_and_hits, self.network, w)
        value = total / self.total_weight + self.penalty.value(w)
        return value, float(right / self.total_weight)

    def value_and_grad(self, w):
        """F(w) and its gradient, from one pass over the data."""
        total, grad = self.chunks.sum(_chunk_value_and_grad, self.network, w)
        return self._add_penalty(w, total, grad)

    def value_grad_hessp(self, w):
        """F(w), its gradient, and the `Hessian` at w."""
        total, grad, states = self.loss_pass(w)
        value, grad = self._add_penalty(w, total, grad)
        return value, grad, Hessian(self, w, states)

    def loss_pass(self, w):
        """L, its gradient, and what a `Hessian` is made of, from one pass."""
        (total, grad), states = self.chunks.map_sum(_chunk_state, self.network, w)
        return total, grad, states

    def along(self, w, d):
        """phi(t) -> (F(w + t d), its slope in t).

        Without hidden layers the data are read once, now, and phi works on logits.
        """
        if not self.network.is_linear:

            def phi(t):
                value, grad = self.value_and_grad(w + t * d)
                return value, float(grad @ d)

            return phi

        states = self.chunks.map(_chunk_line, self.network, w, d)

        def phi_of_logits(t):
            at = w + t * d
            total, slope = self.chunks.sum(
                _line_value_and_slope, states, t, reads_X=False
            )
            value = total / self.total_weight + self.penalty.value(at)
            slope = slope / self.total_weight + float(self.penalty.grad(at) @ d)
            return value, slope

        return phi_of_logits

    def _add_penalty(self, w, total, grad):
        value, slope = self.penalty.value_and_grad(w)
        grad /= self.total_weight
        grad += slope
        return total / self.total_weight + value, grad


class Hessian:
    """The product of the Hessian at w with a flat v, and what it is made of.

    Products are in single precision where that pays. `states` holds, for each chunk,
    what the network keeps of its tape and sP, the weighted probabilities. X is not in
    there: it may be larger than memory.
    """

    def __init__(self, objective, w, states):
        self.objective = objective
        self.w = w
        self.states = states
        self._single_states = None

    def __call__(self, v):
        objective = self.objective
        single = objective.single_copy()
        objective.n_products += 1
        if single is None:
            product = objective.chunks.sum(
                _chunk_hessp, objective.network, self.w, self.states, v
            )
        else:
            if self._single_states is None:
                self._single_states = single.in_single(self.states)
            product = single.product(self._single_states, v)
        product /= objective.total_weight
        product += objective.penalty.hessp(v)
        return product


def _chunk_weight(chunk):
    return chunk.s.sum()


def _chunk_value(chunk, network, w):
    Z = network.logits(chunk.X, network.unpack(w))
    return loss(Z, chunk.sY, chunk.s)


def _chunk_value_and_hits(chunk, network, w):
    Z = network.logits(chunk.X, network.unpack(w))
    likeliest = all_logits(Z, chunk.sY.shape[1]).argmax(axis=1)
    right = likeliest == chunk.sY.argmax(axis=1)
    return loss(Z, chunk.sY, chunk.s), chunk.s @ right


def _chunk_value_and_grad(chunk, network, w):
    return _chunk_state(chunk, network, w)[0]


def _chunk_state(chunk, network, w):
    if network.is_linear:
        value, grad, sP = linear_pass(chunk.X, network.stacked(w)[0], chunk.sY, chunk.s)
        return (value, grad), (([], []), sP)
    Z, tape = network.linearize(chunk.X, w)
    value, dZ, sP = loss_grad(Z, chunk.sY, chunk.s)
    return (value, network.vjp(tape, dZ)), (network.kept(tape), sP)


def _chunk_hessp(chunk, network, w, state, v):
    kept, sP = state
    if network.is_linear:
        return linear_hessp(chunk.X, sP, chunk.s, network.stacked(v)[0])
    tape = network.restored(kept, chunk.X, w)
    return network.vjp(tape, loss_hessp(sP, chunk.s, network.jvp(tape, v)))


def _chunk_line(chunk, network, w, d):
    layers = network.unpack(w), network.unpack(d)
    return tuple(network.logits(chunk.X, layer) for layer in layers)


def _line_value_and_slope(chunk, line, t):
    Z, dZ = line
    value, grad, _ = loss_grad(Z + t * dZ, chunk.sY, chunk.s)
    return value, float(np.vdot(grad.T, dZ.T))

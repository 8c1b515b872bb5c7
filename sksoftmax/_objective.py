"""The objective F(w) = J(w) + R(w) that solvers minimise: data, network, loss, penalty.

J(w) = 1/S sum_i s_i d(softmax(Z_i(w)), y_i). By the chain rule

    value = L(Z(w))     gradient = J^T dL     hessp(v) = J^T (d2L) J v

with J = dZ/dw from the network and L, dL, d2L from the loss, one block of rows at a time.
This is the only room that divides by S or adds the penalty. With hidden layers the
Hessian is the Gauss-Newton matrix (Schraudolph 2002, Neural Computation 14:1723), which
drops the curvature of the network and is positive semi-definite.
"""

from sksoftmax._loss import loss, loss_grad, loss_hessp


class Objective:
    """F, its derivatives and its mini-batch estimates, as functions of a flat w.

    Parameters
    ----------
    network : Network
    blocks : Blocks
    penalty : L2Penalty
    total_weight : float
        S, the sum of the sample weights.
    """

    def __init__(self, network, blocks, penalty, total_weight):
        self.network = network
        self.blocks = blocks
        self.penalty = penalty
        self.total_weight = total_weight

    def value(self, w):
        """F(w), in nats."""
        total = self.blocks.sum(_block_value, self.network, w)
        return total / self.total_weight + self.penalty.value(w)

    def value_and_grad(self, w):
        """F(w) and its gradient, from one pass over the data."""
        total, grad = self.blocks.sum(_block_value_and_grad, self.network, w)
        return self._add_penalty(w, total, grad)

    def value_grad_hessp(self, w):
        """F(w), its gradient and hessp, the function v -> (Hessian at w) v."""
        states = self.blocks.map(_block_state, self.network, w)
        total, grad = self.blocks.sum(_state_value_and_grad, self.network, states)
        value, grad = self._add_penalty(w, total, grad)

        def hessp(v):
            product = self.blocks.sum(_block_hessp, self.network, states, v)
            product /= self.total_weight
            product += self.penalty.hessp(v)
            return product

        return value, grad, hessp

    def _add_penalty(self, w, total, grad):
        value = total / self.total_weight + self.penalty.value(w)
        grad /= self.total_weight
        grad += self.penalty.grad(w)
        return value, grad

    def minibatches(self, batch_size, rng):
        """Batches of one epoch, in the order of rng (or as they stand if it is None)."""
        return self.blocks.batches(batch_size, rng)

    def batch_value_and_grad(self, w, batch, drop=None):
        """Estimates of F(w) and its gradient from some rows.

        The sum over the batch is scaled by n / n_batch and divided by the S of all the
        data, so that the estimate is unbiased, weights act as repeated rows do, and the
        penalty counts the same at every batch size.
        """
        total, grad = _block_value_and_grad(batch, self.network, w, drop)
        scale = self.blocks.n_rows / batch.s.size
        grad *= scale
        return self._add_penalty(w, total * scale, grad)


def _block_value(block, network, w):
    return loss(network.logits(block.X, network.unpack(w)), block.Y, block.s)


def _block_value_and_grad(block, network, w, drop=None):
    Z, tape = network.linearize(block.X, w, drop)
    value, dZ, _ = loss_grad(Z, block.Y, block.s)
    return value, network.vjp(tape, dZ)


def _block_state(block, network, w):
    Z, tape = network.linearize(block.X, w)
    return tape, *loss_grad(Z, block.Y, block.s)


def _state_value_and_grad(block, network, state):
    tape, value, dZ, _ = state
    return value, network.vjp(tape, dZ)


def _block_hessp(block, network, state, v):
    tape, _, _, P = state
    return network.vjp(tape, loss_hessp(P, block.s, network.jvp(tape, v)))

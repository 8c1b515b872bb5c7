"""F and its gradient from mini-batches, by back-propagation in arrays made once.

The same mathematics as in `Objective`, for the case where a step is so small that the
number of array operations decides: activations, deltas and the gradient keep their
places from step to step, and w is read where the solver changes it. Activations stand
transposed, (n_units, n_rows), with a last line of ones where there are intercepts:
every product is then one call on contiguous arrays.
"""

import numpy as np

from sksoftmax._model.loss import batch_loss_grad
from sksoftmax._utils.threads import Threads

# Operations of a step from which the rows of a batch are divided into two parts, which
# may run side by side. Two threads then take 0.68 (54-256-256-256-7), 0.76
# (784-512-256-10) and 0.92 (784-128-64-10, at 1.3e8) of one thread's time in single
# precision, but 2 to 3 times as long below 1e7; on one thread two parts cost up to 5 %.
_WORTH_PARTS = 1e8


class BatchObjective:
    """Estimates of F and its gradient, batch by batch.

    The sum over a batch is scaled by n / n_batch and divided by the S of all the data,
    so that the estimate is unbiased, weights act as repeated rows do, and the penalty
    counts the same at every batch size.

    Parameters
    ----------
    network : Network
    rows : what `Dataset.minibatches` returns
        Their weights should have mean one, w_i = s_i n / S.
    penalty : Penalty
    threads : Threads, optional
        Runs the parts of large batches.
    """

    def __init__(self, network, rows, penalty, threads=None):
        self.network = network
        self.threads = threads or Threads()
        self.rows = rows
        self.penalty = penalty
        self.n_rows = rows.n_rows

    def batches(self, w, *, batch_size, dropout):
        """The `Batches` of a training that changes w in place."""
        return Batches(self, w, batch_size, dropout)


class Batches:
    """The mini-batches of a training.

    The number of parts of a batch follows from its work and not from the number of
    threads, and their gradients are added in order: the bits are always the same.

    Attributes
    ----------
    grad : ndarray of shape (n_params,)
        Gradient of F at w from the last batch. The caller may overwrite it.
    """

    def __init__(self, objective, w, batch_size, dropout):
        self.objective = objective
        self.n_rows = objective.n_rows
        self.w = w
        self.batch_size = batch_size
        self.grad = np.empty_like(w)
        work = 6.0 * batch_size * w.size
        self._n_parts = 2 if work >= _WORTH_PARTS else 1
        self._grads = [self.grad, *map(np.empty_like, [w] * (self._n_parts - 1))]
        self._passes = {
            n_rows: self._parts(n_rows, dropout)
            for n_rows in {batch_size, objective.n_rows % batch_size} - {0}
        }

    def _parts(self, n_rows, dropout):
        """A `_Pass` for each part of a batch, and where the second begins."""
        sizes = [len(part) for part in np.array_split(np.arange(n_rows), self._n_parts)]
        return [
            _Pass(self.objective, self.w, grad, size, n_rows, dropout)
            for size, grad in zip(sizes, self._grads, strict=True)
            if size
        ]

    def epoch(self, rng, *, shuffle):
        """Yield (J, n_batch) of each batch, with `grad` set for the step that follows.

        J is the mean loss of the batch in nats, without the penalty.
        """
        size, add_penalty = self.batch_size, self.objective.penalty.add_grad
        rngs = [rng] if self._n_parts == 1 else rng.spawn(self._n_parts)
        for order in self.objective.rows.orders(rng, shuffle=shuffle, batch_size=size):
            for start in range(0, order.size, size):
                rows = order[start : start + size]
                value = self._run(self._passes[rows.size], rows, rngs)
                add_penalty(self.w, self.grad)
                yield value / rows.size, rows.size

    def _run(self, parts, rows, rngs):
        """Sum of the losses of a batch; `grad` is set."""
        if len(parts) == 1:
            return parts[0](rows, rngs[0])
        split = parts[0].n_rows
        tasks = zip(parts, (rows[:split], rows[split:]), rngs, strict=True)
        values = self.objective.threads.map(
            lambda task: task[0](*task[1:]), list(tasks)
        )
        self.grad += self._grads[1]
        return sum(values)


class _Pass:
    """Forward and back through the network with some rows of batches of one size."""

    def __init__(self, objective, w, grad, n_rows, n_batch, dropout):
        network, self.rows = objective.network, objective.rows
        self.n_rows, self.scale, self.dropout = n_rows, 1.0 / n_batch, dropout
        sizes, dtype = network.n_units[1:], w.dtype
        ones = int(network.fit_intercept)
        self.activation = network.activation
        self.first, *later = network.stacked(w)
        self.first_grad, *later_grads = network.stacked(grad)
        self.X = self.rows.buffer(n_rows)
        self.targets = np.empty((sizes[-1] + 1, n_rows), dtype)
        self.sY, self.s = self.targets[:-1], self.targets[-1]
        self.scratch = np.empty(n_rows, dtype)
        # Pre-activations, later slopes and then deltas of every layer.
        self.Z = [np.empty((size, n_rows), dtype) for size in sizes]
        inputs = [np.ones((size + ones, n_rows), dtype) for size in sizes[:-1]]
        self.H = [H[:size] for H, size in zip(inputs, sizes[:-1], strict=True)]
        self.mask = [np.empty_like(H) for H in self.H] if dropout else None
        # Per layer above the first: what its products read and write.
        self.forward = list(zip([W.T for W in later], inputs, self.Z[1:], strict=True))
        self.backward = [
            (W[: Z.shape[0]], H, dW, np.empty_like(Z))
            for W, H, dW, Z in zip(later, inputs, later_grads, self.Z[:-1], strict=True)
        ][::-1]

    def __call__(self, rows, rng):
        X = self.rows.take(rows, self.X, self.targets)
        self.rows.product(X, self.first, self.Z[0])
        for number, (W, H, Z) in enumerate(self.forward):
            self._activate(number, rng)
            np.dot(W, H, out=Z)
        dZ = self.Z[-1]
        value = batch_loss_grad(dZ, self.sY, self.s, self.scratch)
        dZ *= self.scale
        for (W, H, dW, dH), slope in zip(self.backward, self.Z[-2::-1], strict=True):
            np.dot(H, dZ.T, out=dW)
            np.dot(W, dZ, out=dH)
            dZ = np.multiply(dH, slope, out=slope)
        self.rows.transposed_product(X, dZ, self.first_grad)
        return value

    def _activate(self, number, rng):
        """Fill H of a hidden layer, and put the slopes where Z was."""
        Z, H = self.Z[number], self.H[number]
        self.activation.value(Z, out=H)
        self.activation.derivative(Z, H, out=Z)
        if self.dropout:
            # Inverted dropout (Srivastava et al. 2014): factors of mean one.
            mask, kept = self.mask[number], 1.0 - self.dropout
            rng.random(dtype=mask.dtype, out=mask)
            mask += kept
            np.floor(mask, out=mask)
            mask *= 1.0 / kept
            H *= mask
            Z *= mask

"""The network: logits Z as a function of the data and the flat parameters w.

Layer l maps H_{l-1} to Z_l = H_{l-1} W_l + b_l and H_l = activation(Z_l); H_0 = X and
the last Z_l are the logits. Softmax regression is the network without hidden layers.
The network owns Z, its derivative times a vector (`jvp`) and the transpose of that
(`vjp`); it knows neither loss nor penalty.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import product, transposed_product
from sksoftmax._model.activations import Activation


class Tape(NamedTuple):
    """What `jvp` and `vjp` need from the forward pass that came before."""

    weights: list  # W_l
    inputs: list  # H_{l-1}, the input of layer l
    slopes: list  # dH_l/dZ_l, one fewer than layers


@dataclass(frozen=True)
class Network:
    """Shapes and layout of the parameters, and the maps between w and Z.

    w holds W_1 (row by row), b_1, W_2, b_2, ...
    """

    n_units: tuple  # (n_features, *hidden_layer_sizes, n_classes or 1 for two classes)
    activation: Activation
    fit_intercept: bool  # whether layers have a b
    # Of the columns of a sparse X, which is not centred itself; None for zeros.
    centre: np.ndarray | None = field(default=None, compare=False)

    @property
    def is_linear(self):
        """Whether Z is linear in w, which makes the objective convex."""
        return len(self.n_units) == 2

    @cached_property
    def n_params(self):
        """Length of w."""
        return sum((m + self.fit_intercept) * n for m, n in self._shapes)

    @property
    def n_free_logits(self):
        """Logits of a row without the one that others are compared to; at least 1."""
        return max(self.n_units[-1] - 1, 1)

    @cached_property
    def _shapes(self):
        return list(zip(self.n_units[:-1], self.n_units[1:], strict=True))

    def unpack(self, w):
        """Views [(W_1, b_1), ...] into w; b is None without intercepts."""
        if self.fit_intercept:
            return [(view[:-1], view[-1]) for view in self.stacked(w)]
        return [(view, None) for view in self.stacked(w)]

    def stacked(self, w):
        """Views [(W_1 over b_1), ...] into w: intercepts are the last row, if any."""
        views, start = [], 0
        for m, n in self._shapes:
            stop = start + (m + self.fit_intercept) * n
            views.append(w[start:stop].reshape(-1, n))
            start = stop
        return views

    def pack(self, layers, dtype=np.float64):
        """The flat w of layers [(W_1, b_1), ...]."""
        n_parts = 2 if self.fit_intercept else 1
        parts = [np.ravel(part) for layer in layers for part in layer[:n_parts]]
        return np.concatenate(parts).astype(dtype, copy=False)

    def weight_mask(self):
        """1.0 where w holds a weight and 0.0 where it holds an intercept."""
        mask = np.ones(self.n_params)
        if self.fit_intercept:
            for _, b in self.unpack(mask):
                b[:] = 0.0
        return mask

    def initial(self, rng):
        """Random starting w: uniform with Glorot's variance 2 / (n_in + n_out).

        Glorot and Bengio (2010), Understanding the difficulty of training deep
        feedforward neural networks, AISTATS, equation 16. Intercepts start at zero.
        """
        w = np.zeros(self.n_params)
        for W, _ in self.unpack(w):
            W[:] = rng.uniform(-1.0, 1.0, size=W.shape) * np.sqrt(6.0 / sum(W.shape))
        return w

    def kept(self, tape):
        """The part of a tape that X and w do not determine: that of hidden layers."""
        return tape.inputs[1:], tape.slopes

    def restored(self, kept, X, w):
        """The tape at w, of which `kept` was kept."""
        inputs, slopes = kept
        return Tape([W for W, _ in self.unpack(w)], [X, *inputs], slopes)

    def linearize(self, X, w):
        """Z and the tape for `jvp` and `vjp` at w."""
        layers = self.unpack(w)
        tape = Tape([W for W, _ in layers], [], [])
        return self.logits(X, layers, tape), tape

    def logits(self, X, layers, tape=None):
        """Z of the layers [(W_1, b_1), ...], (n_rows, n_classes); it fills a tape."""
        H = X
        for number, (W, b) in enumerate(layers, start=1):
            Z = product(H, W) if number == len(layers) else H @ W
            if b is not None:
                Z += b
            if number == 1 and self.centre is not None:
                Z -= self.centre @ W
            if tape is not None:
                tape.inputs.append(H)
            if number == len(layers):
                return Z
            H = self.activation.value(Z)
            if tape is not None:
                tape.slopes.append(self.activation.derivative(Z, H))

    def jvp(self, tape, v):
        """Change of the logits along v: (dZ/dw) v, shape (n_rows, n_classes)."""
        dH, n_hidden = None, len(tape.slopes)
        for i, (dW, db) in enumerate(self.unpack(v)):
            H = tape.inputs[i]
            dZ = product(H, dW) if i == n_hidden else H @ dW
            if db is not None:
                dZ += db
            if i == 0 and self.centre is not None:
                dZ -= self.centre @ dW
            if dH is not None:
                dZ += dH @ tape.weights[i]
            if i < n_hidden:
                dH = dZ * tape.slopes[i]
        return dZ

    def vjp(self, tape, dZ):
        """Back-propagation: (dZ/dw)^T dZ, shape (n_params,)."""
        grad = np.empty(self.n_params, dtype=tape.weights[0].dtype)
        for i, (W, b) in reversed(list(enumerate(self.unpack(grad)))):
            W[:] = transposed_product(tape.inputs[i], dZ)
            if i == 0 and self.centre is not None:
                W -= np.outer(self.centre, dZ.sum(axis=0))
            if b is not None:
                dZ.sum(axis=0, out=b)
            if i > 0:
                dZ = (dZ @ tape.weights[i].T) * tape.slopes[i - 1]
        return grad


def in_gauge(W):
    """W in the symmetric gauge, a new array: its row means are subtracted.

    A single column stands for two classes and stays as it is.
    """
    return W - _row_means(W) if W.shape[1] > 1 else W.copy()


def project_onto_gauge(W, b):
    """The last layer in the symmetric gauge: its coefficients sum to zero over classes.

    The same number added to every logit of a row changes no probability. Of all equal
    solutions this is the one that users get.
    """
    return W - _row_means(W), b - b.sum() / b.size


def _row_means(W):
    # In a third of the time of numpy's mean, where W is small.
    return W.sum(axis=1, keepdims=True) / W.dtype.type(W.shape[1])


def insert_absent_classes(W, b, present, *, centred=True):
    """The last layer for all classes, from that of the classes with weight.

    The intercept of a class without weight would be -infinity. It gets zero weights and
    the intercept log(eps): the logits of the others sum to zero, so the largest is at
    least zero, and the absent class has probability at most eps at every x. Without
    `centred` the others' weights stay in the gauge of a sparse penalty, and the absent
    class gets their mean, with the same probabilities.
    """
    given, (W, b) = W, project_onto_gauge(W, b)
    full_W = np.zeros((W.shape[0], present.size), dtype=W.dtype)
    full_b = np.full(present.size, np.log(np.finfo(np.float64).eps), dtype=b.dtype)
    full_W[:, present], full_b[present] = W, b
    full_W, full_b = project_onto_gauge(full_W, full_b)
    if not centred:
        full_W[:] = given.mean(axis=1, keepdims=True)
        full_W[:, present] = given
    return full_W, full_b


def insert_absent_logits(Z, present):
    """Logits for all classes of the layer that `insert_absent_classes` makes."""
    full = np.full((len(Z), present.size), np.log(np.finfo(np.float64).eps))
    full[:, present] = Z - Z.mean(axis=1, keepdims=True)
    return full

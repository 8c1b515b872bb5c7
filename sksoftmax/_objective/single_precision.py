"""Hessian products in single precision, on a standardised copy of X.

Conjugate gradients need products with the Hessian to a few digits only, while gradients
and values, from which the answer and its certificate come, stay in double precision.
Half the bytes and twice the numbers per instruction take 0.6 (digits, letter) to 0.9
(5,000 x 50 with 4 classes) of the time. X is copied with its columns centred (not where
it is sparse) and scaled to unit size, so that neither an offset nor a unit of a feature
costs any of the seven digits.
"""

import numpy as np

from sksoftmax._data.arrays import standardised
from sksoftmax._model.linear import linear_hessp

# Entries of X times classes from which the copy pays, and its largest size in bytes.
_WORTH_COPYING = 5e5
_LARGEST_COPY = 2**28


class SingleCopy:
    """X of all chunks, standardised, and products with the Hessian in w's coordinates.

    With centre m and scale 1/d of the columns, W' = d W and b' = b + m . W.
    """

    def __init__(self, objective):
        self._chunks, self._network = objective.chunks, objective.network
        n_features = self._network.n_units[0]
        self._centre = np.zeros(n_features)
        if self._network.fit_intercept:
            self._centre = self._chunks.centre()
        size = np.sqrt(self._chunks.second_moment(self._centre))
        scale = np.divide(1.0, size, out=np.zeros(n_features), where=size > 0.0)
        self._size = size
        self._X = self._chunks.map(_chunk_copy, self._centre, scale)

    def in_single(self, states):
        """States of a Hessian, sP and s, in single precision."""
        return self._chunks.map(_chunk_state, states, reads_X=False)

    def product(self, states, v):
        """Sum over rows of the Hessian times v, without penalty and total weight."""
        ((W, b),) = self._network.unpack(v)
        shifts = np.zeros(W.shape[1])
        if b is not None:
            shifts = b + self._centre @ W
        scaled = np.vstack([W * self._size[:, None], shifts]).astype(np.float32)
        total = self._chunks.sum(_chunk_product, self._X, states, scaled)
        dW, db = total.reshape(scaled.shape)[:-1], total[-shifts.size :]
        result = np.empty_like(v)
        ((out_W, out_b),) = self._network.unpack(result)
        out_W[:] = dW * self._size[:, None]
        if out_b is not None:
            out_W += self._centre[:, None] * db
            out_b[:] = db
        return result


def is_worth_copying(objective):
    """Whether products are many and large enough, and the copy small enough."""
    chunks, network = objective.chunks, objective.network
    entries = chunks.n_rows * chunks.stored_per_row
    return (
        network.is_linear
        and entries * network.n_units[-1] >= _WORTH_COPYING
        and 4.0 * entries <= min(_LARGEST_COPY, chunks.largest_kept)
    )


def _chunk_copy(chunk, centre, scale):
    return standardised(chunk.X, centre, scale)


def _chunk_state(chunk, state):
    _, sP = state
    return sP.astype(np.float32), chunk.s.astype(np.float32)


def _chunk_product(chunk, X, state, V):
    return linear_hessp(X, *state, V).astype(np.float64)

"""Separation: features tell classes apart, and without a penalty F has no minimum.

Along a direction in which no row's own logit falls behind another F never rises, and
where one gains, no finite w is the best: quasi-complete separation (Albert and Anderson
1984, Biometrika 71:1).
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from sksoftmax._model.loss import all_logits

# What the other directions, in which a fit is optimal to a few digits, may take from a
# row, as a fraction of the largest gain.
_NOISE = 1e-4

# A row gains where it gains this fraction of the largest gain.
_GAINS = 1e-2


class Gains(NamedTuple):
    """What the rows of each class gain along a direction, shapes (K,)."""

    least: np.ndarray  # on all other classes, the row that gains least
    most: np.ndarray  # on all other classes, the row that gains most
    most_on_one: np.ndarray  # on one other class, the row that gains most

    def separates(self):
        """Whether no row loses, but for noise, and some row gains."""
        largest = self.most_on_one.max()
        return bool(largest > 0.0 and self.least.min() >= -_NOISE * largest)

    def gaining(self, on_all):
        """Mask of the classes that gain: by `on_all`, or if none does, on one other."""
        threshold = _GAINS * self.most_on_one.max()
        mask = on_all > threshold
        return mask if mask.any() else self.most_on_one > threshold


def gains_along(chunks, logits_of):
    """The `Gains` along a direction that adds logits_of(X) to the logits of rows X."""
    found = chunks.collect(_chunk_gains, logits_of)
    least, most, on_one = (np.array(parts) for parts in zip(*found, strict=True))
    return Gains(least.min(axis=0), most.max(axis=0), on_one.max(axis=0))


def is_separated(objective, value, null_value):
    """Whether F(w) = value proves that F has no minimum: no penalty, no wrong row.

    Scaling w up lowers F for ever then, and a hundred-thousandth of F_null is as far as
    it makes sense to follow.
    """
    if not objective.penalty.is_zero or value > 1e-5 * null_value:
        return False
    return objective.network.is_linear and _has_no_wrong_row(objective, value)


def _has_no_wrong_row(objective, value):
    """Whether F(w) = value proves that the own class of every row is the most probable.

    As a total loss under log 2 times the smallest weight does; not where a row has
    several classes.
    """
    smallest = min(objective.chunks.collect(_chunk_smallest_hard, reads_X=False))
    return value * objective.total_weight < 0.69 * smallest


def scaled_up(objective, w, null_value):
    """The multiple of w that proves separation, and F there; None if there is none.

    Without a penalty a w for which every row is right is a direction in which F falls
    to zero.
    """
    network = objective.network
    if not (objective.penalty.is_zero and network.is_linear):
        return None
    logits_of = partial(network.logits, layers=network.unpack(w))
    if not gains_along(objective.chunks, logits_of).least.min() > 0.0:
        return None
    phi, t = objective.along(w, w), 1.0
    while not is_separated(objective, phi(t)[0], null_value):
        t *= 2.0
        if t > _LARGEST_MULTIPLE:
            return None
    return (1.0 + t) * w, phi(t)[0]


# Where rows are ahead by rounding alone, no multiple is of use.
_LARGEST_MULTIPLE = 1e9


def separates(objective, d):
    """Mask of the classes told apart without bound along d, for a linear network.

    A class counts where all its rows gain on all others. If there is none, those count
    of which a row gains on one.
    """
    network = objective.network
    logits_of = partial(network.logits, layers=network.unpack(d))
    gains = gains_along(objective.chunks, logits_of)
    if not gains.separates():
        return np.zeros(gains.least.size, dtype=bool)
    return gains.gaining(gains.least)


def _chunk_smallest_hard(chunk):
    """The smallest weight of a row; zero if one has several classes."""
    if (np.count_nonzero(chunk.sY, axis=1) > 1).any():
        return 0.0
    return float(chunk.s.min(initial=np.inf))


def _chunk_gains(chunk, logits_of):
    own = chunk.sY > 0.0
    on_all, on_one = row_gains(all_logits(logits_of(chunk.X), own.shape[1]), own)
    on_all, on_one = on_all[:, None], on_one[:, None]
    return (
        np.where(own, on_all, np.inf).min(axis=0, initial=np.inf),
        np.where(own, on_all, -np.inf).max(axis=0, initial=-np.inf),
        np.where(own, on_one, -np.inf).max(axis=0, initial=-np.inf),
    )


def row_gains(Z, own):
    """How far the own logits of rows are ahead of all others, and of one, (n_rows,).

    own is the mask of a row's classes. A row of several has to keep them level, so that
    their spread is a loss.
    """
    lowest = np.where(own, Z, np.inf).min(axis=1)
    on_all = lowest - np.where(own, -np.inf, Z).max(axis=1)
    on_one = lowest - np.where(own, np.inf, Z).min(axis=1)
    spread = np.where(own, Z, -np.inf).max(axis=1) - lowest
    several = np.count_nonzero(own, axis=1) > 1
    return np.where(several, np.minimum(on_all, -spread), on_all), on_one

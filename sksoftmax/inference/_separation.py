"""Errors where separated classes leave no finite estimate.

Where some direction lets no row's own logit fall behind another, and some rows' gain,
the likelihood rises along it for ever and has no maximum (Albert and Anderson 1984,
Biometrika 71:1). A fit that follows it stops where little is left to win. Newton's
next step then still points along it, and is long, unless it comes too late: with all
curvature and slope gone, rounding makes the step. But only a fit that has followed the
direction gets so far, and then it is in the coefficients themselves.
"""

import numpy as np
from scipy.linalg import eigh

from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.objective import Objective
from sksoftmax._objective.separation import NOISE, gains_along
from sksoftmax.inference._likelihood import logits

# Curvature of the loss along a working coordinate under which its standard error is
# over 300 a standard deviation of the features.
_NO_GAIN = 1e-5

# As NOISE, for the coefficients along flat directions. On 132 separated tables whose
# step was rounding it was at most 1e-6, and on 123 of them under 1e-8. It is lower than
# NOISE because a flat maximum can be finite: where two classes overlap by a
# ten-thousandth of their spread, the standard error is 2100 and right.
_FLAT_NOISE = 1e-5


def check_not_perfect(model, chunks, targets):
    """Raise if the fit proves that features tell all classes apart."""
    network = Network(model.coefs_[0].shape, ACTIVATIONS["identity"], True)
    w = network.pack(list(zip(model.coefs_, model.intercepts_, strict=True)))
    no_penalty = L2Penalty(np.zeros(network.n_params))
    objective = Objective(network, chunks, no_penalty, targets.total_weight)
    null_value = targets.null_value(model.fit_intercept)
    if objective.is_separated(objective.value(w), null_value):
        raise ValueError(_message(model.classes_.tolist(), "all features together"))


def check_not_separated(likelihood, gamma, H, step, classes, terms):
    """Raise if the coefficients gamma are on their way to infinity.

    The likelihood has no penalty and an orthonormal design; H is its Hessian at gamma,
    and step Newton's step from there. Classes and terms are for the message.
    """
    data = likelihood.chunks, likelihood.design
    _check_direction(*data, step, NOISE, (classes, terms))
    values, flat = eigh(H, subset_by_value=(-np.inf, _NO_GAIN))
    if values.size:
        followed = (flat @ (flat.T @ gamma.ravel())).reshape(gamma.shape)
        _check_direction(*data, followed, _FLAT_NOISE, (classes, terms))


def _check_direction(chunks, design, step, noise, names):
    """Raise if the step separates, up to noise; names are of classes and terms."""
    classes, terms = names
    gains = gains_along(chunks, lambda X: logits(design.rows(X), step))
    if not gains.separates(noise):
        return
    gaining = classes[gains.gaining(gains.most)].tolist()
    squared, weight = chunks.sum(_chunk_moves, design, step)
    moves = np.sqrt(squared / weight)[: design.centre.size]
    moved = [terms[j] for j in np.flatnonzero(moves > 0.1 * moves.max())]
    shown = ", ".join(map(repr, moved[:5])) + (" and others" if moved[5:] else "")
    raise ValueError(_message(gaining, shown))


def _message(classes, features):
    return (
        f"The features separate samples of the classes {classes} from other classes"
        f" (through {features}), so without a penalty coefficients are infinite and"
        " have no standard errors. Use alpha > 0, or leave such features out."
    )


def _chunk_moves(chunk, design, step):
    """What each term adds to the logits along the step: weighted sums of squares."""
    plain = design.uncombined(chunk.X)
    spread = np.abs(step @ design.U.T).max(axis=0)
    return chunk.s @ np.square(plain * spread), chunk.s.sum()

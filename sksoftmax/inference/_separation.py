"""Errors where separated classes leave no finite estimate.

Where some direction lets no row's own logit fall behind another, and some rows' gain,
the likelihood rises along it for ever and has no maximum (Albert and Anderson 1984,
Biometrika 71:1). Whether there is one is decided, not judged by the size of estimates:
a flat maximum can be finite, with standard errors that are large and right.
"""

from functools import partial

import numpy as np

from sksoftmax._objective.separating_direction import decide
from sksoftmax._objective.separation import gains_along
from sksoftmax.inference._likelihood import logits


def check_not_separated(likelihood, gamma, step, classes, terms):
    """Raise if the likelihood, which has no penalty, has no maximum.

    gamma are coefficients of a fit and step is Newton's step from there. A decision
    that would take too long is left to the step. Classes and terms are for the message.
    """
    chunks, design = likelihood.chunks, likelihood.design
    decision = decide(chunks, design.ones, partial(_logits, design, gamma))
    if decision.D is not None:
        gains = gains_along(chunks, decision.logits_along)
        moved = [terms[j] for j in decision.columns()]
    elif decision.is_made:
        return
    else:
        gains = gains_along(chunks, partial(_logits, design, step))
        if not gains.separates():
            return
        squared, weight = chunks.sum(_chunk_moves, design, step)
        moves = np.sqrt(squared / weight)[: design.centre.size]
        moved = [terms[j] for j in np.flatnonzero(moves > 0.1 * moves.max())]
    gaining = classes[gains.gaining(gains.most)].tolist()
    shown = ", ".join(map(repr, moved[:5])) + (" and others" if moved[5:] else "")
    raise ValueError(
        f"The features separate samples of the classes {gaining} from other classes"
        f" (through {shown}), so without a penalty coefficients are infinite and have"
        " no standard errors. Use alpha > 0, or leave such features out."
    )


def _logits(design, gamma, X):
    return logits(design.rows(X), gamma)


def _chunk_moves(chunk, design, step):
    """What each term adds to the logits along the step: weighted sums of squares."""
    plain = design.uncombined(chunk.X)
    spread = np.abs(step @ design.U.T).max(axis=0)
    return chunk.s @ np.square(plain * spread), chunk.s.sum()

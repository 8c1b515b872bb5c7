"""Duality gaps of iterates: the last word on how far a smooth solver got.

The Newton decrement is an estimate. It comes from a Hessian in single precision and
from the eigenvalues that conjugate gradients have seen. So a duality gap decides
wherever the objective has one. `certify` is then (w, tolerance) -> F(w) and a duality
gap at w, in nats; see `value_and_gap` of an objective.
"""

from sksoftmax._solvers.result import Iterate, rounding_error


def certified_step(certify, now, direction, tolerance):
    """The next iterate, without derivatives, or None if none is lower; and its gap.

    The gap is that of `now` if there is no next iterate. Differences below the rounding
    of F do not show which of two iterates is lower. Their gaps do.
    """
    w = now.w + direction
    value, gap = certify(w, tolerance)
    after = Iterate(w, value, None, None), gap
    is_level = value <= now.value + rounding_error(now.value)
    if value <= now.value or (is_level and gap <= tolerance):
        return after
    _, gap_before = certify(now.w, tolerance)
    return after if is_level and gap < 0.5 * gap_before else (None, gap_before)


def reported_gap(gap, value, tolerance):
    """The gap that users see: at least the rounding error of F, and at most F.

    The tolerance has that error too, of an F that may differ in the last bits.
    """
    return float(min(max(gap, min(rounding_error(value), tolerance)), value))


def is_falling(certificates):
    """Whether certificates, pairs of a gap and F, still improve but for rounding."""
    if len(certificates) < 4:
        return True
    (gap, value), (old_gap, old_value) = certificates[-1], certificates[-4]
    return gap < 0.5 * old_gap or value < old_value * (1.0 - 1e-12)

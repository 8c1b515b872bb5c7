"""One line search for all solvers: how far to go along a direction that leads down."""

from dataclasses import dataclass

import numpy as np

# Armijo's constant c_1: the fraction of the predicted decrease that a step has to reach
# (Nocedal and Wright 2006, Numerical Optimization, section 3.1, and their value of it).
ARMIJO = 1e-4

# The full step is too short where this fraction of the slope is left after it and the
# predicted decrease is more than a hundredth of F: F has far to go along such a
# direction, as in nearly separable problems, and a longer step is worth another pass.
# (0.2 took a tenth less time than never on the benchmark sets with alpha = 1e-5; 0.1
# and 0.3 took about the same.)
_SLOPE_LEFT, _NOT_SMALL = 0.2, 0.01
_LONGEST = 10.0


@dataclass(frozen=True)
class LineSearch:
    """Step lengths t for F along a direction d, phi(t) = F(w + t d).

    Solvers try the full step t = 1 first and combine the methods as it suits them:
    `backtrack` needs values of phi alone, `minimize` also slopes of a convex phi, and
    `longer` looks beyond a full step that is too short.

    Parameters
    ----------
    value : float
        phi(0), in nats.
    slope : float
        phi'(0), negative. It predicts that a step of t changes F by t * slope. Where F
        has no slope, the change that a model predicts for the full step takes its
        place (Tseng and Yun 2009, Math. Program. 117:387, equation 9). With 0, any
        value that is not above phi(0) is sufficient.
    """

    value: float
    slope: float

    def is_sufficient(self, value, length=1.0):
        """Whether phi(length) = value fulfils Armijo's condition; NaN never does."""
        return value <= self.value + ARMIJO * length * self.slope

    def backtrack(self, evaluate, shorten, *, max_trials, first=1.0):
        """First of shorter and shorter steps that fulfils Armijo's condition.

        Parameters
        ----------
        evaluate : callable
            t -> a tuple that begins with phi(t).
        shorten : callable
            (t, phi(t) - phi(0), slope) -> the next t: `halve` or `interpolate`.
        max_trials : int
        first : float
            The longest step.

        Returns
        -------
        tuple of t, what `evaluate` returned there, and the number of failed trials; or
        None if all trials failed.
        """
        length = first
        for n_failed in range(max_trials):
            trial = evaluate(length)
            if self.is_sufficient(trial[0], length):
                return length, trial, n_failed
            length = shorten(length, trial[0] - self.value, self.slope)
        return None

    def minimize(self, phi, slope_at_one):
        """A t in (0, 1] near the minimum of a convex phi.

        Regula falsi on the slope with the Illinois modification (Dowell and Jarratt
        1971, BIT 11:168), until the slope is a tenth of what it was at 0. phi returns
        its value and its slope. Where the slope is not finite at t = 1, the search
        begins at the first of 0.1, 0.01 and so on where it is.
        """
        low, low_slope, high, high_slope = 0.0, self.slope, 1.0, slope_at_one
        while not np.isfinite(high_slope) and high > 1e-100:
            high *= 0.1
            high_slope = phi(high)[1]
        if high_slope <= 0.0:
            return high
        for _ in range(50):
            t = low - low_slope * (high - low) / (high_slope - low_slope)
            t = min(max(t, low + 0.05 * (high - low)), high - 0.05 * (high - low))
            value, slope = phi(t)
            is_flat = abs(slope) <= 0.1 * abs(self.slope)
            if is_flat and (slope <= 0.0 or value < self.value):
                break
            if slope < 0.0:
                low, low_slope, high_slope = t, slope, 0.5 * high_slope
            else:
                high, high_slope, low_slope = t, slope, 0.5 * low_slope
        return t

    def longer(self, slope_at_one):
        """A t > 1 where a slope that changes linearly is zero, or None.

        None where the full step is long enough: it left little slope, or a smaller part
        of F than is worth another trial.
        """
        if not -self.slope > _NOT_SMALL * self.value:
            return None
        left = slope_at_one / self.slope
        if not left > _SLOPE_LEFT:
            return None
        return 1.0 / max(1.0 - left, 1.0 / _LONGEST)


def halve(length, change, slope):
    """Half the step, whatever was seen."""
    return 0.5 * length


def interpolate(length, change, slope):
    """The step to the minimum of the parabola through what was seen.

    It is a tenth to a half of the step before, a tenth if that led to no finite value
    (Nocedal and Wright 2006, section 3.5).
    """
    bend = change - length * slope
    best = -0.5 * length * slope / bend if np.isfinite(bend) else 0.0
    return length * min(max(best, 0.1), 0.5)

"""Probabilities of rows as they are, with other values in some columns, or with slopes.

Averages over rows need, for the delta method, sums of v a^T: v has some number for each
row, and a is the row in working coordinates. A state knows these rows as far as that
needs it: `P` are the probabilities, and `pull(V)` is V^T A. A slope is the derivative
of the rows by a column: `d` is that of the logits, and `pull(V)` is V^T dA.

Where the classifier sees the columns of users, a change of a column adds multiples of
one row of U to the working rows. Otherwise the changed columns go through the steps of
the pipeline, and a derivative is a central difference.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sksoftmax._model.loss import loss_grad
from sksoftmax.inference._likelihood import logits
from sksoftmax.inference._population import Plus, Population

# Difference quotients of a smooth function, with a step and with half of it, differ by
# 1e-5 of it. Of a square root at zero, or of a jump, they differ by 0.3 or more.
_SMOOTH = 1e-2

# A change of the working rows, of unit spread, above which a quotient may be of a jump.
_STEEP = 1e-2


def rows_of(population):
    """The rows of a population, ready for changes."""
    return (_LinearRows if population.is_linear else _PipelineRows)(population)


class State:
    """Rows with the values of one scenario, as far as averages need them.

    Z is overwritten.
    """

    def __init__(self, Z, pull):
        # Compiled, and so in a third of the time of softmax.
        self.P = loss_grad(Z, np.zeros_like(Z), np.ones(Z.shape[0]))[2]
        self.pull = pull


@dataclass(frozen=True)
class Slope:
    """The derivative of the logits by a column, (n_rows or 1, K), and V^T dA."""

    d: np.ndarray
    pull: object


@dataclass(frozen=True)
class _Rows:
    population: Population

    def column(self, name, values):
        """The numbers in a column, with the values of a scenario."""
        value = values.get(name, Plus(0.0))
        if isinstance(value, Plus):
            return self.population.numbers(name) + value.step
        return np.full(len(self.population.columns), value, dtype=np.float64)

    def combined(self, values, change):
        """The values of a scenario after a change; a step begins from them."""
        moved = {
            name: values[name] + value.step
            if isinstance(value, Plus) and name in values
            else value
            for name, value in change.items()
        }
        return {**values, **moved}


class _LinearRows(_Rows):
    """Rows whose columns the classifier sees."""

    @cached_property
    def _base(self):
        population = self.population
        A = population.design.rows(population.columns.raw)
        return A, logits(A, population.gamma)

    def at(self, values):
        """The rows with other values in some columns."""
        A = self._base[0]
        moves, rows = self._moves(values)
        Z = self._moved_logits(moves, rows)
        if not values:
            return State(Z, lambda V: V.T @ A)
        return State(Z, lambda V: V.T @ A + (V.T @ moves) @ rows)

    def flipped(self, name, values):
        """Rows with one for zero in a column, and zero for one.

        Returns signs, -1 for a row with zero, the state, and the derivative.
        """
        Z, slope = self._moved_logits(*self._moves(values)), self.slope(name, values)
        sign = 2.0 * self.population.numbers(name) - 1.0
        return sign, State((Z.T - slope.d.T * sign).T, None), slope

    def _moves(self, values):
        """What values add to columns, (n_rows, n), and their working rows, of U."""
        population = self.population
        moves = np.empty((len(population.columns), len(values)))
        for column, name in zip(moves.T, values, strict=True):
            column[:] = self.column(name, values) - population.numbers(name)
        numbers = [population.columns.names.index(name) for name in values]
        return moves, population.design.U[numbers]

    def _moved_logits(self, moves, rows):
        Z = self._base[1]
        return (self._logits(rows).T @ moves.T + Z.T).T

    def slope(self, name, values):
        """The derivative by a column; it is the same in all rows."""
        row = self.population.design.U[[self.population.columns.names.index(name)]]
        return Slope(self._logits(row), lambda V: np.outer(V.sum(axis=0), row))

    def _logits(self, rows):
        return logits(rows, self.population.gamma)


class _PipelineRows(_Rows):
    """Rows whose columns go through the steps of a pipeline."""

    def at(self, values):
        """The rows with other values in some columns."""
        A = self._working(values)
        return State(logits(A, self.population.gamma), lambda V: V.T @ A)

    def slope(self, name, values):
        """The derivative by a column, as a central difference.

        Splines may end where the data end. There the difference is one-sided.
        """
        x = self.column(name, values)
        step = _step(x, self.population.spreads[name])
        low, high = self.population.ranges[name]
        is_inside = low < high and np.all((low <= x) & (x <= high))

        def quotient(step, low, high):
            up, down = np.minimum(x + step, high), np.maximum(x - step, low)
            A = self._working({**values, name: up})
            A -= self._working({**values, name: down})
            A /= (up - down)[:, None]
            return A

        ends = -np.inf, np.inf
        try:
            A = quotient(step, *ends)
        except ValueError:
            if not is_inside:
                raise
            ends = low, high
            A = quotient(step, *ends)
        if np.isfinite(ends).all() or np.abs(A).max() * step.max() > _STEEP:
            self._check_smooth(name, A, quotient(0.5 * step, *ends))
        return Slope(logits(A, self.population.gamma), lambda V: V.T @ A)

    def _check_smooth(self, name, full, half):
        """Refuse a difference quotient that half the step changes."""
        if np.abs(full - half).max() > _SMOOTH * np.abs(full).max():
            raise ValueError(
                f"The column {name!r} of X has no derivative in some rows: there the"
                " steps of the pipeline jump or have an infinite slope. Use discrete,"
                " with a step or two values of the column."
            )

    def _working(self, values):
        population = self.population
        columns = population.columns.replaced(
            {
                name: self.column(name, values) if isinstance(value, Plus) else value
                for name, value in values.items()
            }
        )
        return population.working_rows(columns, list(values))


def _step(x, spread):
    """The step of a central difference, for each entry.

    Rounding of x makes an error of eps |x| / h in the difference, and curvature over a
    unit of spread one of h^2 / 6. Their sum is least where h^3 = 3 eps |x|; the spread
    of the column stands for the unit.
    """
    size = np.maximum(np.abs(x), spread)
    return np.cbrt(3.0 * np.finfo(np.float64).eps * size * spread**2)

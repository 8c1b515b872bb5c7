"""Averages over the rows of cells, with standard errors by the delta method."""

import numpy as np

from sksoftmax._data.chunks import add_up, groups_of
from sksoftmax._utils.threads import Threads
from sksoftmax.inference._averages import (
    are_constant_slopes_cheaper,
    sum_of_log_slopes,
    sum_of_probabilities,
    sum_of_slopes,
    sums_of_constant_slopes,
    sums_of_flips,
)
from sksoftmax.inference._counterfactual import rows_of
from sksoftmax.inference._covariance import standard_errors

# Numbers in the derivatives of the changes that are averaged together: 8 MB, of which
# there are up to 16 partial sums.
_AT_ONCE = 2**20

# What is multiplied by x, and what is the slope of a logarithm.
ELASTICITIES = {
    False: (False, False),
    "eyex": (True, True),
    "eydx": (False, True),
    "dyex": (True, False),
}


class ProbabilitySums:
    """The sums of the probabilities."""

    n_changes = 1

    def parts(self, n_together):
        """The sums in parts that can be formed one after the other."""
        return [self]

    def __call__(self, rows, values, s):
        sums, J = sum_of_probabilities(rows.at(values), s)
        return sums[None], J[None]


class ChangeSums:
    """The sums of the effects of changes."""

    def __init__(self, changes, elasticity=False):
        self._changes, self._elasticity = changes, elasticity
        self._times_x, self._of_log = ELASTICITIES[elasticity]
        self.n_changes = len(changes)

    def parts(self, n_together):
        """The sums in parts of at most so many changes."""
        return [
            ChangeSums(self._changes[start : start + n_together], self._elasticity)
            for start in range(0, self.n_changes, n_together)
        ]

    def __call__(self, rows, values, s):
        n_free, n_terms = rows.population.gamma.shape
        sums = np.empty((self.n_changes, n_free + 1))
        J = np.empty((self.n_changes, n_free + 1, n_free, n_terms))
        base = rows.at(values)
        left = range(self.n_changes)
        if rows.population.is_linear:
            left = self._constant_slopes(rows, base, s, sums, J)
            flips = [i for i in left if self._is_flip(i, values)]
            if flips:
                names = [self._changes[i].variable for i in flips]
                sums[flips], J[flips] = sums_of_flips((rows, values), base, names, s)
                left = [i for i in left if i not in flips]
        for number in left:
            change = self._changes[number]
            if change.high is None:
                found = self._slope(rows, values, base, s, change.variable)
            else:
                high = sum_of_probabilities(self._moved(rows, values, change.high), s)
                low = sum_of_probabilities(self._moved(rows, values, change.low), s)
                found = [a - b for a, b in zip(high, low, strict=True)]
            sums[number], J[number] = found
        return sums, J

    def _constant_slopes(self, rows, base, s, sums, J):
        """Fill in what can be formed together; the numbers of the other changes."""
        numbers = range(self.n_changes)
        slopes = [i for i in numbers if self._changes[i].high is None]
        population = rows.population
        n_free, n_terms = population.gamma.shape
        if self._elasticity or not slopes:
            return numbers
        if not are_constant_slopes_cheaper(len(slopes), n_free, n_terms):
            return numbers
        names = population.columns.names
        directions = population.design.U[
            [names.index(self._changes[i].variable) for i in slopes]
        ]
        W = population.gamma @ directions.T
        sums[slopes], J[slopes] = sums_of_constant_slopes(base, s, W, directions)
        return [i for i in numbers if self._changes[i].high is not None]

    def _is_flip(self, number, values):
        """Whether a change is from zero to one, of a column with nothing else in it."""
        change = self._changes[number]
        return change.is_binary and change.variable not in values

    def _slope(self, rows, values, base, s, name):
        weights = s * rows.column(name, values) if self._times_x else s
        sums = sum_of_log_slopes if self._of_log else sum_of_slopes
        return sums(base, rows.slope(name, values), weights)

    def _moved(self, rows, values, change):
        return rows.at(rows.combined(values, change))


def averages(cells, sums, R, C, threads):
    """Averages in all cells, or the differences R of them, and their standard errors.

    Both have shape (n_cells or n_contrasts, n_changes, K).
    """
    population = cells[0].population
    n_free, n_terms = population.gamma.shape
    size = len(cells) * n_free * (n_free + 1) * n_terms
    means, errors = [], []
    for part in sums.parts(max(_AT_ONCE // size, 1)):
        found = [_cell_average(cell, part, threads) for cell in cells]
        mean, J = (np.stack(values) for values in zip(*found, strict=True))
        if R is not None:
            mean, J = np.tensordot(R, mean, 1), np.tensordot(R, J, 1)
        means.append(mean)
        errors.append(standard_errors(J.reshape(mean.size, -1), C).reshape(mean.shape))
    return np.concatenate(means, axis=1), np.concatenate(errors, axis=1)


def _cell_average(cell, sums, threads):
    population = cell.population

    def run(edges):
        parts = (population.chunk(*edge) for edge in edges)
        return add_up(sums(rows_of(part), cell.values, part.s) for part in parts)

    # The steps of a pipeline may not be safe in several threads.
    threads = threads if population.is_linear else Threads()
    edges = population.edges()
    groups = [[edges[i] for i in group] for group in groups_of(range(len(edges)))]
    return [total / population.s.sum() for total in add_up(threads.map(run, groups))]

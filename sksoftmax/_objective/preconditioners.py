"""Preconditioners for Newton's conjugate gradients, chosen by what they cost.

From cheap and weak to dear and strong: the diagonal of the Hessian, one block per
class, and the Hessian of a sample of rows, up to all of them. What is worth building
depends on how hard the problem turns out to be. That is the ski-rental problem, rent
being products with the Hessian and the price being the next preconditioner: pay rent
until it adds up to the price, then buy, which is at most twice as dear as to have
known. Costs are counted in arithmetic, not measured, so that results do not depend on
the clock.
"""

from dataclasses import dataclass

import numpy as np

from sksoftmax._model.network import in_gauge
from sksoftmax._objective.curvature import Curvature
from sksoftmax._objective.exact_steps import ExactSteps
from sksoftmax._objective.inverses import (
    Centred,
    ClassBlocks,
    DenseFactor,
    Diagonal,
    Identity,
    SharedBlock,
    block_size,
    unit_scale,
)

# Nanoseconds on one core (2.6 GHz, AVX-512), where only ratios matter. Measured on
# digits, letter and tables of 5,000 to 300,000 rows, where the sums below were within a
# third of the time taken.
_FLOP = 0.025  # of a matrix product
_SPARSE_FLOP = 0.17  # of one with a CSR matrix
_ENTRY = 4.0  # an entry of (n_rows, n_classes), through all sweeps of a product
_REMEMBERED = 2.0  # a parameter in each pair of a quasi-Newton method's memory
_CALL = 40_000.0  # Python around a product or a build

# Parameters beyond which memory for a matrix of all of them is not worth it.
_LARGEST_DENSE = 2500


@dataclass(frozen=True)
class Rung:
    """A preconditioner on the ladder: its class, the rows it samples, its cost (ns)."""

    kind: type
    n_rows: int
    cost: float


class Preconditioner:
    """M^-1 for the Hessian of an objective, replaced by stronger ones as needed.

    With the preconditioner of an `earlier` objective on fewer rows, it begins with the
    kind that one ended with; without, with the diagonal or, where that is cheap and not
    asked to be `weak`, with an exact factor.

    Attributes
    ----------
    is_exact : bool
        Whether M is the Hessian at hand.
    max_products : int
        Products with the Hessian that are worth doing before the next rung.
    n_products : int
        Products done since the last build, as far as `learn` was told.
    lowest : float
        Lowest eigenvalue of M^-1 H seen with this kind of M, at most 1; likewise.
    """

    def __init__(self, objective, earlier=None, weak=False):
        self._objective = objective
        self._ladder, self._product_cost = _ladder(objective)
        self._level = 0
        if self._is_direct(self._ladder[-1]) and not weak:
            self._level = len(self._ladder) - 1
        if earlier is not None:
            kinds = [rung.kind for rung in self._ladder]
            if earlier._rung.kind in kinds:
                self._level = max(self._level, kinds.index(earlier._rung.kind))
        self._built = self._exact_steps = None
        if self._rung.kind is not Identity:
            known = None if earlier is None else earlier._curvature
            self._curvature = Curvature(objective, known)
        self._fresh = self._is_invalid = False
        self.is_exact = False
        self.n_products = 0
        self.lowest = 1.0

    @property
    def _rung(self):
        return self._ladder[self._level]

    def _is_direct(self, rung):
        """Whether a rung is an exact factor that is cheap enough for each Hessian."""
        n_rows, most = self._objective.chunks.n_rows, 5.0 * self._product_cost
        return rung.kind is DenseFactor and rung.n_rows == n_rows and rung.cost <= most

    def exact_step(self, now):
        """The Newton step from an iterate, by a factor of its Hessian.

        None where factors are not cheap, and where the Hessian is singular.
        """
        if not self._is_direct(self._rung):
            return None
        if self._exact_steps is None:
            self._exact_steps = ExactSteps(self._objective, self._curvature.centre)
        self._fresh = True
        return self._exact_steps(now)

    @property
    def _rent(self):
        return self.n_products * self._product_cost

    @property
    def suits_quasi_newton(self):
        """Whether steps that remember 20 others cost little more than their pass.

        Not where systems with the Hessian are solved directly.
        """
        memory = 20 * _REMEMBERED * self._objective.network.n_params
        weak = self._level == 0 and self._rung.kind is not Identity
        return weak and memory <= 0.5 * self._product_cost

    @property
    def max_products(self):
        """Products until the rent is the price of the next rung."""
        if self._level + 1 == len(self._ladder):
            return 1000
        price = self._ladder[self._level + 1].cost
        return max(3, int((price - self._rent) / self._product_cost) + 1)

    def update(self, hessian):
        """Get ready for a system with this Hessian."""
        if self._rung.kind is Identity:
            self.n_products, self.lowest, self._fresh = 0, 1.0, True
            return
        climbing = (
            self._built is not None
            and self._level + 1 < len(self._ladder)
            and self._rent >= self._ladder[self._level + 1].cost
        )
        self._level += climbing
        all_rows = self._rung.n_rows == self._objective.chunks.n_rows
        stale = self._rent >= self._rung.cost or self._is_direct(self._rung)
        self._fresh = self._built is None or climbing or stale or self._is_invalid
        if self._fresh:
            self._is_invalid = False
            rows = None if all_rows else self._rung.n_rows
            self._built = self._rung.kind(
                self._objective, hessian, self._curvature, rows
            )
            self._centred = Centred(self._objective, self._curvature, self._built)
            self.n_products = 0
            if climbing:
                self.lowest = 1.0
            self.is_exact = self._rung.kind is DenseFactor and self._built.is_exact
        else:
            self.is_exact = False

    def learn(self, step):
        """Take in what a `NewtonStep`, computed with this M, has shown."""
        self.n_products += step.n_products
        self.lowest = min(self.lowest, step.lowest)

    def invalidate(self):
        """Have the next `update` build anew; False if the last one just did."""
        fresh, self._fresh = self._fresh, False
        self._is_invalid = True
        return not fresh

    def unit_scale(self, hessian):
        """Units of the parameters that make the diagonal of this Hessian about one.

        The same for all classes, so that sums over classes that are zero stay zero.
        """
        n_params = self._objective.network.n_params
        if self._ladder[0].kind is Identity:
            return np.ones(n_params)
        D = self._curvature.diagonal(hessian, centred=False)
        D /= self._objective.total_weight
        D += self._objective.penalty.hessian_diagonal(n_params).reshape(D.shape)
        return np.repeat(unit_scale(D.mean(axis=1), dead=1.0), D.shape[1])

    def ridge_gap(self, r):
        """About the duality gap at a w with the gradient r: ||r_W||^2 / 2 alpha.

        The part of r that optimal intercepts would take away is left out, as far as
        the centre of the features shows it. Needs a ridge on every weight.
        """
        network = self._objective.network
        R = r.reshape(-1, network.n_units[-1])
        strength = self._objective.penalty.hessian_diagonal(network.n_params)
        strength = strength.reshape(R.shape)
        if network.fit_intercept:
            R = R[:-1] - self._curvature.centre[:, None] * R[-1]
            strength = strength[:-1]
        return 0.5 * float(np.sum(in_gauge(R) ** 2 / strength))

    def solve(self, r):
        """M^-1 r."""
        return r.copy() if self._rung.kind is Identity else self._centred.solve(r)


def product_cost(objective):
    """What a product with the Hessian costs without hidden layers, ns."""
    n, stored = objective.chunks.n_rows, objective.chunks.stored_per_row
    n_classes = objective.network.n_units[-1]
    flop = _FLOP if objective.chunks.is_dense else _SPARSE_FLOP
    return _CALL + n * n_classes * (4.0 * stored * flop + _ENTRY)


def factor_cost(size):
    """What a Cholesky factorisation costs, with the copies that it needs, ns."""
    return _CALL + size**3 * _FLOP / 3.0 + 4.0 * size**2


def _ladder(objective):
    """Rungs from cheap to dear, and what a product with the Hessian costs."""
    n, stored = objective.chunks.n_rows, objective.chunks.stored_per_row
    n_classes = objective.network.n_units[-1]
    if not objective.network.is_linear:
        return [Rung(Identity, n, 0.0)], _CALL
    q = objective.network.n_params // n_classes
    flop = _FLOP if objective.chunks.is_dense else _SPARSE_FLOP
    product = product_cost(objective)
    diagonal = _CALL + n * (n_classes * (2.0 * stored * flop + 2.0) + 1.2 * stored)
    draw = 2.0 * _CALL + n * n_classes * _ENTRY
    heavy = block_size(q)
    rows = min(n, max(6 * heavy, 300))
    chunk = 1.5 * _CALL + heavy**2 * (2.0 * rows + 6.0 * heavy) * _FLOP
    rungs = [
        Rung(Diagonal, n, diagonal),
        Rung(SharedBlock, rows, diagonal + draw + chunk),
    ]
    if heavy == q:
        rungs.append(Rung(ClassBlocks, rows, draw + n_classes * chunk))
    size = objective.network.n_free_logits * q
    rows = max(4 * size, 2000)
    while size <= _LARGEST_DENSE:
        rows = n if 2 * rows > n else rows
        cost = 2.0 * _CALL + rows * size * (1.6 * size * _FLOP + 2.0)
        cost += size**3 * _FLOP + (draw if rows < n else 0.0)
        rungs.append(Rung(DenseFactor, rows, cost))
        if rows == n:
            break
        rows *= 4
    # A rung that costs more than a later one is never worth it, but for the first, from
    # which quasi-Newton steps start.
    best = []
    for rung in reversed(rungs):
        if not best or rung.cost < best[0].cost or rung.kind is Diagonal:
            best.insert(0, rung)
    return best, product

"""Preconditioners for Newton's conjugate gradients, chosen by what they cost.

From cheap and weak to dear and strong: the diagonal of the Hessian, one block per
class, and the Hessian of a sample of rows, up to all of them. What is worth building
depends on how hard the problem turns out to be. That is the ski-rental problem, rent
being products with the Hessian and the price being the next preconditioner: pay rent
until it adds up to the price, then buy, which is at most twice as dear as to have
known. Costs are counted in arithmetic, not measured, so that results do not depend on
the clock.

All of them act on parameters as a matrix R of shape (q, K): q = n_features + 1 with
intercepts, K = n_classes, whose rows sum to zero, the symmetric gauge; and all of them
in coordinates in which the features are centred, b + centre . W in the place of b.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from sksoftmax._objective.hessian import (
    Curvature,
    dense_hessian_of_rows,
    hessian_weights,
)

# Nanoseconds on one core (2.6 GHz, AVX-512), where only ratios matter. Measured on
# digits, letter and tables of 5,000 to 300,000 rows, where the sums below were within a
# third of the time taken.
_FLOP = 0.025  # of a matrix product
_SPARSE_FLOP = 0.17  # of one with a CSR matrix
_ENTRY = 4.0  # an entry of (n_rows, n_classes), through all sweeps of a product
_REMEMBERED = 2.0  # a parameter in each pair of a quasi-Newton method's memory
_CALL = 40_000.0  # Python around a product or a build

# Beyond these sizes, memory for K q^2 and (K q)^2 numbers is not worth it.
_LARGEST_BLOCK = 1500
_HEAVY = 500  # features of the shared block where there are more than that
_LARGEST_DENSE = 2500


# Added to a matrix of unit diagonal before it is factored. Curvature below it is left
# to conjugate gradients: a factor of a matrix that is singular but for rounding would
# blow rounding errors of the gradient up into steps.
_RIDGE = 1e-9


# In units that make the diagonal of the Hessian one, eigenvalues and parts of the
# gradient that are rounding: a few hundred times the 2e-16 of their terms.
_NULL = 1e-13
_NOISE = 1e-13

# Singular Hessians up to this size are solved through their eigenvectors, in 8 ms.
_LARGEST_SPECTRUM = 300


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
        last = self._ladder[-1]
        direct = last.kind is DenseFactor and last.n_rows == objective.chunks.n_rows
        self._is_direct = direct and last.cost <= 5.0 * self._product_cost
        self._level = len(self._ladder) - 1 if self._is_direct and not weak else 0
        if earlier is not None:
            kinds = [rung.kind for rung in self._ladder]
            if earlier._rung.kind in kinds:
                self._level = max(self._level, kinds.index(earlier._rung.kind))
        self._built = None
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
        direct = all_rows and self._rung.kind is DenseFactor
        cheap = self._rung.cost <= 5.0 * self._product_cost
        stale = self._rent >= self._rung.cost or (direct and cheap)
        self._fresh = self._built is None or climbing or stale or self._is_invalid
        if self._fresh:
            self._is_invalid = False
            rows = None if all_rows else self._rung.n_rows
            self._built = self._rung.kind(
                self._objective, hessian, self._curvature, rows
            )
            self._centred = _Centred(self._objective, self._curvature, self._built)
            self.n_products = 0
            if climbing:
                self.lowest = 1.0
            self.is_exact = direct and self._built.is_exact
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
        if self._ladder[0].kind is Identity:
            return np.ones(self._objective.network.n_params)
        D = self._curvature.diagonal(hessian, centred=False)
        D /= self._objective.total_weight
        D += self._objective.penalty.strength.reshape(D.shape)
        return np.repeat(_unit_scale(D.mean(axis=1), dead=1.0), D.shape[1])

    def solve(self, r):
        """M^-1 r."""
        return r.copy() if self._rung.kind is Identity else self._centred.solve(r)


class _Centred:
    """A preconditioner, made in centred coordinates and in the gauge, as one for w.

    What all classes share is left out of r and of the solution: the loss does not see
    it, and where w is in the gauge, it is rounding. Over a small penalty, and times the
    centre of features such as timestamps, it would drown the step.
    """

    def __init__(self, objective, curvature, built):
        self._network, self._centre = objective.network, curvature.centre
        self._built = built

    def solve(self, r):
        """M^-1 r."""
        n_classes = self._network.n_units[-1]
        R = r.reshape(-1, n_classes).copy()
        if n_classes > 1:
            R -= R.mean(axis=1, keepdims=True)
        if self._network.fit_intercept:
            R[:-1] -= self._centre[:, None] * R[-1]
        solution = self._built.solve(R)
        if n_classes > 1:
            solution -= solution.mean(axis=1, keepdims=True)
        if self._network.fit_intercept:
            solution[-1] -= self._centre @ solution[:-1]
        return solution.ravel()


def _ladder(objective):
    """Rungs from cheap to dear, and what a product with the Hessian costs."""
    n, stored = objective.chunks.n_rows, objective.chunks.stored_per_row
    n_classes = objective.network.n_units[-1]
    if not objective.network.is_linear:
        return [Rung(Identity, n, 0.0)], _CALL
    q = objective.network.n_params // n_classes
    flop = _FLOP if objective.chunks.is_dense else _SPARSE_FLOP
    product = _CALL + n * n_classes * (4.0 * stored * flop + _ENTRY)
    diagonal = _CALL + n * (n_classes * (2.0 * stored * flop + 2.0) + 1.2 * stored)
    draw = 2.0 * _CALL + n * n_classes * _ENTRY
    heavy = q if q <= _LARGEST_BLOCK else _HEAVY
    rows = min(n, max(6 * heavy, 300))
    chunk = 1.5 * _CALL + heavy**2 * (2.0 * rows + 6.0 * heavy) * _FLOP
    rungs = [
        Rung(Diagonal, n, diagonal),
        Rung(SharedBlock, rows, diagonal + draw + chunk),
    ]
    if q <= _LARGEST_BLOCK:
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


class Identity:
    """None at all: for networks with hidden layers, or with nothing to tell apart."""


class Diagonal:
    """The diagonal of the Hessian: for many sparse features."""

    def __init__(self, objective, hessian, curvature, rows=None):
        D = _diagonal(objective, hessian, curvature)
        self._inverse = _inverse_or_zero(D)

    def solve(self, R):
        return self._inverse * R


def _diagonal(objective, hessian, curvature):
    """Diagonal of the Hessian of F, shape (q, K)."""
    D = curvature.diagonal(hessian) / objective.total_weight
    return D + objective.penalty.strength.reshape(D.shape)


class SharedBlock:
    """One matrix for all classes, scaled for each: Kronecker, diagonal (x) full.

    The matrix is weighted by the mean over classes of the curvature s p (1 - p), so
    rows that are certain of their class drop out of it. Of many features, it holds the
    ones of most curvature; the others have their diagonal.
    """

    def __init__(self, objective, hessian, curvature, rows):
        D = _diagonal(objective, hessian, curvature)
        self._inverse_diagonal = _inverse_or_zero(D)
        ones = objective.network.fit_intercept
        columns = None
        if D.shape[0] > _LARGEST_BLOCK:
            features = D[: D.shape[0] - ones].mean(axis=1)
            columns = np.sort(np.argpartition(-features, _HEAVY)[:_HEAVY])
        X, sP, s = curvature.draw(hessian, rows, columns)
        weights = hessian_weights(sP, s)
        rX = X * np.sqrt(weights.mean(axis=1))[:, None]
        H = rX.T @ rX
        H /= objective.total_weight
        strength = objective.penalty.strength.reshape(D.shape)[:, 0]
        self._rows = np.arange(D.shape[0])
        if columns is not None:
            self._rows = np.append(columns, self._rows[-1]) if ones else columns
            strength = strength[self._rows]
        i = np.arange(H.shape[0])
        mean = D[self._rows].mean(axis=1)
        H[i, i] = np.maximum(H[i, i], 0.1 * (mean - strength)) + strength
        self._inverse = scaled_inverse(H)
        share = np.ones((i.size, D.shape[1]))
        np.divide(D[self._rows], mean[:, None], out=share, where=mean[:, None] > 0.0)
        self._share = np.sqrt(share)

    def solve(self, R):
        solution = self._inverse_diagonal * R
        heavy = R[self._rows] / self._share
        solution[self._rows] = (self._inverse @ heavy) / self._share
        return solution


class ClassBlocks:
    """The Hessian without its products between classes: one q x q matrix per class."""

    def __init__(self, objective, hessian, curvature, rows):
        X, sP, s = curvature.draw(hessian, rows)
        weights = hessian_weights(sP, s)
        q, n_classes = X.shape[1], sP.shape[1]
        floor = curvature.floor(weights)
        strength = objective.penalty.strength.reshape(q, n_classes)[:, 0]
        roots = np.sqrt(weights)

        def inverse(k):
            rX = X * roots[:, k, None]
            H = rX.T @ rX
            i = np.arange(q)
            H[i, i] = np.maximum(H[i, i], floor[:, k])
            H /= objective.total_weight
            H[i, i] += strength
            return scaled_inverse(H)

        inverses = objective.chunks.threads.map(inverse, range(n_classes))
        self._inverses = np.stack(inverses)

    def solve(self, R):
        return np.matmul(self._inverses, R.T[:, :, None])[:, :, 0].T


class DenseFactor:
    """Factor of the Hessian of some rows, or of all of them.

    The last class is left out and put back by the gauge: in coordinates V of shape
    (q, K - 1), W is V beside a column of zeros, centred. One logit stays one.

    Attributes
    ----------
    is_exact : bool
        Whether `solve` inverts the Hessian that it was built from to rounding.
    """

    def __init__(self, objective, hessian, curvature, rows):
        if rows is None:
            H = curvature.dense(hessian)
        else:
            X, sP, s = curvature.draw(hessian, rows)
            H = dense_hessian_of_rows(objective.chunks.threads, X, sP, s)
            floor = curvature.floor(hessian_weights(sP, s))
            n_free = objective.network.n_free_logits
            _raise_diagonal(H, floor[:, :n_free].T.ravel())
        H /= objective.total_weight
        n_classes = objective.network.n_units[-1]
        add_centred_penalty(H, objective.penalty.strength, n_classes)
        self._scale = _unit_scale(H.diagonal(), dead=0.0)
        H *= self._scale[:, None]
        H *= self._scale
        H[self._scale == 0.0, self._scale == 0.0] = 1.0
        self._factor = _cholesky(H, _RIDGE if rows else 0.0)
        regular = self._factor.diagonal().min() ** 2 > 1e3 * _RIDGE
        self._spectrum = None
        if rows is None and not regular:
            if H.shape[0] <= _LARGEST_SPECTRUM:
                self._spectrum = np.linalg.eigh(H)
            else:
                self._factor = _cholesky(H, _RIDGE)
        self.is_exact = rows is None and (regular or self._spectrum is not None)

    def solve(self, R):
        q, n_classes = R.shape
        right = R.T[: self._scale.size // q].ravel() * self._scale
        if self._spectrum is None:
            solution, _ = dpotrs(self._factor, right, lower=1)
        else:
            solution = self._solve_singular(right)
        solution *= self._scale
        full = np.zeros((q, n_classes))
        n_free = solution.size // q
        full[:, :n_free] = solution.reshape(n_free, q).T
        return full

    def _solve_singular(self, right):
        """Solution without the null directions that there is nothing to gain from.

        The gradient is rounding there, which dividing by no curvature would blow up.
        """
        values, vectors = self._spectrum
        parts = vectors.T @ right
        solution = parts / np.maximum(values, _NULL)
        solution[(values < _RIDGE) & (np.abs(parts) < _NOISE)] = 0.0
        return vectors @ solution


def add_centred_penalty(H, strength, n_classes):
    """Add strength times ||W - mean||^2 / 2 in the coordinates of H."""
    n_free = max(n_classes - 1, 1)
    strength = strength.reshape(-1, n_classes)[:, 0]
    blocks = H.reshape(n_free, strength.size, n_free, strength.size)
    coupling = np.eye(n_free)
    if n_classes > 1:
        coupling -= 1.0 / n_classes
    diagonals = np.einsum("kjlj->klj", blocks)  # a view
    diagonals += coupling[:, :, None] * strength


def _raise_diagonal(H, floor):
    """Lift the diagonal of H to floor where it is lower."""
    i = np.arange(H.shape[0])
    H[i, i] = np.maximum(H[i, i], floor)


def _inverse_or_zero(values):
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def _unit_scale(diagonal, dead):
    """Factors that make a diagonal one; dead where it is zero (constant columns)."""
    positive = diagonal > 0.0
    return np.where(positive, 1.0 / np.sqrt(np.where(positive, diagonal, 1.0)), dead)


def scaled_inverse(H, ridge=_RIDGE):
    """Inverse of H, formed with a unit diagonal and a small ridge.

    Rows of zeros get zeros; without a ridge H gets as little as it takes to be regular.
    """
    scale = _unit_scale(H.diagonal(), dead=0.0)
    outer = np.outer(scale, scale)
    scaled = H * outer
    scaled[scale == 0.0, scale == 0.0] = 1.0
    inverse, _ = dpotri(_cholesky(scaled, ridge), lower=1, overwrite_c=1)
    lower = np.tril(inverse)
    inverse = lower + lower.T
    inverse.ravel()[:: len(H) + 1] *= 0.5
    inverse *= outer
    return inverse


def _cholesky(H, ridge):
    """Lower factor of H + ridge I, with as little more ridge as it takes."""
    while True:
        raised = H.copy()
        raised.ravel()[:: len(H) + 1] += ridge
        factor, info = dpotrf(raised.T, lower=1, clean=0, overwrite_a=1)
        if info == 0:
            return factor
        ridge = max(100.0 * ridge, _RIDGE)

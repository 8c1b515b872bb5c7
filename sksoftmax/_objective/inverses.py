"""Approximate inverses of the Hessian, from the cheapest to the exact one.

They act on parameters as a matrix R of shape (q, K): q = n_features + 1 with
intercepts, K = n_classes. Its rows sum to zero, the symmetric gauge, and the features
are centred, with b + centre . W in the place of b; `Centred` makes one for w of it.
Each is made of (objective, hessian, curvature, rows), rows being the size of the sample
of rows, None for all.
"""

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from sksoftmax._kernels import kernel
from sksoftmax._model.network import in_gauge
from sksoftmax._objective.dense_hessian import (
    dense_hessian,
    hessian_weights,
    weighted_gram,
)

# Features beyond which memory for K q^2 numbers is not worth it, and those of the
# shared block where there are more.
_LARGEST_BLOCK, _HEAVY = 1500, 500

# Added to a matrix of unit diagonal before it is factored. Curvature below it is left
# to conjugate gradients: a factor of a matrix that is singular but for rounding would
# blow rounding errors of the gradient up into steps.
_RIDGE = 1e-9

# The square of the least pivot, in units that make the diagonal of the Hessian one,
# from which a matrix is regular.
REGULAR = 1e3 * _RIDGE

# In these units, eigenvalues and parts of the
# gradient that are rounding: a few hundred times the 2e-16 of their terms.
_NULL = 1e-13
_NOISE = 1e-13

# Singular Hessians up to this size are solved through their eigenvectors, in 8 ms.
_LARGEST_SPECTRUM = 300


class Centred:
    """An inverse for w, made of one in centred coordinates and in the gauge.

    What all classes share is left out of r and of the solution: the loss does not see
    it, and where w is in the gauge, it is rounding. Over a small penalty, and times the
    centre of features such as timestamps, it would drown the step.
    """

    def __init__(self, objective, curvature, inverse):
        self._network, self._centre = objective.network, curvature.centre
        self._inverse = inverse

    def solve(self, r):
        """M^-1 r, shape (n_params,)."""
        coordinates = self._centre, self._network.fit_intercept
        R = into_centred(r, *coordinates)
        return out_of_centred(self._inverse.solve(R), *coordinates)


@kernel
def into_centred(r, centre, ones):
    """A flat gradient in centred coordinates and in the gauge, shape (q, K)."""
    R = in_gauge(r.reshape(centre.size + ones, -1))
    if ones:
        R[:-1] -= centre[:, None] * R[-1]
    return R


@kernel
def out_of_centred(D, centre, ones):
    """A step in centred coordinates as a flat one in the gauge, shape (n_params,)."""
    D = in_gauge(D)
    if ones:
        D[-1] -= centre @ D[:-1]
    return D.ravel()


class Identity:
    """None at all: for networks with hidden layers, or with nothing to tell apart."""


class Diagonal:
    """The diagonal of the Hessian: for many sparse features."""

    def __init__(self, objective, hessian, curvature, rows=None):
        self._inverse = _inverse_or_zero(_diagonal(objective, hessian, curvature))

    def solve(self, R):
        """M^-1 R, shape (q, K)."""
        return self._inverse * R


def block_size(q):
    """Rows and columns of the shared block: q, or fewer where there are too many."""
    return q if q <= _LARGEST_BLOCK else _HEAVY


class SharedBlock:
    """One matrix for all classes, scaled for each: Kronecker, diagonal (x) full.

    The matrix is weighted by the mean over classes of the Hessian weights s p (1 - p),
    so rows that are certain of their class drop out of it. Of many features, it holds
    the ones of most curvature; the others have their diagonal.
    """

    def __init__(self, objective, hessian, curvature, rows):
        D = _diagonal(objective, hessian, curvature)
        self._inverse_diagonal = _inverse_or_zero(D)
        self._rows, features = np.arange(D.shape[0]), None
        if D.shape[0] > _LARGEST_BLOCK:
            ones = objective.network.fit_intercept
            totals = D[: D.shape[0] - ones].mean(axis=1)
            features = np.sort(np.argpartition(-totals, _HEAVY)[:_HEAVY])
            self._rows = features = np.append(features, self._rows[totals.size :])
        X, sP, s = curvature.draw(hessian, rows, features)
        H = weighted_gram(X, hessian_weights(sP, s).mean(axis=1))
        H /= objective.total_weight
        ridge = _penalty_diagonal(objective)[self._rows, 0]
        mean = D[self._rows].mean(axis=1)
        i = np.arange(H.shape[0])
        H[i, i] = np.maximum(H[i, i], 0.1 * (mean - ridge)) + ridge
        self._inverse = scaled_inverse(H)
        ratios = np.ones((i.size, D.shape[1]))
        np.divide(D[self._rows], mean[:, None], out=ratios, where=mean[:, None] > 0.0)
        self._scale = np.sqrt(ratios)

    def solve(self, R):
        """M^-1 R, shape (q, K)."""
        solution = self._inverse_diagonal * R
        heavy = R[self._rows] / self._scale
        solution[self._rows] = (self._inverse @ heavy) / self._scale
        return solution


class ClassBlocks:
    """The Hessian without its products between classes: one q x q matrix per class."""

    def __init__(self, objective, hessian, curvature, rows):
        X, sP, s = curvature.draw(hessian, rows)
        weights = hessian_weights(sP, s)
        least = curvature.least_diagonal(weights)
        ridge = _penalty_diagonal(objective)[:, 0]

        def inverse(k):
            H = weighted_gram(X, weights[:, k])
            _raise_diagonal(H, least[:, k])
            H /= objective.total_weight
            H.ravel()[:: len(H) + 1] += ridge
            return scaled_inverse(H)

        inverses = objective.chunks.threads.map(inverse, range(sP.shape[1]))
        self._inverses = np.stack(inverses)

    def solve(self, R):
        """M^-1 R, shape (q, K)."""
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
            H = dense_hessian(objective.chunks.threads, X, sP, s)
            least = curvature.least_diagonal(hessian_weights(sP, s))
            _raise_diagonal(H, least[:, : objective.network.n_free_logits].T.ravel())
        self._scale, self._factor = scaled_factor(
            H,
            objective.total_weight,
            _penalty_diagonal(objective),
            _RIDGE if rows else 0.0,
        )
        regular = self._factor.diagonal().min() ** 2 > REGULAR
        self._spectrum = None
        if rows is None and not regular:
            if H.shape[0] <= _LARGEST_SPECTRUM:
                self._spectrum = np.linalg.eigh(H)
            else:
                self._factor = _cholesky(H, _RIDGE)
        self.is_exact = rows is None and (regular or self._spectrum is not None)

    def solve(self, R):
        """M^-1 R, shape (q, K); the last class has zeros."""
        if self._spectrum is None:
            return solve_scaled(self._factor, self._scale, R)
        right = _scaled_without_last_class(R, self._scale)
        return _with_last_class(self._solve_singular(right), self._scale, R.shape)

    def _solve_singular(self, right):
        """Solution without the null directions that there is nothing to gain from.

        The gradient is rounding there, which dividing by no curvature would blow up.
        """
        values, vectors = self._spectrum
        parts = vectors.T @ right
        solution = parts / np.maximum(values, _NULL)
        solution[(values < _RIDGE) & (np.abs(parts) < _NOISE)] = 0.0
        return vectors @ solution


@kernel
def scaled_factor(H, total_weight, penalty, ridge):
    """The scale and the lower Cholesky factor of H / total_weight plus a penalty.

    H, without the last class, is overwritten by what is factored: that sum with a unit
    diagonal, one where the diagonal is zero. `penalty` is the diagonal of the penalty's
    Hessian, (q, K); `ridge` is added as it stands, and more if it must be.
    """
    H /= total_weight
    add_centred_penalty(H, penalty)
    scale = unit_scale(H.diagonal(), dead=0.0)
    H *= scale[:, None]
    H *= scale
    H[scale == 0.0, scale == 0.0] = 1.0
    return scale, _cholesky(H, ridge)


@kernel
def solve_scaled(factor, scale, R):
    """The solution for a right-hand side R, (q, K), by what `scaled_factor` returned.

    The last class has zeros.
    """
    right = _scaled_without_last_class(R, scale)
    solution, _ = dpotrs(factor, right, lower=1)
    return _with_last_class(solution, scale, R.shape)


def _scaled_without_last_class(R, scale):
    return R.T[: scale.size // R.shape[0]].ravel() * scale


def _with_last_class(solution, scale, shape):
    full = np.zeros(shape)
    n_free = scale.size // shape[0]
    full[:, :n_free] = (solution * scale).reshape(n_free, -1).T
    return full


def _diagonal(objective, hessian, curvature):
    """Diagonal of the Hessian of F, shape (q, K)."""
    D = curvature.diagonal(hessian) / objective.total_weight
    return D + _penalty_diagonal(objective)


def _penalty_diagonal(objective):
    """The penalty's part of that, the same for all classes."""
    network = objective.network
    diagonal = objective.penalty.hessian_diagonal(network.n_params)
    return diagonal.reshape(-1, network.n_units[-1])


def add_centred_penalty(H, diagonal):
    """Add the Hessian of a penalty, given its diagonal (q, K), without the last class.

    It acts on W in the gauge, W = V beside a column of zeros, centred.
    """
    q, n_classes = diagonal.shape
    n_free = H.shape[0] // q
    coupling = np.eye(n_free)
    if n_classes > 1:
        coupling -= 1.0 / n_classes
    blocks = H.reshape(n_free, q, n_free, q)
    diagonals = np.einsum("kjlj->klj", blocks)  # a view
    diagonals += coupling[:, :, None] * diagonal[:, 0]


def _raise_diagonal(H, least):
    """Raise the diagonal of H, in place, where it is below least."""
    i = np.arange(H.shape[0])
    H[i, i] = np.maximum(H[i, i], least)


def _inverse_or_zero(values):
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def unit_scale(diagonal, dead):
    """Factors that make a diagonal one; dead where it is zero (constant columns)."""
    positive = diagonal > 0.0
    return np.where(positive, 1.0 / np.sqrt(np.where(positive, diagonal, 1.0)), dead)


def scaled_inverse(H, ridge=_RIDGE):
    """Inverse of H, formed with a unit diagonal and a small ridge.

    Rows of zeros get zeros; without a ridge H gets as little as it takes to be regular.
    """
    if not H.size:  # LAPACK refuses it
        return H.copy()
    scale = unit_scale(H.diagonal(), dead=0.0)
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

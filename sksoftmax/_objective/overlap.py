"""The proof that classes overlap, so that without a penalty F has a minimum.

A direction D separates classes if no row loses along it and one gains: the logits of a
row's own classes stay level, and its gain is how far they get ahead of another class
(Albert and Anderson 1984, Biometrika 71:1). Let D separate, scaled to a largest gain of
one, and let g and H be the gradient and the Hessian at any w. With the weight s of a
row and the probabilities p of other classes

    D.H D  <=  sum s p gain^2  <=  sum s p gain  =  -g.D  <=  |g|_{H^-1} |D|_H,

so |D|_H <= |g|_{H^-1}. Where a row gains one, 1 = a.D <= |a|_{H^-1} |D|_H for its
a = x (e_own - e_other). So classes overlap if at some w

    |g|^2_{H^-1}  max |a|^2_{H^-1}  <  1,

and the Hessian of some of the rows, which is smaller, serves as well. It takes a pass
over the data, or two where columns depend on others.
"""

from typing import NamedTuple

import numpy as np

from sksoftmax._model.loss import all_logits, loss_grad
from sksoftmax._objective.dense_hessian import CentredRows, dense_hessian
from sksoftmax._objective.separation import row_gains
from sksoftmax._utils.threads import Threads

# Rows for each free parameter whose Hessian is formed, and the fewest.
_ROWS_PER_PARAMETER, _FEWEST_ROWS = 10, 500

# The proof needs a product below one; rounding of the Hessian and of g gets the rest.
_BELOW_ONE = 0.5

# Eigenvalues of the Hessian under this fraction of the largest are rounding: along
# their vectors either no row moves, or there is no proof.
_RANK = 1e-12

# What rows may move along a vector along which they should not, in units of their size.
_LEVEL = 1e-9


class WorkingRows(NamedTuple):
    """Rows x of X, centred and scaled, with a last entry of one for the intercept."""

    columns: np.ndarray | None  # numbers of those of X that vary, None for all
    centre: np.ndarray  # of these columns
    factor: np.ndarray  # of the entries of x: one over the scale
    ones: bool

    @classmethod
    def of(cls, chunks, ones):
        """Those of the rows of chunks; ones is whether there are intercepts."""
        centre = chunks.centre()
        if not ones:
            centre = np.zeros_like(centre)
        scale = np.sqrt(chunks.second_moment(centre))
        varies = scale > 0.0
        factor = np.append(1.0 / scale[varies], np.ones(int(ones)))
        columns = None if varies.all() else np.flatnonzero(varies)
        return cls(columns, centre[varies], factor, ones)

    @property
    def n_columns(self):
        """The number of entries of x."""
        return self.factor.size

    def __call__(self, X):
        """The rows x, shape (n_rows, n_columns)."""
        rows = CentredRows(self.columns, self.centre, self.ones)(X)
        rows *= self.factor
        return rows

    def offset(self):
        """How far x is from the origin of X, in the scale of x: it is rounded too."""
        return np.append(np.abs(self.centre), np.zeros(int(self.ones))) * self.factor


class Witness(NamedTuple):
    """What one pass at some w shows about all rows, and rows that matter most."""

    grad: np.ndarray  # (n_columns, K)
    pull: np.ndarray  # gradient of the sum of all gains by D, (n_columns, K)
    size: float  # the largest |x|^2
    rows: np.ndarray  # x of some rows
    own: np.ndarray  # their classes, a mask of shape (n, K)
    s: np.ndarray  # their weights
    sP: np.ndarray  # these times probabilities


def witness(chunks, rows_of, logits_of):
    """The `Witness` at the w that logits_of(X) belongs to."""
    n_params = rows_of.n_columns * (chunks.n_classes - 1)
    n_rows = max(_ROWS_PER_PARAMETER * n_params, _FEWEST_ROWS)
    share = min(n_rows / chunks.n_rows, 1.0)
    found = chunks.collect(_chunk_witness, rows_of, logits_of, share)
    grads, pulls, sizes, *some = zip(*found, strict=True)
    return Witness(sum(grads), sum(pulls), max(sizes), *map(np.concatenate, some))


class Curvature:
    """Eigenvectors of the Hessian of some rows or of all, at the w of a `Witness`.

    Attributes
    ----------
    flat : ndarray of shape (n_flat, n_columns, K)
        Those along which the Hessian is too small to exclude that they separate.
    """

    def __init__(self, H, seen):
        q, n_classes = seen.grad.shape
        if not (np.isfinite(H).all() and np.isfinite(seen.grad).all()):
            H = np.zeros_like(H)  # w is so far away that it shows nothing
        values, vectors = np.linalg.eigh(H)
        is_null = values <= _RANK * max(values[-1], np.finfo(float).tiny)
        along = vectors.T @ seen.grad[:, :-1].T.ravel()
        squared = np.sum(np.square(along[~is_null]) / values[~is_null])
        # |a|^2 <= 2 |x|^2, as a has x and -x in two classes.
        is_flat = values * _BELOW_ONE <= squared * 2.0 * seen.size
        self._only_null = bool((is_null | ~is_flat).all())
        free = vectors[:, is_null | is_flat].T.reshape(-1, n_classes - 1, q)
        free = free.transpose(0, 2, 1)
        self.flat = np.concatenate([free, np.zeros((*free.shape[:2], 1))], axis=2)

    def proves_overlap(self, chunks, rows_of):
        """Whether no direction separates: none is flat, but such as move no row."""
        if not self._only_null:
            return False
        if not len(self.flat):
            return True
        return max(chunks.collect(_chunk_moves, rows_of, self.flat)) <= _LEVEL


def curvature_of_some(seen):
    """The `Curvature` of the rows of a `Witness`."""
    return Curvature(dense_hessian(Threads(), seen.rows, seen.sP, seen.s), seen)


def curvature_of_all(chunks, rows_of, logits_of, seen):
    """The `Curvature` of all rows; takes n_params / 4 times as long as a pass."""
    return Curvature(chunks.sum(_chunk_hessian, rows_of, logits_of), seen)


def _chunk_witness(chunk, rows_of, logits_of, share):
    own = chunk.sY > 0.0
    x = rows_of(chunk.X)
    Z = np.array(all_logits(logits_of(chunk.X), own.shape[1]), order="F")
    some = _rows_that_matter(Z, own, share)
    _, dZ, sP = loss_grad(Z, chunk.sY, chunk.s)
    n_own = np.count_nonzero(own, axis=1)[:, None]
    gain = np.where(own, (own.shape[1] - n_own) / n_own, -1.0)
    size = float(np.einsum("ij,ij->i", x, x).max(initial=0.0))
    kept = x[some], own[some], chunk.s[some], sP[some]
    return x.T @ dZ, x.T @ gain, size, *kept


def _rows_that_matter(Z, own, share):
    """Numbers of a share of the rows: half are least ahead, the others evenly spread.

    The first overlap if any do. The others have curvature in the remaining directions.
    """
    n_rows = own.shape[0]
    if share == 1.0:
        return slice(None)
    half = min(int(np.ceil(0.5 * share * n_rows)), n_rows)
    least = np.argsort(row_gains(Z, own)[0], kind="stable")[:half]
    spread = np.linspace(0, n_rows - 1, half).astype(np.intp)
    return np.union1d(least, spread)


def _chunk_hessian(chunk, rows_of, logits_of):
    Z = np.array(all_logits(logits_of(chunk.X), chunk.sY.shape[1]), order="F")
    _, _, sP = loss_grad(Z, chunk.sY, chunk.s)
    return dense_hessian(Threads(), rows_of(chunk.X), sP, chunk.s)


def _chunk_moves(chunk, rows_of, flat):
    """The most that a row's logits differ along any of some directions."""
    x = rows_of(chunk.X)
    size = np.sqrt(np.einsum("ij,ij->i", x, x).max(initial=1.0))
    return float(max(np.abs(x @ D).max(initial=0.0) for D in flat)) / size

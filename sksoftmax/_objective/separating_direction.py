"""A direction that separates classes, or the decision that there is none.

Whether a direction D separates (see `overlap`) is a linear program (Konis 2007, Linear
programming algorithms for detecting separated data in binary logistic regression
models, PhD thesis, Oxford): maximise the sum of all gains, where no row loses and the
entries of D are at most one. Its solution is zero if and only if classes overlap.

Few rows decide: the program begins with those that are least ahead, and gets the rows
that lose along its solution. A row without loss is a.D >= 0, whatever multiplies it. So
a row that loses less than the tolerance of the program is multiplied until it does not,
and overlaps down to the rounding of X are found.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from sksoftmax._objective.overlap import (
    WorkingRows,
    curvature_of_all,
    curvature_of_some,
    witness,
)

# Free parameters up to which a decision is made: the Hessian of some rows takes 0.1 s
# then, and a program, where one is needed, 1 to 6 s.
MOST_PARAMETERS = 500

# Steps of the simplex method for one decision, and what a program costs beside them.
_MOST_STEPS, _STEPS_PER_PROGRAM = 10_000, 200

# Rivals of its own class that a row begins with: those that are the most probable. With
# eight pairs per parameter alone, steps went on without end (20,000 x 55, 7 classes).
_RIVALS = 4

# A solution is zero where the total gain, over its largest slope, is not larger.
_ZERO = 1e-11

# Rounding of x.D as a fraction of its terms, |x||D|: entries of X are rounded, as
# decimal numbers are in binary, and so are the entries of D. Who loses less is level.
_ROUNDING = 1e-13

# Who gains must gain more than this times its rounding.
_CLEAR = 1e3

# Loss to which rows are multiplied; the program tolerates one of 1e-7.
_VISIBLE = 1e-3

# Gains under this fraction of the largest are made level, if they can be: of a solution
# of a program, and of a flat direction, which has some of others.
_TOLERANCE, _FLAT = 1e-6, 1e-3

# Flat directions that are combined; where there are more, fits have not got far.
_MOST_FLAT = 50


class Decision(NamedTuple):
    """Whether classes are separated."""

    is_made: bool  # False where it would have cost too much
    D: np.ndarray | None = None  # a direction that separates, (n_columns, K)
    rows_of: WorkingRows | None = None  # makes the rows x that D is for

    def logits_along(self, X):
        """What the direction adds to the logits of rows X, shape (n_rows, K)."""
        return self.rows_of(X) @ self.D

    def columns(self):
        """Numbers of the columns of X that have at least a tenth of the largest effect.

        The effect of a column is that of its spread on the logits along D.
        """
        moves = np.ptp(self.D[: self.rows_of.centre.size], axis=1)
        moved = np.flatnonzero(moves > 0.1 * moves.max())
        columns = self.rows_of.columns
        return moved if columns is None else columns[moved]


class _Pairs(NamedTuple):
    """Rows x of an own class each and another one, and what multiplies their gain."""

    x: np.ndarray  # (n, n_columns)
    own: np.ndarray  # (n,)
    other: np.ndarray  # (n,)
    factor: np.ndarray  # (n,)

    def and_more(self, pairs):
        return _Pairs(*map(np.concatenate, zip(self, pairs, strict=True)))

    def gains(self, D):
        Z, n = self.x @ D, np.arange(self.own.size)
        return Z[n, self.own] - Z[n, self.other]

    def matrix(self, n_classes):
        """Rows x in the columns of the own class, minus x in those of the other.

        Of the last class there are no columns: its logits are zero.
        """
        n, q = self.x.shape
        signed = np.hstack([self.x, -self.x]) * self.factor[:, None]
        columns = np.hstack(
            [k[:, None] * q + np.arange(q) for k in (self.own, self.other)]
        )
        kept = columns < (n_classes - 1) * q
        starts = np.append(0, np.cumsum(kept.sum(axis=1)))
        shape = n, (n_classes - 1) * q
        return csr_array((signed[kept], columns[kept], starts), shape=shape)


def decide(chunks, ones, logits_of):
    """The `Decision` for the rows of chunks, at any w, whose logits logits_of(X) gives.

    The closer w is to a minimum the sooner it is made:

    1. by the proof that classes overlap, from the Hessian of some rows, or of all;
    2. by a direction along which the Hessian is flat, if it separates, as it does once
       a fit has followed it far enough;
    3. by linear programs.
    """
    rows_of = WorkingRows.of(chunks, ones)
    n_params = rows_of.n_columns * (chunks.n_classes - 1)
    if n_params > MOST_PARAMETERS:
        return Decision(False)
    if n_params == 0:
        return Decision(True)
    seen = witness(chunks, rows_of, logits_of)
    curvature = curvature_of_some(seen)
    if curvature.proves_overlap(chunks, rows_of):
        return Decision(True)
    if len(seen.s) < chunks.n_rows:
        curvature = curvature_of_all(chunks, rows_of, logits_of, seen)
        if curvature.proves_overlap(chunks, rows_of):
            return Decision(True)
    pairs, n_steps = _first_pairs(seen), 0
    D = _flat_direction(pairs, curvature.flat, seen.pull)
    if D is not None and _check(chunks, rows_of, D, n_params)[0]:
        return Decision(True, D, rows_of)
    while n_steps < _MOST_STEPS:
        found = _solve(pairs, seen.pull, _MOST_STEPS - n_steps)
        if found is None:
            break
        total, D, more_steps = found
        if total <= _ZERO:
            return Decision(True)
        D = _level(pairs, D, _TOLERANCE)
        separates, losers = _check(chunks, rows_of, D, n_params)
        if not losers.own.size:
            return Decision(True, D, rows_of) if separates else Decision(True)
        pairs = _with_losers(pairs, losers, D, n_params)
        n_steps += more_steps + _STEPS_PER_PROGRAM
    return Decision(False)


def _check(chunks, rows_of, D, most):
    """Whether D separates, and up to `most` pairs in each chunk that lose."""
    found = chunks.collect(_chunk_losers, rows_of, D, most)
    gains, *losers = zip(*found, strict=True)
    losers = _Pairs(*map(np.concatenate, losers))
    return max(gains) > 0.0 and not losers.own.size, losers


def _first_pairs(seen):
    """The rows that matter with their rivals; those of several classes keep level."""
    P = np.where(seen.own, -1.0, seen.sP)
    rivals = np.argsort(-P, axis=1, kind="stable")[:, :_RIVALS]
    row = np.repeat(np.arange(len(P)), rivals.shape[1])
    other = rivals.ravel()
    row, other = (part[~seen.own[row, other]] for part in (row, other))
    own = seen.own.argmax(axis=1)
    pairs = _pairs_of(seen.rows[row], own[row], other)
    # The first of several classes is level with each of the others.
    row, other = np.nonzero(seen.own)
    second = other != own[row]
    row, other = row[second], other[second]
    pairs = pairs.and_more(_pairs_of(seen.rows[row], own[row], other))
    return pairs.and_more(_pairs_of(seen.rows[row], other, own[row]))


def _pairs_of(x, own, other):
    return _Pairs(x, own, other, np.ones(own.size))


def _solve(pairs, pull, most_steps):
    """The largest total gain without loss of any pair, scaled, the D, and the steps.

    None if that takes too many steps.
    """
    q, n_classes = pull.shape
    found = _program(pairs.matrix(n_classes), pull[:, :-1].T.ravel(), most_steps)
    if found.status != 0:
        return None
    D = np.column_stack([found.x.reshape(-1, q).T, np.zeros(q)])
    return -found.fun, D, found.nit


def _program(A, slope, most_steps):
    """Maximise slope.x, scaled, where A x >= 0 and no entry is larger than one."""
    return linprog(
        -slope / max(np.abs(slope).max(), np.finfo(float).tiny),
        A_ub=-A,
        b_ub=np.zeros(A.shape[0]),
        bounds=(-1.0, 1.0),
        method="highs",
        options={"maxiter": most_steps},
    )


def _flat_direction(pairs, flat, pull):
    """The D of largest gain among the combinations of flat directions, or None."""
    if not 0 < len(flat) <= _MOST_FLAT:
        return None
    gains = np.column_stack([pairs.gains(D) for D in flat])
    gains[np.abs(gains) <= _FLAT * np.abs(gains).max()] = 0.0
    slope = np.tensordot(flat, pull, axes=2)
    found = _program(gains[gains.any(axis=1)], slope, _MOST_STEPS)
    if found.status != 0 or not found.x.any():
        return None
    return _level(pairs, np.tensordot(found.x, flat, axes=1), _FLAT)


def _level(pairs, D, tolerance):
    """D with the pairs that gain or lose next to nothing made level, if they can be.

    The program leaves a loss of up to its tolerance there. The correction is the least
    one, by least squares; it is only taken where it makes losses smaller.
    """
    gains = pairs.gains(D)
    nearly = np.abs(gains) <= tolerance * np.abs(gains).max()
    if not (gains[nearly] != 0.0).any():
        return D
    n_classes = D.shape[1]
    some = _Pairs(*(part[nearly] for part in pairs))
    A = some.matrix(n_classes).toarray()
    levelled = D.copy()
    for _ in range(2):  # the second time for the rounding of the first
        right = some.gains(levelled) * some.factor
        correction = np.linalg.lstsq(A, right, rcond=1e-9)[0]
        levelled[:, :-1] -= correction.reshape(n_classes - 1, -1).T
    if np.abs(levelled).max() < 0.1 * np.abs(D).max():
        return D
    return levelled if pairs.gains(levelled).min() > gains.min() else D


def _chunk_losers(chunk, rows_of, D, most):
    """The largest clear gain of a chunk, and up to `most` pairs that lose most."""
    own = chunk.sY > 0.0
    x = rows_of(chunk.X)
    Z = x @ D
    size = np.abs(D).max(axis=1)
    rounding = _ROUNDING * (np.abs(x) @ size + rows_of.offset() @ size)
    lowest = np.where(own, Z, np.inf)
    place, lowest = lowest.argmin(axis=1), lowest.min(axis=1)
    # A row of several classes loses what the first is ahead of the last of them.
    highest = np.where(own, Z, -np.inf)
    gains = np.where(own, np.inf, lowest[:, None] - Z)
    rows, first = np.arange(len(Z)), highest.argmax(axis=1)
    several = first != place
    gains[rows[several], first[several]] = (lowest - highest.max(axis=1))[several]
    clear = np.where(np.isinf(gains), 0.0, gains) - _CLEAR * rounding[:, None]
    row, other = np.nonzero(gains < -rounding[:, None])
    worst = np.argsort(gains[row, other], kind="stable")[:most]
    row, other = row[worst], other[worst]
    pairs = _pairs_of(x[row], place[row], other)
    return clear.max(initial=0.0), *pairs


def _with_losers(pairs, losers, D, most):
    """The pairs with the worst losers; those that lose little get larger factors."""
    worst = np.argsort(losers.gains(D), kind="stable")[: 2 * most]
    pairs = pairs.and_more(_Pairs(*(part[worst] for part in losers)))
    losses = -pairs.gains(D)
    loses = losses > 0.0
    visible = _VISIBLE / np.maximum(losses, 1e-14)
    return pairs._replace(
        factor=np.where(loses, np.maximum(pairs.factor, visible), pairs.factor)
    )

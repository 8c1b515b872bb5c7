"""Leave-one-out: the logits of each row by the model without that row.

For most rows one Newton step from the optimum of all rows is enough (`left_out_step`).
It is not where few rows hold the boundary between classes, so that the curvature of the
others changes on the way, nor where a weight gets to zero or away from it. Such rows
move far, so they are known by their step: its error is about of the size of the change
of the row's loss times the change of its logits. The rows with the largest such numbers
are fitted again without themselves, until what the others may be wrong by is a small
part of the mean loss. How large errors are relative to these numbers is learned from
the rows that were fitted.

What leaving out changes is of the order of n_params / n_rows of the loss. With very
many rows, H is formed from a subsample, as for a preconditioner, and the change is
estimated from another.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import take_rows
from sksoftmax._data.chunks import PerChunk
from sksoftmax._data.subsampling import start_of, systematic_sample
from sksoftmax._fit.full_batch import solve
from sksoftmax._fit.history import History
from sksoftmax._fit.left_out_rows import SomeRows, changes_without
from sksoftmax._fit.left_out_step import chunk_without, frame_at
from sksoftmax._model.loss import all_logits, targets_beside
from sksoftmax._model.network import in_gauge, insert_absent_logits
from sksoftmax._objective.curvature import Curvature

# Rows that are left out, all where there are less than four times as many. On letter
# (20,000 rows, 425 free parameters) the change of the mean loss is then 2 % from that
# of all rows in the middle of the path and 13 % at its end, the loss itself 0.02 % and
# 0.3 %.
_ROWS_LEFT_OUT = 1000

# What the rows that are not fitted again may be wrong by together, relative to the mean
# loss. At first the error of a step is taken for this fraction of the change of the
# row's loss times the change of its logits (benchmarks/leave_one_out.py).
_WRONG, _ERROR_OF_STEP = 0.005, 0.1

# Rows that are fitted again before errors are estimated anew: so many, at first.
_FEW = 8


class LeftOut(NamedTuple):
    """Logits of all rows, and of some of them by the model without the row."""

    Z: np.ndarray  # (n_rows, n_classes)
    rows: np.ndarray  # (n_some,), their numbers
    chances: np.ndarray  # (n_some,), probabilities that they were drawn with
    Z_without: np.ndarray  # (n_some, n_classes)
    n_refits: int = 0  # how many of them were fitted again

    def with_all_classes(self, present):
        """The same with logits of classes that have no weight, too."""
        if present.all():
            return self
        return self._replace(
            Z=insert_absent_logits(self.Z, present),
            Z_without=insert_absent_logits(self.Z_without, present),
        )

    def mean(self, score, Y, weights):
        """Mean over rows of score(Z, Y) without each row, and its standard error.

        The mean with all rows plus the change, estimated from the rows that were drawn
        (Horvitz and Thompson 1952, J. Am. Stat. Assoc. 47:663). The standard error of
        equal weights is the standard deviation, with n - 1, over the root of n.
        """
        within = score(self.Z, Y)
        without = score(self.Z_without, Y[self.rows])
        shares = weights / weights.sum()
        drawn = shares[self.rows] / self.chances
        mean = shares @ within + drawn @ (without - within[self.rows])
        variance = (drawn * shares[self.rows]) @ (without - mean) ** 2
        variance /= max(1.0 - float(shares @ shares), np.finfo(float).eps)
        return float(mean), float(np.sqrt(variance))


class LeaveOneOut:
    """What leaving out each row does to its logits, at one optimum after another.

    All problems must be on the same data, of which it keeps the curvature.
    """

    def __init__(self):
        self._curvature = None

    def __call__(self, problem, fitted):
        """`LeftOut` at the optimum of a problem without hidden layers.

        Where classes are separated there is no optimum, and one step has to do.
        """
        objective, w = problem.objective, fitted.result.w
        if self._curvature is None:
            self._curvature = Curvature(objective)
        _, _, hessian = objective.value_grad_hessp(w)
        frame = frame_at(objective, w, hessian, self._curvature)
        chunks, network = objective.chunks, objective.network
        Z = chunks.map(lambda chunk: network.logits(chunk.X, network.unpack(w)))
        chances = self._chances(chunks, hessian)
        rows = PerChunk(map(np.flatnonzero, chances))
        Z_without = chunks.map(
            chunk_without, hessian.states, Z, rows, frame, reads_X=False
        )
        chances = np.concatenate(chances)
        numbers = np.flatnonzero(chances)
        Z_all = np.concatenate(Z)
        some = SomeRows(
            chunks.X, numbers, Z_all[numbers], *_stacked_targets(chunks, rows)
        )
        steps = np.concatenate(Z_without) - some.Z
        n_refits = 0
        if not fitted.separated:
            optimum = w, Z, frame
            n_refits = self._refine(problem, optimum, some, steps, chances[numbers])
        return LeftOut(
            all_logits(Z_all, chunks.n_classes),
            numbers,
            chances[numbers],
            all_logits(some.Z + steps, chunks.n_classes),
            n_refits,
        )

    def _refine(self, problem, optimum, some, steps, chances):
        """Replace steps that may be wrong by those to the minimum; their number."""
        objective, (w, Z, frame) = problem.objective, optimum

        def refit(few):
            if objective.penalty.is_sparse:
                return minima_without(problem, w, few) - few.Z
            changes, is_found = changes_without(objective, w, Z, frame, few)
            if not is_found.all():
                hard = few.take(~is_found)
                changes[~is_found] = minima_without(problem, w, hard) - hard.Z
            return changes

        # A class may have one row only: no model without it gives it any probability.
        mass = problem.targets.mass
        rows = np.flatnonzero((mass - some.sY > 1e-12 * mass).all(axis=1))
        shares = some.s[rows] / objective.total_weight / chances[rows]
        loss = objective.value(w) - objective.penalty.value(w)
        steps[rows], n_refits = refine(
            some.take(rows), steps[rows], shares, loss, refit
        )
        return n_refits

    def _chances(self, chunks, hessian):
        """Probability of each row to be drawn, zero for those that were not."""
        if chunks.n_rows <= 4 * _ROWS_LEFT_OUT:
            return chunks.map(lambda chunk: np.ones(chunk.s.size), reads_X=False)
        sizes = chunks.map(
            _chunk_sizes, hessian.states, self._curvature.distances, reads_X=False
        )
        factor = _ROWS_LEFT_OUT / sum(float(size.sum()) for size in sizes)
        return chunks.map(_chunk_draw, sizes, factor, chunks.n_rows, reads_X=False)


def _stacked_targets(chunks, rows):
    """sY and s of some rows of each chunk."""
    parts = chunks.collect(
        lambda chunk, rows: (chunk.sY[rows], chunk.s[rows]), rows, reads_X=False
    )
    return (np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def refine(some, steps, shares, loss, refit):
    """The steps, those that may be wrong replaced by those to the minimum; how many.

    Parameters
    ----------
    some : SomeRows
        m rows.
    steps : ndarray of shape (m, K)
        Change of their logits by one Newton step each.
    shares : ndarray of shape (m,)
        How much each of them counts in the mean over all rows.
    loss : float
        The mean loss of all rows at their optimum.
    refit : callable
        Some of the rows -> their steps to the minimum.
    """
    steps = steps.copy()
    before, after = some.losses(0.0), some.losses(steps)
    sizes = np.abs(in_gauge(steps)).max(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        further = np.maximum(some.losses(3.0 * steps) - after, 0.0)
        doubts = shares * further * np.minimum(sizes, 1.0)
    doubts[~np.isfinite(doubts)] = np.inf
    order = np.argsort(-doubts, kind="stable")
    factor, n_refits, most = _ERROR_OF_STEP, 0, _FEW
    while n_refits < order.size:
        rest = factor * np.cumsum(doubts[order[n_refits:]][::-1])[::-1]
        mean = loss + shares @ (after - before)
        n_more = min(np.count_nonzero(rest > _WRONG * mean), most)
        if not n_more:
            break
        chosen = order[n_refits : n_refits + n_more]
        few = some.take(chosen)
        steps[chosen] = refit(few)
        exact = few.losses(steps[chosen])
        wrong = shares[chosen] @ np.abs(exact - after[chosen])
        factor = 2.0 * wrong / doubts[chosen].sum()
        after[chosen] = exact
        n_refits, most = n_refits + n_more, 2 * most
    return steps, n_refits


def minima_without(problem, w, some):
    """Logits of some rows, each by a fit without it, shape (m, K)."""
    Z = np.empty_like(some.Z)
    for place, row in enumerate(some.numbers):
        rest = np.delete(np.arange(problem.targets.s.size), row)
        part = replace(problem, targets=problem.targets.take(rest))
        part = part.on(problem.objective.chunks.take(rest))
        v = solve(part, w, History(None, 0)).result.w
        layers = part.network.unpack(v)
        Z[place] = part.network.logits(take_rows(some.X, np.array([row])), layers)[0]
    return Z


def _chunk_sizes(chunk, state, distances):
    """Estimated change of the losses of rows left out: (p - y)^2 times the distance."""
    _, sP = state
    residual = sP - targets_beside(sP, chunk.sY)
    return np.einsum("ik,ik->i", residual, residual) * (1.0 + distances)


def _chunk_draw(chunk, sizes, factor, n_rows):
    """Probabilities min(1, factor * size) of the rows drawn by them, zero of others.

    Rows are the same at all alphas if their sizes are. A tenth of them are drawn
    whatever their size.
    """
    even = 0.1 * _ROWS_LEFT_OUT / n_rows
    chances = np.minimum(0.9 * factor * sizes + even, 1.0)
    rows = systematic_sample(chances, start_of(chunk))
    drawn = np.zeros_like(chances)
    drawn[rows] = chances[rows]
    return drawn

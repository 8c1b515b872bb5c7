"""The duality gap of an objective with a ridge: a bound on F(w) - min F.

Let F have no hidden layers and a ridge on every weight. Rows of probabilities Q are a
point of the dual problem if their mean is that of the targets, mean s (Q - Y) = 0. This
is needed only where there are intercepts. The dual problem is to maximise

    mean entropy of Q - ||G(Q)||^2 / 2 alpha,      G(Q) = X^T s (Q - Y) / S.

By weak duality F(w) - min F is at most F(w) minus that number. The difference is

    mean KL(Q || P) + ||G(Q) + alpha W||^2 / 2 alpha

with P the probabilities at w. It takes no difference of large numbers, and nothing in
it is an estimate: no Hessian, no eigenvalue, no single precision.
"""

import numpy as np

from sksoftmax._model.linear import linear_pass
from sksoftmax._model.loss import targets_beside
from sksoftmax._objective.dense_hessian import hessian_weights


def has_dual(objective):
    """Whether `value_and_gap` bounds F(w) - min F: a ridge acts on every weight."""
    network, penalty = objective.network, objective.penalty
    if not network.is_linear or penalty.is_sparse:
        return False
    strength = penalty.hessian_diagonal(network.n_params)
    return bool((strength[network.weight_mask() > 0.0] > 0.0).all())


def value_and_gap(objective, w, tolerance):
    """F(w) and a duality gap at w, in nats; infinite where no dual point is near.

    Where the gap is above the tolerance, and is within it without the rounding error of
    the gradient, it is the tolerance. Features in huge units would have no small gap
    otherwise. That takes another pass.

    Without intercepts Q is P. With them the mean of P is that of Y at the best
    intercepts only, and those of w differ a little. So Q = P (1 + c - p.c), with a
    number c for each class. They solve a linear system: mean s (Q - Y) = g_b + H_bb c.
    Q are probabilities if the range of c is at most 1. Then mean KL(Q || P) is at most
    c.H_bb.c, because (1 + e) log(1 + e) - e <= e^2.

    G(Q) takes another pass, because c is known only after the first. Where the ranges
    of the features are known, they bound what c changes of G. This is tried first.
    """
    network, chunks, S = objective.network, objective.chunks, objective.total_weight
    (total, H, slope), states = chunks.map_sum(_chunk_probabilities, network, w)
    value = total / S + objective.penalty.value(w)
    layer = network.unpack(slope)[0]
    c, span, gap = np.zeros(H.shape[0]), 0.0, 0.0
    if network.fit_intercept:
        c = _solve_in_gauge(H, -layer[1])
        span = np.ptp(c) if c.size > 1 else abs(float(c[0]))
        if not span <= 1.0:
            return value, np.inf
        # The rounding error of mean s (Q - Y), times a shift of the intercepts.
        left = float(np.abs(layer[1] + H @ c).sum()) * span
        gap = (max(float(c @ H @ c), 0.0) + left) / S
    own = network.unpack(objective.penalty.grad(w))[0][0]
    diagonal = objective.penalty.hessian_diagonal(network.n_params)
    strength = network.unpack(diagonal)[0][0]
    if span > 0.0:
        whole = gap + _bound_by_ranges(chunks, layer, own, strength, span, S)
        if whole <= tolerance:
            return value, whole
        slope = chunks.sum(_chunk_dual_slope, network, w, states, c)
        layer = network.unpack(slope)[0]
    W = layer[0] / S + own
    whole = gap + 0.5 * float(np.sum(W**2 / strength))
    if whole > tolerance >= gap:
        W = np.maximum(np.abs(W) - _rounding(objective, states), 0.0)
        if gap + 0.5 * float(np.sum(W**2 / strength)) <= tolerance:
            return value, tolerance  # no better bound rests on what was measured
    return value, whole


def _bound_by_ranges(chunks, layer, own, strength, span, S):
    """A bound on ||G(Q) + alpha W||^2 / 2 alpha, from the slope by P; maybe infinite.

    The mean of Q - Y is zero, so X counts less the middle of the range of each feature.
    The sum over classes of |Q - P| is at most the range of c.
    """
    statistics = chunks.known_statistics
    if statistics is None:
        return np.inf
    middle, half = statistics.middles
    W = (layer[0] - np.outer(middle, layer[1])) / S + own
    size = np.sqrt((W**2).sum(axis=1)) + span * half
    return 0.5 * float(np.sum(size**2 / strength[:, 0]))


def _rounding(objective, states):
    """Rounding error of the slope by each weight, shape (n_features, K).

    Q is made of probabilities as they were computed, so only the sum over the rows has
    an error. That of a term is eps times its size. Where p is close to 1, p - y has an
    error of eps as well, which many rows average out.
    """
    chunks, S = objective.chunks, objective.total_weight
    scale = np.sqrt(chunks.second_moment(np.zeros(objective.network.n_units[0])))
    residual = np.sqrt(chunks.sum(_chunk_residuals, states, reads_X=False) / S)
    relative = 2.0 * residual + 1.0 / np.sqrt(chunks.n_rows)
    return np.finfo(float).eps * np.outer(scale, relative)


def _solve_in_gauge(H, right):
    """The c with H c = right and no component that all classes share.

    H gets a unit diagonal first, because classes can be rare. Classes without curvature
    get zero.
    """
    size = np.sqrt(H.diagonal())
    inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0.0)
    scaled = H * inverse[:, None] * inverse  # in two steps, which do not overflow
    if size.size > 1:
        shared = size / max(np.sqrt(size @ size), np.finfo(float).tiny)
        scaled += np.outer(shared, shared)
    scaled[size == 0.0, size == 0.0] = 1.0
    try:
        return inverse * np.linalg.solve(scaled, inverse * right)
    except np.linalg.LinAlgError:
        return np.full_like(right, np.inf)


def _chunk_probabilities(chunk, network, w):
    """L, its Hessian by the intercepts, (K, K), and its gradient, (n_params,); and sP.

    The Hessian has -sum s p_k p_l beside its diagonal, and its rows sum to zero. This
    costs no digits where rows are all but certain.
    """
    value, grad, sP = linear_pass(chunk.X, network.stacked(w)[0], chunk.sY, chunk.s)
    if sP.shape[1] == 1:
        H = hessian_weights(sP, chunk.s).sum(axis=0)[None]
    else:
        H = -(sP.T @ (sP / chunk.s[:, None]))
        np.fill_diagonal(H, 0.0)
        np.fill_diagonal(H, -H.sum(axis=1))
    return (value, H, grad), sP


def _chunk_dual_slope(chunk, network, w, sP, c):
    """Sum over the rows of s (q - y), times x and times one, shape (n_params,)."""
    residual = sP - targets_beside(sP, chunk.sY)
    if sP.shape[1] == 1:
        residual += hessian_weights(sP, chunk.s) * c
    else:
        residual += sP * (c - (sP @ c / chunk.s)[:, None])
    tape = network.restored(([], []), chunk.X, w)
    return network.vjp(tape, residual)


def _chunk_residuals(chunk, sP):
    """Sum of s (p - y)^2 for each class."""
    residual = sP - targets_beside(sP, chunk.sY)
    return (residual**2 / chunk.s[:, None]).sum(axis=0)

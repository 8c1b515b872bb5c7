"""Weighted sums over rows of probabilities and of their slopes, with derivatives.

Each function returns the sums, (K,), and their derivative by gamma, which the delta
method needs, (K, K - 1, n_terms). Probabilities sum to one, so slopes and derivatives
sum to zero over the classes: the last class follows from the others.
"""

import numpy as np


def sum_of_probabilities(state, s):
    """Sums of p, and of dp_k/dz_l a = p_k ([k = l] - p_l) a."""
    P = state.P
    packed = -state.pull(_covariances(P, s))
    return s @ P, _with_last(_unpacked(packed, P.shape[1] - 1))


def sums_of_flips(scenario, base, names, s):
    """Sums of p at one minus p at zero, for columns that are zero or one in all rows.

    Shapes (n, K) and (n, K, K - 1, n_terms). The scenario is the rows and the values
    that other columns are set to, and `base` their state. Each row is one of the two
    states already, so only the `other` is formed. With signs +1 where a row is one, the
    difference is sign (p - p_other), and A_other = A - sign dA.
    """
    rows, values = scenario
    V_base = _covariances(base.P, s)
    sums, J = [], []
    for name in names:
        sign, other, slope = rows.flipped(name, values)
        signed = sign * s
        V = _covariances(other.P, signed)
        V -= V_base * sign[:, None]
        packed = base.pull(V) - slope.pull(_sums_of_covariances(other.P, s)[None])
        sums.append(signed @ (base.P - other.P))
        J.append(_with_last(_unpacked(packed, other.P.shape[1] - 1)))
    return np.stack(sums), np.stack(J)


def sum_of_slopes(state, slope, s):
    """Sums of the slopes p_k e_k, with e_k = d_k - sum_l p_l d_l.

    Their derivative by z_l is p_k [k = l] e_k - p_k p_l (e_k + e_l), symmetric in k and
    l, and that by d_l is p_k ([k = l] - p_l).
    """
    P = state.P
    n_free = P.shape[1] - 1
    E = slope.d - np.einsum("ik,ik->i", P, np.broadcast_to(slope.d, P.shape))[:, None]
    sP = P * s[:, None]
    sums = np.einsum("ik,ik->k", sP, E)
    V = np.empty((P.shape[0], n_free * (n_free + 1) // 2), order="F")
    for column, (k, m) in zip(V.T, _pairs(n_free), strict=True):
        np.multiply(sP[:, k] * P[:, m], E[:, k] + E[:, m], out=column)
        if k == m:
            column -= sP[:, k] * E[:, k]
    packed = -(state.pull(V) + slope.pull(_covariances(P, s)))
    return sums, _with_last(_unpacked(packed, n_free))


def sum_of_log_slopes(state, slope, s):
    """Sums of e_k, the slope of log p_k; its derivative by z_l is -p_l e_l."""
    P = state.P
    n_classes = P.shape[1]
    E = slope.d - np.einsum("ik,ik->i", P, np.broadcast_to(slope.d, P.shape))[:, None]
    E = np.broadcast_to(E, P.shape)
    sP = (P * s[:, None])[:, :-1]
    common = -state.pull(sP * E[:, :-1]) - slope.pull(sP)
    own = slope.pull(s[:, None])[0]
    J = np.repeat(common[None], n_classes, axis=0)
    J[np.arange(n_classes - 1), np.arange(n_classes - 1)] += own
    return s @ E, J


def sums_of_constant_slopes(state, s, W, rows):
    """The sums of slopes of many columns that have the same d in all rows.

    W, (K - 1, n), are these d, against the last class, and rows, (n, n_terms), the
    derivatives of the working rows. The sums have shape (n, K). The derivative of
    p_k ([k = r] - p_r) by z_l does not depend on the column: it is the third cumulant
    of the classes, symmetric in k, r and l, and is formed once.
    """
    P = state.P
    n_free = W.shape[0]
    sP = P * s[:, None]
    C = np.diag(sP[:, :-1].sum(axis=0)) - sP[:, :-1].T @ P[:, :-1]
    sums = W.T @ C
    D = _symmetric(state.pull(_third_cumulants(P, sP)), n_free)
    J = np.einsum("rj,krlm->jklm", W, D) + np.einsum("kl,jm->jklm", C, rows)
    sums = np.concatenate([sums, -sums.sum(axis=1, keepdims=True)], axis=1)
    return sums, np.concatenate([J, -J.sum(axis=1, keepdims=True)], axis=1)


def are_constant_slopes_cheaper(n_columns, n_free, n_terms):
    """Whether third cumulants take less work and memory than column after column."""
    return n_free + 2 <= 3 * n_columns and n_free**3 * n_terms <= 2**22


def _pairs(n):
    return [(k, m) for k in range(n) for m in range(k, n)]


def _covariances(P, s):
    """s p_k (p_l - [k = l]) for the pairs k <= l of classes but the last."""
    n_free = P.shape[1] - 1
    V = np.empty((P.shape[0], n_free * (n_free + 1) // 2), order="F")
    sP = P * s[:, None]
    for column, (k, m) in zip(V.T, _pairs(n_free), strict=True):
        np.multiply(sP[:, k], P[:, m] - 1.0 if k == m else P[:, m], out=column)
    return V


def _sums_of_covariances(P, s):
    """The sums over rows of `_covariances`."""
    P = P[:, :-1]
    sP = P * s[:, None]
    return (sP.T @ P - np.diag(sP.sum(axis=0)))[np.triu_indices(P.shape[1])]


def _third_cumulants(P, sP):
    """Those of the triples k <= r <= l of classes but the last, times s."""
    n_free = P.shape[1] - 1
    triples = [(k, r, m) for k, r in _pairs(n_free) for m in range(r, n_free)]
    V = np.empty((P.shape[0], len(triples)), order="F")
    for column, (k, r, m) in zip(V.T, triples, strict=True):
        if k == r:  # so that of two equal ones r and m are the pair
            k, m = m, k
        np.multiply(sP[:, k], 2.0 * P[:, m] - (k == r or r == m), out=column)
        if k == r == m:
            column *= P[:, k] - 1.0
        else:
            column *= P[:, r]
    return V


def _unpacked(packed, n):
    """A symmetric array, (n, n, n_terms), of its pairs k <= m."""
    k, m = np.triu_indices(n)
    full = np.empty((n, n, packed.shape[1]))
    full[k, m] = full[m, k] = packed
    return full


def _symmetric(packed, n):
    """An array (n, n, n, n_terms), of its triples k <= r <= m."""
    triples = [(k, r, m) for k, r in _pairs(n) for m in range(r, n)]
    number = np.empty((n, n, n), dtype=np.intp)
    for i, (a, b, c) in enumerate(triples):
        number[a, b, c] = number[a, c, b] = number[b, a, c] = i
        number[b, c, a] = number[c, a, b] = number[c, b, a] = i
    return packed[number]


def _with_last(J):
    """With the row of the last class, which makes the sum over classes zero."""
    return np.concatenate([J, -J.sum(axis=0, keepdims=True)])

"""F under a sparse penalty by its formula, and how far its minimum is, from numbers."""

import numpy as np
from scipy.special import log_softmax, softmax


def objective_of(model, X, Y, s=None):
    """F by its formula, from the fitted numbers."""
    Z = X @ model.coef_.T + model.intercept_
    loss = np.average(-np.sum(Y * log_softmax(Z, axis=1), axis=1), weights=s)
    return loss + penalty_of(model, model.coef_.T)


def penalty_of(model, W):
    norm = np.linalg.norm(W, axis=1).sum() if model.grouped else np.abs(W).sum()
    ridge = (1 - model.l1_ratio) / 2 * np.sum(W**2)
    return model.alpha * (ridge + model.l1_ratio * norm)


def distance_to_subdifferential(model, X, Y, s=None):
    """The least element of the subdifferential of F by W and b, largest entry."""
    s = np.ones(len(X)) if s is None else s
    X, W = np.asarray(X, np.longdouble), model.coef_.T.astype(np.longdouble)
    U = (softmax(X @ W + model.intercept_, axis=1) - Y) * s[:, None] / s.sum()
    lasso, ridge = model.alpha * model.l1_ratio, model.alpha * (1 - model.l1_ratio)
    G = X.T @ U + ridge * W
    if model.grouped:
        size, g = np.linalg.norm(W, axis=1), np.linalg.norm(G, axis=1)
        inside = np.where(size > 0, size, 1)[:, None]
        on = np.linalg.norm(G + lasso * W / inside, axis=1)
        rest = np.where(size > 0, on, np.maximum(g - lasso, 0))
    else:
        on = np.abs(G + lasso * np.sign(W))
        rest = np.where(W != 0, on, np.maximum(np.abs(G) - lasso, 0))
    b = np.abs(U.sum(axis=0)).max() if model.fit_intercept else 0.0
    return max(float(rest.max()), float(b))

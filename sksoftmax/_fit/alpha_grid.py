"""Grids of alphas: where a path begins and ends."""

from numbers import Integral

import numpy as np

from sksoftmax._fit.penalty_factors import penalty_factors
from sksoftmax._fit.prepare import with_near_columns, with_weight
from sksoftmax._fit.settings import changed
from sksoftmax._fit.transforms import PenaltyGauge
from sksoftmax._utils.parameters import check_numbers
from sksoftmax._utils.threads import fit_threads

# Smallest over largest alpha of a grid. With sparse penalties those of glmnet, for more
# rows than features and for fewer. With the L2 penalty the best alpha lies further down
# (5-fold log loss of standardised iris, wine, breast cancer, digits and letter: at 5e-4
# to 1e-5 of the largest).
_SPAN_SPARSE, _SPAN_SPARSE_WIDE, _SPAN_RIDGE = 1e-4, 1e-2, 1e-6

# Variances and gradients that are smaller than this, relatively, are rounding.
_CONSTANT_COLUMN = 1e-14

# Over the six decades of an L2 grid, each alpha is half of the one before.
_N_ALPHAS = 20


def alphas_of(settings, training, alphas):
    """The alphas of a path in descending order: those given, or a grid of so many."""
    alphas = _N_ALPHAS if alphas is None else alphas
    if isinstance(alphas, Integral):
        return alpha_grid(settings, training, alphas)
    return np.sort(check_numbers("alphas", alphas, 0.0, np.inf))[::-1]


def alpha_grid(settings, training, n_alphas):
    """Alphas in geometric progression, from the largest of interest down, (n_alphas,).

    For l1_ratio > 0 the first is the least at which all weights are zero. With the L2
    penalty they never are; there it is the trace of the Hessian of J at the null model,
    above which the weights have less than one effective degree of freedom: with
    eigenvalues h of the Hessian that is sum h / (h + alpha) <= trace / alpha (Hastie,
    Tibshirani and Friedman 2009, section 3.4.1). The last is a fraction of the first,
    for the L2 penalty of what the first would be if no feature had more than the median
    variance: on raw wine and breast cancer, where few features have nearly all of the
    variance, the best alpha is 1e-8 and 1e-9 of the first.
    """
    prepared = with_near_columns(settings, with_weight(settings, training))
    dataset = prepared.dataset
    if settings.l1_ratio > 0.0:
        n_rows, n_features = dataset.X.shape
        largest = _largest_sparse(settings, prepared)
        span = _SPAN_SPARSE if n_rows >= n_features else _SPAN_SPARSE_WIDE
        smallest = largest * span
        size = dataset.statistics().root_mean_square.max()
        if largest <= _CONSTANT_COLUMN * size:
            largest = 0.0
    else:
        traces = _null_traces(settings, dataset)
        traces = traces[traces > 0.0]
        largest = traces.sum()
        typical = traces.size * np.median(traces) if traces.size else 0.0
        smallest = min(largest, typical) * _SPAN_RIDGE
    if not largest > 0.0:
        largest, smallest = 1.0, _SPAN_SPARSE  # all features are constant
    return np.geomspace(largest, smallest, n_alphas)


def _largest_sparse(settings, prepared):
    """The least alpha at which all weights are zero, for l1_ratio > 0."""
    problem = prepared.problem(changed(settings, alpha=1.0), PenaltyGauge())
    with fit_threads() as threads:
        objective = problem.on(prepared.dataset.chunks(threads)).objective
        _, grad = objective.value_and_grad(problem.null_w())
    return objective.penalty.alpha_max(grad)


def _null_traces(settings, dataset):
    """Trace of each feature's part of the Hessian of J at the null model.

    Intercepts are eliminated, so there are variances in place of squares.
    """
    statistics, targets = dataset.statistics(), dataset.targets
    square_means = statistics.second_moment()
    traces = square_means * (1.0 - 1.0 / targets.classes.size)
    if settings.fit_intercept:
        variance = statistics.variance
        variance[variance <= _CONSTANT_COLUMN * square_means] = 0.0
        traces = variance * (1.0 - targets.shares @ targets.shares)
    factors = penalty_factors(settings, traces.size)
    if factors is not None:  # in units of which the penalty is alpha
        traces = np.divide(traces, factors, np.zeros_like(traces), where=factors > 0.0)
    return traces

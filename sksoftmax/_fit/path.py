"""Fits at several strengths of the penalty, each beginning where the last one ended."""

import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sksoftmax._data.arrays import is_dense, squares, weighted_sums
from sksoftmax._fit.fit import expanded, finished, solve
from sksoftmax._fit.history import History
from sksoftmax._fit.problem import (
    is_sparse,
    is_wide,
    largest_alpha,
    n_logits_of,
    nearer_inputs,
    network_of,
    null_model,
    objective_of,
    pack_layers,
    penalty_of,
    prepare,
)
from sksoftmax._fit.row_space import RowSpace
from sksoftmax._objective.preconditioners import Preconditioner
from sksoftmax._utils.threads import fit_threads

# Smallest over largest alpha of a grid. With sparse penalties those of glmnet, for more
# rows than features and for fewer. With the L2 penalty the best alpha lies further down
# (5-fold log loss of standardised iris, wine, breast cancer, digits and letter: at 5e-4
# to 1e-5 of the largest).
_SPAN_SPARSE, _SPAN_SPARSE_WIDE, _SPAN_RIDGE = 1e-4, 1e-2, 1e-6


# Of moments and gradients, relative: smaller ones are those of constant features.
_CONSTANT_COLUMN = 1e-14


class Path(NamedTuple):
    """Fits along a path, and what was observed at each optimum."""

    fits: list  # of Fitted
    observed: list


def fit_path(settings, training, alphas, observe=None):
    """Fit at each alpha in turn, from the last one's optimum.

    What depends on the data alone is found once: blocks of rows, the space of the rows
    where that is smaller, centre and scale of the features, copies in single precision.
    Newton's preconditioner starts with the kind that the last fit ended with.

    Parameters
    ----------
    settings : SoftmaxRegressionClassifier
        Without hidden layers. Its alpha has no part in it.
    training : InMemoryDataset
    alphas : sequence of float
        In the order of the fits; from large to small, each is near the next.
    observe : callable, optional
        (objective, w) -> what to keep of each optimum, of the rows and classes with
        weight.

    Returns
    -------
    Path
    """
    dtype = training.X.dtype
    training, present = prepare(settings, training)
    path = Path([], [])
    with fit_threads() as threads:
        space, (training, inputs) = None, _brought_near(settings, training)
        if is_wide(with_alpha(settings, min(alphas)), training):
            space = RowSpace(training.X)
            training = training._replace(X=space.coordinates)
        # The same for all alphas: under alpha=0 no penalty is sparse, but others are.
        n_logits = n_logits_of(with_alpha(settings, max(alphas)), training.targets)
        network = network_of(settings, training, n_logits)
        objectives = _Objectives(settings, network, training, threads)
        optima = [(np.inf, pack_layers(network, [null_model(training)]))]
        for alpha in alphas:
            here, objective = with_alpha(settings, alpha), objectives.at(alpha)
            w = optima[-1][1] if is_sparse(here) else _predict(alpha, optima)
            history = History(None, settings.verbose)
            fitted = solve(here, objective, training.targets, w, history)
            optima = [optima[-1], (alpha, fitted.result.w)]
            if observe is not None:
                path.observed.append(observe(objective, fitted.result.w))
            if space is not None:
                fitted = fitted._replace(layers=expanded(space, fitted.layers))
            if inputs is not None:
                fitted = fitted._replace(layers=inputs.fold(fitted.layers))
            # The layers have all of w; a long path need not keep it twice.
            fitted = fitted._replace(result=replace(fitted.result, w=None, step=None))
            layers = finished(here, present, dtype, fitted.layers)
            path.fits.append(fitted._replace(layers=layers))
    return path


def _brought_near(settings, training):
    """The sample with X as `nearer_inputs` has it, and these inputs or None."""
    inputs = nearer_inputs(settings, training)
    if inputs is not None:
        training = training._replace(X=inputs.apply(training.X, np.float64))
    return training, inputs


def _predict(alpha, optima):
    """W at the next alpha, linear in log alpha through the last two optima.

    It saves one of the four Newton steps that a fit takes from the last optimum (iris,
    wine, digits and letter, 20 alphas). No further is extrapolated than the last two
    are apart, and nothing where an alpha is zero or infinite.
    """
    if len(optima) < 2:
        return optima[-1][1]
    (before, w_before), (last, w) = optima
    if not (0.0 < alpha < last < before < np.inf):
        return w
    share = min(np.log(last / alpha) / np.log(before / last), 1.0)
    return w + share * (w - w_before)


def with_alpha(settings, alpha):
    """The same settings at another alpha."""
    settings = copy.copy(settings)
    settings.alpha = float(alpha)
    return settings


class _Objectives:
    """F at one alpha after the other, on the same data."""

    def __init__(self, settings, network, training, threads):
        self._settings, self._network = settings, network
        self._chunks = training.chunks(threads)
        self._total_weight = training.targets.total_weight
        self._last = {}  # by whether the penalty is sparse
        self._preconditioner = None

    def at(self, alpha):
        """The objective with this alpha."""
        settings = with_alpha(self._settings, alpha)
        kind = is_sparse(settings)  # which alpha=0 never is
        if kind in self._last:
            penalty = penalty_of(settings, self._network)
            self._last[kind] = self._last[kind].with_penalty(penalty)
        else:
            self._last[kind] = objective_of(
                settings, self._network, self._chunks, self._total_weight, self._succeed
            )
        return self._last[kind]

    def _succeed(self, objective, earlier, weak):
        """The preconditioner that learns from the last one, of whatever alpha."""
        self._preconditioner = Preconditioner(
            objective, earlier or self._preconditioner, weak
        )
        return self._preconditioner


def alpha_grid(settings, training, n_alphas):
    """Alphas in geometric progression, from the largest that is of interest down.

    For l1_ratio > 0 the first is the least at which all weights are zero. With the L2
    penalty they never are; there it is the trace of the Hessian of J at the null model,
    above which the weights have less than one effective degree of freedom: with
    eigenvalues h of the Hessian that is sum h / (h + alpha) <= trace / alpha (Hastie,
    Tibshirani and Friedman 2009, section 3.4.1). The last is a share of the first, for
    the L2 penalty of what the first would be if no feature had more than the median
    variance: on raw wine and breast cancer, where few features have nearly all of the
    variance, the best alpha is 1e-8 and 1e-9 of the first.

    Parameters
    ----------
    settings : SoftmaxRegressionClassifier
    training : InMemoryDataset
    n_alphas : int

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
    """
    training, _ = _brought_near(settings, training.with_weight())
    if settings.l1_ratio > 0.0:
        n_rows, n_features = training.X.shape
        largest = largest_alpha(settings, training)
        span = _SPAN_SPARSE if n_rows >= n_features else _SPAN_SPARSE_WIDE
        smallest = largest * span
        if largest <= _CONSTANT_COLUMN * np.sqrt(_square_means(training).max()):
            largest = 0.0
    else:
        traces = _null_traces(settings, training)
        traces = traces[traces > 0.0]
        largest = traces.sum()
        typical = traces.size * np.median(traces) if traces.size else 0.0
        smallest = min(largest, typical) * _SPAN_RIDGE
    if not largest > 0.0:
        largest, smallest = 1.0, _SPAN_SPARSE  # all features are constant
    return np.geomspace(largest, smallest, n_alphas)


def _null_traces(settings, training):
    """Trace of each feature's block of the Hessian of J at the null model.

    With the intercepts eliminated, so that variances take the place of squares.
    """
    training, _ = prepare(settings, training)
    X, targets = training.X, training.targets
    s = targets.s / targets.total_weight
    square_means = _square_means(training)
    if not settings.fit_intercept:
        return square_means * (1.0 - 1.0 / targets.classes.size)
    mean = weighted_sums(X, s)
    # Of sparse data the mean is subtracted after the fact.
    centre = mean if is_dense(X) else np.zeros(X.shape[1])
    moments = weighted_sums(squares(X, centre), s) - (mean - centre) ** 2
    moments[moments <= _CONSTANT_COLUMN * square_means] = 0.0
    return moments * (1.0 - targets.shares @ targets.shares)


def _square_means(training):
    """Weighted mean square of each feature, shape (n_features,)."""
    X, s = training.X, training.targets.s
    return weighted_sums(squares(X, np.zeros(X.shape[1])), s) / s.sum()

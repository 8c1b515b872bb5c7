"""Choice of a penalty: scores along paths, by folds or by leave-one-out, and the best.

A score is a number of which more is better, as scikit-learn's scorers return it.
"""

import copy
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed

from sksoftmax._data.arrays import take_rows
from sksoftmax._data.targets import check_weights
from sksoftmax._fit.leave_one_out import LeaveOneOut
from sksoftmax._fit.path import fit_path
from sksoftmax._model.loss import log_softmax
from sksoftmax._utils.errors import error_context


def _log_likelihoods(Z, Y):
    return np.einsum("ik,ik->i", Y, log_softmax(Z))


def _hits(Z, Y):
    return (Z.argmax(axis=1) == Y.argmax(axis=1)).astype(float)


# Scorings that are means over rows of something in the row's logits and target. These
# we compute ourselves: for soft labels too, from one row at a time where it is left
# out, and in a tenth of the milliseconds that scikit-learn's scorers take a call.
_OF_ROWS = {"neg_log_loss": _log_likelihoods, "accuracy": _hits}


class Scoring(NamedTuple):
    """How fits are scored."""

    scorer: object  # scikit-learn's, (estimator, X, y, **params) -> float
    params: dict  # for it, of all rows
    of_rows: object  # (Z, Y) -> score of each row, None where it is no mean over rows

    @classmethod
    def by(cls, scorer, params):
        """By a scorer, which is recognised by what it computes."""
        of_rows = None
        for name, function in _OF_ROWS.items():
            if _computes(scorer) == _computes(get_scorer(name)):
                of_rows = function
        weighs_at_most = set(params) <= {"sample_weight"}
        return cls(scorer, params, of_rows if weighs_at_most else None)

    def weights(self, n_rows):
        """Weights of the rows in a mean, shape (n_rows,)."""
        weights = self.params.get("sample_weight")
        return np.ones(n_rows) if weights is None else check_weights(weights, n_rows)

    def mean(self, Z, Y):
        """The score of logits and targets of all rows."""
        return _mean(self.of_rows(Z, Y), self.weights(len(Z)))

    def __call__(self, settings, fitted, sample, rows):
        """The score of a fit on some rows, given by their numbers."""
        X, targets = take_rows(sample.X, rows), sample.targets
        if self.of_rows is not None:
            ((W, b),) = fitted.layers
            scores = self.of_rows(X @ W + b, targets.Y[rows])
            return _mean(scores, self.weights(targets.s.size)[rows])
        model = copy.copy(settings)
        model.n_features_in_ = X.shape[1]
        model._keep(model, targets.classes, fitted)
        params = {
            name: np.asarray(value)[rows] if np.ndim(value) else value
            for name, value in self.params.items()
        }
        return self.scorer(model, X, targets.labels[rows], **params)


def _computes(scorer):
    """What a scorer of scikit-learn computes: its function, sign and options."""
    names = "_score_func", "_sign", "_kwargs", "_response_method"
    return type(scorer), *(getattr(scorer, name, None) for name in names)


def check_folds(cv, sample, present, split_params):
    """Row numbers (train, test) of each fold of a splitter.

    Every class that is present, a mask, must be so in all training rows: the model of
    the others would give it no probability at all.
    """
    labels = sample.targets.labels
    with error_context("cv"):
        splitter = check_cv(cv, labels, classifier=True)
    largest = np.unique(labels, return_counts=True)[1].max()
    if isinstance(cv, Integral) and cv > largest:
        raise ValueError(
            f"cv={cv} is more than the samples of any class; the largest has {largest}."
        )
    n_rows = labels.size
    with error_context("cv"):
        folds = [
            (_row_numbers(train, n_rows), _row_numbers(test, n_rows))
            for train, test in splitter.split(sample.X, labels, **split_params)
        ]
    if not folds:
        raise ValueError(f"cv={cv!r} gives no folds.")
    for number, (train, _) in enumerate(folds):
        training = sample.select(train).targets
        lost = training.classes[present & ~training.present].tolist()
        if lost:
            raise ValueError(
                f"cv leaves the training rows of fold {number} without samples"
                f" of the classes {lost}; use fewer folds, or a splitter that is"
                " stratified."
            )
    return folds


def _row_numbers(rows, n_rows):
    """Numbers of the rows of a fold, which may be a mask."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    are_numbers = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not (are_numbers and -n_rows <= rows.min() and rows.max() < n_rows):
        raise ValueError(
            f"cv must give numbers of some of the {n_rows} rows, or masks; got {rows}."
        )
    return rows


class Scores(NamedTuple):
    """Scores of one path."""

    folds: np.ndarray  # (n_alphas, n_folds); one fold for leave-one-out
    means: np.ndarray  # (n_alphas,)
    errors: np.ndarray  # (n_alphas,), standard errors of the means


def score_paths(grid, sample, folds, scoring):
    """Fit the path of each l1_ratio on all rows, and score it.

    Everything runs through joblib, so in parallel where a backend says so; the results
    do not depend on it.

    Parameters
    ----------
    grid : list of (SoftmaxRegressionClassifier, alphas)
    sample : InMemoryDataset
        All rows, without class weights.
    folds : list of (train, test) or None
        Numbers of rows; None for approximate leave-one-out.
    scoring : Scoring

    Returns
    -------
    fits : list of list of FitResult
        Of all rows.
    scores : list of Scores
    every_fit : list of FitResult
        Those of the folds have neither layers nor history.
    """
    tasks = [delayed(_whole)(*path, sample, scoring, folds is None) for path in grid]
    for settings, alphas in grid:
        quiet = copy.copy(settings)
        quiet.verbose = 0
        tasks += [
            delayed(_fold)(quiet, alphas, sample, scoring, fold) for fold in folds or ()
        ]
    done = Parallel()(tasks)
    whole, parts = done[: len(grid)], done[len(grid) :]
    fits = [part.fits for part, _ in whole]
    every_fit = [fitted for path in fits for fitted in path]
    every_fit += [fitted for _, path in parts for fitted in path]
    if folds is None:
        return fits, [scores for _, scores in whole], every_fit
    table = np.array([scores for scores, _ in parts])
    table = table.reshape(len(grid), len(folds), -1).transpose(0, 2, 1)
    return fits, [_of_folds(of_path) for of_path in table], every_fit


def _whole(settings, alphas, sample, scoring, leave_one_out):
    training = sample.weigh_classes(settings.class_weight)
    if not leave_one_out:
        return fit_path(settings, training, alphas), None
    path = fit_path(settings, training, alphas, LeaveOneOut())
    kept = training.targets.s > 0
    Y, weights = sample.targets.Y[kept], scoring.weights(kept.size)[kept]
    Y = Y[:, training.targets.present]
    if not weights.any():
        raise ValueError("sample_weight is zero for all rows that are to be scored.")
    means, errors = np.transpose(
        [left.mean(scoring.of_rows, Y, weights) for left in path.observed]
    )
    return path._replace(observed=[]), Scores(means[:, None], means, errors)


def _fold(settings, alphas, sample, scoring, fold):
    train, test = fold
    training = sample.select(train).weigh_classes(settings.class_weight)
    fits = fit_path(settings, training, alphas).fits
    scores = [scoring(settings, fitted, sample, test) for fitted in fits]
    return scores, [fitted._replace(layers=None, history=None) for fitted in fits]


def _of_folds(table):
    n_folds = table.shape[1]
    errors = np.zeros(len(table))
    if n_folds > 1:
        errors = table.std(axis=1, ddof=1) / np.sqrt(n_folds)
    return Scores(table, table.mean(axis=1), errors)


def _mean(scores, weights):
    total = weights.sum()
    if not total > 0.0:
        raise ValueError("sample_weight is zero for all rows that are to be scored.")
    return float(scores @ weights / total)

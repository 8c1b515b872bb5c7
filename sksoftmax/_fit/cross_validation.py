"""Scores along paths of alphas: by folds of rows, or by leave-one-out."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed

from sksoftmax._fit.leave_one_out import LeaveOneOut
from sksoftmax._fit.path import fit_path
from sksoftmax._fit.settings import changed
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.missing import no_missing
from sksoftmax._utils.warnings import warn


def check_folds(cv, dataset, present, split_params):
    """Row numbers (train, test) of each fold of a splitter.

    Training rows must have every class of the mask `present`: without it the model
    would give it no probability at all.
    """
    labels = dataset.targets.labels
    with error_context("cv"):
        splitter = check_cv(cv, labels, classifier=True)
    largest = np.unique(labels, return_counts=True)[1].max()
    if isinstance(cv, Integral) and cv > largest:
        raise ValueError(
            f"cv={cv} is more than the samples of any class; the largest has {largest}."
        )
    groups = split_params.get("groups")
    with no_missing("groups", groups), error_context("cv"):
        folds = [
            (_row_numbers(train, labels.size), _row_numbers(test, labels.size))
            for train, test in splitter.split(dataset.X, labels, **split_params)
        ]
    if not folds:
        raise ValueError(f"cv={cv!r} gives no folds.")
    for number, (train, _) in enumerate(folds):
        training = dataset.take(train).targets
        lost = training.classes[present & ~training.present].tolist()
        if lost:
            advice = "use fewer folds, or a splitter that is stratified"
            if any(np.count_nonzero(labels == name) < 2 for name in lost):
                advice = "one has a single sample: leave it out, or choose by cv='alo'"
            raise ValueError(
                f"cv leaves the training rows of fold {number} without samples of the"
                f" classes {lost}; {advice}."
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


def score_paths(grid, dataset, folds, scoring, *, n_jobs=None, progress=None):
    """Fits of each path on all rows, `Scores` of each path, and every fit in one list.

    grid holds (settings, alphas) of each path; the dataset has no class weights yet;
    folds are row numbers (train, test), or None for approximate leave-one-out. The fits
    of folds have neither layers nor history. Everything runs through joblib, in
    parallel where n_jobs or a backend says so; the results do not depend on it.
    progress(settings, fold) is called after each path, in their order; the fold of all
    rows is None.
    """
    tasks = [delayed(_whole)(*path, dataset, scoring, folds is None) for path in grid]
    paths = [(settings, None) for settings, _ in grid]
    for settings, alphas in grid:
        quiet = changed(settings, verbose=0)
        for number, fold in enumerate(folds or ()):
            tasks.append(delayed(_fold)(quiet, alphas, dataset, scoring, fold))
            paths.append((settings, number))
    if n_jobs is not None:
        n_jobs = min(n_jobs, len(tasks))
    if progress is None:
        done = Parallel(n_jobs=n_jobs)(tasks)
    else:
        done = []
        results = Parallel(n_jobs=n_jobs, return_as="generator")(tasks)
        for path, result in zip(paths, results, strict=True):
            progress(*path)
            done.append(result)
    whole, parts = done[: len(grid)], done[len(grid) :]
    fits = [path for path, _ in whole]
    every_fit = [fitted for path in fits for fitted in path]
    every_fit += [fitted for _, path in parts for fitted in path]
    if folds is None:
        return fits, [scores for _, scores in whole], every_fit
    tables = np.array([scores for scores, _ in parts])
    tables = tables.reshape(len(grid), len(folds), -1).transpose(0, 2, 1)
    scored = _scored(tables)
    means, errors = scored.mean(axis=2), np.zeros(tables.shape[:2])
    if scored.shape[2] > 1:
        errors = scored.std(axis=2, ddof=1) / np.sqrt(scored.shape[2])
    return fits, list(map(Scores, tables, means, errors)), every_fit


def _scored(tables):
    """The scores, (n_paths, n_alphas, n_folds), of the folds that have all of them."""
    is_scored = ~np.isnan(tables).any(axis=(0, 1))
    if is_scored.all() or not is_scored.any():
        return tables
    warn(
        f"The scorer returned NaN in the folds {np.flatnonzero(~is_scored).tolist()},"
        " which may lack a class; means are over the other folds."
    )
    return tables[:, :, is_scored]


def _whole(settings, alphas, dataset, scoring, leave_one_out):
    e = settings.label_smoothing
    training = dataset.weigh_classes(settings.class_weight, e)
    if not leave_one_out:
        return fit_path(settings, training, alphas)[0], None
    fits, left_out = fit_path(settings, training, alphas, LeaveOneOut())
    training = training.smooth(e)
    kept = training.targets.s > 0
    Y, weights = dataset.targets.Y[kept], scoring.weights(kept.size, kept)
    present = training.targets.present
    means, errors = np.transpose(
        [
            left.with_all_classes(present).mean(scoring.of_rows, Y, weights)
            for left in left_out
        ]
    )
    return fits, Scores(means[:, None], means, errors)


def _fold(settings, alphas, dataset, scoring, fold):
    train, test = fold
    training = dataset.take(train).weigh_classes(
        settings.class_weight, settings.label_smoothing
    )
    fits, _ = fit_path(settings, training, alphas)
    scores = [scoring(settings, fitted, dataset, test) for fitted in fits]
    return scores, [fitted._replace(layers=None, history=None) for fitted in fits]


def path_attributes(grid, fits, scores, best):
    """Fitted attributes of the paths by name; `best` are the places of the chosen."""
    l1_ratio, _ = best
    alphas = np.array([alphas for _, alphas in grid])
    l1_ratios = np.array([settings.l1_ratio for settings, _ in grid])
    means = np.array([path.means for path in scores])
    errors = np.array([path.errors for path in scores])
    simplest = np.argmax(means[l1_ratio] >= means[best] - errors[best])
    layers = [[fitted.layers[0] for fitted in path] for path in fits]
    return {
        "l1_ratios_": l1_ratios,
        "alphas_": alphas,
        "scores_": np.array([path.folds for path in scores]),
        "mean_scores_": means,
        "score_errors_": errors,
        "l1_ratio_": float(l1_ratios[l1_ratio]),
        "alpha_": float(alphas[best]),
        "alpha_1se_": float(alphas[l1_ratio, simplest]),
        "coefs_path_": np.array([[W.T for W, _ in path] for path in layers]),
        "intercepts_path_": np.array([[b for _, b in path] for path in layers]),
    }

"""Paths of the CV estimator on its folds: their scores, and how they are told of."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_folds_that_lack_a_class_score_as_logistic_regression_cv_scores_them(rng):
    y = np.repeat([0, 1, 2], [18, 18, 3])  # three of the rare class, five folds
    X = rng.normal(size=(39, 2)) + y[:, None]
    names = {"neg_brier_score", "d2_brier_score", "d2_log_loss_score"}
    for scoring in names & set(get_scorer_names()):  # the second came with 1.8
        model = SoftmaxRegressionClassifierCV([0.1], scoring=scoring).fit(X, y)
        scorer = get_scorer(scoring)
        folds = StratifiedKFold(5).split(X, y)
        for (train, test), score in zip(folds, model.scores_[0, 0], strict=True):
            fit = SoftmaxRegressionClassifier(alpha=0.1).fit(X[train], y[train])
            expected = scorer._sign * scorer._score_func(
                y[test], fit.predict_proba(X[test]), labels=[0, 1, 2], **scorer._kwargs
            )
            assert_allclose(score, expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_folds_without_a_score_have_no_part_in_the_mean(rng):
    y = np.repeat([0, 1, 2], [18, 18, 3])
    X = rng.normal(size=(39, 2)) + y[:, None]
    model = SoftmaxRegressionClassifierCV([1.0, 0.1], scoring="roc_auc_ovr")
    with pytest.warns(UserWarning, match=r"NaN in the folds \[0, 4\]"):
        model.fit(X, y)
    scored = model.scores_[0, :, 1:4]
    assert np.isnan(model.scores_[0, :, [0, 4]]).all()
    assert_allclose(model.mean_scores_[0], scored.mean(axis=1))
    expected = scored.std(axis=1, ddof=1) / np.sqrt(3)
    assert_allclose(model.score_errors_[0], expected)


def test_a_scorer_without_any_score_is_an_error(wine):
    def nothing(estimator, X, y):
        return np.nan

    with pytest.raises(ValueError, match="returned NaN"):
        SoftmaxRegressionClassifierCV([0.1], scoring=nothing).fit(*wine)


def test_n_jobs_changes_no_bit(wine):
    model = SoftmaxRegressionClassifierCV(3, cv=3).fit(*wine)
    other = SoftmaxRegressionClassifierCV(3, cv=3, n_jobs=2).fit(*wine)
    assert_array_equal(other.scores_, model.scores_)
    with pytest.raises(ValueError, match="n_jobs"):
        other.set_params(n_jobs=0).fit(*wine)


@pytest.mark.parametrize(("cv", "n_lines"), [(3, 8), ("alo", 2)])
def test_verbose_prints_a_line_per_path(wine, capsys, cv, n_lines):
    model = SoftmaxRegressionClassifierCV(2, l1_ratios=[0.0, 1.0], cv=cv, verbose=1)
    model.fit(*wine)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == n_lines
    assert lines[0] == f"path    1 of {n_lines}   l1_ratio 0   all rows"
    if cv == 3:
        assert lines[-1] == "path    8 of 8   l1_ratio 1   without fold 2"
    model.set_params(verbose=2).fit(*wine)
    assert "iteration    1" in capsys.readouterr().out


def test_callbacks_are_told_of_every_path(wine):
    pytest.importorskip("sklearn.callback")  # from scikit-learn 1.9
    events = []

    class Recorder:
        def setup(self, estimator, context):
            events.append(context.max_subtasks)

        def teardown(self, estimator, context):
            events.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            events.append(f"begin {context.task_name}")

        def on_fit_task_end(self, estimator, context, *, X):
            events.append(f"end {context.task_name}")
            assert X is wine[0]

    model = SoftmaxRegressionClassifierCV(2, cv=2).set_callbacks(Recorder())
    model.fit(*wine)
    paths = ["begin path", "end path"] * 3
    assert events[1:] == ["begin fit", *paths, "end fit", "teardown"]

"""scikit-learn's callbacks are told of every iteration, and heard if they say stop."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from sksoftmax import SoftmaxRegressionClassifier

sklearn_callback = pytest.importorskip("sklearn.callback")  # from scikit-learn 1.9

X, y = load_iris(return_X_y=True)

SETTINGS = {
    "newton": {"solver": "newton"},
    "lbfgs": {"solver": "lbfgs", "max_iter": 15},
    "prox-newton": {"l1_ratio": 0.5},
    "adam": {"solver": "adam", "max_iter": 4},
    "sgd, hidden": {"hidden_layer_sizes": (5,), "solver": "sgd", "max_iter": 4},
    "adam, hidden": {"hidden_layer_sizes": (5,), "max_iter": 4},
    "lbfgs, hidden": {"hidden_layer_sizes": 3, "solver": "lbfgs", "max_iter": 9},
}


class Recorder:
    """Keeps what it is told, and asks to stop after some iterations."""

    def __init__(self, stop_after=np.inf):
        self.stop_after = stop_after
        self.events, self.estimators, self.data = [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(
        self, estimator, context, *, X, y, metadata, fitted_estimator=None
    ):
        self.events.append(f"end {context.task_name}")
        self.data.append((X, y, metadata))
        if context.task_name == "iteration":
            self.estimators.append(fitted_estimator)
            return len(self.estimators) >= self.stop_after
        return False


def fitted(settings, recorder, X=X, y=y, sample_weight=None):
    model = SoftmaxRegressionClassifier(random_state=0).set_params(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.set_callbacks(recorder).fit(X, y, sample_weight)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_iteration_of_every_solver_is_told(settings):
    recorder = Recorder()
    s = np.linspace(0.5, 1.5, 150)
    model = fitted(settings, recorder, sample_weight=s)
    iterations = ["begin iteration", "end iteration"] * model.n_iter_
    assert recorder.events == ["setup", "begin fit", *iterations, "end fit", "teardown"]
    for told_X, told_y, metadata in recorder.data:
        assert told_X is X
        assert told_y is y
        assert metadata["sample_weight"] is s
    assert not hasattr(model, "_callback_fit_ctx")


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_an_iteration_comes_with_an_estimator_that_predicts(settings):
    recorder = Recorder()
    model = fitted(settings, recorder)
    last = recorder.estimators[-1]
    assert_allclose(last.predict_proba(X), model.predict_proba(X), atol=1e-12)
    if len(recorder.estimators) > 1:
        first = recorder.estimators[0]
        assert np.abs(first.predict_proba(X) - model.predict_proba(X)).max() > 1e-6


def test_it_has_all_classes_and_features_of_wide_data(rng):
    wide = np.hstack([X[:40], rng.normal(size=(40, 300))])
    labels = np.array(["a", "b", "c"])[np.arange(40) % 3]
    s = (labels != "b").astype(float)
    recorder = Recorder()
    model = fitted({}, recorder, wide, labels, s)
    last = recorder.estimators[-1]
    assert_array_equal(last.classes_, ["a", "b", "c"])
    assert_allclose(last.coef_, model.coef_, atol=1e-12)
    assert_allclose(last.intercept_, model.intercept_, atol=1e-12)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_request_to_stop_ends_the_fit_there_without_a_warning(settings):
    recorder = Recorder(stop_after=2)
    model = SoftmaxRegressionClassifier(random_state=0).set_params(**settings)
    model.set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == len(recorder.estimators) == 2
    assert not model.converged_
    assert recorder.events[-2:] == ["end fit", "teardown"]
    assert_allclose(
        model.predict_proba(X), recorder.estimators[-1].predict_proba(X), atol=1e-12
    )


def test_training_goes_on_after_a_stop():
    settings = {**SETTINGS["adam, hidden"], "learning_rate": "constant", "max_iter": 5}
    whole = fitted(settings, Recorder())
    model = SoftmaxRegressionClassifier(random_state=0, warm_start=True, **settings)
    model.set_callbacks(Recorder(stop_after=2)).fit(X, y)
    model.set_callbacks(Recorder(stop_after=3)).fit(X, y)
    assert_allclose(model.coefs_[0], whole.coefs_[0], rtol=1e-9)


def test_a_callback_that_fails_leaves_the_estimator_as_it_was():
    class Fails(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("no more")

    model = SoftmaxRegressionClassifier().fit(X, y)
    before = dict(vars(model))
    recorder = Fails()
    with pytest.raises(RuntimeError, match="no more"):
        model.set_callbacks(recorder).fit(X[:, :2], y)
    assert recorder.events[-1] == "teardown"
    model.set_callbacks()
    assert vars(model) == before


def test_scores_are_monitored_within_a_grid_search():
    monitor = sklearn_callback.ScoringMonitor(scoring="neg_log_loss")
    model = SoftmaxRegressionClassifier().set_callbacks(monitor)
    search = GridSearchCV(model, {"alpha": [1e-3, 1e-1]}, cv=2).fit(X, y)
    rows = monitor.get_logs().data
    of_fits = [row for row in rows if row["task_name"] == "iteration"]
    assert len({row["parent_task_id_path"] for row in of_fits}) == 2 * 2 + 1
    refit = [row for row in of_fits if row["parent_task_id_path"] == (0, 1)]
    P = search.best_estimator_.predict_proba(X)
    expected = np.log(P[np.arange(150), y]).mean()
    assert_allclose(refit[-1]["neg_log_loss"], expected, atol=1e-6)


def test_a_progress_bar_shows_a_grid_search(capsys):
    bar = sklearn_callback.ProgressBar()
    search = GridSearchCV(SoftmaxRegressionClassifier(), {"alpha": [1e-3]}, cv=2)
    search.set_callbacks(bar).fit(X, y)
    assert "SoftmaxRegressionClassifier" in capsys.readouterr().out

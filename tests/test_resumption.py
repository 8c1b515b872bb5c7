"""Fits that are interrupted or stopped: what is kept, and how they go on.

The oracle is the training that was not interrupted: every bit has to be the same.
"""

import pickle
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._fit.history import History
from sksoftmax._objective import batch_objective
from sksoftmax._objective import objective as full_objective
from sksoftmax._solvers.epochs import Patience, Training, minibatch
from sksoftmax._solvers.progress import Progress, start_state
from sksoftmax.exceptions import InterruptionWarning
from sksoftmax.optimizers import SGD

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, codes = load_iris(return_X_y=True)
y = np.array(["a", "b", "c"])[codes]
N_BATCHES = 5  # of 150 or 135 rows in batches of 32


def network(sizes=(4,), **settings):
    settings = {"max_iter": 6, "random_state": 0} | settings
    return SoftmaxRegressionClassifier(sizes, **settings)


@contextmanager
def interrupt_at(call, module=batch_objective, name="batch_loss_grad"):
    """Ctrl-C in that call of a function, from 1."""
    original, calls = getattr(module, name), []

    def function(*args, **kwargs):
        calls.append(None)
        if len(calls) == call:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, function)
        yield


def interrupted(model, call, *data, **more):
    """The model after a fit that was interrupted at a call of the loss of a batch."""
    with interrupt_at(call), pytest.warns(InterruptionWarning):
        return model.fit(*data, **more)


def outcome(model):
    """All that a fit has left, to the last bit."""
    known = {name: value for name, value in vars(model).items() if name[-1] == "_"}
    for name in ("coefs_", "intercepts_"):
        known[name] = [(part.dtype.str, part.tobytes()) for part in known[name]]
    return {name: repr(value) for name, value in known.items()}


def batches():
    return [(X[i::3], y[i::3]) for i in range(3)]


VALIDATION = {"X_val": X[::7], "y_val": y[::7]}
TRAININGS = {
    "adam": ({}, (X, y), {}),
    "no hidden layers": ({"hidden_layer_sizes": (), "solver": "adam"}, (X, y), {}),
    "momentum": ({"solver": "sgd"}, (X, y), {}),
    "dropout": ({"hidden_layer_sizes": (6, 4), "dropout": 0.3}, (X, y), {}),
    "constant": ({"learning_rate": "constant"}, (X, y), {}),
    "invscaling": ({"learning_rate": "invscaling", "solver": "sgd"}, (X, y), {}),
    "adaptive": (
        {"learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 0.5},
        (X, y),
        {},
    ),
    "early stopping": ({"early_stopping": True}, (X, y), {}),
    "validation": ({"n_iter_no_change": 2, "early_stopping": True}, (X, y), VALIDATION),
    "watched": ({}, (X, y), VALIDATION),
    "single precision": ({}, (X.astype(np.float32), y), {}),
    "sparse": ({}, (csr_array(X), y), {}),
    "batches": ({}, (batches(),), {}),
    "weights": (
        {"class_weight": "balanced", "label_smoothing": 0.1},
        (X, y, np.linspace(0.0, 2.0, 150)),
        {},
    ),
    "a class without weight": ({}, (X, y, (codes < 2).astype(float)), {}),
    "soft labels": ({}, (X, np.eye(3)[codes] * 0.7 + 0.1), {}),
}
each_training = pytest.mark.parametrize(
    ("settings", "data", "more"), TRAININGS.values(), ids=TRAININGS
)


@each_training
def test_a_training_that_was_interrupted_ends_as_one_that_was_not(settings, data, more):
    whole = network().set_params(**settings).fit(*data, **more)
    for call in (N_BATCHES + 1, 2 * N_BATCHES + 3, 4 * N_BATCHES + 2):
        model = network(warm_start=True).set_params(**settings)
        interrupted(model, call, *data, **more)
        assert model.n_iter_ == len(model.loss_curve_) < whole.n_iter_
        assert_array_equal(model.loss_curve_, whole.loss_curve_[: model.n_iter_])
        assert not model.converged_
        model = pickle.loads(pickle.dumps(model))
        assert outcome(model.fit(*data, **more)) == outcome(whole)


def test_it_may_be_interrupted_at_any_batch_and_as_often_as_one_likes():
    settings = {"early_stopping": True, "max_iter": 4}
    whole = network(**settings).fit(X, y)
    for first in range(N_BATCHES + 1, 4 * N_BATCHES + 1):
        model = interrupted(network(warm_start=True, **settings), first, X, y)
        interrupted(model, 2, X, y)  # within an epoch: as before
        assert model.n_iter_ == (first - 1) // N_BATCHES
        assert outcome(model.fit(X, y)) == outcome(whole)


def test_an_estimator_without_warm_start_can_go_on_as_well():
    whole = network().fit(X, y)
    model = interrupted(network(), 12, X, y)
    assert outcome(model.set_params(warm_start=True).fit(X, y)) == outcome(whole)


def test_what_an_interrupted_training_keeps_can_predict():
    model = interrupted(network(), 12, X, y)
    two = network(max_iter=2, learning_rate="constant").fit(X, y)
    constant = interrupted(network(learning_rate="constant"), 12, X, y)
    for W, same in zip(constant.coefs_, two.coefs_, strict=True):
        assert_array_equal(W, same)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_with_early_stopping_the_best_epoch_is_kept():
    noisy = np.random.default_rng(0).permutation(codes[::2])
    settings = {"early_stopping": True, "learning_rate_init": 0.1, "max_iter": 12}
    val = {"X_val": X[::2], "y_val": noisy}
    whole = network(**settings).fit(X, codes, **val)
    model = interrupted(network(**settings), 8 * N_BATCHES + 1, X, codes, **val)
    assert model.n_iter_ == 8
    assert model.best_iter_ < 8
    log_P = model.predict_log_proba(X[::2])
    loss = -log_P[np.arange(len(log_P)), noisy].mean()
    assert_allclose(loss, min(model.validation_loss_curve_), rtol=1e-6)
    model.set_params(warm_start=True).fit(X, codes, **val)
    assert outcome(model) == outcome(whole)


@pytest.mark.parametrize("warm_start", [True, False])
def test_before_the_first_epoch_has_ended_nothing_is_kept(warm_start):
    model = network(warm_start=warm_start)
    for fitted in (False, True):
        if fitted:
            model.fit(X, y)
        before = pickle.dumps(model)
        for call in (1, N_BATCHES):
            with interrupt_at(call), pytest.raises(KeyboardInterrupt):
                model.fit(X, y)
        assert pickle.dumps(model) == before


def test_the_warning_says_how_far_it_came_and_how_to_go_on():
    with (
        interrupt_at(12),
        pytest.warns(InterruptionWarning, match=r"epoch 2 of 6\. With warm_start=True"),
    ):
        network().fit(X, y)


def test_an_interruption_that_is_made_an_error_leaves_a_fitted_estimator():
    model = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error", InterruptionWarning)
        with interrupt_at(12), pytest.raises(InterruptionWarning):
            model.fit(X, y)
    assert model.n_iter_ == 2


# More epochs


@pytest.mark.parametrize("rate", ["constant", "invscaling", "adaptive"])
def test_a_larger_max_iter_is_a_longer_training(rate):
    settings = {"learning_rate": rate, "tol": 0.0, "dropout": 0.1}
    whole = network(max_iter=8, **settings).fit(X, y)
    model = network(max_iter=3, warm_start=True, **settings).fit(X, y)
    assert model.n_iter_ == 3
    assert outcome(model.set_params(max_iter=8).fit(X, y)) == outcome(whole)


def test_cosine_takes_the_rates_that_the_longer_schedule_has_there():
    factors = []

    class Spy(SGD):
        def step(self, grad, state, w, factor=1.0):
            factors.append(factor)
            return super().step(grad, state, w, factor)

    class Flat:
        """Of two batches, without slope."""

        n_rows, rows = 20, None
        penalty = type("Zero", (), {"value": staticmethod(lambda w: 0.0)})

        def batches(self, w, *, batch_size, dropout):
            self.grad = np.zeros_like(w)
            return self

        def epoch(self, rng, *, shuffle):
            yield from [(1.0, 10), (1.0, 10)]

    def scheme(max_iter):
        return Training(Spy(0.1), 10, False, 0.0, max_iter, "cosine")

    def train(max_iter, progress):
        return minibatch(
            Flat(),
            progress,
            training=scheme(max_iter),
            patience=Patience(n_epochs=100, tolerance=0.0, restore_best=False),
            callback=lambda n_iter, w, value: value,
        )

    w = np.zeros(2)
    first = train(3, Progress.begin(w, start_state(scheme(3), w, 0)))
    train(7, Progress.of_state(first.state, w.dtype))
    done = np.r_[np.arange(6) / 6, np.arange(6, 14) / 14]
    assert_allclose(factors, 0.5 + 0.5 * np.cos(np.pi * done))


def test_a_training_that_has_ended_is_followed_by_a_new_one():
    model = network(warm_start=True).fit(X, y)
    first = model.loss_curve_
    model.fit(X, y)
    assert model.n_iter_ == 6
    assert model.loss_curve_[0] < first[0]
    converged = network(
        warm_start=True, max_iter=50, learning_rate="constant", tol=0.5
    ).fit(X, y)
    n_iter = converged.n_iter_
    assert converged.converged_
    assert converged.set_params(max_iter=60).fit(X, y).loss_curve_[0] < first[0]
    assert converged.n_iter_ <= n_iter


# What makes it a new training


@pytest.mark.parametrize(
    ("rows", "settings"),
    [(slice(0, 140), {}), (slice(None), {"early_stopping": True})],
    ids=["other rows", "another number is watched"],
)
def test_other_rows_or_another_number_to_watch_make_it_a_new_training(rows, settings):
    model = interrupted(network(warm_start=True), 12, X, y)
    first = model.loss_curve_[0]
    model.set_params(**settings).fit(X[rows], y[rows])
    assert model.n_iter_ == 6
    assert model.loss_curve_[0] < 0.9 * first


def test_coefficients_that_were_changed_are_where_a_new_training_begins():
    model = interrupted(network(warm_start=True), 12, X, y)
    model.coefs_[0][:] = 0.0
    first = model.loss_curve_[0]
    assert model.fit(X, y).loss_curve_[0] != first


def test_a_part_of_an_interrupted_training_is_one_epoch():
    model = interrupted(network(learning_rate="constant"), 12, X, y)
    model.partial_fit(X, y)
    whole = network(learning_rate="constant", max_iter=3).fit(X, y)
    assert_allclose(model.loss_curve_, whole.loss_curve_, rtol=1e-12)


# The random state


def test_a_random_state_moves_on_once_for_a_training_in_two_fits():
    states = [np.random.RandomState(0) for _ in range(2)]
    network(random_state=states[0]).fit(X, y)
    model = interrupted(network(random_state=states[1], warm_start=True), 12, X, y)
    model.fit(X, y)
    assert states[0].randint(1000) == states[1].randint(1000)


# Exact solvers

EXACT = {
    "newton": {},
    "lbfgs": {"solver": "lbfgs", "max_iter": 1000},
    "prox-newton": {"l1_ratio": 0.5},
    "lbfgs, hidden": {"hidden_layer_sizes": (3,), "solver": "lbfgs", "max_iter": 9},
}


@pytest.mark.parametrize("settings", EXACT.values(), ids=EXACT)
def test_an_exact_solver_keeps_its_last_iterate(settings, monkeypatch):
    points = []

    def interrupt_after_two(self, n_iter, w, value):
        points.append((self.layers(w), value))
        if len(points) > 2:
            raise KeyboardInterrupt
        return original(self, n_iter, w, value)

    original = History.__call__
    monkeypatch.setattr(History, "__call__", interrupt_after_two)
    model = SoftmaxRegressionClassifier(random_state=0, **settings)
    with pytest.warns(InterruptionWarning, match=r"iteration 2\. With warm_start=True"):
        model.fit(X, y)
    monkeypatch.undo()
    layers, value = points[1]
    assert model.n_iter_ == 2
    assert model.loss_ == model.loss_curve_[-1] == value
    assert not model.converged_
    for W, (same, _) in zip(model.coefs_, layers, strict=True):
        assert_array_equal(W, same)
    if not model.get_params()["hidden_layer_sizes"]:
        model.set_params(warm_start=True).fit(X, y)
        assert model.converged_


def test_from_there_a_warm_start_gets_to_the_optimum():
    model = SoftmaxRegressionClassifier(tol=1e-10, warm_start=True)
    with (
        interrupt_at(20, full_objective, "linear_pass"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", InterruptionWarning)
        model.fit(X, y)
    model.fit(X, y)
    theirs = LogisticRegression(C=1 / (1e-3 * 150), tol=1e-10, max_iter=10_000)
    assert_allclose(model.coef_, theirs.fit(X, y).coef_, atol=1e-4)


def test_a_choice_of_a_penalty_is_not_ended_by_one_of_its_fits():
    model = SoftmaxRegressionClassifierCV(cv=2)
    with (
        interrupt_at(30, full_objective, "linear_pass"),
        pytest.raises(KeyboardInterrupt),
    ):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")

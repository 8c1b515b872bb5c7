"""The life of an estimator: any order of calls, against a model of what is allowed."""

import copy
import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest
from effort import LONG
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from test_bad_input import same

from sksoftmax import SoftmaxRegressionClassifier

_rng = np.random.default_rng(0)


def data(n_features, n_classes):
    X = _rng.standard_normal((30, n_features))
    return X, np.arange(30) % n_classes


PROBLEMS = [data(3, 3), data(3, 2), data(2, 3)]
problems = st.sampled_from(range(len(PROBLEMS)))


class LifeCycle(RuleBasedStateMachine):
    """What is known: parameters, and features, classes and layers of the last fit."""

    def __init__(self):
        super().__init__()
        self.model = SoftmaxRegressionClassifier(max_iter=3, random_state=0)
        self.known = None  # (n_features, n_classes, hidden layers)
        self.fits = 0  # epochs or iterations, for n_iter_

    @property
    def sizes(self):
        return tuple(self.model.hidden_layer_sizes)

    def attempt(self, allowed, call):
        """A call that must work, or be refused and change nothing."""
        before = copy.deepcopy(vars(self.model))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            if allowed:
                call()
                return
            with pytest.raises((ValueError, AttributeError)):
                call()
        assert same(vars(self.model), before)

    @rule(
        name=st.sampled_from(["warm_start", "solver", "hidden_layer_sizes", "alpha"]),
        pick=st.integers(0, 3),
    )
    def set_params(self, name, pick):
        values = {
            "warm_start": [True, False],
            "solver": ["auto", "lbfgs", "adam", "sgd"],
            "hidden_layer_sizes": [(), (3,)],
            "alpha": [1e-3, 0.1],
        }[name]
        value = values[pick % len(values)]
        self.model.set_params(**{name: value})
        assert self.model.get_params()[name] == value

    @rule(number=problems)
    def fit(self, number):
        X, y = PROBLEMS[number]
        now = X.shape[1], y.max() + 1, self.sizes
        continues = self.model.warm_start and self.known is not None
        allowed = not continues or now == self.known
        self.attempt(allowed, lambda: self.model.fit(X, y))
        if allowed:
            self.known = now
            if not self.model.warm_start:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    fresh = SoftmaxRegressionClassifier(**self.model.get_params())
                    fresh.fit(X, y)
                expected = fresh.predict_proba(X)
                assert_array_equal(self.model.predict_proba(X), expected)

    @rule(number=problems)
    def fit_badly(self, number):
        X, y = PROBLEMS[number]
        self.attempt(False, lambda: self.model.fit(np.where(X > 1, np.nan, X), y))

    @rule(number=problems, tells=st.booleans())
    def partial_fit(self, number, tells):
        X, y = PROBLEMS[number]
        classes = np.unique(y) if tells else None
        now = X.shape[1], y.max() + 1, self.sizes
        if self.known is None:
            right = tells
        else:  # fewer labels than classes are right, if not announced as all
            n_features, n_classes, sizes = self.known
            right = n_features == now[0] and sizes == now[2]
            right = right and (
                now[1] == n_classes or (not tells and now[1] < n_classes)
            )
        allowed = self.model.solver != "lbfgs" and right
        before = getattr(self.model, "n_iter_", 0)
        self.attempt(allowed, lambda: self.model.partial_fit(X, y, classes))
        if allowed:
            self.known = self.known or now
            assert self.model.n_iter_ == before + 1

    @rule(number=problems)
    def predict(self, number):
        X, _ = PROBLEMS[number]
        before = copy.deepcopy(vars(self.model))
        if self.known is None:
            with pytest.raises(NotFittedError):
                self.model.predict(X)
        elif X.shape[1] != self.known[0]:
            with pytest.raises(ValueError, match="features"):
                self.model.predict(X)
        else:
            P = self.model.predict_proba(X)
            assert P.shape == (30, self.known[1])
            assert_allclose(P.sum(axis=1), 1.0, rtol=1e-6)
            assert_array_equal(self.model.predict(X), P.argmax(axis=1))
        assert same(vars(self.model), before)

    @rule(keep=st.sampled_from(["pickle", "copy"]))
    def save_and_load(self, keep):
        if keep == "pickle":
            other = pickle.loads(pickle.dumps(self.model))
        else:
            other = copy.deepcopy(self.model)
        assert same(vars(other), vars(self.model))
        self.model = other

    @precondition(lambda self: self.known is not None)
    @invariant()
    def fitted_state_is_of_one_piece(self):
        model = self.model
        n_features, n_classes, sizes = self.known
        units = [n_features, *sizes, n_classes]
        assert model.n_features_in_ == n_features
        assert_array_equal(model.classes_, np.arange(n_classes))
        assert [W.shape for W in model.coefs_] == list(pairwise(units))
        assert [b.size for b in model.intercepts_] == units[1:]
        assert len(model.loss_curve_) == model.n_iter_


LifeCycle.TestCase.settings = settings(
    max_examples=500 if LONG else 20,
    stateful_step_count=25,
    derandomize=True,
    deadline=None,
    database=None,
)
TestLifeCycle = LifeCycle.TestCase

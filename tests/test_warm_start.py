"""Fits that continue others, and what a failed or a second fit must not change."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax import _prediction as prediction


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 4))
    return X, (2 * X[:, :3] + rng.gumbel(size=(60, 3))).argmax(axis=1)


@pytest.fixture
def frame(data):
    return pd.DataFrame(data[0], columns=list("abcd"))


SETTINGS = {
    "newton": {},
    "lbfgs": {"solver": "lbfgs"},
    "prox-newton": {"l1_ratio": 0.5},
    "adam": {"hidden_layer_sizes": (3,), "max_iter": 2},
}
each_solver = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


@each_solver
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_a_warm_start_refuses_columns_in_another_order(data, frame, settings):
    model = SoftmaxRegressionClassifier(warm_start=True, random_state=0, **settings)
    model.fit(frame, data[1])
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="column 0 is 'd' and was 'a'"):
        model.fit(frame[list("dcba")], data[1])
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("named_first", [True, False])
def test_a_warm_start_says_that_it_goes_by_position(data, frame, named_first):
    first, second = (frame, data[0]) if named_first else (data[0], frame)
    model = SoftmaxRegressionClassifier(warm_start=True).fit(first, data[1])
    with pytest.warns(UserWarning, match="goes by position"):
        model.fit(second, data[1])


def test_a_cold_start_takes_columns_as_they_come(data, frame):
    model = SoftmaxRegressionClassifier().fit(frame, data[1])
    model.fit(frame[list("dcba")], data[1])
    assert_array_equal(model.feature_names_in_, list("dcba"))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failed_fit_leaves_the_random_state_as_it_was(data, method):
    X, y = data
    model = SoftmaxRegressionClassifier(
        (4,),
        random_state=np.random.RandomState(0),
        early_stopping=True,
        validation_fraction=0.99,
        max_iter=2,
    )
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="early_stopping"):
        getattr(model, method)(X, y, classes=[0, 1, 2])
    assert pickle.dumps(model) == before


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_a_random_state_moves_on_from_fit_to_fit(data):
    model = SoftmaxRegressionClassifier(
        (4,), max_iter=1, random_state=np.random.RandomState(0)
    )
    first = model.fit(*data).coefs_[0]
    assert (model.fit(*data).coefs_[0] != first).any()


ANSWERS = {
    "predict": lambda model, X, y: model.predict(X),
    "predict_proba": lambda model, X, y: model.predict_proba(X),
    "decision_function": lambda model, X, y: model.decision_function(X),
    "score": lambda model, X, y: model.score(X, y),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("chooses", [False, True])
def test_an_answer_is_of_one_fit_though_another_ends_meanwhile(
    data, answer, chooses, monkeypatch
):
    X, y = data
    model = SoftmaxRegressionClassifier()
    if chooses:
        model = SoftmaxRegressionClassifierCV(alphas=[0.1], cv=2)
    expected = answer(model.fit(X, y), X, y)
    asks = prediction.is_plain

    def ask_while_another_fit_ends(X_of_answer):
        model.fit(X[:, :2], np.where(y > 0, "b", "a"))
        return asks(X_of_answer)

    monkeypatch.setattr(prediction, "is_plain", ask_while_another_fit_ends)
    assert_array_equal(answer(model, X, y), expected)
    assert model.n_features_in_ == 2

"""Properties of fits and predictions on random problems, by hypothesis."""

import copy
import pickle
from io import BytesIO
from unittest.mock import patch

import joblib
import numpy as np
import pytest
from effort import LONG
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone

from sksoftmax import (
    SoftmaxRegressionClassifier,
    cross_entropy,
    hardmax,
    log_softmax,
    softmax,
)
from sksoftmax._data import chunked

properties = settings(
    max_examples=1500 if LONG else 40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

logits = st.lists(
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=4
).map(np.array)


@st.composite
def problems(draw):
    """X with columns of all scales, labels that are all there, and weights."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_classes, n_features = draw(st.integers(2, 4)), draw(st.integers(1, 5))
    n = draw(st.integers(8 * n_classes, 60))
    scale = 10.0 ** draw(st.integers(-2, 2))
    X = scale * rng.standard_normal((n, n_features)) + draw(st.sampled_from([0, 1, 5]))
    X[rng.random(X.shape) < 0.2] = 0.0
    # Labels with noise: without a penalty there is an optimum too.
    y = np.r_[np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)]
    return X, y, rng.integers(1, 4, n).astype(float)


penalties = st.sampled_from(
    [
        {"alpha": 1e-3},
        {"alpha": 1.0, "fit_intercept": False},
        {"alpha": 1e-2, "l1_ratio": 0.5},
        {"alpha": 1e-2, "l1_ratio": 1.0, "grouped": True},
    ]
)


def fit(X, y, s=None, **params):
    """A fit much tighter than what the tests compare to."""
    model = SoftmaxRegressionClassifier(**{"tol": 1e-13, "max_iter": 1000} | params)
    return model.fit(X, y, sample_weight=s)


def assert_same_predictions(a, b, X, columns=slice(None)):
    assert_allclose(a.predict_proba(X), b.predict_proba(X)[:, columns], atol=2e-5)


@properties
@given(logits, st.floats(-1e3, 1e3))
def test_softmax_is_a_distribution_that_no_shift_changes(Z, shift):
    P = softmax(Z)
    assert (P >= 0).all()
    assert_allclose(P.sum(axis=1), 1.0, rtol=1e-12)
    assert_allclose(softmax(Z + shift), P, atol=1e-9)
    assert_allclose(np.exp(log_softmax(Z)), P, rtol=1e-9, atol=1e-300)
    rows = np.arange(len(Z))
    assert_array_equal(Z[rows, hardmax(Z).argmax(axis=1)], Z.max(axis=1))
    assert (cross_entropy(P, P) >= 0).all()


@properties
@given(problems(), penalties)
def test_predictions_are_probabilities_and_agree(problem, penalty):
    X, y, s = problem
    model = fit(X, y, s, **penalty)
    P, log_P = model.predict_proba(X), model.predict_log_proba(X)
    assert (P >= 0).all()
    assert_allclose(P.sum(axis=1), 1.0, rtol=1e-12)
    assert_allclose(np.exp(log_P), P, rtol=1e-9)
    assert_array_equal(model.predict(X), model.classes_[P.argmax(axis=1)])
    margins = model.decision_function(X)
    if margins.ndim == 1:
        margins = np.column_stack([np.zeros_like(margins), margins])
    assert_allclose(softmax(margins), P, rtol=1e-9)
    score = np.average(model.predict(X) == y, weights=s)
    assert_allclose(model.score(X, y, s), score)


@properties
@given(problems(), penalties, st.randoms(use_true_random=False))
def test_rows_and_classes_may_come_in_any_order(problem, penalty, random):
    X, y, s = problem
    model = fit(X, y, s, **penalty)
    rows = random.sample(range(len(y)), len(y))
    assert_same_predictions(fit(X[rows], y[rows], s[rows], **penalty), model, X)
    n_classes = int(y.max()) + 1
    names = np.array(random.sample(range(n_classes), n_classes))
    assert_same_predictions(
        fit(X, names[y], s, **penalty), model, X, columns=np.argsort(names)
    )


@properties
@given(problems(), penalties)
def test_weights_are_repetitions_and_soft_labels_stacked_labels(problem, penalty):
    X, y, s = problem
    times = s.astype(int)
    repeated = fit(np.repeat(X, times, axis=0), np.repeat(y, times), **penalty)
    weighted = fit(X, y, s, **penalty)
    assert_same_predictions(repeated, weighted, X)
    K = y.max() + 1
    Y = (np.eye(K)[y] + np.eye(K)[y[::-1]]) / 2
    stacked = fit(np.vstack([X, X]), np.r_[y, y[::-1]], np.r_[s, s], **penalty)
    assert_same_predictions(fit(X, Y, s, **penalty), stacked, X)


@properties
@given(problems(), penalties)
def test_sparse_and_mapped_data_are_dense_data(tmp_path_factory, problem, penalty):
    X, y, s = problem
    model = fit(X, y, s, **penalty)
    assert_same_predictions(fit(csr_array(X), y, s, **penalty), model, X)
    path = tmp_path_factory.mktemp("properties") / "X.npy"
    np.save(path, X)
    mapped = np.load(path, mmap_mode="r")
    with patch.object(chunked, "LARGEST_LIKE_ARRAY", 0):
        assert_same_predictions(fit(mapped, y, s, **penalty), model, X)
    assert_array_equal(model.predict_proba(mapped), model.predict_proba(X))


@properties
@given(problems(), st.floats(0.1, 10), st.floats(-3, 3))
@pytest.mark.filterwarnings("ignore::sksoftmax.exceptions.SeparationWarning")
def test_without_penalty_units_and_origins_do_not_matter(problem, unit, shift):
    X, y, s = problem
    model = fit(X, y, s, alpha=0)
    moved = unit * X + shift
    assert_allclose(fit(moved, y, s, alpha=0).loss_, model.loss_, atol=1e-6)


@properties
@given(problems(), st.floats(1e-4, 1.0), st.floats(1.5, 100), st.sampled_from([0.0, 1]))
def test_a_larger_penalty_gives_smaller_weights(problem, alpha, factor, l1_ratio):
    X, y, s = problem
    weak = fit(X, y, s, alpha=alpha, l1_ratio=l1_ratio)
    strong = fit(X, y, s, alpha=factor * alpha, l1_ratio=l1_ratio)
    order = 1 if l1_ratio else 2
    sizes = [np.sum(np.abs(model.coef_) ** order) for model in (strong, weak)]
    assert sizes[0] <= sizes[1] * (1 + 1e-5) + 1e-9
    assert strong.loss_ >= weak.loss_ - 1e-10


def through_joblib(model):
    buffer = BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


@properties
@given(problems(), penalties)
def test_copies_predict_the_same_bits_and_clones_fit_them(problem, penalty):
    X, y, s = problem
    model = fit(X, y, s, **penalty)
    for other in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        through_joblib(model),
        clone(model).fit(X, y, s),
        SoftmaxRegressionClassifier().set_params(**model.get_params()).fit(X, y, s),
    ):
        assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        assert other.get_params() == model.get_params()

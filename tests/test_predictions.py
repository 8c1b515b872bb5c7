"""Predictions: the short way for plain tables, and rows in chunks."""

import tracemalloc
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier, softmax
from sksoftmax import _prediction as prediction
from sksoftmax._data import arrays

MODELS = {"linear": (), "hidden": (7,), "tanh": (5, 4)}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    activation = "tanh" if request.param == "tanh" else "relu"
    return SoftmaxRegressionClassifier(
        MODELS[request.param], activation=activation, max_iter=30, random_state=0
    ).fit(X, np.arange(60) % 3)


@pytest.fixture
def checked(monkeypatch):
    """Collects the tables that were validated in full."""
    seen = []

    def validate(estimator, X, **options):
        seen.append(X)
        return validate_data(estimator, X, **options)

    monkeypatch.setattr(arrays, "validate_data", validate)
    return seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, csr_array])
def test_plain_tables_need_no_validation(model, rng, checked, form, dtype):
    X = form(rng.standard_normal((50, 4)).astype(dtype))
    short = model.predict_proba(X)
    assert checked == []
    entries = X.toarray() if form is csr_array else X
    full = model.predict_proba(entries[:, ::-1][:, ::-1].astype(object))
    assert len(checked) == 1
    assert_allclose(short, full, rtol=1e-6 if dtype == np.float32 else 1e-12)


def test_a_fit_of_a_plain_table_forgets_the_names_of_the_last(rng, checked):
    X, y = rng.standard_normal((30, 3)), np.arange(30) % 2
    pandas = pytest.importorskip("pandas")
    model = SoftmaxRegressionClassifier().fit(pandas.DataFrame(X, columns=[*"abc"]), y)
    assert [*model.feature_names_in_] == [*"abc"]
    assert len(checked) == 1
    model.fit(X[:, :2], y)
    assert len(checked) == 1
    assert model.n_features_in_ == 2
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_entries_that_are_not_finite_have_the_error_of_validation(
    model, rng, form, method, bad
):
    X = rng.standard_normal((50, 4))
    X[31, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity") as short:
        getattr(model, method)(form(X))
    with pytest.raises(ValueError, match=r"NaN|infinity") as full:
        getattr(model, method)(form(X.astype(np.longdouble)))
    assert str(short.value) == str(full.value)


@pytest.mark.parametrize(
    "X",
    [
        np.ones((3, 5)),
        np.ones((0, 4)),
        np.ones(4),
        csr_array(np.ones((3, 5))),
        np.ones((3, 4), dtype=complex),
    ],
    ids=["five features", "no rows", "one row flat", "sparse", "complex"],
)
def test_other_shapes_and_types_are_validated(model, X):
    with pytest.raises(ValueError, match="X"):
        model.predict_proba(X)


def test_entries_out_of_order_and_repeated_are_added_up(model, checked):
    entries = np.array([1.0, 2.0, 3.0]), np.array([2, 1, 2]), np.array([0, 3])
    X = csr_array(entries, shape=(1, 4))
    assert_allclose(model.predict_proba(X), model.predict_proba([[0.0, 2.0, 4.0, 0.0]]))
    assert len(checked) == 2


def test_finite_entries_whose_sum_overflows_are_used(rng):
    X = rng.standard_normal((60, 2))
    model = SoftmaxRegressionClassifier((3,), activation="tanh", random_state=0)
    model.fit(X, np.arange(60) % 2)
    assert np.isfinite(model.predict_proba(np.full((40, 2), 1e307))).all()


@pytest.mark.parametrize(
    "method", ["predict", "predict_log_proba", "decision_function"]
)
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_chunks_of_rows_answer_as_the_rows_do(model, rng, monkeypatch, form, method):
    X = form(rng.standard_normal((101, 4)))
    whole = getattr(model, method)(X)
    monkeypatch.setattr(prediction, "_FEWEST_ROWS", 10)
    monkeypatch.setattr(prediction, "_ENTRIES_AT_ONCE", 100)
    in_chunks = getattr(model, method)(X)
    assert in_chunks.shape == whole.shape
    assert in_chunks.dtype == whole.dtype
    if method == "predict":
        assert_array_equal(in_chunks, whole)
    else:
        assert_allclose(in_chunks, whole, rtol=1e-12, atol=1e-13)


def test_the_row_of_an_error_counts_from_the_first(rng, monkeypatch):
    X = rng.standard_normal((101, 4))
    model = SoftmaxRegressionClassifier(alpha=1e-3).fit(X, X[:, 0] > 0)
    X[77] = 1e308 * np.sign(model.coefs_[0][:, 0])
    monkeypatch.setattr(prediction, "_FEWEST_ROWS", 10)
    monkeypatch.setattr(prediction, "_ENTRIES_AT_ONCE", 100)
    monkeypatch.setattr(prediction, "_ON_ONE_THREAD", 0)
    with pytest.raises(ValueError, match="X is too large in row 77 for"):
        model.predict(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_memory_is_that_of_the_answer(rng):
    X = rng.standard_normal((400, 8))
    model = SoftmaxRegressionClassifier((256, 256), max_iter=1, random_state=0)
    model.fit(X, np.arange(400) % 3)
    X = np.tile(X, (100, 1))
    model.predict_proba(X[:5000])
    tracemalloc.start()
    P = model.predict_proba(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One layer of all rows would be 80 MB.
    assert peak < P.nbytes + 2**24
    assert_allclose(P[-400:], softmax(model.decision_function(X[-400:])), rtol=1e-12)


@pytest.mark.parametrize("sizes", [(), (300,)])
def test_bits_do_not_depend_on_the_number_of_threads(rng, sizes):
    X = rng.standard_normal((105, 1000))
    model = SoftmaxRegressionClassifier(sizes, max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, np.arange(105) % 50)
    answers = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            answers.append(model.predict_proba(X[:64]))
    assert_array_equal(answers[1], answers[0])
    assert_array_equal(answers[2], answers[0])


def test_sparse_rows_of_very_many_features_are_not_predicted_one_by_one(monkeypatch):
    X = csr_array((np.ones(500), (np.arange(500), 150 * np.arange(500))))
    model = SoftmaxRegressionClassifier(alpha=1.0).fit(X, np.arange(500) % 2)
    calls = []
    monkeypatch.setattr(prediction, "slice_rows", lambda *args: calls.append(args) or X)
    model.predict(X)
    assert len(calls) == 1

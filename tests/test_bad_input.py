"""Bad input: errors that name the culprit, and a fitted model that stays as it was."""

import pickle
import re
import warnings
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import (
    ConvergenceWarning,
    DataConversionWarning,
    NotFittedError,
)

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

N, P, K = 60, 3, 3
_rng = np.random.default_rng(0)
X = _rng.standard_normal((N, P))
Y = _rng.dirichlet(np.ones(K), size=N)
y = np.arange(N) % K
ONES = np.ones(N)


def changed(array, value, index=5):
    """A copy of an array, or of its first column, with one value replaced."""
    array = np.array(array, dtype=float)
    array[(index, 0) if array.ndim == 2 else index] = value
    return array


def with_object(array, value):
    """The array as an object array with one entry replaced."""
    array = np.array(array, dtype=object)
    array[(5,) + (0,) * (array.ndim - 1)] = value
    return array


def same(a, b):
    """Whether two states are equal all the way down, types included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return pickle.dumps(a) == pickle.dumps(b)


def assert_refused(model, call, *words):
    """The call raises, the message has every word, and nothing of the model changed."""
    before = deepcopy(vars(model))
    with pytest.raises((ValueError, TypeError)) as caught:
        call(model)
    for word in words:
        assert word in str(caught.value)
    assert same(vars(model), before)


@pytest.fixture(params=[(), (4,)], ids=["linear", "hidden"])
def fitted(request):
    return fit_briefly(request.param)


def fit_briefly(sizes, **params):
    """A fitted model; the tests are not about its convergence."""
    model = SoftmaxRegressionClassifier(sizes, random_state=0, max_iter=20, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


BAD_PARAMETERS = [
    ("hidden_layer_sizes", 0),
    ("hidden_layer_sizes", (5, -1)),
    ("hidden_layer_sizes", (2.5,)),
    ("hidden_layer_sizes", "ten"),
    ("hidden_layer_sizes", True),
    ("hidden_layer_sizes", 2**40),
    ("hidden_layer_sizes", 2**70),
    ("activation", "softplus"),
    ("alpha", -1.0),
    ("alpha", np.nan),
    ("alpha", np.inf),
    ("alpha", "strong"),
    ("alpha", 10**400),
    ("tol", 10**400),
    ("fit_intercept", "yes"),
    ("class_weight", "unbalanced"),
    ("class_weight", {0: -1.0}),
    ("class_weight", {0: np.nan}),
    ("class_weight", {9: 1.0}),
    ("label_smoothing", -0.1),
    ("label_smoothing", 1.5),
    ("dropout", -0.1),
    ("dropout", 1.0),
    ("solver", "liblinear"),
    ("max_iter", 0),
    ("max_iter", 1.5),
    ("tol", -1.0),
    ("batch_size", 0),
    ("batch_size", "big"),
    ("learning_rate", "fast"),
    ("learning_rate_init", 0.0),
    ("momentum", 1.5),
    ("nesterovs_momentum", "no"),
    ("early_stopping", "perhaps"),
    ("validation_fraction", 0.0),
    ("validation_fraction", 1.5),
    ("n_iter_no_change", 0),
    ("warm_start", "yes"),
    ("shuffle", "yes"),
    ("random_state", "seed"),
    ("verbose", -1),
]


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_a_bad_parameter_is_named_at_fit_with_its_value(fitted, name, value):
    fitted.set_params(**{name: value})
    shown = str(next(iter(value))) if isinstance(value, dict) else str(value)
    assert_refused(fitted, lambda model: model.fit(X, y), name, shown, "must")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("l1_ratio", {"alpha": 0.01}),
        ("alpha", {}),
        ("label_smoothing", {}),
        ("learning_rate_init", {"hidden_layer_sizes": 3}),
        ("dropout", {"hidden_layer_sizes": 3}),
    ],
)
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble])
def test_the_precision_of_a_parameter_is_not_that_of_the_fit(name, settings, kind):
    models = [
        SoftmaxRegressionClassifier(**settings, random_state=0).set_params(
            **{name: value}
        )
        for value in (kind(0.25), 0.25)
    ]
    found, expected = (model.fit(X, y).predict_proba(X) for model in models)
    assert_array_equal(found, expected)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_a_subnormal_penalty_is_none(l1_ratio):
    model = SoftmaxRegressionClassifier(alpha=5e-324, l1_ratio=l1_ratio).fit(X, y)
    expected = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y)
    assert_array_equal(model.coef_, expected.coef_)


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_the_constructor_only_stores(name, value):
    model = SoftmaxRegressionClassifier(**{name: value})
    assert getattr(model, name) is value


BAD_X = {
    "NaN": (changed(X, np.nan), "X contains NaN"),
    "infinity": (changed(X, np.inf), "X contains infinity"),
    "NaN in CSR": (csr_array(changed(X, np.nan)), "X contains NaN"),
    "no rows": (X[:0], "0 sample"),
    "no features": (X[:, :0], "0 feature"),
    "one dimension": (X[:, 0], "2D array"),
    "three dimensions": (X[:, :, None], "dim 3"),
    "complex": (X + 1j, "Complex"),
    "masked entries": (np.ma.array(X, mask=X > 1), "X contains a masked entry in row"),
    "other rows than y": (X[:-1], "inconsistent numbers of samples"),
}


@pytest.mark.parametrize(("bad", "words"), BAD_X.values(), ids=BAD_X)
def test_bad_features_are_refused(fitted, bad, words):
    target = y[:0] if bad.shape[0] == 0 else y
    assert_refused(fitted, lambda model: model.fit(bad, target), words)


@pytest.mark.parametrize("kind", ["NaN", "infinity", "one dimension"])
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_bad_features_are_refused_in_predictions(fitted, kind, method):
    bad, words = BAD_X[kind]
    assert_refused(fitted, lambda model: getattr(model, method)(bad), words)


BAD_Y = {
    "continuous": (X[:, 0], "continuous"),
    "NaN": (changed(y, np.nan), "y contains NaN"),
    "None": (None, "requires y to be passed"),
    "other rows than X": (y[:-1], "inconsistent numbers of samples"),
    "three dimensions": (Y[:, :, None], "y"),
    "mixed types": (np.array([1, "a", 2] * (N // K), dtype=object), "label"),
    "negative soft label": (Y - [0.3, 0, 0] + [0, 0, 0.3], "y must be >= 0, got -0."),
    "soft label of sum 1.5": (changed(Y, Y[5, 0] + 0.5), "sum to 1; row 5 sums to 1.5"),
    "soft label of NaN": (changed(Y, np.nan), "y contains NaN"),
    "several labels a row": (np.ones((N, K)), "sum to 1; row 0 sums to 3"),
    "sparse": (csr_array(Y), "y"),
    "masked entries": (
        np.ma.array(y, mask=y == 1),
        "y contains a masked entry in row 1",
    ),
    "no time": (np.where(y, y.astype("M8[D]"), np.datetime64("NaT")), "y contains NaT"),
}


@pytest.mark.parametrize(("bad", "words"), BAD_Y.values(), ids=BAD_Y)
def test_bad_targets_are_refused(fitted, bad, words):
    assert_refused(fitted, lambda model: model.fit(X, bad), words)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b", "a"], ["different names", "'a'"]),
        (["a", "b", 1], ["names that sort"]),
        ([0.0, 1.0, np.nan], ["must all have names"]),
    ],
)
def test_soft_labels_whose_columns_name_no_classes_are_refused(fitted, names, words):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(Y, columns=names)
    assert_refused(fitted, lambda model: model.fit(X, frame), "columns of y", *words)


# What NumPy and scikit-learn raise about these does not say which argument is meant.
NAMELESS = {
    "X, text": (with_object(X, "a"), y, ONES, "X"),
    "X, huge": (with_object(X, 10**400), y, ONES, "X"),
    "X, ragged": ([*X.tolist()[1:], [1.0]], y, ONES, "X"),
    "X, beyond float64": (with_object(X, 10**309), y, ONES, "X"),
    "y, ragged": (X, [[0], [0, 1]] * (N // 2), ONES, "y"),
    "y, complex": (X, y + 1j, ONES, "y"),
    "soft y, huge": (X, with_object(Y, 10**400), ONES, "y"),
    "rows of y": (X, y[1:], ONES[1:], "X and y"),
    "weights, text": (X, y, with_object(ONES, "a"), "sample_weight"),
    "weights, huge": (X, y, 10**400, "sample_weight"),
}


@pytest.mark.parametrize(
    ("bad_X", "bad_y", "weights", "word"), NAMELESS.values(), ids=NAMELESS
)
def test_errors_begin_with_the_argument(fitted, bad_X, bad_y, weights, word):
    assert_refused(
        fitted, lambda model: model.fit(bad_X, bad_y, sample_weight=weights), word
    )


@pytest.mark.parametrize("factor", ["a", None, [1.0], 1j, 10**400])
def test_a_class_weight_that_is_no_number_is_named(factor):
    model = SoftmaxRegressionClassifier(class_weight={0: factor})
    assert_refused(model, lambda model: model.fit(X, y), "class_weight")


def test_class_weights_whose_products_overflow_are_refused():
    model = SoftmaxRegressionClassifier(class_weight={0: 1e200})
    assert_refused(
        model,
        lambda model: model.fit(X, y, sample_weight=1e150 * ONES),
        "sample_weight times class_weight",
    )


@pytest.mark.parametrize("classes", [[0, None], [0, "a", object()], [[0], [1, 2]]])
def test_classes_that_do_not_sort_are_named(fitted, classes):
    assert_refused(fitted, lambda model: model.fit(X, y, classes=classes), "classes")


def test_errors_about_validation_data_say_so(fitted):
    bad = changed(X, np.nan)
    assert_refused(fitted, lambda model: model.fit(X, y, X_val=bad, y_val=y), "X_val")
    ragged = [[0], [0, 1]] * (N // 2)
    assert_refused(
        fitted, lambda model: model.fit(X, y, X_val=X, y_val=ragged), "y_val"
    )


BAD_WEIGHTS = {
    "negative": (changed(ONES, -1.0), "must be >= 0, got -1"),
    "all zero": (0 * ONES, "zero for all samples"),
    "NaN": (changed(ONES, np.nan), "contains NaN"),
    "infinite": (changed(ONES, np.inf), "contains infinity"),
    "masked": (np.ma.array(ONES, mask=y == 1), "contains a masked entry in row 1"),
    "huge": (np.full(N, 1e200), "must sum to less than 1e+200"),
    "of infinite sum": (np.full(N, 1e307), "must sum to less than 1e+200, got inf"),
    "too short": (ONES[:-1], "shape"),
    "two columns": (np.ones((N, 2)), "shape"),
}


@pytest.mark.parametrize(("bad", "words"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
@pytest.mark.parametrize("target", [y, Y], ids=["labels", "soft labels"])
def test_bad_weights_are_refused(fitted, target, bad, words):
    assert_refused(
        fitted,
        lambda model: model.fit(X, target, sample_weight=bad),
        "weight",
        words,
    )


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_another_number_of_features_is_refused(fitted, method):
    expected = f"X has 2 features, but {type(fitted).__name__} is expecting 3 features"
    assert_refused(fitted, lambda model: getattr(model, method)(X[:, :2]), expected)


def test_another_number_of_features_is_refused_by_partial_fit():
    model = fit_briefly((), solver="adam")
    assert_refused(model, lambda model: model.partial_fit(X[:, :2], y), "2 features")


@pytest.mark.parametrize("sizes", [(), (4,)])
def test_other_feature_names_are_refused(sizes):
    pandas = pytest.importorskip("pandas")
    model = fit_briefly(sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(pandas.DataFrame(X, columns=["a", "b", "c"]), y)
    renamed = pandas.DataFrame(X, columns=["a", "b", "d"])
    assert_refused(model, lambda model: model.predict(renamed), "feature names", "- d")


def test_a_refused_fit_keeps_the_names_and_the_number_of_features(fitted):
    pandas = pytest.importorskip("pandas")
    wider = np.column_stack([X, X])
    named = pandas.DataFrame(wider, columns=list("abcdef"))
    for bad_X, bad_y in [
        (changed(wider, np.nan), y),
        (wider, X[:, 0]),
        (named, X[:, 0]),
        (named.mask(named > 2), y),
    ]:
        assert_refused(fitted, lambda model, a=bad_X, b=bad_y: model.fit(a, b))
        fitted.predict(X)


def test_a_refused_first_fit_leaves_the_model_unfitted():
    model = SoftmaxRegressionClassifier()
    assert_refused(model, lambda model: model.fit(X, X[:, 0]))
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize(("bad", "words"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
@pytest.mark.parametrize("target", [y, Y], ids=["labels", "soft labels"])
@pytest.mark.parametrize("chooses", [False, True])
def test_bad_weights_are_refused_in_scores(fitted, target, bad, words, chooses):
    if chooses:
        fitted = SoftmaxRegressionClassifierCV(alphas=[0.1], cv=2).fit(X, y)
    assert_refused(
        fitted,
        lambda model: model.score(X, target, sample_weight=bad),
        "sample_weight",
        words,
    )


@pytest.fixture(params=[(), (4,)], ids=["linear", "hidden"])
def incremental(request):
    """A model in the middle of its mini-batches, with classes 0, 1 and 2."""
    model = SoftmaxRegressionClassifier(request.param, solver="adam", random_state=0)
    return model.partial_fit(X, y, classes=[0, 1, 2])


BAD_PARTIAL_FITS = {
    "unseen class": ((X, y + 1), {}, ["[3]", "classes"]),
    "too many soft columns": ((X, np.full((N, 4), 0.25)), {}, ["classes", "3"]),
    "too few soft columns": ((X, np.full((N, 2), 0.5)), {}, ["classes", "2"]),
    "other classes": ((X, y), {"classes": [0, 1]}, ["classes"]),
    "NaN": ((changed(X, np.nan), y), {}, ["X contains NaN"]),
    "negative weight": ((X, y, None, changed(ONES, -1)), {}, ["weight", "-1"]),
}


@pytest.mark.parametrize(
    ("data", "more", "words"), BAD_PARTIAL_FITS.values(), ids=BAD_PARTIAL_FITS
)
def test_a_bad_batch_is_refused(incremental, data, more, words):
    assert_refused(incremental, lambda model: model.partial_fit(*data, **more), *words)


def test_the_first_batch_needs_the_classes():
    model = SoftmaxRegressionClassifier(solver="adam")
    assert_refused(model, lambda model: model.partial_fit(X, y), "classes")
    assert_refused(
        model, lambda model: model.partial_fit(X, y, classes=[0, 1]), "[2]", "classes"
    )


BAD_WARM_STARTS = {
    "fewer classes": (X, y % 2, ["warm_start", "classes"]),
    "new classes": (X, y + 1, ["warm_start", "classes"]),
    "more soft classes": (X, np.full((N, 4), 0.25), ["warm_start", "classes"]),
    "fewer features": (X[:, :2], y, ["X has 2 features", "warm_start", "3"]),
}


@pytest.mark.parametrize(
    ("bad_X", "bad_y", "words"), BAD_WARM_STARTS.values(), ids=BAD_WARM_STARTS
)
@pytest.mark.parametrize("sizes", [(), (4,)])
def test_a_warm_start_from_another_problem_is_refused(sizes, bad_X, bad_y, words):
    model = fit_briefly(sizes, warm_start=True)
    assert_refused(model, lambda model: model.fit(bad_X, bad_y), *words)


def test_a_warm_start_with_other_layers_is_refused():
    model = fit_briefly((4,), warm_start=True).set_params(hidden_layer_sizes=(5,))
    assert_refused(
        model, lambda model: model.fit(X, y), "hidden_layer_sizes", "(5,)", "(4,)"
    )
    assert_refused(model, lambda model: model.partial_fit(X, y), "partial_fit", "(4,)")


def test_announced_classes_must_all_be_there():
    classes = [0.0, 1.0, 2.0, np.nan]
    model = SoftmaxRegressionClassifier(solver="adam")
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="classes contains"):
            fit(X, y, classes=classes)


VALID = {"X_val": X, "y_val": y}
BAD_VALIDATION = {
    "no y_val": ({"X_val": X}, ["y_val"]),
    "no X_val": ({"y_val": y}, ["X_val"]),
    "weights alone": ({"sample_weight_val": ONES}, ["X_val"]),
    "fewer features": (VALID | {"X_val": X[:, :2]}, ["2 features", "3 features"]),
    "NaN": (VALID | {"X_val": changed(X, np.nan)}, ["NaN"]),
    "other rows": (VALID | {"X_val": X[:-1]}, ["inconsistent numbers of samples"]),
    "unseen class": (VALID | {"y_val": y + 1}, ["y_val", "[3]"]),
    "soft sums": (VALID | {"y_val": 2 * Y}, ["y_val", "sum to 1"]),
    "negative weight": (
        VALID | {"sample_weight_val": changed(ONES, -1)},
        ["sample_weight_val", "-1"],
    ),
    "zero weights": (VALID | {"sample_weight_val": 0 * ONES}, ["sample_weight_val"]),
    "short weights": (VALID | {"sample_weight_val": ONES[:-1]}, ["sample_weight_val"]),
}


@pytest.mark.parametrize(("bad", "words"), BAD_VALIDATION.values(), ids=BAD_VALIDATION)
def test_bad_validation_data_are_refused(bad, words):
    model = fit_briefly((4,), early_stopping=True)
    assert_refused(model, lambda model: model.fit(X, y, **bad), *words)


@pytest.mark.parametrize("sizes", [(), (4,)])
@pytest.mark.parametrize("label", [0, "only"])
def test_one_class_gives_a_constant_predictor_with_one_column(sizes, label):
    model = SoftmaxRegressionClassifier(sizes).fit(X, np.full(N, label))
    assert_array_equal(model.classes_, [label])
    assert_array_equal(model.predict(X), np.full(N, label))
    assert_array_equal(model.predict_proba(X), np.ones((N, 1)))
    assert_array_equal(model.predict_log_proba(X), np.zeros((N, 1)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sizes", [(), (4,)])
def test_a_column_of_labels_is_flattened_with_a_warning(sizes):
    flat = fit_briefly(sizes)
    model = clone(flat)
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model.fit(X, y[:, None])
    assert_array_equal(model.predict_proba(X), flat.predict_proba(X))


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
def test_stopping_short_warns_once_by_how_much_and_what_to_do(solver):
    model = SoftmaxRegressionClassifier(solver=solver, max_iter=2)
    with pytest.warns() as caught:
        model.fit(*load_wine(return_X_y=True))
    assert [warning.category for warning in caught] == [ConvergenceWarning]
    message = str(caught[0].message)
    assert "max_iter" in message
    assert "tol" in message
    # The shortfall is in the message, to the digits that it is printed with.
    numbers = [float(text) for text in re.findall(r"[\d.]*\d(?:e[-+]?\d+)?", message)]
    assert np.isclose(numbers, model.optimality_, rtol=0.1).any()
    assert not model.converged_

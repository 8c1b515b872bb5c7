"""Summaries of data that are not in memory: the same numbers, from passes."""

import tracemalloc
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import chunked
from sksoftmax.data import from_arrays
from sksoftmax.inference import (
    compare,
    likelihood_ratio_test,
    summary,
    wald_test,
)

NUMBERS = "coef", "se", "z", "p_value", "conf_int", "loglik", "loglik_null", "n", "df"
CUTS = 0, 130, 131, 400


@pytest.fixture(scope="module")
def data():
    """Features in units far apart, four classes, and counts, some of them zero."""
    rng = np.random.default_rng(3)
    U = rng.standard_normal((400, 3))
    y = np.array(list("adbc"))[
        (U @ rng.normal(size=(3, 4)) + rng.gumbel(size=(400, 4))).argmax(axis=1)
    ]
    return U * [1e-3, 1.0, 1e4] + [5.0, 0.0, -1e5], y, rng.integers(0, 4, 400)


def in_batches(X, *others):
    """Rows in three batches, one of them a single row."""
    return [(X[a:b], *(rows[a:b] for rows in others)) for a, b in pairwise(CUTS)]


def assert_same(found, expected):
    for name in NUMBERS:
        numbers = getattr(found, name), getattr(expected, name)
        assert_allclose(*numbers, rtol=1e-9, atol=1e-12, err_msg=name)
    assert_allclose(found.target_sums, expected.target_sums, rtol=1e-12)
    assert found.notes == expected.notes
    assert (found.weighted, found.soft) == (expected.weighted, expected.soft)
    for label, r2 in expected.tjur_r2.items():
        assert found.tjur_r2[label] == pytest.approx(r2, rel=1e-9)
    assert str(found) == str(expected)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC1", "HC2", "HC3"])
@pytest.mark.parametrize("alpha", [0.0, 1e-2])
@pytest.mark.parametrize("home", ["batches", "dask", "cluster", "file", "table"])
def test_summaries_are_those_of_data_in_memory(
    data, exact, mapped, monkeypatch, request, home, alpha, cov_type
):
    X, y, _ = data
    model = exact(alpha=alpha).fit(X, y)
    if home in ("dask", "cluster"):
        da = pytest.importorskip("dask.array")
        given = da.from_array(X, chunks=(90, 3)), da.from_array(y, chunks=150)
    elif home == "file":
        monkeypatch.setattr(chunked, "LARGEST_LIKE_ARRAY", 0)
        given = mapped(X), y
    else:
        given = (in_batches(X, y),) if home == "batches" else (from_arrays(X, y),)
    client = nullcontext()
    if home == "cluster":
        client = request.getfixturevalue("threaded_client").as_current()
    with client:
        found = summary(model, *given, base="b", cov_type=cov_type)
    assert_same(found, summary(model, X, y, base="b", cov_type=cov_type))


@pytest.mark.parametrize("weights", ["frequency", "importance"])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC3"])
def test_weights_mean_what_they_mean_in_memory(data, exact, weights, cov_type):
    X, y, s = data
    model = exact(alpha=0.0).fit(X, y, s)
    options = {"weights": weights, "cov_type": cov_type}
    found = summary(model, in_batches(X, y, s), **options)
    assert_same(found, summary(model, X, y, s, **options))


@pytest.mark.parametrize("weighted", [False, True])
def test_class_weights_are_importance(data, exact, weighted):
    X, y, s = data
    s = s / 2 if weighted else np.ones(len(y))
    model = exact(alpha=1e-3, class_weight="balanced").fit(X, y, s)
    found = summary(model, in_batches(X, y, s), cov_type="HC0")
    assert_same(found, summary(model, X, y, s, cov_type="HC0"))


def test_soft_labels_and_csr_and_models_without_intercepts(data, exact, rng):
    X, _, _ = data
    X, Y = (
        csr_array(np.where(X.mean(axis=0) < X, X, 0.0)),
        rng.dirichlet(np.ones(3), 400),
    )
    model = exact(alpha=0.0, fit_intercept=False, class_weight={0: 1, 1: 2, 2: 1})
    model.fit(X, Y)
    found = summary(model, in_batches(X, Y), cov_type="HC2")
    assert_same(found, summary(model, X, Y, cov_type="HC2"))


def test_profile_intervals_and_tests_take_passes_too(data, exact):
    X, y, _ = data
    model = exact(alpha=0.0).fit(X, y)
    few = exact(alpha=0.0).fit(X[:, :2], y)
    remote = summary(model, in_batches(X, y), interval="profile")
    assert_same(remote, summary(model, X, y, interval="profile"))
    restricted = summary(few, in_batches(X[:, :2], y))
    assert likelihood_ratio_test(restricted, remote).p_value == pytest.approx(
        likelihood_ratio_test(summary(few, X[:, :2], y), summary(model, X, y)).p_value
    )
    assert wald_test(remote, "x0").df == 3


def test_models_of_other_classes_are_not_compared(data, exact):
    X, y, _ = data
    whole = summary(exact(alpha=0.0).fit(X, y), in_batches(X, y))
    part = exact(alpha=0.0).fit(X[1:], y[1:])
    found = compare({"whole": whole, "part": summary(part, X[1:], y[1:])})
    assert "their classes have other total weights" in found.notes[0]
    assert compare({"whole": whole, "same": whole}).notes == []


def test_linearly_dependent_columns_are_named(data, exact):
    X, y, _ = data
    X = np.column_stack([X, X[:, 0] - X[:, 1]])
    model = exact(alpha=0.0).fit(X, y)
    with pytest.raises(ValueError, match=r"'x[013]' is a combination of"):
        summary(model, in_batches(X, y))


def test_separated_classes_are_refused(exact):
    X, y = np.arange(40.0)[:, None], np.arange(40) > 19
    with pytest.warns(match="separate"):
        model = exact(alpha=0.0).fit(X, y)
    with pytest.raises(ValueError, match="have no standard errors"):
        summary(model, [(X[::2], y[::2]), (X[1::2], y[1::2])])


def test_memory_does_not_grow_with_the_data(mapped, rng, monkeypatch):
    monkeypatch.setattr(chunked, "LARGEST_LIKE_ARRAY", 0)
    X = rng.normal(size=(200_000, 20))
    y = (X[:, :3] + rng.gumbel(size=(200_000, 3))).argmax(axis=1).astype(np.int8)
    model, file = SoftmaxRegressionClassifier(alpha=0.0).fit(X, y), mapped(X)
    del X
    summary(SoftmaxRegressionClassifier(alpha=1.0).fit(file, y), file, y)  # imports
    tracemalloc.start()
    result = summary(model, file, y, cov_type="HC1")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.n == 200_000
    assert peak < 0.5 * file.nbytes


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"X": np.ones((400, 2))}, {}, "X has 2 features, .* fitted on 3"),
        ({"y": np.array(["a", "z"] * 200)}, {}, "batch 0: .*'z'"),
        ({"s": np.full(400, 2.0)}, {}, "say what they are"),
        ({"s": np.full(400, 0.5)}, {"weights": "frequency"}, "a row has 0.5"),
        ({"s": np.full(400, 0.5)}, {"weights": "counts"}, "weights must be one of"),
        ({}, {"cov_type": "cluster", "groups": np.arange(400)}, "needs X in memory"),
        ({}, {"cov_type": "HC4"}, "cov_type must be one of"),
        ({"X": np.zeros((400, 3))}, {}, "'x[012]' is constant"),
    ],
)
def test_what_cannot_be_summarised_is_named(data, exact, changes, options, message):
    X, y, _ = data
    given = {"X": X, "y": y, "s": np.ones(400), **changes}
    model = exact(alpha=0.0).fit(X, y)
    with pytest.raises(ValueError, match=message):
        summary(model, in_batches(*given.values()), **options)


def test_rows_of_other_data_are_refused(data, exact):
    X, y, _ = data
    model = exact(alpha=0.0).fit(X, y)
    with pytest.raises(ValueError, match="are not the data"):
        summary(model, [(X[:300], y[:300])])


def test_names_of_features_are_compared(data, exact):
    pd = pytest.importorskip("pandas")
    X, y, _ = data
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = exact(alpha=0.0).fit(frame, y)
    assert summary(model, in_batches(frame, y)).terms == ["a", "b", "c", "intercept"]
    other = frame.rename(columns={"b": "d"})
    with pytest.raises(ValueError, match="column 1 of X is 'd', and was 'b'"):
        summary(model, in_batches(other, y))


def test_pipelines_are_told_to_pass_their_classifier(data, exact):
    X, y, _ = data
    pipeline = make_pipeline(StandardScaler(), exact(alpha=0.0)).fit(X, y)
    with pytest.raises(ValueError, match=r"model\[-1\]"):
        summary(pipeline, in_batches(X, y))
    scaled = pipeline[0].transform(X)
    assert_same(summary(pipeline[-1], in_batches(scaled, y)), summary(pipeline, X, y))


def test_class_weights_of_counts_are_refused(data, exact):
    X, y, s = data
    model = exact(alpha=1e-3, class_weight={"a": 2.0, "b": 1.0, "c": 1.0, "d": 1.0})
    model.fit(X, y, s)
    with pytest.raises(ValueError, match="together need data in memory"):
        summary(model, in_batches(X, y, s), weights="frequency")

"""What a first pass finds out: the same numbers as from all rows at once."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.summary import Summary, summarize


@pytest.fixture
def survey(rng):
    """A survey of some data in parts of several lengths, one of them empty."""

    def survey(X, y, s, classes=None):
        model = SoftmaxRegressionClassifier()
        survey = Summary(classes)
        edges = [0, 5, 5, 40, 41, len(y)]
        for start, stop in pairwise(edges):
            part = X[start:stop], y[start:stop], s[start:stop]
            survey.add(summarize(model, *part, classes, reset=survey.is_empty))
        assert model.n_features_in_ == X.shape[1]
        assert survey.n_rows == [5, 0, 35, 1, len(y) - 41]
        return survey

    return survey


@pytest.fixture
def data(rng):
    X = rng.normal(size=(90, 3))
    X[:, 1] += 1e6
    X[:, 2] = 0.1  # 0.1 is not the mean of 90 times 0.1 in floating point
    s = rng.uniform(size=90)
    s[::7] = 0.0
    return X, rng.choice(["a", "bcd", "e"], size=90), s


def test_parts_add_up_to_all_rows(data, survey):
    X, y, s = data
    found = survey(X, y, s)
    layout, tally = found.layout(), found.tally()
    Y = y[:, None] == np.unique(y)
    assert_array_equal(tally.classes, np.unique(y))
    assert_allclose(tally.mass, s @ Y, rtol=1e-14)
    assert_array_equal(found.counts, (s > 0) @ Y.astype(int))
    assert layout.n_rows == (s > 0).sum()
    assert_allclose(
        layout.statistics.centre, np.average(X, axis=0, weights=s), rtol=1e-14
    )
    assert layout.statistics.centre[2] == 0.1
    assert (layout.stored_per_row, layout.row_bytes, layout.is_dense) == (3, 24, True)


def test_sparse_parts_are_not_centred(data, survey):
    X, y, s = data
    X = csr_array(np.where(X > 0.05, X, 0.0))
    layout = survey(X, y, s).layout()
    assert not layout.is_dense
    assert_array_equal(layout.statistics.centre, 0.0)
    assert_allclose(layout.stored_per_row, X.nnz / 90)


def test_announced_classes_have_no_weight_where_they_do_not_occur(data, survey):
    found = survey(*data, classes=np.array(["a", "bcd", "e", "z"]))
    assert_array_equal(found.tally().present, [True, True, True, False])
    assert found.counts[3] == 0


def test_single_and_double_parts_are_double_together(data):
    X, y, s = data
    survey = Summary()
    for dtype in (np.float32, np.float64):
        model = SoftmaxRegressionClassifier()
        survey.add(summarize(model, X.astype(dtype), y, s, reset=True))
    assert survey.dtype == np.float64


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 2.0, "e": 0.5}])
def test_factors_of_classes_are_those_of_all_rows(data, survey, class_weight):
    X, y, s = data
    factors = survey(X, y, s).factors(class_weight)
    mass = s @ (y[:, None] == np.unique(y))
    expected = [2.0, 1.0, 0.5]
    if class_weight == "balanced":
        expected = s.sum() / (3 * mass)
    assert_allclose(factors, expected, rtol=1e-14)

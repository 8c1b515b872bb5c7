"""What the first pass finds out: the same numbers as from all rows at once."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.checks import Names
from sksoftmax._data.summary import joined, summarize


@pytest.fixture
def summary_of():
    """The summary of data in parts of several lengths, one of them empty."""

    def summary_of(X, y, s, classes=None):
        model, summary = SoftmaxRegressionClassifier(), None
        for start, stop in pairwise([0, 5, 5, 40, 41, len(y)]):
            part = X[start:stop], y[start:stop], s[start:stop]
            part = summarize(model, part, Names(), classes, reset=summary is None)
            assert start < stop or part is None
            summary = joined(summary, part)
        assert model.n_features_in_ == X.shape[1]
        assert summary.n_rows == len(y)
        return summary

    return summary_of


@pytest.fixture
def data(rng):
    X = rng.normal(size=(90, 3))
    X[:, 1] += 1e6
    X[:, 2] = 0.1  # 0.1 is not the mean of 90 times 0.1 in floating point
    s = rng.uniform(size=90)
    s[::7] = 0.0
    return X, rng.choice(["a", "bcd", "e"], size=90), s


def test_parts_add_up_to_all_rows(data, summary_of):
    X, y, s = data
    found = summary_of(X, y, s)
    Y = y[:, None] == np.unique(y)
    assert_array_equal(found.classes, np.unique(y))
    assert_allclose(found.mass, s @ Y, rtol=1e-14)
    assert_array_equal(found.counts, (s > 0) @ Y.astype(int))
    assert found.n_weighted == (s > 0).sum()
    centre = found.statistics.centre
    assert_allclose(centre, np.average(X, axis=0, weights=s), rtol=1e-14)
    assert centre[2] == 0.1
    assert (found.stored_per_row, found.n_bytes, found.is_dense) == (3, X.nbytes, True)


def test_sparse_parts_are_not_centred(data, summary_of):
    X, y, s = data
    X = csr_array(np.where(X > 0.05, X, 0.0))
    found = summary_of(X, y, s)
    assert not found.is_dense
    assert_array_equal(found.statistics.centre, 0.0)
    assert_allclose(found.stored_per_row, X.nnz / 90)


def test_announced_classes_have_no_weight_where_they_do_not_occur(data, summary_of):
    found = summary_of(*data, classes=np.array(["a", "bcd", "e", "z"]))
    assert_array_equal(found.mass > 0, [True, True, True, False])
    assert found.counts[3] == 0


def test_single_and_double_parts_are_double_together(data):
    X, y, s = data
    model = SoftmaxRegressionClassifier()
    single, double = (
        summarize(model, (X.astype(dtype), y, s), Names(), reset=True)
        for dtype in (np.float32, np.float64)
    )
    assert (single + double).dtype == (double + single).dtype == np.float64


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 2.0, "e": 0.5}])
def test_factors_of_classes_are_those_of_all_rows(data, summary_of, class_weight):
    X, y, s = data
    factors = summary_of(X, y, s).factors(class_weight)
    mass = s @ (y[:, None] == np.unique(y))
    expected = [2.0, 1.0, 0.5]
    if class_weight == "balanced":
        expected = s.sum() / (3 * mass)
    assert_allclose(factors, expected, rtol=1e-14)

"""What X becomes: float rows, dense or CSR, as they were in memory where possible."""

from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.arrays import check_X, convert_X, take_rows

SPARSE_FORMS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]


@pytest.fixture
def estimator():
    """Records the number and the names of the features, as every estimator does."""
    return BaseEstimator()


@pytest.fixture
def X(rng):
    X = rng.standard_normal((6, 4))
    X[rng.random((6, 4)) < 0.5] = 0.0
    return X


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_floats_are_not_copied(estimator, X, order, dtype):
    X = np.asarray(X, dtype=dtype, order=order)
    checked = check_X(estimator, X, reset=True)
    assert np.shares_memory(checked, X)
    assert checked.dtype == dtype
    assert checked.flags[f"{order}_CONTIGUOUS"]


def test_rows_with_gaps_in_memory_are_not_copied(estimator, X):
    view = np.repeat(X, 2, axis=0)[::2, ::2]
    assert np.shares_memory(check_X(estimator, view, reset=True), view)


@pytest.mark.parametrize("dtype", ["i8", "u1", "?", "f2", "g", "O"])
def test_other_numbers_become_double_precision(estimator, dtype):
    numbers = [[0, 1], [1, 1], [1, 0]]
    checked = check_X(estimator, np.array(numbers, dtype), reset=True)
    assert checked.dtype == np.float64
    assert_array_equal(checked, numbers)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_csr_floats_are_not_copied(estimator, X, kind, index, dtype):
    X = kind(X.astype(dtype))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    checked = check_X(estimator, X, reset=True)
    assert type(checked) is kind
    assert checked.dtype == dtype
    assert np.shares_memory(checked.data, X.data)


def untidy(X):
    """CSR with entries out of order, and the last one in two halves."""
    tidy = sparse.csr_array(X)
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in pairwise(tidy.indptr)])
    data, indices, indptr = tidy.data[order], tidy.indices[order], tidy.indptr.copy()
    data[-1] /= 2
    data, indices = np.append(data, data[-1]), np.append(indices, indices[-1])
    indptr[-1] += 1
    for array in (data, indices, indptr):
        array.flags.writeable = False
    return sparse.csr_array((data, indices, indptr), shape=X.shape)


def test_entries_out_of_order_or_in_parts_are_put_right_in_a_copy(estimator, X):
    given = untidy(X)
    data, indices = given.data.copy(), given.indices.copy()
    for checked in (check_X(estimator, given, reset=True), convert_X(given)):
        assert checked.has_canonical_format
        assert_array_equal(checked.toarray(), X)
        assert_array_equal(given.data, data)
        assert_array_equal(given.indices, indices)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sizes", [(), (4,)], ids=str)
def test_a_fit_does_not_tidy_up_what_it_was_given(rng, sizes):
    X = rng.standard_normal((40, 4)) * (rng.random((40, 4)) < 0.5)
    y = np.arange(40) % 3
    given = untidy(X)
    data = given.data.copy()
    model = SoftmaxRegressionClassifier(sizes, alpha=0.1, random_state=0)
    loss = model.fit(given, y).loss_
    assert_array_equal(given.data, data)
    assert_allclose(loss, model.fit(sparse.csr_array(X), y).loss_, rtol=1e-6)


@pytest.mark.parametrize("form", SPARSE_FORMS)
@pytest.mark.parametrize("array_or_matrix", ["array", "matrix"])
def test_every_sparse_form_becomes_csr(estimator, X, form, array_or_matrix):
    make = getattr(sparse, f"{form}_{array_or_matrix}")
    checked = check_X(estimator, make(X), reset=True)
    assert checked.format == "csr"
    assert_array_equal(checked.toarray(), X)


def test_sparse_integers_become_double_precision(estimator):
    checked = check_X(estimator, sparse.csr_array([[0, 2], [1, 0]]), reset=True)
    assert checked.dtype == np.float64


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_names_of_a_frame_are_recorded_and_compared(estimator, X, frame):
    columns = dict(zip("abcd", X.T, strict=True))
    assert_array_equal(check_X(estimator, frame(columns), reset=True), X)
    assert estimator.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert estimator.n_features_in_ == 4
    check_X(estimator, frame(columns), reset=False)
    renamed = dict(zip("abce", X.T, strict=True))
    with pytest.raises(ValueError, match="feature names"):
        check_X(estimator, frame(renamed), reset=False)


@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array])
def test_another_number_of_features_is_refused(estimator, X, store):
    check_X(estimator, store(X), reset=True)
    with pytest.raises(ValueError, match="X has 3 features"):
        check_X(estimator, store(X[:, :3]), reset=False)


@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(estimator, X, store, value):
    X[3, 2] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        check_X(estimator, store(X), reset=True)


@pytest.mark.parametrize(
    "bad", [np.ones(3), np.ones((2, 2, 2)), np.ones((0, 2)), np.ones((2, 0)), [["a"]]]
)
def test_what_is_not_a_table_of_numbers_is_refused(estimator, bad):
    with pytest.raises(ValueError, match=r"2D|dim|minimum of 1|convert"):
        check_X(estimator, bad, reset=True)


# Rows


@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array])
def test_rows_are_taken_by_a_mask_or_by_numbers(X, store):
    mask = np.array([True, False, True, False, False, True])
    for rows in (mask, np.array([0, 2, 5])):
        taken = take_rows(store(X), rows)
        assert_array_equal(
            taken.toarray() if store is not np.asarray else taken, X[mask]
        )


@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array])
def test_all_rows_are_taken_without_a_copy(X, store):
    X = store(X)
    assert take_rows(X, np.ones(6, dtype=bool)) is X

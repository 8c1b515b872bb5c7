"""Batches that cannot be used: the error says which one, and what to do."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from sksoftmax import SoftmaxRegressionClassifier


@pytest.fixture
def batches(rng):
    y = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    return [(rng.normal(size=(8, 3)) + y[:, None], y) for _ in range(4)]


def fails(batches, message, kind=ValueError, **parameters):
    """Check that a fit on them raises, and leaves nothing fitted behind."""
    model = SoftmaxRegressionClassifier(**parameters)
    with pytest.raises(kind, match=message):
        model.fit(batches)
    assert not hasattr(model, "coefs_")
    assert not hasattr(model, "n_features_in_")


def test_a_generator_is_exhausted_after_one_pass(batches):
    fails((batch for batch in batches), "'generator', which is exhausted .* function")


def test_an_iterable_that_yields_less_in_the_second_pass(batches):
    iterator = iter(batches)

    class Once:
        def __iter__(self):
            return iterator

    fails(Once(), "There were 0 batches, and 4 in the first pass. .* function")


def test_a_pass_with_one_batch_more(batches):
    passes = []

    def growing():
        passes.append(None)
        return iter(batches if len(passes) == 1 else [*batches, batches[0]])

    fails(growing, r"batch 4: X has the shape \(8, 3\)")


def test_a_batch_of_another_width(batches):
    batches[2] = (batches[2][0][:, :2], batches[2][1])
    fails(batches, "batch 2: X has 2 features, but .* expecting 3 features")


def test_a_batch_with_missing_values(batches):
    batches[3][0][1, 1] = np.nan
    fails(batches, "batch 3: Input X contains NaN in row 1, column 1")


def test_a_batch_with_fewer_labels_than_rows(batches):
    batches[1] = (batches[1][0], batches[1][1][:5])
    fails(batches, r"batch 1: .*inconsistent numbers of samples: \[8, 5\]")


def test_a_batch_with_fewer_weights_than_rows(batches):
    batches[1] = (*batches[1], np.ones(7))
    fails(batches, "batch 1: sample_weight must be 1D with one weight a sample")


def test_weights_that_are_all_zero_in_one_batch_or_in_all(batches):
    nothing = np.zeros(8)
    fails([(*batch, nothing) for batch in batches], "must not be zero for all samples")
    some = [(*batches[0], nothing), *batches[1:]]
    model = SoftmaxRegressionClassifier().fit(some)
    oracle = SoftmaxRegressionClassifier().fit(
        np.concatenate([X for X, _ in batches[1:]]),
        np.concatenate([y for _, y in batches[1:]]),
    )
    np.testing.assert_allclose(model.coef_, oracle.coef_, rtol=1e-4)


def test_labels_that_were_not_announced(batches):
    model = SoftmaxRegressionClassifier()
    with pytest.raises(ValueError, match=r"batch 0: y has the labels \[2\], .* \[0, 1"):
        model.fit(batches, classes=[0, 1])
    assert not hasattr(model, "coefs_")


def test_labels_that_appear_after_the_first_pass(batches):
    passes = []

    def changing():
        passes.append(None)
        for number, (X, y) in enumerate(batches):
            yield X, y + 7 * (len(passes) > 3 and number == 2)

    fails(changing, r"batch 2: y has the labels \[7, 8, 9\]")


def test_labels_of_several_types(batches):
    batches[1] = (batches[1][0], batches[1][1].astype(str))
    fails(batches, "batch 1: y has labels of type <U.*int", TypeError)


def test_soft_labels_in_some_batches_only(batches):
    batches[1] = (batches[1][0], np.eye(3)[batches[1][1]])
    fails(batches, "batch 1: y must hold soft labels in all")


def test_sparse_rows_in_some_batches_only(batches):
    batches[1] = (csr_array(batches[1][0]), batches[1][1])
    fails(batches, "batch 1: X must be sparse in all parts or in none")


@pytest.mark.parametrize("batch", ["text", (np.ones((2, 2)),), 3.0])
def test_what_is_no_batch(batches, batch):
    fails(lambda: iter([*batches, batch]), "batch 4: a batch of X must be", TypeError)


def test_no_batches_at_all():
    fails(lambda: iter([]), "no batches")


def test_labels_beside_batches(batches):
    with pytest.raises(ValueError, match="y must be None"):
        SoftmaxRegressionClassifier().fit(lambda: iter(batches), [0, 1])


def test_tables_without_labels_are_not_taken_for_batches():
    for X in ([[1.0, 2.0], [3.0, 4.0]], [(1.0, 2.0), (3.0, 4.0)], np.eye(2)):
        with pytest.raises(ValueError, match="requires y to be passed"):
            SoftmaxRegressionClassifier().fit(X)


def test_an_error_of_the_users_own_comes_through(batches):
    def failing():
        yield batches[0]
        raise FileNotFoundError("shard 1")

    fails(failing, "shard 1", FileNotFoundError)


@pytest.mark.usefixtures("small_files_are_read")
def test_a_memory_mapped_table_with_missing_values_or_labels(tmp_path):
    X = np.memmap(tmp_path / "X", np.float64, "w+", shape=(100, 2))
    X[:] = np.arange(200).reshape(100, 2)
    y = np.arange(100) % 2
    model = SoftmaxRegressionClassifier()
    with pytest.raises(ValueError, match=r"inconsistent .* \[100, 99\]"):
        model.fit(X, y[1:])
    with pytest.raises(ValueError, match=r"inconsistent .* \[100, 7\]"):
        model.fit(X, y, np.ones(7))
    X[50, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


def test_rows_that_are_a_list_are_named(batches):
    batches[1] = (batches[1][0].tolist(), batches[1][1])
    fails(lambda: iter(batches), "batch 1: X must be an array.* 'list'", TypeError)


@pytest.mark.parametrize("parameters", [{}, {"class_weight": {0: 1e190}}], ids=str)
def test_weights_that_are_too_large_together_only(batches, parameters):
    weight = 1e9 if parameters else 4e198
    weighted = [(X, y, np.full(8, weight)) for X, y in batches]
    fails(weighted, "sample_weight .*must sum to less than 1e.200", **parameters)


@pytest.mark.parametrize("store", [np.asarray, csr_array])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_features_whose_squares_overflow(batches, store, solver):
    batches[2][0][1, 1] = 1e160
    stored = [(store(X), y) for X, y in batches]
    fails(stored, "X is too large: squares of its entries", solver=solver)


def test_features_may_be_anything_in_rows_without_weight(batches):
    batches[2][0][1, 1] = 1e160
    weights = np.ones(8)
    weights[1] = 0.0
    model = SoftmaxRegressionClassifier().fit([(X, y, weights) for X, y in batches])
    assert np.isfinite(model.coef_).all()

"""Every home for data has the rows' sums, statistics and fit, by their formulas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import log_softmax

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import chunked, dask, homes, in_memory
from sksoftmax._data.dataset import Dataset
from sksoftmax._utils.threads import Threads

N_ROWS, ALPHA = 60, 0.1
CLASS_WEIGHT = {0: 1.0, 1: 2.0, 2: 0.5}

pytestmark = pytest.mark.usefixtures("small_files_are_read")


def in_array(X, y, s, folder):
    return X, y, s


def in_batches(X, y, s, folder):
    return (
        [(X[i : i + 25], y[i : i + 25], s[i : i + 25]) for i in (0, 25, 50)],
        None,
        None,
    )


def in_file(X, y, s, folder):
    file = np.memmap(folder / "X", X.dtype, "w+", shape=X.shape)
    file[:] = X
    return file, y, s


def in_dask(X, y, s, folder):
    array = pytest.importorskip("dask.array")
    return tuple(
        array.from_array(part, chunks=(25, *part.shape[1:])) for part in (X, y, s)
    )


HOMES = {
    in_memory.HOME: in_array,
    chunked.HOME_OF_BATCHES: in_batches,
    chunked.HOME_OF_FILES: in_file,
    dask.HOME: in_dask,
}


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(N_ROWS, 4)) + np.array([0.0, 1.0, -2.0, 0.0])
    y = (X[:, :3] + rng.gumbel(size=(N_ROWS, 3))).argmax(axis=1)
    s = rng.uniform(0.5, 2.0, size=N_ROWS)
    s[::7] = 0.0
    return X, y, s


@pytest.fixture(params=HOMES, ids=[make.__name__ for make in HOMES.values()])
def home(request):
    return request.param


@pytest.fixture
def data(home, rows, tmp_path):
    """X, y and weights, as users have them in this home."""
    return HOMES[home](*rows, tmp_path)


@pytest.fixture
def dataset(data):
    estimator = SoftmaxRegressionClassifier(class_weight=CLASS_WEIGHT)
    return homes.check(estimator, data, "passes")


def weights_of(rows):
    _, y, s = rows
    return s * np.array([CLASS_WEIGHT[label] for label in y])


def test_every_home_has_rows_here():
    assert set(HOMES) == set(homes.HOMES)


def test_data_come_to_their_home_and_no_other(home, data):
    first = next(h for h in homes.HOMES if h.recognises(data, "passes", None))
    assert first is home


def test_a_dataset_has_what_the_protocol_asks_for(dataset):
    needs = {*Dataset.__annotations__, *vars(Dataset)}
    needs = {name for name in needs if not name.startswith("_")}
    assert [name for name in sorted(needs) if not hasattr(dataset, name)] == []


def test_sizes_classes_and_weights_are_those_of_the_rows(dataset, rows):
    y, weights = rows[1], weights_of(rows)
    dataset = dataset.with_weight()
    assert dataset.n_rows == np.count_nonzero(weights)
    assert (dataset.n_features, dataset.dtype) == (4, np.float64)
    assert_array_equal(dataset.targets.classes, [0, 1, 2])
    assert_allclose(dataset.targets.mass, np.bincount(y, weights))
    assert_allclose(dataset.targets.total_weight, weights.sum())


def test_statistics_are_weighted_as_the_rows_are(dataset, rows):
    X, weights = rows[0], weights_of(rows)
    statistics = dataset.with_weight().statistics()
    mean = np.average(X, axis=0, weights=weights)
    assert_allclose(statistics.mean, mean)
    expected = np.average((X - mean) ** 2, axis=0, weights=weights)
    assert_allclose(statistics.variance, expected)


def test_a_sum_over_chunks_is_the_sum_over_rows(dataset, rows):
    X, weights = rows[0], weights_of(rows)
    total = dataset.with_weight().chunks(Threads()).sum(weighted_rows)
    assert_allclose(total, weights @ X)


def weighted_rows(chunk):
    return chunk.s @ chunk.X


def test_smoothing_moves_weight_to_all_classes(dataset):
    mass = dataset.targets.mass
    smoothed = dataset.smooth(0.3).targets.mass
    before = mass / dataset.factors  # class weights are multiplied in afterwards
    expected = dataset.factors * (0.7 * before + 0.3 * before.sum() / 3)
    assert_allclose(smoothed, expected)
    assert_allclose(dataset.targets.mass, mass)


def test_restricting_leaves_out_an_announced_class_without_rows(data):
    estimator, classes = SoftmaxRegressionClassifier(), np.arange(4)
    dataset = homes.check(estimator, data, "passes", classes=classes)
    assert_array_equal(dataset.targets.present, classes < 3)
    restricted = dataset.restrict(dataset.targets.present)
    assert_array_equal(restricted.targets.classes, [0, 1, 2])
    assert restricted.chunks(Threads()).n_classes == 3
    assert_array_equal(dataset.targets.classes, classes)


def test_the_fit_is_at_the_minimum_and_predictions_follow_from_it(data, rows):
    X, y, _ = rows
    model = SoftmaxRegressionClassifier(
        alpha=ALPHA, class_weight=CLASS_WEIGHT, tol=1e-12
    )
    model.fit(*data)
    weights = weights_of(rows)

    def F(w):
        W, b = w[:12].reshape(4, 3), w[12:]
        losses = -log_softmax(X @ W + b, axis=1)[np.arange(N_ROWS), y]
        return np.average(losses, weights=weights) + 0.5 * ALPHA * W.ravel() @ W.ravel()

    minimum = minimize(F, np.zeros(15), options={"gtol": 1e-8}).fun
    assert model.converged_
    assert_allclose(model.loss_, minimum, rtol=1e-8)
    found = np.append(model.coef_.T.ravel(), model.intercept_)
    assert_allclose(F(found), minimum, rtol=1e-8)
    inputs = X if isinstance(data[0], list) else data[0]
    P = np.asarray(model.predict_proba(inputs))
    assert_allclose(
        np.log(P), log_softmax(X @ model.coef_.T + model.intercept_, axis=1)
    )


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("size", [1e12, 1.7e18])
def test_a_large_constant_column_has_no_effect(home, rows, tmp_path, size, solver):
    X, y, s = rows
    model = SoftmaxRegressionClassifier(alpha=ALPHA, solver=solver)
    expected = model.fit(X, y, s).predict_proba(X)
    X = np.c_[X, np.full(N_ROWS, size)]
    model.fit(*HOMES[home](X, y, s, tmp_path))
    assert model.converged_
    assert_allclose(model.predict_proba(X), expected, atol=1e-4)
    assert_allclose(model.coefs_[0][-1], 0.0, atol=1e-9 / size)


def pandas_table(columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def polars_table(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def arrow_table(columns):
    return pytest.importorskip("pyarrow").table(columns)


def arrow_chunks(columns):
    """An arrow table whose columns are in several pieces."""
    arrow, table = pytest.importorskip("pyarrow"), arrow_table(columns)
    return arrow.concat_tables([table.slice(0, 7), table.slice(7)])


def arrow_batch(columns):
    return pytest.importorskip("pyarrow").RecordBatch.from_pydict(columns)


def narwhals_table(columns):
    return pytest.importorskip("narwhals").from_native(arrow_table(columns))


@pytest.mark.parametrize(
    "table",
    [
        pandas_table,
        polars_table,
        arrow_table,
        arrow_chunks,
        arrow_batch,
        narwhals_table,
    ],
)
def test_columns_of_soft_labels_name_the_classes(home, rows, table, rng, tmp_path):
    X, _, s = rows
    Y = rng.dirichlet(np.ones(3), size=N_ROWS)
    named = table(dict(zip(["q", "r", "p"], Y.T, strict=True)))
    if home is chunked.HOME_OF_BATCHES:
        data = [(X, named, s)], None, None
    else:
        data = HOMES[home](X, Y, s, tmp_path)
        data = data[0], named, data[2]
    model = SoftmaxRegressionClassifier(tol=1e-9).fit(*data)
    assert_array_equal(model.classes_, ["p", "q", "r"])
    expected = SoftmaxRegressionClassifier(tol=1e-9).fit(X, Y, s).predict_proba(X)
    assert_allclose(model.predict_proba(X), expected[:, [2, 0, 1]], atol=1e-5)

"""Data that are not in memory: the fit in memory is the oracle, and its certificate."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import chunks as _chunks
from sksoftmax._data import sources as _sources
from sksoftmax._data import streamed_chunks as _stream_chunks
from sksoftmax._data.arrays import is_in_file
from sksoftmax.exceptions import InterruptionWarning

N_ROWS, N_FEATURES, N_CLASSES = 3000, 6, 3

pytestmark = pytest.mark.usefixtures("small_files_are_read")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(N_ROWS, N_FEATURES))
    X[rng.random(X.shape) < 0.2] = 0.0
    X[:, 0] = 0.1 * X[:, 0] + 1.0
    Z = X @ rng.normal(size=(N_FEATURES, N_CLASSES))
    y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    s = rng.uniform(0.5, 2.0, size=N_ROWS)
    s[rng.random(N_ROWS) < 0.1] = 0.0
    return X, y, s


@pytest.fixture
def mapped(tmp_path):
    """Put an array into a file and map it."""

    def mapped(array, order="C", name="X"):
        path = tmp_path / name
        file = np.memmap(path, array.dtype, "w+", shape=array.shape, order=order)
        file[:] = array
        file.flush()
        return np.memmap(path, array.dtype, "r", shape=array.shape, order=order)

    return mapped


def batches_of(size, *arrays):
    """A list of batches of so many rows."""
    n_rows = arrays[0].shape[0]
    return [
        tuple(array[start : start + size] for array in arrays)
        for start in range(0, n_rows, size)
    ]


def assert_same_model(model, oracle, rtol=1e-8):
    assert model.converged_
    assert_array_equal(model.classes_, oracle.classes_)
    size = np.abs(oracle.coef_).max()
    assert_allclose(model.coef_, oracle.coef_, rtol=rtol, atol=rtol * size)
    assert_allclose(model.intercept_, oracle.intercept_, rtol=rtol, atol=rtol * size)
    assert_allclose(model.loss_, oracle.loss_, rtol=1e-12)
    assert model.n_features_in_ == oracle.n_features_in_
    assert model.coefs_[0].dtype == oracle.coefs_[0].dtype


# The same optimum


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_a_memory_mapped_table_has_the_optimum_of_the_table_in_memory(
    data, mapped, exact, monkeypatch, order, dtype
):
    monkeypatch.setattr(_sources, "_BATCH_BYTES", 10_000)
    X, y, s = data
    X = (4 * X).astype(dtype)
    rtol = 1e-6 if dtype == np.float32 else 1e-8  # of coefficients kept in float32
    model = exact().fit(mapped(X, order), y, s)
    assert_same_model(model, exact().fit(X, y, s), rtol)


@pytest.mark.parametrize("form", [csr_array, csr_matrix])
def test_a_memory_mapped_sparse_matrix_too(data, mapped, exact, monkeypatch, form):
    monkeypatch.setattr(_sources, "_BATCH_BYTES", 10_000)
    X, y, s = data
    X = form(X)
    parts = (X.data, X.indices, X.indptr)
    parts = [mapped(part, name=str(i)) for i, part in enumerate(parts)]
    file = form(tuple(parts), shape=X.shape)
    assert is_in_file(file)
    assert_same_model(exact().fit(file, y, s), exact().fit(X, y, s))


class Shards:
    """Something that can be iterated once per pass and is no sequence."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize("size", [50, 500, N_ROWS])
@pytest.mark.parametrize("form", [list, Shards, lambda batches: lambda: iter(batches)])
def test_batches_of_any_size_and_form_have_the_optimum_of_all_rows(
    data, exact, size, form
):
    model = exact().fit(form(batches_of(size, *data)))
    assert_same_model(model, exact().fit(*data))


@pytest.mark.parametrize("store", [np.asfortranarray, csr_array, csr_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_batches_may_be_sparse_and_single(data, exact, store, dtype):
    X, y, s = data
    X = X.astype(dtype)
    model = exact().fit([(store(X), y, s) for X, y, s in batches_of(400, X, y, s)])
    oracle = exact().fit(store(X), y, s)
    assert_same_model(model, oracle, 1e-6 if dtype == np.float32 else 1e-8)


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": 0.0},
        {"alpha": 0.1, "fit_intercept": False},
        {"class_weight": "balanced"},
        {"class_weight": {0: 3.0, 1: 0.0}},
        {"label_smoothing": 0.1},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
@pytest.mark.parametrize("soft", [False, True])
def test_all_that_shapes_the_objective_applies_to_batches(
    data, exact, rng, parameters, soft
):
    X, y, s = data
    if soft:
        y = 0.8 * np.eye(N_CLASSES)[y] + 0.2 * rng.dirichlet(np.ones(3), size=y.size)
    model = exact(**parameters).fit(batches_of(400, X, y, s))
    rtol = 1e-6 if "solver" in parameters else 1e-8  # lbfgs stops a little earlier
    assert_same_model(model, exact(**parameters).fit(X, y, s), rtol)


def test_two_classes_named_by_words_of_several_lengths(data, exact):
    X, y, s = data
    words = np.array(["no", "perhaps"])[np.minimum(y, 1)]
    batches = [
        (X, labels.astype(object), s) for X, labels, s in batches_of(400, X, words, s)
    ]
    assert_same_model(exact().fit(batches), exact().fit(X, words.astype(object), s))


def test_data_frames_name_features_and_soft_classes(data, exact, rng):
    pd = pytest.importorskip("pandas")
    X, y, _ = data
    X = pd.DataFrame(X, columns=list("abcdef"))
    Y = pd.DataFrame(0.7 * np.eye(3)[y] + 0.1, columns=["r", "q", "p"])
    frames = [(X[a : a + 900], Y[a : a + 900]) for a in range(0, N_ROWS, 900)]
    model = exact().fit(frames)
    assert_same_model(model, exact().fit(X, Y))
    assert list(model.feature_names_in_) == list("abcdef")
    assert list(model.classes_) == ["p", "q", "r"]


@pytest.mark.parametrize("as_batches", [False, True])
def test_announced_classes_need_not_occur(data, exact, as_batches):
    X, y, _ = data
    given = (batches_of(400, X, y),) if as_batches else (X, y)
    model = exact().fit(*given, classes=[9, 0, 1, 2])
    oracle = exact().fit(X, y)
    assert_array_equal(model.classes_, [0, 1, 2, 9])
    P = model.predict_proba(X)
    assert_allclose(P[:, :3], oracle.predict_proba(X), atol=1e-9)
    assert P[:, 3].max() < 1e-15


def test_validation_data_may_come_in_batches(data, exact):
    X, y, s = data
    train, held = slice(0, 2000), slice(2000, None)
    validation = batches_of(300, X[held], y[held], s[held])
    model = exact().fit(batches_of(300, X[train], y[train], s[train]), X_val=validation)
    expected = exact().fit(
        X[train],
        y[train],
        s[train],
        X_val=X[held],
        y_val=y[held],
        sample_weight_val=s[held],
    )
    for curve in ("validation_loss_curve_", "validation_score_curve_"):
        assert_allclose(getattr(model, curve)[-1], getattr(expected, curve)[-1])


def test_large_data_begin_with_a_sample(rng, exact):
    X = rng.normal(size=(30_000, 3))
    y = (X @ rng.normal(size=(3, 3)) + rng.gumbel(size=(30_000, 3))).argmax(axis=1)
    reads = []

    def batches():
        reads.append(None)
        return iter(batches_of(5000, X, y))

    model = exact().fit(batches)
    assert_same_model(model, exact().fit(X, y))
    assert len(reads) <= model.n_passes_ < len(reads) + 10


@pytest.mark.parametrize("factor", [1e-4, 1e-2, 1e2, 1e5])
def test_the_sample_does_not_depend_on_the_unit_of_class_weights(rng, exact, factor):
    X = rng.normal(size=(30_000, 3))
    y = (X @ rng.normal(size=(3, 3)) + rng.gumbel(size=(30_000, 3))).argmax(axis=1)
    batches = batches_of(5000, X, y)
    expected = exact().fit(batches)
    model = exact(class_weight=dict.fromkeys(range(3), factor)).fit(batches)
    assert_same_model(model, expected)
    assert_allclose(model.n_passes_, expected.n_passes_, rtol=0.1)


# Time and memory


def test_passes_are_counted(data, exact):
    reads = []

    def batches():
        reads.append(None)
        return iter(batches_of(1000, *data))

    assert exact().fit(batches).n_passes_ == len(reads)


@pytest.mark.parametrize("as_batches", [False, True])
@pytest.mark.parametrize("alpha", [1e-3, 1e-6])
def test_what_is_too_large_to_keep_is_computed_again(
    data, mapped, exact, monkeypatch, as_batches, alpha
):
    X, y, s = data
    y = np.where(X[:, 0] > 1.0, 0, y)  # nearly separable: steps have to be shortened
    monkeypatch.setattr(_stream_chunks, "_LARGEST_KEPT", 0)
    monkeypatch.setattr(_sources, "_BATCH_BYTES", 10_000)
    given = (batches_of(500, X, y, s),) if as_batches else (mapped(X), y, s)
    model = exact(alpha=alpha).fit(*given)
    assert_same_model(model, exact(alpha=alpha).fit(X, y, s), 1e-7)


def test_memory_does_not_grow_with_the_data(mapped, rng, monkeypatch):
    monkeypatch.setattr(_sources, "_BATCH_BYTES", 2**20)
    monkeypatch.setattr(_stream_chunks, "_LARGEST_KEPT", 2**18)
    X = rng.normal(size=(200_000, 20)).astype(np.float32)
    y = (X[:, :3] + rng.gumbel(size=(200_000, 3))).argmax(axis=1).astype(np.int8)
    file = mapped(X)
    SoftmaxRegressionClassifier().fit(file[:2000], y[:2000])  # imports what it needs
    tracemalloc.start()
    model = SoftmaxRegressionClassifier().fit(file, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert model.converged_
    assert peak < 0.5 * X.nbytes  # in memory, targets alone would take 0.6 of that


@pytest.mark.parametrize("as_batches", [False, True])
def test_bits_do_not_depend_on_the_number_of_threads(
    data, mapped, monkeypatch, as_batches
):
    monkeypatch.setattr(_chunks, "_WORTH_THREADS", 0)
    monkeypatch.setattr(_chunks, "_CHUNK_BYTES", 4000)
    X, y, s = data
    coefs = []
    for n_threads in (1, 2, 3):
        given = (batches_of(800, X, y, s),) if as_batches else (mapped(X), y, s)
        with threadpool_limits(n_threads, user_api="blas"):
            coefs.append(SoftmaxRegressionClassifier().fit(*given).coef_)
    assert_array_equal(coefs[1], coefs[0])
    assert_array_equal(coefs[2], coefs[0])


# Interruptions


def interrupted_after(n_passes, batches):
    """The batches, and Ctrl-C in the middle of a pass."""
    passes = []

    def open_pass():
        passes.append(None)
        for number, batch in enumerate(batches):
            if len(passes) > n_passes and number == 1:
                raise KeyboardInterrupt
            yield batch

    return open_pass


@pytest.mark.parametrize("n_passes", [0, 1])
def test_a_fit_interrupted_before_its_first_iterate_leaves_the_estimator(
    data, n_passes
):
    batches = batches_of(500, *data)
    model = SoftmaxRegressionClassifier(alpha=10.0).fit(batches)
    before = dict(vars(model))
    with pytest.raises(KeyboardInterrupt):
        model.fit(interrupted_after(n_passes, batches))
    assert vars(model) == before


def test_later_it_keeps_the_last_iterate_and_a_warm_start_goes_on_from_there(
    data, exact
):
    batches = batches_of(500, *data)
    oracle = exact().fit(*data)
    model = exact(warm_start=True)
    with pytest.warns(InterruptionWarning):
        model.fit(interrupted_after(oracle.n_passes_ // 2, batches))
    assert not model.converged_
    assert len(model.loss_curve_) == model.n_iter_ > 0
    assert model.loss_ == model.loss_curve_[-1] > oracle.loss_
    assert_same_model(model.fit(batches), oracle)

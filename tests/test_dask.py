"""dask collections, with and without a cluster: the fit in memory is the oracle."""

import os
import re
import runpy
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._data import dask_chunks, minibatches

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

N_ROWS, N_FEATURES, N_CLASSES = 3000, 6, 3

no_dashboard = {"dashboard_address": ":0", "silence_logs": 50}


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


def chunked(X, y, s, rows=700):
    return tuple(da.from_array(a, chunks=(rows, *a.shape[1:])) for a in (X, y, s))


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


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"alpha": 0.0},
        {"class_weight": "balanced", "fit_intercept": False},
        {"class_weight": {1: 0.0}, "label_smoothing": 0.1},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
@pytest.mark.parametrize("soft", [False, True])
def test_dask_arrays_have_the_optimum_of_the_arrays(
    data, exact, rng, scheduler, parameters, soft
):
    X, y, s = data
    if soft:
        y = 0.8 * np.eye(N_CLASSES)[y] + 0.2 * rng.dirichlet(np.ones(3), size=y.size)
    model = exact(**parameters).fit(*chunked(X, y, s))
    rtol = 1e-6 if "solver" in parameters else 1e-8  # lbfgs stops a little earlier
    assert_same_model(model, exact(**parameters).fit(X, y, s), rtol)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_train_on_chunks_as_on_arrays(data, scheduler):
    model = SoftmaxRegressionClassifier((4,), max_iter=2, shuffle=False, random_state=0)
    expected = model.fit(*data).coefs_
    for ours, theirs in zip(model.fit(*chunked(*data)).coefs_, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


read = []


def record(rows, block_info=None):
    """Rows of a chunk, whose number is kept. Workers that are threads find it here."""
    read.append(block_info[0]["chunk-location"][0])
    return rows


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_see_chunks_in_random_order(data, scheduler, monkeypatch):
    X, y, _ = data
    monkeypatch.setattr(minibatches, "LARGEST_WINDOW", X.nbytes // 4)
    dX, dy = da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)
    dX = dX.map_blocks(record, dtype=X.dtype, meta=np.zeros((0, X.shape[1])))
    read.clear()
    SoftmaxRegressionClassifier((8,), max_iter=3, random_state=0).fit(dX, dy)
    *checks, first, second, third = np.reshape(read, (-1, 10)).tolist()
    in_order = list(range(10))
    assert all(order == in_order for order in checks)
    assert sorted(first) == sorted(second) == sorted(third) == in_order
    assert first != in_order
    assert second not in (in_order, first)


@pytest.mark.parametrize(
    "refuse",
    [
        lambda X, y: SoftmaxRegressionClassifier((2,)).partial_fit(X, y, classes=[0]),
        lambda X, y: SoftmaxRegressionClassifierCV().fit(X, y),
    ],
    ids=["partial_fit", "CV"],
)
def test_what_works_in_memory_only_says_so(data, refuse):
    X, y, _ = chunked(*data)
    with pytest.raises(TypeError, match="X is a dask collection"):
        refuse(X, y)


def test_the_data_need_not_be_cut_alike(data, exact, scheduler):
    X, y, s = data
    arrays = (
        da.from_array(X, chunks=(700, 4)),  # several chunks of columns
        da.from_array(y, chunks=900),
        s,  # in memory
    )
    assert_same_model(exact().fit(*arrays), exact().fit(X, y, s))


def test_numbers_of_rows_need_not_be_known(data, exact, scheduler):
    X, y, s = data
    kept = X[:, 1] > -0.5
    dX, dy, ds = chunked(X, y, s)
    rows = dX[:, 1] > -0.5
    oracle = exact().fit(X[kept], y[kept], s[kept])
    assert np.isnan(dX[rows].chunks[0]).all()
    assert_same_model(exact().fit(dX[rows], dy[rows], ds[rows]), oracle)
    assert_same_model(exact().fit(dX[rows], y[kept], ds[rows]), oracle)
    two_columns_of_chunks = dX.rechunk((600, 4))[rows]
    assert_same_model(exact().fit(two_columns_of_chunks, dy[rows], ds[rows]), oracle)


def test_chunks_may_be_sparse_or_single_or_empty(data, exact, scheduler):
    X, y, s = data
    dX, dy, ds = chunked(X.astype(np.float32), y, s)
    model = exact().fit(dX.map_blocks(csr_matrix), dy, ds)
    oracle = exact().fit(csr_matrix(X.astype(np.float32)), y, s)
    assert_same_model(model, oracle, 1e-6)
    dX, dy, ds = chunked(X, y, s)
    rows = da.arange(N_ROWS, chunks=700) >= 1400  # leaves none of the first two blocks
    assert_same_model(
        exact().fit(dX[rows], dy[rows], ds[rows]),
        exact().fit(X[1400:], y[1400:], s[1400:]),
    )


def test_data_frames_and_series(data, exact, scheduler):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    X, y, s = data
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["y"], frame["s"] = np.array(["low", "middle", "top"])[y], s
    names = list("abcdef")
    parts = dd.from_pandas(frame, npartitions=4)
    model = exact().fit(parts[names], parts["y"], parts["s"])
    oracle = exact().fit(frame[names], frame["y"], s)
    assert_same_model(model, oracle)
    assert list(model.feature_names_in_) == names
    labels = model.predict(parts[names])
    assert isinstance(labels, da.Array)
    assert_array_equal(labels.compute(), oracle.predict(frame[names]))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(parts[names[::-1]]).compute()


@pytest.mark.parametrize("announced", [False, True])
def test_classes_may_be_in_some_chunks_only(data, exact, scheduler, announced):
    X, y, _ = data
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    classes = [0, 1, 2] if announced else None
    model = exact().fit(
        da.from_array(X, chunks=(500, -1)),
        da.from_array(y, chunks=500),
        classes=classes,
    )
    assert_same_model(model, exact().fit(X, y))


def test_large_data_begin_with_a_sample(rng, exact, scheduler):
    X = rng.normal(size=(30_000, 3))
    y = (X @ rng.normal(size=(3, 3)) + rng.gumbel(size=(30_000, 3))).argmax(axis=1)
    dX, dy = da.from_array(X, chunks=(4000, 3)), da.from_array(y, chunks=4000)
    model, oracle = exact().fit(dX, dy), exact().fit(X, y)
    assert_same_model(model, oracle)
    assert model.n_passes_ < 2 * oracle.n_passes_


def test_validation_data_may_be_dask_arrays(data, exact, scheduler):
    X, y, s = data
    model = exact().fit(X, y, s, X_val=chunked(*data)[0], y_val=chunked(*data)[1])
    oracle = exact().fit(X, y, s, X_val=X, y_val=y)
    assert_allclose(model.validation_loss_curve_, oracle.validation_loss_curve_)


@pytest.mark.parametrize("n_workers", [1, 3])
def test_the_bits_do_not_depend_on_the_cluster(
    data, threaded_client, n_workers, monkeypatch
):
    monkeypatch.setattr(dask_chunks, "_FAN_IN", 2)
    arrays = chunked(*data, rows=300)
    with threaded_client.as_current():
        expected = SoftmaxRegressionClassifier().fit(*arrays)
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}, scheduler=None),
        distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=2, processes=False, **no_dashboard
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        client.as_current(),
    ):
        model = SoftmaxRegressionClassifier().fit(*arrays)
        moved = [array.persist(workers=list(client.nthreads())[:1]) for array in arrays]
        again = SoftmaxRegressionClassifier().fit(*moved)
    assert_array_equal(model.coef_, expected.coef_)
    assert_array_equal(again.coef_, expected.coef_)


def test_the_example_runs(capsys):
    path = Path(__file__).parents[1] / "examples" / "plot_dask.py"
    runpy.run_path(str(path))
    lines = capsys.readouterr().out.splitlines()
    accuracies = [float(line.split()[-1]) for line in lines if "accuracy" in line]
    assert len(accuracies) == 3
    assert min(accuracies) > 0.85
    (gap,) = (float(line.split()[3]) for line in lines if line.startswith("F is"))
    assert gap < 1e-6


# Predictions


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_predictions_are_lazy_and_the_same_per_chunk(data, n_classes, method):
    X, y, _ = data
    y = np.array(["a", "b", "c"])[np.minimum(y, n_classes - 1)]
    predict = getattr(SoftmaxRegressionClassifier().fit(X, y), method)
    calls = []

    def counted(rows):
        calls.append(None)
        return rows

    dX = da.from_array(X, chunks=(700, 4)).map_blocks(counted, meta=np.zeros((0, 0)))
    lazy, expected = predict(dX), predict(X)
    assert isinstance(lazy, da.Array)
    assert calls == []
    assert (lazy.shape, lazy.dtype) == (expected.shape, expected.dtype)
    assert lazy.chunks[0] == dX.chunks[0]
    found = lazy.compute(scheduler="sync")
    assert len(calls) == 10
    assert_allclose(found, expected) if found.dtype.kind == "f" else (
        assert_array_equal(found, expected)
    )


def test_score_on_dask_arrays_is_that_on_arrays(data):
    X, y, s = data
    model = SoftmaxRegressionClassifier().fit(X, y)
    dX, dy, ds = chunked(X, y, s)
    assert_allclose(model.score(dX, dy, ds), model.score(X, y, s), rtol=1e-14)
    soft = 0.9 * np.eye(3)[y] + 0.1 / 3
    assert_allclose(model.score(dX, soft), model.score(X, soft), rtol=1e-14)


@pytest.mark.parametrize("fitted", [np.float32, np.float64])
@pytest.mark.parametrize("asked", [np.float32, np.float64, np.int64])
def test_lazy_predictions_know_their_dtype(data, fitted, asked):
    X, y = data[:2]
    model = SoftmaxRegressionClassifier().fit(X.astype(fitted), y)
    P = model.predict_proba(da.from_array(X.astype(asked), chunks=(50, -1)))
    assert P.dtype == P.compute().dtype


def test_lazy_predictions_of_mixed_columns_know_their_dtype(data):
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    X, y = data[:2]
    columns = {"a": X[:, 0].astype("f4"), "b": X[:, 1].astype("i1"), "c": X[:, 2] > 0}
    frame = pd.DataFrame(columns)
    model = SoftmaxRegressionClassifier().fit(frame, y)
    P = model.predict_proba(dd.from_pandas(frame, npartitions=2))
    assert P.dtype == P.compute().dtype == np.float32


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_a_chosen_penalty_is_scored_on_dask_data(data, scoring):
    X, y = data[:2]
    model = SoftmaxRegressionClassifierCV(alphas=2, cv=2, scoring=scoring).fit(X, y)
    lazy = da.from_array(X, chunks=(700, -1)), da.from_array(y, chunks=700)
    assert model.score(*lazy) == pytest.approx(model.score(X, y), rel=1e-12)


def test_fits_and_predictions_do_not_pull_the_data_into_memory(data, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise AssertionError("all of it was asked for")

    dX, dy, _ = chunked(*data)
    monkeypatch.setattr(da.Array, "__array__", refuse)
    model = SoftmaxRegressionClassifier().fit(dX, dy)
    assert model.predict(dX).numblocks == (5,)


# Faults


def bad_at(number, X):
    """X with a block that raises when it is computed."""

    def fail(rows, block_info=None):
        if block_info[0]["chunk-location"][0] == number:
            raise FloatingPointError("no such sensor")
        return rows

    return X.map_blocks(fail, dtype=X.dtype, meta=np.zeros((0, 0)))


def test_an_error_in_a_chunk_comes_with_its_number(data, scheduler):
    X, y, s = chunked(*data)
    model = SoftmaxRegressionClassifier()
    with pytest.raises(FloatingPointError, match="no such sensor") as caught:
        model.fit(bad_at(2, X), y, s)
    assert any("block 2 of the dask data" in note for note in caught.value.__notes__)
    missing = data[0].copy()
    missing[2200, 1] = np.nan
    with pytest.raises(
        ValueError, match="block 3: Input X contains NaN in row 100, column 1"
    ):
        model.fit(da.from_array(missing, chunks=(700, -1)), y, s)
    with pytest.raises(ValueError, match=r"block 0: y has the labels \[2\]"):
        model.fit(X, y, classes=[0, 1])
    assert not hasattr(model, "coefs_")
    assert not hasattr(model, "n_features_in_")


def test_an_error_in_the_middle_of_a_fit_comes_with_its_number(
    data, threaded_client, monkeypatch
):
    from sksoftmax._objective import objective as _objective

    plain = _objective._chunk_state

    def fail(chunk, *args):
        if chunk.number // 2**20 == 3:
            raise FloatingPointError("in the fourth block")
        return plain(chunk, *args)

    monkeypatch.setattr(_objective, "_chunk_state", fail)
    model = SoftmaxRegressionClassifier()
    with threaded_client.as_current(), pytest.raises(FloatingPointError) as caught:
        model.fit(*chunked(*data))
    assert any("block 3 of the dask data" in note for note in caught.value.__notes__)
    assert not hasattr(model, "coefs_")


def test_data_that_do_not_fit_together(data):
    X, y, s = data
    dX, dy, ds = chunked(X, y, s)
    model = SoftmaxRegressionClassifier()
    with pytest.raises(ValueError, match=r"inconsistent .* \[3000, 2999\]"):
        model.fit(dX, dy[1:], ds)
    with pytest.raises(ValueError, match=r"inconsistent .* \[3000, 7\]"):
        model.fit(dX, dy, s[:7])
    with pytest.raises(ValueError, match="y is None"):
        model.fit(dX)
    numbers = [int((X[:, j] > 0.0).sum()) for j in (1, 2)]
    with pytest.raises(ValueError, match=rf"inconsistent .* {re.escape(str(numbers))}"):
        model.fit(dX[dX[:, 1] > 0.0], dy[dX[:, 2] > 0.0])
    for parameters in (
        {"l1_ratio": 0.5},
        {"hidden_layer_sizes": 5, "solver": "newton"},
    ):
        with pytest.raises(ValueError, match="Others need X in memory"):
            SoftmaxRegressionClassifier(**parameters).fit(dX, dy)


def test_a_client_that_is_closed_during_the_fit_is_named(data, monkeypatch):
    with (
        # A client that is closed inside its own `with` leaves dask's configuration
        # pointing at it (distributed 2026.8).
        dask.config.set(scheduler=None),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, **no_dashboard
        ) as cluster,
        distributed.Client(cluster) as client,
    ):

        def close(self, *args):
            client.close()

        model = SoftmaxRegressionClassifier(verbose=0)
        monkeypatch.setattr("sksoftmax._fit.history.History.__call__", close)
        with pytest.raises(RuntimeError, match="closed during the fit"):
            model.fit(*chunked(*data))
        assert not hasattr(model, "coefs_")


def test_a_worker_that_is_killed_during_the_fit_changes_nothing(
    data, exact, monkeypatch
):
    from sksoftmax._fit.history import History

    record, killed = History.__call__, []
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, **no_dashboard
        ) as cluster,
        distributed.Client(cluster) as client,
    ):

        def kill(self, *args):
            if not killed:
                killed.append(client.run(os.getpid).popitem()[1])
                os.kill(killed[0], signal.SIGKILL)
            return record(self, *args)

        monkeypatch.setattr(History, "__call__", kill)
        model = exact().fit(*chunked(*data))
        assert killed
        assert_same_model(model, exact().fit(*data))

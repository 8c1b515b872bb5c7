"""What fits do on a dask cluster: their tasks, and what is left of them."""

import asyncio
import gc
from concurrent.futures import Future
from functools import partial
from itertools import chain
from threading import Lock, Thread, Timer
from time import sleep

import numpy as np
import pytest

from sksoftmax import SoftmaxRegressionClassifier

pytest.importorskip("dask")
Client = pytest.importorskip("distributed").Client
da = pytest.importorskip("dask.array")

SECONDS = 60  # after which a fit waits for ever


def draw(rng, n_rows, n_features, n_classes):
    X = rng.normal(size=(n_rows, n_features))
    Z = 4.0 * X[:, :n_classes] + rng.gumbel(size=(n_rows, n_classes))
    return X, Z.argmax(axis=1)


def lazy(*arrays, rows=100):
    return tuple(da.from_array(a, chunks=(rows, *a.shape[1:])) for a in arrays)


def within_time(client, fn, *args):
    """fn(*args) in a thread, so that one that waits for ever fails."""
    result = Future()

    def run():
        try:
            with client.as_current():
                result.set_result(fn(*args))
        except BaseException as error:
            result.set_exception(error)

    Thread(target=run, daemon=True).start()
    return result.result(SECONDS)


# 100 kB is where `Client.map` treats a keyword argument as a task.
@pytest.mark.parametrize("n_features", [2000, 16_000])
def test_parameters_of_any_size_reach_the_workers(
    rng, exact, threaded_client, n_features
):
    X, y = draw(rng, 60, n_features, 8)
    model = exact(alpha=0.1)
    oracle = exact(alpha=0.1).fit(X, y)
    for _ in range(2):  # the second fit must not see what the first one sent
        within_time(threaded_client, model.fit, *lazy(X, y, rows=20))
        np.testing.assert_allclose(model.loss_, oracle.loss_, rtol=1e-9)
        np.testing.assert_allclose(model.coef_, oracle.coef_, rtol=1e-5, atol=1e-7)


def test_very_many_classes_reach_the_workers(rng, threaded_client):
    y = np.array([f"class {number:060}" for number in range(600)])  # 160 kB
    X = rng.normal(size=(3600, 3))
    model = SoftmaxRegressionClassifier(tol=1e-1)
    for classes in (y, np.char.add("a ", y)):
        labels = np.tile(classes, 6)
        within_time(threaded_client, model.fit, *lazy(X, labels, rows=1800))
        assert list(model.classes_) == list(classes)


def test_an_estimator_that_cannot_be_sent_is_fitted(rng, threaded_client):
    X, y = draw(rng, 300, 5, 3)
    model = SoftmaxRegressionClassifier()
    model.lock = Lock()
    within_time(threaded_client, model.fit, *lazy(X, y))
    np.testing.assert_allclose(
        model.loss_, SoftmaxRegressionClassifier().fit(X, y).loss_, rtol=1e-6
    )


# What is left of a fit


def left(client, own=()):
    """Keys of tasks that a scheduler still knows, after some time to forget them."""

    def keys(dask_scheduler):
        return set(dask_scheduler.tasks)

    for _ in range(200):
        gc.collect()  # dask's own collections may be in cycles
        if not (found := client.run_on_scheduler(keys) - set(own)):
            break
        sleep(0.1)
    return found


def fail_after(n_calls, error):
    """What replaces a method, and fails in a later call."""
    calls = []

    def record(self, *args):
        calls.append(args)
        if len(calls) > n_calls:
            raise error

    return record


@pytest.mark.parametrize(
    "where", ["check", "validation", "iteration", "interrupt", "submission", ""]
)
def test_nothing_of_a_fit_is_left_on_the_cluster(
    rng, threaded_client, monkeypatch, where
):
    X, y = draw(rng, 500, 4, 3)
    model, raised, val = SoftmaxRegressionClassifier(), [], {}
    bad = X.copy()
    bad[301, 1] = np.nan
    if where == "validation":
        val = dict(zip(("X_val", "y_val"), lazy(bad, y), strict=True))
    elif where in ("iteration", "interrupt"):
        error = KeyboardInterrupt if where == "interrupt" else FloatingPointError
        record = fail_after(2, error)
        monkeypatch.setattr("sksoftmax._fit.history.History.__call__", record)
    elif where == "submission":
        submit = Client.map

        def interrupted(self, *args, **kwargs):
            futures = submit(self, *args, **kwargs)
            raise KeyboardInterrupt(len(futures))

        monkeypatch.setattr(Client, "map", interrupted)
    dX, dy = lazy(bad if where == "check" else X, y)
    with threaded_client.as_current():
        for _ in range(2):
            try:
                model.fit(dX, dy, **val)
            except (ValueError, FloatingPointError, KeyboardInterrupt) as error:
                raised.append(error)  # with its traceback, whose frames hold the fit
    assert len(raised) == 2 * bool(where)
    assert left(threaded_client) == set()


def test_data_that_a_user_has_persisted_stay(rng, threaded_client):
    X, y = draw(rng, 500, 4, 3)
    X[301, 1] = np.nan
    with threaded_client.as_current():
        dX, dy = (array.persist() for array in lazy(X, y))
        for model in (SoftmaxRegressionClassifier(), SoftmaxRegressionClassifier()):
            with pytest.raises(ValueError, match=r"block 3: .*X contains NaN"):
                model.fit(dX, dy)
        own = [*chain.from_iterable(dX.__dask_keys__()), *dy.__dask_keys__()]
        assert left(threaded_client, own) == set()
        np.testing.assert_array_equal(dX.compute(), X)


# Clients that cannot be used


def test_an_asynchronous_client_is_refused(rng, threaded_client):
    X, y = draw(rng, 500, 4, 3)

    async def fit():
        address = threaded_client.scheduler.address
        async with Client(address, asynchronous=True, set_as_default=False) as client:
            with client.as_current():
                SoftmaxRegressionClassifier().fit(*lazy(X, y))

    with pytest.raises(ValueError, match="The dask client in use is asynchronous"):
        asyncio.run(fit())


def test_data_of_another_client_are_told(rng, threaded_client):
    import distributed

    X, y = draw(rng, 500, 4, 3)
    options = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options, silence_logs=50) as cluster,
        Client(cluster, set_as_default=False) as other,
    ):
        dX, dy = other.persist(lazy(X, y))
        with (
            threaded_client.as_current(),
            pytest.raises(RuntimeError, match="persisted by another client"),
        ):
            SoftmaxRegressionClassifier().fit(dX, dy)
        with other.as_current():
            assert SoftmaxRegressionClassifier().fit(dX, dy).converged_


def test_a_cluster_without_workers_is_waited_for_with_a_warning(rng):
    import distributed

    X, y = draw(rng, 500, 4, 3)
    options = {"n_workers": 0, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options, silence_logs=50) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        Timer(0.5, cluster.scale, [1]).start()
        with pytest.warns(UserWarning, match="no workers"):
            model = within_time(client, SoftmaxRegressionClassifier().fit, *lazy(X, y))
        assert model.converged_


# Fits inside of tasks


def fit_and_predict(X, y, hidden_layer_sizes, i):
    """Fit, and say whether this is in a thread of a worker's pool afterwards."""
    from distributed.threadpoolexecutor import thread_state

    dX, dy = lazy(X, y)
    model = SoftmaxRegressionClassifier(hidden_layer_sizes, random_state=0, max_iter=5)
    model.fit(dX, dy, X_val=dX, y_val=dy)
    predicted = model.predict(dX).compute()
    accuracy, is_in_pool = model.score(dX, dy), getattr(thread_state, "proceed", False)
    return model.loss_, accuracy, predicted, is_in_pool


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sizes", [(), (3,)])
@pytest.mark.parametrize("processes", [False, True])
def test_fits_inside_of_tasks_end(rng, threaded_client, sizes, processes, request):
    name = "process_client" if processes else "threaded_client"
    client = request.getfixturevalue(name)
    X, y = draw(rng, 500, 4, 3)
    args = X, y, sizes
    loss, accuracy, predicted, _ = fit_and_predict(*args, 0)

    def run():
        fit = partial(fit_and_predict, *args)
        return client.gather(client.map(fit, range(3), pure=False))

    for found in within_time(client, run):
        assert found[:2] == pytest.approx((loss, accuracy), rel=1e-6)
        np.testing.assert_array_equal(found[2], predicted)
        assert found[3]
    assert left(client) == set()


@pytest.fixture(scope="module")
def process_client():
    """A dask client of two workers with a process each."""
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client

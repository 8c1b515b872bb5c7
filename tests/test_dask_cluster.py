"""What fits do on a dask cluster: their tasks, and what is left of them."""

from concurrent.futures import Future
from threading import Lock, Thread

import numpy as np
import pytest

from sksoftmax import SoftmaxRegressionClassifier

pytest.importorskip("dask")
pytest.importorskip("distributed")
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

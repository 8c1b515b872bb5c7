"""Many threads, forks and processes at once: the same numbers, and nothing left over.

What a thousand fits leave in memory is measured by `make test-long`.
"""

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import parallel_backend
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController, threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

X, y = load_iris(return_X_y=True)
MODELS = {
    "exact": SoftmaxRegressionClassifier(),
    "sparse": SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=0.5),
    "hidden": SoftmaxRegressionClassifier((8,), max_iter=5, random_state=0),
    "batches": SoftmaxRegressionClassifier(solver="adam", max_iter=5, random_state=0),
    "path": SoftmaxRegressionClassifierCV(alphas=[1e-3, 1e-1], cv=3),
}
WAIT = 120  # seconds until a test that hangs gives up
controllers = ThreadpoolController().select(user_api="blas").lib_controllers


def blas_limits():
    return [controller.num_threads for controller in controllers]


@pytest.fixture(autouse=True)
def _limits_stay():
    with threadpool_limits(2, user_api="blas"):
        for controller in controllers:  # any thread of the test may set limits
            if hasattr(controller, "clear_controlling_thread"):
                controller.clear_controlling_thread(force=True)
        before = blas_limits()
        yield
        assert blas_limits() == before


def at_once(n_threads, task, numbers):
    """task(number) for each number, in threads that start together."""
    start = threading.Barrier(n_threads, timeout=WAIT)

    def run(number):
        if number < n_threads:
            start.wait()
        return task(number)

    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(run, numbers, timeout=WAIT))


def answers(model, data=X):
    return np.hstack([model.predict_proba(data), model.predict(data)[:, None]])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_eight_threads_fit_shared_data_as_one_does(name):
    expected = answers(clone(MODELS[name]).fit(X, y))

    def task(number):
        return answers(clone(MODELS[name]).fit(X, y))

    for result in at_once(8, task, range(24)):
        assert_array_equal(result, expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_some_threads_fit_while_others_predict():
    ready = {name: clone(model).fit(X, y) for name, model in MODELS.items()}
    expected = {name: answers(model) for name, model in ready.items()}
    names = list(MODELS)

    def task(number):
        name = names[number % len(names)]
        if number % 2:
            return name, answers(clone(MODELS[name]).fit(X, y))
        return name, answers(ready[name])

    for name, result in at_once(8, task, range(40)):
        assert_array_equal(result, expected[name])


def test_large_fits_of_several_threads_share_blas_and_agree(rng):
    # Enough rows that each fit has a pool of its own.
    tall = rng.normal(size=(40_000, 10))
    labels = (tall @ rng.normal(size=(10, 3)) + rng.gumbel(size=(40_000, 3))).argmax(1)
    expected = SoftmaxRegressionClassifier().fit(tall, labels).coef_

    def task(number):
        return SoftmaxRegressionClassifier().fit(tall, labels).coef_

    for coef in at_once(4, task, range(8)):
        assert_array_equal(coef, expected)


@pytest.mark.parametrize("name", ["exact", "hidden"])
def test_sixteen_threads_predict_as_one_does_to_the_bit(name):
    digits, labels = load_digits(return_X_y=True)
    model = clone(MODELS[name]).set_params(max_iter=3 if name == "hidden" else 200)
    model.fit(digits, labels)
    parts = np.array_split(digits, 48)
    serial = [model.predict_proba(part) for part in parts]
    parallel = at_once(16, lambda number: model.predict_proba(parts[number]), range(48))
    for ours, expected in zip(parallel, serial, strict=True):
        assert_array_equal(ours, expected)


def test_one_estimator_that_several_threads_fit_ends_as_one_of_their_fits():
    model = SoftmaxRegressionClassifier()
    halves = [(X[::2], y[::2]), (X[1::2], y[1::2])]
    allowed = [answers(clone(model).fit(*half)) for half in halves]
    at_once(8, lambda number: model.fit(*halves[number % 2]), range(40))
    assert any(np.array_equal(answers(model), one) for one in allowed)


def fit_in_child(queue):
    queue.put(answers(SoftmaxRegressionClassifier().fit(X, y)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_forks_after_a_large_fit_fit_as_their_parent_does(rng):
    tall = rng.normal(size=(40_000, 10))
    SoftmaxRegressionClassifier().fit(tall, rng.integers(3, size=40_000))
    expected = answers(SoftmaxRegressionClassifier().fit(X, y))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=fit_in_child, args=(queue,)) for _ in range(3)]
    for child in children:
        child.start()
    results = [queue.get(timeout=WAIT) for _ in children]
    for child in children:
        child.join(WAIT)
    queue.close()
    queue.join_thread()
    assert [child.exitcode for child in children] == [0, 0, 0]
    for result in results:
        assert_array_equal(result, expected)


def search():
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier())
    grid = {"softmaxregressionclassifier__alpha": [1e-3, 1e-1, 10.0]}
    return GridSearchCV(pipeline, grid, cv=3, scoring="neg_log_loss", n_jobs=2)


def check_search(backend):
    """Whether a grid search finds the same with a backend of joblib and without."""
    serial = search().set_params(n_jobs=1).fit(X, y)
    with parallel_backend(backend, n_jobs=2):
        parallel = search().fit(X, y)
    for name in ("mean_test_score", "std_test_score"):
        assert_allclose(parallel.cv_results_[name], serial.cv_results_[name], rtol=1e-9)
    assert parallel.best_params_ == serial.best_params_
    assert_array_equal(answers(parallel), answers(serial))


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_a_grid_search_in_parallel_finds_what_a_serial_one_does(backend):
    check_search(backend)


def test_a_grid_search_on_dask_workers_does_too():
    distributed = pytest.importorskip("distributed")
    options = {"dashboard_address": ":0", "silence_logs": 50, "processes": False}
    with (
        distributed.LocalCluster(2, threads_per_worker=1, **options) as cluster,
        distributed.Client(cluster),
    ):
        check_search("dask")


def test_a_search_within_a_search_runs_in_parallel():
    serial = cross_val_score(search().set_params(n_jobs=1), X, y, cv=3)
    with parallel_backend("loky", n_jobs=2):
        nested = cross_val_score(search(), X, y, cv=3, n_jobs=2)
    assert_allclose(nested, serial, rtol=1e-9)

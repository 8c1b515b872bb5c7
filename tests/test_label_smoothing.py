"""Smoothing by e is fitting (1 - e) y + e/K as soft labels, class weights or not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

K, E = 4, 0.2
CLASS_WEIGHTS = [
    None,
    "balanced",
    {0: 5.0, 1: 1.0, 2: 0.3, 3: 1.0},
    {0: 2.0, 1: 0.0, 2: 1.0, 3: 1.0},
]


@pytest.fixture(params=CLASS_WEIGHTS, ids=str)
def class_weight(request):
    return request.param


@pytest.fixture
def data(rng):
    """X, y, s, and y as soft labels, smoothed by hand; the last class is in no row."""
    X = rng.normal(size=(200, 3))
    y = (X + rng.gumbel(size=(200, 3)) + [0, 0, 1]).argmax(axis=1)
    s = rng.uniform(0.5, 2.0, size=200)
    s[::7] = 0.0
    return X, y, s, (1 - E) * np.eye(K)[y] + E / K


def in_batches(*arrays):
    return [tuple(a[i : i + 60] for a in arrays) for i in range(0, len(arrays[0]), 60)]


def in_dask(*arrays):
    da = pytest.importorskip("dask.array")
    return tuple(da.from_array(a, chunks=(60, *a.shape[1:])) for a in arrays)


@pytest.mark.parametrize(
    "container", [lambda *data: data, lambda *data: (in_batches(*data),), in_dask]
)
def test_smoothed_labels_have_the_optimum_of_soft_labels(
    data, exact, class_weight, container
):
    X, y, s, soft = data
    by_hand = exact(class_weight=class_weight).fit(X, soft, s)
    model = exact(class_weight=class_weight, label_smoothing=E)
    model.fit(*container(X, y, s), classes=np.arange(K))
    assert_allclose(model.coef_, by_hand.coef_, rtol=1e-7, atol=1e-8)
    assert_allclose(model.loss_, by_hand.loss_, rtol=1e-12)


def test_smoothed_labels_on_a_cluster_have_the_optimum_of_soft_labels(data, exact):
    distributed = pytest.importorskip("distributed")
    X, y, s, soft = data
    with distributed.Client(
        n_workers=1, processes=False, dashboard_address=":0", silence_logs=60
    ):
        for class_weight in CLASS_WEIGHTS:
            by_hand = exact(class_weight=class_weight).fit(X, soft, s)
            model = exact(class_weight=class_weight, label_smoothing=E)
            model.fit(*in_dask(X, y, s), classes=np.arange(K))
            assert_allclose(model.coef_, by_hand.coef_, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("hidden", [(), (3,)])
def test_smoothed_labels_train_as_soft_labels(data, class_weight, solver, hidden):
    X, y, s, soft = data
    options = {"solver": solver, "random_state": 0, "class_weight": class_weight}
    by_hand = SoftmaxRegressionClassifier(hidden, **options)
    model = SoftmaxRegressionClassifier(hidden, label_smoothing=E, **options)
    if class_weight != "balanced":  # which partial_fit refuses
        by_hand.partial_fit(X, soft, None, s)
        model.partial_fit(X, y, np.arange(K), s)
        assert_allclose(model.coefs_[0], by_hand.coefs_[0], rtol=1e-9, atol=1e-12)
    model.set_params(max_iter=2, tol=0.0, learning_rate="constant")
    by_hand.set_params(
        **{k: v for k, v in model.get_params().items() if "label" not in k}
    )
    with pytest.warns(UserWarning, match="converge"):
        model.fit(X, y, s, classes=np.arange(K))
    with pytest.warns(UserWarning, match="converge"):
        by_hand.fit(X, soft, s)
    assert_allclose(model.coefs_[0], by_hand.coefs_[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cv", [3, "alo"])
def test_paths_of_smoothed_labels_are_those_of_soft_labels(data, class_weight, cv):
    X, y, s, _ = data
    soft = (1 - E) * np.eye(3)[y] + E / 3
    if isinstance(class_weight, dict):
        class_weight = {k: class_weight[k] for k in range(3)}
    options = {
        "alphas": [0.1, 0.01],
        "cv": cv,
        "class_weight": class_weight,
        "tol": 1e-12,
    }
    model = SoftmaxRegressionClassifierCV(label_smoothing=E, **options).fit(X, y, s)
    by_hand = SoftmaxRegressionClassifierCV(**options).fit(X, soft, s)
    assert_allclose(model.coefs_path_, by_hand.coefs_path_, rtol=1e-7, atol=1e-8)

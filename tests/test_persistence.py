"""Fitted classifiers written to files and read again: skops and joblib."""

import json
import tracemalloc
import zipfile

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sksoftmax
from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.export import SKOPS_TRUSTED_TYPES

MODELS = {
    "linear": SoftmaxRegressionClassifier(),
    "sparse": SoftmaxRegressionClassifier(alpha=0.1, l1_ratio=0.5, grouped=True),
    "hidden": SoftmaxRegressionClassifier((6, 5), random_state=0),
    "with a generator": SoftmaxRegressionClassifier(
        (6,), random_state=np.random.RandomState(0)
    ),
    "warm start": SoftmaxRegressionClassifier((6,), warm_start=True, random_state=0),
    "sgd": SoftmaxRegressionClassifier(
        solver="sgd", max_iter=100, tol=1e-2, random_state=0
    ),
    "chosen penalty": SoftmaxRegressionClassifierCV(cv="alo"),
    "pipeline": make_pipeline(StandardScaler(), SoftmaxRegressionClassifierCV(cv=3)),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def fitted(request):
    X, y = load_iris(return_X_y=True)
    return clone(request.param).fit(X, np.array(["u", "v", "w"])[y])


def types_in(path):
    """All types that a skops file names, as module.name."""
    with zipfile.ZipFile(path) as file:
        schema = json.loads(file.read("schema.json"))
    found, pending = set(), [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if "__class__" in node:
                found.add(f"{node['__module__']}.{node['__class__']}")
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return found


def pickle_file(model, folder):
    """Write a model; returns a function that reads it."""
    joblib.dump(model, folder / "model.joblib")
    return lambda: joblib.load(folder / "model.joblib")


def skops_file(model, folder):
    """The same with skops."""
    path = folder / "model.skops"
    skops.io.dump(model, path)
    return lambda: skops.io.load(path, trusted=SKOPS_TRUSTED_TYPES)


def test_skops_needs_to_trust_nothing_but_the_classifiers(fitted, tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(fitted, path)
    assert set(skops.io.get_untrusted_types(file=path)) <= set(SKOPS_TRUSTED_TYPES)


def test_a_model_read_by_skops_predicts_to_the_last_bit(fitted, tmp_path):
    X, _ = load_iris(return_X_y=True)
    path = tmp_path / "model.skops"
    skops.io.dump(fitted, path)
    loaded = skops.io.load(path, trusted=SKOPS_TRUSTED_TYPES)
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.predict(X).tolist() == fitted.predict(X).tolist()


def test_a_training_goes_on_from_a_skops_file_where_it_stopped(tmp_path):
    X, y = load_iris(return_X_y=True)
    path = tmp_path / "model.skops"
    model = SoftmaxRegressionClassifier((6,), random_state=0)
    model.partial_fit(X, y, classes=[0, 1, 2])
    skops.io.dump(model, path)
    loaded = skops.io.load(path, trusted=SKOPS_TRUSTED_TYPES)
    for W, expected in zip(
        loaded.partial_fit(X, y).coefs_, model.partial_fit(X, y).coefs_, strict=True
    ):
        np.testing.assert_array_equal(W, expected)


@pytest.mark.parametrize("name", ["linear", "sparse", "hidden", "sgd"])
def test_there_are_only_arrays_and_plain_values_in_a_model(name, tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(clone(MODELS[name]).fit(*load_iris(return_X_y=True)), path)
    plain = {"builtins.dict", "builtins.list", "builtins.str", "builtins.tuple"}
    arrays = {"numpy.ndarray"}
    assert types_in(path) - plain - arrays == {SKOPS_TRUSTED_TYPES[0]}


@pytest.mark.parametrize("hidden_layer_sizes", [(), (50,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_memory_mapped_model_predicts_without_copying_its_weights(
    hidden_layer_sizes, dtype, tmp_path
):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 20_000)).astype(dtype), np.arange(50)
    model = SoftmaxRegressionClassifier(hidden_layer_sizes)
    model.partial_fit(X, y, classes=y)
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    weights = loaded.coefs_[0]
    assert isinstance(weights, np.memmap)
    tracemalloc.start()
    try:
        P = loaded.predict_proba(X[:2])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < weights.nbytes / 10
    np.testing.assert_array_equal(P, model.predict_proba(X[:2]))


@pytest.mark.parametrize("write", [pickle_file, skops_file])
def test_a_model_of_another_version_is_told(write, tmp_path, monkeypatch):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionClassifier().fit(X, y)
    monkeypatch.setattr(sksoftmax, "__version__", "0.0.1")
    read = write(model, tmp_path)
    assert read().predict(X[:1]) == y[:1]  # the version is the same
    monkeypatch.undo()
    message = r"sksoftmax's SoftmaxRegressionClassifier from version 0\.0\.1 when"
    with pytest.warns(InconsistentVersionWarning, match=message):
        loaded = read()
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert vars(loaded).keys() == vars(model).keys()

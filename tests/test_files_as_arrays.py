"""Files that are used like arrays: small ones, and joblib's copies for its workers."""

from contextlib import nullcontext
from unittest.mock import patch

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import chunked
from sksoftmax._data.arrays import is_in_file

# The bits are compared here, not convergence.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

MODELS = {
    "newton": {},
    "lbfgs": {"solver": "lbfgs"},
    "sparse": {"l1_ratio": 0.5},
    "network": {"hidden_layer_sizes": (4,), "max_iter": 3},
    "network, stopped early": {
        "hidden_layer_sizes": (4,),
        "max_iter": 3,
        "early_stopping": True,
    },
    "network by newton": {
        "hidden_layer_sizes": (4,),
        "solver": "newton",
        "max_iter": 3,
    },
    "linear by adam, stopped early": {
        "solver": "adam",
        "max_iter": 3,
        "early_stopping": True,
    },
}
STORES = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "single": lambda X: X.astype(np.float32),
    "integer": lambda X: (9 * X).astype(np.int8),
    "csr": lambda X: csr_array(np.where(X > 0, X, 0.0)),
}
each_model = pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
each_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(600, 5))
    y = (X[:, :3] + rng.gumbel(size=(600, 3))).argmax(axis=1)
    return X, y, rng.uniform(0.5, 2.0, size=600)


def weights_of(options, X, y, s, *, reads_files=False):
    """All weights of a fit, and whether X was a file of the user's."""
    limit = patch.object(chunked, "LARGEST_LIKE_ARRAY", 0)
    with limit if reads_files else nullcontext():
        model = SoftmaxRegressionClassifier(random_state=0, **options).fit(X, y, s)
    return [*model.coefs_, *model.intercepts_], type(X), is_in_file(X)


def assert_same_bits(weights, expected):
    for ours, theirs in zip(weights, expected, strict=True):
        assert_array_equal(ours, theirs)


@each_store
@each_model
def test_what_joblib_maps_for_its_workers_is_what_it_was(data, options, store):
    X, y, s = data
    X = store(X)
    expected, kind, _ = weights_of(options, X, y, s)
    # As if it were large: joblib's copies are never read in slices.
    job = joblib.delayed(weights_of)(options, X, y, s, reads_files=True)
    parallel = joblib.Parallel(n_jobs=2, max_nbytes=1000)
    (weights, mapped_kind, in_file), _ = parallel([job, job])
    assert not in_file
    assert mapped_kind is (np.memmap if kind is np.ndarray else kind)
    assert_same_bits(weights, expected)


@pytest.mark.parametrize("store", list(STORES.values())[:4], ids=list(STORES)[:4])
@each_model
def test_a_small_file_is_an_array(data, options, store, mapped):
    X, y, s = data
    file = mapped(store(X))
    weights, _, in_file = weights_of(options, file, y, s)
    assert in_file
    assert_same_bits(weights, weights_of(options, store(X), y, s)[0])


def test_a_small_file_of_validation_data_is_an_array(data, mapped):
    X, y, s = data
    curves = [
        SoftmaxRegressionClassifier()
        .fit(X, y, X_val=X_val, y_val=y, sample_weight_val=s)
        .validation_loss_curve_
        for X_val in (X, mapped(X))
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
def test_what_counts_is_the_size_as_floats(data, mapped, monkeypatch, dtype):
    X, y, _ = data
    file = mapped(X.astype(dtype))
    size = 600 * 5 * (4 if dtype == np.float32 else 8)
    for limit, is_read in ((size, False), (size - 1, True)):
        monkeypatch.setattr(chunked, "LARGEST_LIKE_ARRAY", limit)
        for access in ("passes", "mini-batches"):
            here = chunked.HOME_OF_FILES.recognises((file, y, None), access, None)
            assert here is is_read


def test_a_file_that_takes_much_of_the_memory_is_read_in_slices(
    data, mapped, monkeypatch
):
    X, y, _ = data
    file = mapped(X)
    monkeypatch.setattr("os.sysconf", lambda name: 400)  # bytes: its square
    assert chunked.HOME_OF_FILES.recognises((file, y, None), "passes", None)


def test_arrays_computed_from_a_file_are_in_memory(data, mapped):
    X, _, _ = data
    file = mapped(X)
    assert is_in_file(file[5:])
    assert not is_in_file(file[[1, 2]])
    assert not is_in_file(file.astype(np.float32))
    assert not is_in_file(2 * file)

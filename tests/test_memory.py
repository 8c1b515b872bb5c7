"""A thousand fits of varied shapes leave nothing behind; `make test-long` runs this."""

import gc
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

KINDS = [
    {},
    {"solver": "lbfgs"},
    {"l1_ratio": 0.5, "alpha": 1e-2},
    {"l1_ratio": 1.0, "alpha": 1e-2, "grouped": True},
    {"solver": "sgd", "max_iter": 3},
    {"hidden_layer_sizes": (8,), "max_iter": 3},
    {"hidden_layer_sizes": (8, 4), "max_iter": 3, "early_stopping": True},
    {"hidden_layer_sizes": 4, "max_iter": 5, "solver": "lbfgs"},
]
N_FITS = 1000
STATUS = Path("/proc/self/statm")
PAGE = 4096


def one_fit(number):
    """A fit, and what one does with it; each of the numbers has another shape."""
    rng = np.random.default_rng(number)
    n_rows, n_features = int(rng.integers(40, 500)), int(rng.integers(1, 60))
    X = rng.normal(size=(n_rows, n_features)).astype(rng.choice(["f4", "f8"]))
    y = np.arange(n_rows) % int(rng.integers(2, 7))
    if number % 3 == 0:
        X = csr_array(X * (rng.random(X.shape) < 0.3))
    model = SoftmaxRegressionClassifier(random_state=0, **KINDS[number % len(KINDS)])
    if number % 50 == 0:
        model = SoftmaxRegressionClassifierCV(alphas=[1e-3, 1e-1], cv=2)
    model.fit(X, y, sample_weight=rng.uniform(0.5, 2.0, n_rows))
    model.predict_proba(X)
    if number % 2 and number % len(KINDS) == 5:
        model.partial_fit(X, y)


def slope(measure):
    """Growth in bytes per 100 fits, after the first hundred, of what is measured."""
    sizes = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(N_FITS):
            one_fit(number % 200)
            if number % 50 == 49:
                gc.collect()
                sizes.append(measure())
    sizes = np.array(sizes[4:], dtype=float)  # all 200 shapes have been seen by then
    return 2.0 * np.polyfit(np.arange(sizes.size), sizes, 1)[0]


@pytest.mark.long
def test_a_thousand_fits_leave_no_object_behind(capsys):
    tracemalloc.start()
    try:
        growth = slope(lambda: tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    with capsys.disabled():
        print(f"\ntracemalloc: {growth / 1000.0:+.2f} kB per 100 fits")
    assert growth < 5e3


@pytest.mark.long
@pytest.mark.skipif(not STATUS.exists(), reason="there is no /proc here")
def test_a_thousand_fits_do_not_make_the_process_larger(capsys):
    growth = slope(lambda: PAGE * int(STATUS.read_text().split()[1]))
    with capsys.disabled():
        print(f"\nresident set: {growth / 1000.0:+.2f} kB per 100 fits")
    assert growth < 50e3

"""Errors about data name the argument, in every home, for training and validation."""

import re

import numpy as np
import pytest
from test_homes import HOMES

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data.checks import Names, names_of

pytestmark = pytest.mark.usefixtures("small_files_are_read")

N_ROWS = 60
TRAINING, VALIDATION = names_of(None), names_of("training data")


@pytest.fixture(params=HOMES.values(), ids=[make.__name__ for make in HOMES.values()])
def stored(request, tmp_path):
    """Put X, y and weights into one of the homes."""
    return lambda data: request.param(*data, tmp_path)


@pytest.fixture
def rows(rng):
    y = np.arange(N_ROWS) % 3
    return rng.normal(size=(N_ROWS, 2)) + y[:, None], y, np.ones(N_ROWS)


FAULTS = {
    "NaN": ("X", lambda X: np.where(np.arange(N_ROWS)[:, None] == 31, np.nan, X)),
    "infinite": ("X", lambda X: X * np.inf),
    "columns": ("X", lambda X: X[:, :1]),
    "text": ("X", lambda X: np.full(X.shape, "a")),
    "label": ("y", lambda y: y + 7),
    "sums": ("y", lambda y: np.full((N_ROWS, 3), 0.5)),
    "continuous": ("y", lambda y: y + 0.5),
    "another width": ("y", lambda y: np.full((N_ROWS, 2), 0.5)),
    "negative": ("sample_weight", lambda s: -s),
    "zero": ("sample_weight", lambda s: 0 * s),
    "huge": ("sample_weight", lambda s: 1e200 * s),
}


CASES = {
    f"{fault}, {names.X}": (names, *FAULTS[fault])
    for names in (TRAINING, VALIDATION)
    for fault in FAULTS
    if names is VALIDATION or fault != "columns"  # of training data there may be any
}


@pytest.mark.parametrize(("names", "culprit", "change"), CASES.values(), ids=CASES)
def test_errors_name_the_argument_in_every_home(rows, stored, names, culprit, change):
    place = Names._fields.index(culprit)
    bad = tuple(change(part) if i == place else part for i, part in enumerate(rows))
    training, more = stored(bad), {"classes": [0, 1, 2]}
    if names is VALIDATION:
        training, more = rows, dict(zip(VALIDATION, training, strict=False))
    with pytest.raises((ValueError, TypeError)) as caught:
        SoftmaxRegressionClassifier().fit(*training, **more)
    assert re.search(rf"\b{names[place]}\b", str(caught.value)), str(caught.value)


def test_the_place_in_batches_of_validation_data_is_named(rows):
    X, y, _ = rows
    batches = [(X[:40], y[:40]), (X[40:], y[40:] + 5)]
    with pytest.raises(ValueError, match="batch 1: y_val has the labels"):
        SoftmaxRegressionClassifier().fit(X, y, X_val=batches)


@pytest.mark.parametrize(
    ("X_val", "message"),
    [
        (iter([]), "batches of X_val come from"),
        (lambda: iter([]), "no batches in X_val"),
        ([(np.ones((2, 2)),)], "batch of X_val must be"),
        (lambda: iter([([[1.0, 2.0]], [0])]), "X_val must be an array"),
    ],
    ids=range(4),
)
def test_what_are_no_batches_is_named(rows, X_val, message):
    X, y, _ = rows
    with pytest.raises((ValueError, TypeError), match=message):
        SoftmaxRegressionClassifier().fit(X, y, X_val=X_val)


@pytest.mark.parametrize(
    ("later", "message"),
    [
        (lambda X, y, s: (X, y + 7, s), "y_val has the labels"),
        (lambda X, y, s: (X[1:], y[1:], s[1:]), "X_val has the shape"),
        (lambda X, y, s: (X, y, -s), "sample_weight_val must be >= 0"),
    ],
    ids=["labels", "shape", "weights"],
)
def test_batches_that_change_later_are_named(rows, later, message):
    passes = []

    def changing():
        passes.append(None)
        yield rows if len(passes) == 1 else later(*rows)

    with pytest.raises(ValueError, match=f"batch 0: {message}"):
        SoftmaxRegressionClassifier().fit(*rows, X_val=changing)


@pytest.mark.parametrize("lost", ["y", "sample_weight"])
def test_lengths_that_differ_are_named(rows, stored, lost):
    place = Names._fields.index(lost)
    short = stored([part[:-1] if i == place else part for i, part in enumerate(rows)])
    X_val, y_val, s_val = short
    with pytest.raises(ValueError, match=f"{VALIDATION[place]}"):
        SoftmaxRegressionClassifier().fit(
            *rows, X_val=X_val, y_val=y_val, sample_weight_val=s_val
        )


def test_validation_data_of_classes_that_weigh_nothing_are_refused(rows, stored):
    X, y, s = rows
    X_val, y_val, s_val = stored((X, 0 * y, s))
    model = SoftmaxRegressionClassifier(class_weight={0: 0.0, 1: 1.0, 2: 1.0})
    with pytest.raises(ValueError, match="positive weight in sample_weight_val"):
        model.fit(*rows, X_val=X_val, y_val=y_val, sample_weight_val=s_val)

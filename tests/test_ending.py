"""What is said at the end of a fit: the closing line of verbose, and the warnings."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

X, y = load_iris(return_X_y=True)

FITS = {
    "schedule": ({}, "ended after epoch 4: the learning rate has come to its end."),
    "max_iter": (
        {"learning_rate": "constant"},
        "ended after epoch 4: max_iter=4 is used up.",
    ),
    "plateau": (
        {"learning_rate": "constant", "n_iter_no_change": 1, "tol": 10.0},
        "ended after epoch 2: the last 1 epochs improved the loss by no more than 11.",
    ),
    "best": (
        {"early_stopping": True},
        "come to its end; epoch 4 was the best and is returned.",
    ),
    "divergence": (
        {"learning_rate_init": 1e9},
        "ended after epoch 4: training diverged.",
    ),
    "newton": (
        {"hidden_layer_sizes": (), "max_iter": "auto"},
        ": converged: optimality",
    ),
    "newton, short": (
        {"hidden_layer_sizes": (), "max_iter": 2},
        "ended after iteration 2: max_iter=2 is used up: optimality",
    ),
    "separation": (
        {"hidden_layer_sizes": (), "max_iter": "auto", "alpha": 0.0},
        "the classes [0, 1, 2] are separated and have no optimum.",
    ),
}


def fitted(verbose=1, **settings):
    settings = {"hidden_layer_sizes": (4,), "max_iter": 4, "random_state": 0} | settings
    rows = slice(None) if settings.get("alpha", 1) else slice(None, None, 50)
    model = SoftmaxRegressionClassifier(verbose=verbose, **settings)
    return model.fit(X[rows], y[rows])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("settings", "line"), FITS.values(), ids=FITS)
def test_the_closing_line_says_why_a_fit_has_ended(capsys, settings, line):
    model = fitted(**settings)
    lines = capsys.readouterr().out.splitlines()
    assert line in lines[-1]
    assert len(lines) == len(model.loss_curve_) + 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("settings", [settings for settings, _ in FITS.values()])
def test_nothing_is_said_unless_asked_for(capsys, settings):
    fitted(verbose=0, **settings)
    assert capsys.readouterr() == ("", "")


def test_a_part_of_a_training_has_an_epoch_and_no_end(capsys):
    model = SoftmaxRegressionClassifier((4,), verbose=1, random_state=0)
    model.partial_fit(X, y, [0, 1, 2])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("epoch    1   loss")


def test_each_fit_of_a_path_has_its_end(capsys):
    SoftmaxRegressionClassifierCV(alphas=[0.1, 1.0], cv="alo", verbose=2).fit(X, y)
    assert capsys.readouterr().out.count("converged: optimality") == 2


# Warnings

SHORT = {
    "too few epochs": (
        {"learning_rate": "constant"},
        "stopped after 4 epochs, too few to judge: the last n_iter_no_change=10",
    ),
    "one epoch": (
        {"learning_rate": "constant", "max_iter": 1},
        "stopped after 1 epoch, too few to judge",
    ),
    "never compared": (
        {"learning_rate": "constant", "n_iter_no_change": np.inf},
        "stopped after 4 epochs, and n_iter_no_change=inf compares none of them",
    ),
    "improvement": (
        {"learning_rate": "constant", "n_iter_no_change": 2},
        "stopped after 4 epochs, the last 2 of which improved the loss by",
    ),
    "nothing learned": (
        {"learning_rate_init": 1e-9, "alpha": 10.0, "n_iter_no_change": 2},
        "stopped after 4 epochs at a loss that is no lower than without features",
    ),
    "divergence": (
        {"learning_rate_init": 1e9},
        "stopped after 4 epochs. Training diverged",
    ),
}


@pytest.mark.parametrize(("settings", "message"), SHORT.values(), ids=SHORT)
def test_a_warning_counts_epochs_and_is_finite(settings, message):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fitted(verbose=0, **settings)
    (warning,) = caught
    assert warning.category is ConvergenceWarning
    assert message in str(warning.message)
    assert "inf nats" not in str(warning.message)
    assert "iterations" not in str(warning.message)
    assert not model.converged_


def test_the_improvement_that_is_told_is_that_of_the_loss_curve():
    settings = {"learning_rate": "constant", "n_iter_no_change": 2}
    with pytest.warns(
        ConvergenceWarning, match=r"improved the loss by (\S+) nats"
    ) as w:
        model = fitted(verbose=0, **settings)
    before, last = np.split(np.array(model.loss_curve_), [2])
    assert f"by {before.min() - last.min():.2g} nats" in str(w[0].message)

"""The history of a run: what it records, watches and prints."""

import numpy as np
import pytest

from sksoftmax._fit.history import History, Record


class Bowl:
    """Stands for the objective of the validation data."""

    def value_and_accuracy(self, w):
        return float(w @ w), 0.25 * float(w[0])


RUN = [(1, np.array([2.0, 0.0]), 0.9), (2, np.array([1.0, 1.0]), 0.5)]


def test_the_loss_of_every_iteration_is_recorded_and_watched():
    history = History(None, verbose=0)
    assert [history(*iteration) for iteration in RUN] == [0.9, 0.5]
    assert history.loss_curve == [0.9, 0.5]
    assert history.validation_loss_curve == history.validation_score_curve == []


@pytest.mark.parametrize("watches", [True, False])
def test_the_validation_loss_is_watched_if_that_is_wanted(watches):
    history = History(Bowl(), verbose=0, watches_validation=watches)
    watched = [4.0, 2.0] if watches else [0.9, 0.5]
    assert [history(*iteration) for iteration in RUN] == watched
    assert history.loss_curve == [0.9, 0.5]
    assert history.validation_loss_curve == [4.0, 2.0]
    assert history.validation_score_curve == [0.5, 0.25]


@pytest.mark.parametrize("validation", [None, Bowl()], ids=["training", "validation"])
def test_nothing_is_printed_unless_asked_for(capsys, validation):
    history = History(validation, verbose=0)
    for iteration in RUN:
        history(*iteration)
    assert capsys.readouterr() == ("", "")


def test_verbose_prints_the_numbers_of_an_iteration_on_a_line_of_its_own(capsys):
    history = History(Bowl(), verbose=1)
    for iteration in RUN:
        history(*iteration)
    lines = capsys.readouterr().out.splitlines()
    words = [line.split() for line in lines]
    numbers = [[float(w) for w in line if w[0].isdigit()] for line in words]
    assert numbers == [[1, 0.9, 4.0, 0.5], [2, 0.5, 2.0, 0.25]]


def test_an_epoch_is_called_one_and_says_how_many_and_how_long(capsys, monkeypatch):
    clock = iter([2.0, 4.5])
    monkeypatch.setattr("sksoftmax._fit.history.perf_counter", lambda: next(clock))
    settings = {"unit": "epoch", "max_epochs": 12, "started": 0.0}
    history = History(Bowl(), 1, **settings, n_before=3, records=[Record(1.0)] * 3)
    for number, w, value in RUN:
        history(number + 3, w, value)
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("   ") == [
        "epoch  4/12",
        "loss 0.90000000",
        "validation loss 4.00000000",
        "validation accuracy 0.5000",
        "seconds 2.0",
        "left 16.0",  # one epoch in two seconds, and eight are left
    ]
    assert second.endswith("seconds 4.5   left 15.8")
    assert history.loss_curve == [1.0, 1.0, 1.0, 0.9, 0.5]


def test_two_histories_share_nothing():
    one, other = History(None, 0), History(None, 0)
    one(*RUN[0])
    assert other.loss_curve == []


def test_the_line_has_the_passes_where_they_are_the_cost(capsys):
    class Chunks:
        n_passes = 7.25

    History(None, 1, chunks=Chunks)(3, None, 0.5)
    assert capsys.readouterr().out == "iteration    3   loss 0.50000000   passes 7.2\n"

"""Rows that are drawn: as often as their probabilities say, and unbiased sums."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sksoftmax._data.chunks import Chunks
from sksoftmax._data.subsampling import start_of, systematic_sample
from sksoftmax._utils.threads import Threads

N_STARTS = 20_000


@pytest.fixture(params=["few", "many", "some certain"])
def probabilities(request, rng):
    p = rng.uniform(size=40) ** 3
    if request.param == "few":
        return 0.05 * p
    if request.param == "some certain":
        p[::7] = 1.0
    return p


def test_rows_are_drawn_as_often_as_their_probabilities_say(probabilities, rng):
    times, total = np.zeros(40), 0.0
    x = rng.standard_normal(40)
    for start in (np.arange(N_STARTS) + 0.5) / N_STARTS:
        rows = systematic_sample(probabilities, start)
        assert (np.diff(rows) > 0).all()
        times[rows] += 1 / N_STARTS
        total += (x[rows] / probabilities[rows]).sum() / N_STARTS
    assert_allclose(times, probabilities, atol=2 / N_STARTS)
    # Horvitz and Thompson: sums over the sample estimate sums over all rows.
    error = 2 / N_STARTS * np.abs(x / probabilities).sum()
    assert_allclose(total, x.sum(), atol=error)


@pytest.mark.parametrize("start", [0.0, 0.3, 0.999])
def test_any_run_of_rows_gives_its_number_to_within_one(probabilities, start):
    drawn = np.zeros(40)
    drawn[systematic_sample(probabilities, start)] = 1.0
    surplus = np.cumsum(np.r_[0.0, drawn - probabilities])
    assert np.ptp(surplus) <= 1.0 + 1e-9


def test_starts_are_spread_over_chunks_and_draws():
    class Numbered:
        def __init__(self, number):
            self.number = number

    for starts in (
        [start_of(Numbered(number)) for number in range(200)],
        [start_of(Numbered(3), draw) for draw in range(200)],
        [start_of(Numbered(part * 2**20)) for part in range(200)],
    ):
        starts = np.sort(starts)
        assert starts[0] >= 0.0
        assert starts[-1] < 1.0
        assert np.diff(np.r_[starts, starts[0] + 1.0]).max() < 0.05


def test_classes_that_come_in_turn_are_all_drawn():
    n_rows, n_classes = 60_000, 10
    codes = np.arange(n_rows) % n_classes
    chunks = Chunks(
        codes[:, None] + 0.0, np.eye(n_classes)[codes], np.ones(n_rows), Threads()
    )
    sample = chunks.subsample(n_rows // n_classes)
    counts = sample.sum(lambda chunk: (chunk.sY > 0).sum(axis=0))
    expected = n_rows / n_classes**2
    assert_allclose(counts, expected, atol=4.0 * np.sqrt(expected))


@pytest.mark.parametrize("store", [np.asarray, csr_array])
def test_the_same_rows_are_drawn_by_any_number_of_threads(rng, store):
    X, s = rng.standard_normal((30_000, 20)), rng.uniform(0.5, 2.0, size=30_000)
    Y = rng.dirichlet(np.ones(3), size=30_000)
    found = []
    for n_threads in (1, 2, 3):
        threads = Threads(n_threads)
        sample = Chunks(store(X), Y, s, threads).subsample(5000)
        found.append([np.concatenate(sample.map(lambda chunk: chunk.s)), sample.n_rows])
        threads.close()
    for s_drawn, n_rows in found:
        assert_array_equal(s_drawn, found[0][0])
        assert abs(n_rows - 5000) < 4.0 * np.sqrt(5000)


def test_edges_of_chunks_do_not_matter_to_the_number_of_rows(rng):
    probabilities = rng.uniform(size=1000) ** 2
    for edges in ([0, 1000], [0, 10, 500, 1000]):
        n_drawn = sum(
            systematic_sample(probabilities[a:b], 0.5).size for a, b in pairwise(edges)
        )
        assert abs(n_drawn - probabilities.sum()) <= len(edges) - 1

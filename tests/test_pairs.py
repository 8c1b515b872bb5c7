"""Sums in a fixed order, of which any parts are added up by themselves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._data.pairs import add_neighbours, add_pairs, whole_sum


def draw(rng, n_terms):
    return list(rng.normal(size=(n_terms, 4)) * 10.0 ** rng.integers(-8, 8, (1, 4)))


@pytest.mark.parametrize("n_terms", range(1, 20))
def test_sums_have_the_same_bits_however_terms_are_distributed(rng, n_terms):
    terms = draw(rng, n_terms)
    expected = add_pairs(terms)
    assert_allclose(expected, np.sum(terms, axis=0), rtol=1e-10, atol=1e-20)
    for n_owners in (1, 2, 3, 5):
        owners = rng.integers(n_owners, size=n_terms)
        sums = {}
        for owner in range(n_owners):
            own = {(0, i): terms[i] for i in np.flatnonzero(owners == owner)}
            sums |= add_neighbours(own)
        assert_array_equal(whole_sum(add_neighbours(sums), n_terms), expected)


def test_the_order_is_that_of_pairs_of_neighbours(rng):
    a, b, c, d, e = draw(rng, 5)
    assert_array_equal(add_pairs([a, b, c, d, e]), ((a + b) + (c + d)) + e)


def test_neighbours_leave_few_sums():
    sums = add_neighbours({(0, i): 1.0 for i in range(3, 21)})
    assert sums == {(0, 3): 1.0, (2, 1): 4.0, (3, 1): 8.0, (2, 4): 4.0, (0, 20): 1.0}


def test_terms_are_not_changed(rng):
    terms = draw(rng, 7)
    copies = [term.copy() for term in terms]
    add_pairs([(term, 1) for term in terms])
    for term, copy in zip(terms, copies, strict=True):
        assert_array_equal(term, copy)

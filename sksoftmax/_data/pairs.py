"""Sums of terms in a fixed order, of which any parts may be added up by themselves.

Terms are numbered. They are added in pairs of neighbours, pairs of pairs and so on. A
sum of 2^level of them, of which the first has the number 2^level i, is called
(level, i). Whoever has some of the terms, whichever they are, forms those sums whose
terms are all there, and so the whole sum has the same bits wherever the terms were.
"""

from sksoftmax._data.chunks import add_up


def add_pairs(terms):
    """Sum of numbers, arrays or tuples of them, in this order."""
    return whole_sum({(0, i): term for i, term in enumerate(terms)}, len(terms))


def add_neighbours(sums):
    """The fewest sums that these can be added up to: a dict from (level, i)."""
    sums, level = dict(sums), 0
    while any(key[0] >= level for key in sums):
        _add_level(sums, level)
        level += 1
    return sums


def whole_sum(sums, n_terms):
    """The sum of all terms; a last one without a neighbour goes up as it is."""
    sums, level = dict(sums), 0
    while n_terms > 1:
        _add_level(sums, level)
        if n_terms % 2 and (level, n_terms - 1) in sums:
            sums[level + 1, n_terms // 2] = sums.pop((level, n_terms - 1))
        n_terms, level = -(-n_terms // 2), level + 1
    return sums[level, 0]


def _add_level(sums, level):
    """Replace pairs of neighbours of a level by their sums."""
    for i in sorted(i for at, i in sums if at == level and i % 2 == 0):
        if (level, i + 1) in sums:
            pair = sums.pop((level, i)), sums.pop((level, i + 1))
            sums[level + 1, i // 2] = add_up(pair)

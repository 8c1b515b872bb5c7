"""What sample weights mean: how often a row was observed, or how much it counts."""

import numpy as np

from sksoftmax._data.targets import check_weights
from sksoftmax._utils.errors import check_choice

KINDS = ("frequency", "importance")

# For tests that need a likelihood, and so have no choice.
COUNTS = object()


def counts_of(sample_weight, n_samples, weights):
    """How often each row was observed, shape (n_samples,).

    A frequency weight is a count. Importance weights count each row once. Without a
    word in `weights`, whole numbers above one may be either.
    """
    s = check_weights(sample_weight, n_samples)
    fractions = np.flatnonzero(s != np.floor(s))
    if weights is COUNTS and fractions.size:
        row = fractions[0]
        raise ValueError(
            "This needs whole numbers in sample_weight, the counts of equal"
            f" observations; row {row} has {s[row]:g}."
        )
    fraction, row = (s[fractions[0]], fractions[0]) if fractions.size else (None, None)
    if weights is COUNTS or are_counts(fraction, s.max(), weights, row=row):
        return s
    return np.ones(n_samples)


def are_counts(fraction, largest, weights, *, row=None):
    """Whether weights are counts, or an error that asks what they are.

    fraction is one of them that is no whole number, or None, and row its number, if it
    is known.
    """
    if weights is not None:
        check_choice("weights", weights, KINDS)
    if weights == "frequency" and fraction is not None:
        raise ValueError(
            "weights='frequency' needs whole numbers in sample_weight, the counts of"
            f" equal observations; {'a row' if row is None else f'row {row}'} has"
            f" {fraction:g}. Pass weights='importance' if rows count more or less."
        )
    if weights is None and fraction is None and largest > 1:
        raise ValueError(
            "sample_weight holds whole numbers: say what they are. Pass"
            " weights='frequency' if they are counts of equal observations, or"
            " weights='importance' if rows count more or less, as in a survey."
        )
    return weights == "frequency"

"""Warnings of the package, for filters and tests."""

from sklearn.exceptions import ConvergenceWarning

__all__ = ["SeparationWarning"]


class SeparationWarning(ConvergenceWarning):
    """Without a penalty, classes that the features separate have no finite optimum."""

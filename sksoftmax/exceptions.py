"""Warnings of the package, for filters and tests."""

from sklearn.exceptions import ConvergenceWarning

__all__ = ["InterruptionWarning", "SeparationWarning"]


class InterruptionWarning(UserWarning):
    """A fit was interrupted by Ctrl-C; the estimator is fitted as far as it had come.

    It is no `ConvergenceWarning`, which are often silenced.
    """


class SeparationWarning(ConvergenceWarning):
    """Without a penalty, classes that the features separate have no finite optimum."""

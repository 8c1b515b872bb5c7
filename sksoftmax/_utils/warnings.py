"""Warnings that point at the user's line."""

import os
import sys
import warnings

import sklearn

_INSIDE = tuple(
    os.path.dirname(os.path.abspath(file)) + os.sep
    for file in (__file__, sklearn.__file__)
)


def warn(message, category=UserWarning):
    """Warn at the innermost line that is neither here nor in scikit-learn.

    How far that is depends on what wraps `fit`: Python shows the line, and shows each
    warning once a line.
    """
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)

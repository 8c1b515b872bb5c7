"""Warnings that point at the user's line."""

import contextlib
import os
import sys
import warnings
from pathlib import Path

import sklearn

_FOLDERS = Path(__file__).absolute().parents[1], Path(sklearn.__file__).parent
_INSIDE = (*(f"{folder}{os.sep}" for folder in _FOLDERS), contextlib.__file__)


def warn(message, category=UserWarning):
    """Warn at the innermost line that is neither here, in scikit-learn nor in contexts.

    How far that is depends on what wraps `fit`: Python shows the line, and shows each
    warning once a line.
    """
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)

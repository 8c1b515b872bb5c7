"""What the pictures share: matplotlib, axes, styles, and which estimator is meant."""

import numpy as np


def import_pyplot(caller):
    """Return matplotlib.pyplot, or an ImportError that says where to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib: pip install 'sksoftmax[plot]'."
        ) from error
    return plt


def axes_for(display, ax):
    """Given axes or those of a new figure, kept as `ax_` and `figure_`."""
    plt = import_pyplot(f"{type(display).__name__}.plot")
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def line_style(defaults, given):
    """Defaults of a line, overruled by what was given under any of its names."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**normalize_kwargs(defaults, Line2D), **normalize_kwargs(given, Line2D)}


def last_step(estimator):
    """The classifier inside searches and pipelines."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def check_class(class_of_interest, classes):
    """Column of a class; where none is given, that of the second of two, else None."""
    if class_of_interest is None:
        return 1 if len(classes) == 2 else None
    names = np.asarray(classes).tolist()
    if class_of_interest not in names:
        raise ValueError(
            f"class_of_interest must be one of {names}, got {class_of_interest!r}."
        )
    return names.index(class_of_interest)

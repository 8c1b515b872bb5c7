"""What the plots share: axes, line styles, and which classifier and class are drawn."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sksoftmax._data.labels import class_index
from sksoftmax._utils.errors import optional_package


def import_pyplot(caller):
    """Return matplotlib.pyplot, or an ImportError that says how to install it."""
    with optional_package("matplotlib", "plot", caller=caller):
        import matplotlib.pyplot as plt
    return plt


def axes_for(display, ax):
    """The given axes or new ones, kept by the display as `ax_` and `figure_`."""
    plt = import_pyplot(f"{type(display).__name__}.plot")
    display.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
    display.figure_ = display.ax_.figure
    return display.ax_


def add_legend(display, handles, *, is_ours):
    """A legend: above the axes if the figure is the display's own, else inside."""
    if is_ours:
        n_columns = min(len(handles), 4)
        where = {"loc": "outside upper center", "ncols": n_columns, "frameon": False}
        display.figure_.legend(handles=handles, fontsize="small", **where)
    else:
        display.ax_.legend(handles=handles, fontsize="small")


def line_style(defaults, given):
    """The default style of a line, overruled by what is given under any alias."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**normalize_kwargs(defaults, Line2D), **normalize_kwargs(given, Line2D)}


def fitted_classifier(display, estimator):
    """The fitted classifier inside searches and pipelines, for `from_estimator`."""
    import_pyplot(f"{display.__name__}.from_estimator")
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            check_is_fitted(estimator)
            return estimator


def column_of(class_of_interest, classes):
    """The column of a class; for None that of the second of two classes, else None."""
    if class_of_interest is None:
        return 1 if len(classes) == 2 else None
    classes = np.asarray(classes)
    column = class_index(classes, class_of_interest)
    if column is None:
        raise ValueError(
            f"class_of_interest must be one of {classes.tolist()}, got"
            f" {class_of_interest!r}."
        )
    return column

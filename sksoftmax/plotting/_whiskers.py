"""Dots with whiskers: estimates of several classes beside each other, by term."""

import numpy as np

from sksoftmax._data.labels import class_index
from sksoftmax.plotting._axes import add_legend, axes_for, line_style

# Classes are told apart by colour and by marker.
MARKERS = "osD^vP*X"

# Part of the distance between two terms that their classes fill.
_FILLED = 0.6


def draw_whiskers(display, table, *, reference, ax, style):
    """Draw a table of dots and intervals into axes; returns a container per class.

    table has `names` of the terms, `labels` of the classes, `values`, shape
    (n_classes, n_terms), and `ends`, shape (n_classes, n_terms, 2). Terms go from the
    top to the bottom, and so do the classes of each.
    """
    is_ours = ax is None
    ax = axes_for(display, ax)
    n_classes, n_terms = table.values.shape
    places = np.arange(n_terms)
    drawn = []
    for row, shift in enumerate(spread(n_classes)):
        values, ends = table.values[row], table.ends[row]
        with np.errstate(invalid="ignore"):
            errors = np.abs(ends.T - values)
        defaults = {
            "color": f"C{row % 10}",
            "marker": MARKERS[row % len(MARKERS)],
            "markersize": 5.0,
            "linestyle": "none",
            "label": table.labels[row],
        }
        drawn.append(
            ax.errorbar(
                values, places + shift, xerr=errors, **line_style(defaults, style)
            )
        )
    ax.axvline(reference, color="0.5", linewidth=0.8, linestyle="--", zorder=0)
    ax.set_yticks(places, table.names)
    ax.set_ylim(n_terms - 0.5, -0.5)
    if n_classes > 1:
        add_legend(display, drawn, is_ours=is_ours)
    return drawn


def spread(n):
    """Distances from the middle of a place, of n dots that share it."""
    return _FILLED * np.linspace(-0.5, 0.5, n + 2)[1:-1]


def chosen_classes(classes, given):
    """Numbers of the rows of the classes to draw; all of them for None."""
    if given is None:
        return list(range(len(classes)))
    numbers = [class_index(np.asarray(classes), label) for label in given]
    for label, number in zip(given, numbers, strict=True):
        if number is None:
            raise ValueError(
                f"classes must hold some of {np.asarray(classes).tolist()}, got"
                f" {label!r}."
            )
    return numbers


def chosen_terms(terms, given):
    """Numbers of the columns of the terms to draw; all of them for None."""
    if given is None:
        return list(range(len(terms)))
    unknown = [term for term in given if term not in terms]
    if unknown:
        raise ValueError(f"terms must hold some of {list(terms)}, got {unknown}.")
    return [terms.index(term) for term in given]

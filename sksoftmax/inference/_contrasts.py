"""Differences between the cells of a table."""

import numpy as np

from sksoftmax._utils.errors import error_context

_KINDS = ("reference", "sequential", "pairwise")


def contrasts_of(contrasts, labels):
    """The matrix of the differences, (n_contrasts, n_cells), and their labels.

    Labels are dicts, one for each cell. Without contrasts there is no matrix.
    """
    if contrasts is None:
        return None, labels
    n = len(labels)
    if isinstance(contrasts, str):
        if contrasts not in _KINDS:
            raise ValueError(
                f"contrasts must be one of {_KINDS}, or a matrix with a column for each"
                f" cell; got {contrasts!r}."
            )
        pairs = {
            "reference": [(i, 0) for i in range(1, n)],
            "sequential": [(i, i - 1) for i in range(1, n)],
            "pairwise": [(i, j) for j in range(n) for i in range(j + 1, n)],
        }[contrasts]
        if not pairs:
            raise ValueError(
                f"contrasts={contrasts!r} compares cells, and there is only one. Pass"
                " by, or several values in at."
            )
        high, low = np.array(pairs).T
        R = np.eye(n)[high] - np.eye(n)[low]
        shown = [shown_label(label) for label in labels]
        names = [f"({shown[i]}) - ({shown[j]})" for i, j in pairs]
        return R, [{"comparison": name} for name in names]
    with error_context("contrasts"):
        R = np.asarray(contrasts, dtype=np.float64)
        R = R[None] if R.ndim == 1 else R
    if R.ndim != 2 or R.shape[1] != n or not np.isfinite(R).all():
        raise ValueError(
            f"contrasts must be one of {_KINDS}, or a matrix of finite numbers with"
            f" {n} columns, one for each cell; got shape {R.shape}."
        )
    return R, [{"comparison": f"row {i} of contrasts"} for i in range(len(R))]


def shown_label(label):
    """The label of a cell as text."""
    if set(label) <= {"comparison", "profile"}:
        return ", ".join(label.values())
    parts = [
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in label.items()
    ]
    return ", ".join(parts)


def index_of(labels):
    """Labels of cells as a dict of columns."""
    names = dict.fromkeys(name for label in labels for name in label)
    return {name: [label.get(name) for label in labels] for name in names}

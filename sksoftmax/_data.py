"""What is X? Validation, and blocks of rows for the objective.

This is the only room that looks at the type of X. Dense arrays stay as they are in
memory order and precision; sparse input becomes CSR.
"""

import numpy as np
from sklearn.utils.validation import validate_data

_FORMS = {
    "accept_sparse": "csr",
    "accept_large_sparse": True,
    "dtype": [np.float64, np.float32],
}


def check_X(estimator, X, *, reset):
    """X as a float array or CSR matrix; reset=True records its features.

    Names and number of features go to `estimator` (or are compared with it).
    """
    return validate_data(estimator, X, reset=reset, **_FORMS)


def take_rows(X, rows):
    """Rows of X chosen by a mask or by numbers; X itself where the mask takes all."""
    if rows.dtype == bool and rows.all():
        return X
    return X[rows]

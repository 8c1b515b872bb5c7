"""The list of homes for data; opens training and validation data in their homes."""

from contextlib import ExitStack, contextmanager

from sksoftmax._data import chunked, dask, in_memory

# Asked in this order; memory takes what no other home recognises.
HOMES = (dask.HOME, chunked.HOME_OF_BATCHES, chunked.HOME_OF_FILES, in_memory.HOME)


@contextmanager
def open_data(estimator, training, validation, *, classes, access):
    """Training and validation data as `Dataset`s, closed at the end of a block.

    Both are X, y and sample weights as users have them; `check` has the arguments.
    """
    with ExitStack() as stack:
        training = check(estimator, training, access, classes=classes)
        stack.callback(training.close)
        validation = check(estimator, validation, access, like=training)
        if validation is not None:
            stack.callback(validation.close)
        yield training, validation


def check(estimator, data, access, *, classes=None, like=None):
    """Data as a `Dataset` of their home; see `Home`. None without X_val."""
    # No generator here or below: Python drops an interrupt while it closes one.
    for home in HOMES:
        if home.recognises(data, access, like):
            break
    return home.check(estimator, data, access, classes=classes, like=like)


def are_in_memory(data):
    """Whether X, y and sample weights are read whole where passes would do as well."""
    return not any(home.recognises(data, "passes", None) for home in HOMES[:-1])


def map_rows(fn, X, empty, *args):
    """fn(X, *args), lazily and rows by rows where X is not in memory.

    empty(dtype) is what fn returns of no rows of that precision.
    """
    for home in HOMES:
        if home.holds is not None and home.holds(X):
            break
    return home.map_rows(fn, X, empty, *args)

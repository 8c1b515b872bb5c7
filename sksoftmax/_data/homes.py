"""The list of homes for data; opens training and validation data in their homes."""

from contextlib import ExitStack, contextmanager

from sksoftmax._data import chunked, dask, in_memory

# Asked in this order; memory takes what no other home recognises.
HOMES = (dask.HOME, chunked.HOME_OF_BATCHES, chunked.HOME_OF_FILES, in_memory.HOME)


@contextmanager
def open_data(estimator, training, validation, *, classes, access):
    """Training and validation data as `Dataset`s, closed at the end of a block.

    See `check_training` and `check_validation`.
    """
    with ExitStack() as stack:
        training = check_training(estimator, training, classes=classes, access=access)
        stack.callback(training.close)
        validation = check_validation(estimator, training, validation, access=access)
        if validation is not None:
            stack.callback(validation.close)
        yield training, validation


def check_training(estimator, data, *, classes, access):
    """The training data as a `Dataset`.

    Parameters
    ----------
    estimator : SoftmaxRegressionClassifier
        Number and names of the features are recorded on it.
    data : tuple
        X, y and sample_weight as they come from users.
    classes : ndarray of shape (n_classes,) or None
        All labels, if they were announced.
    access : {"passes", "mini-batches", "whole"}
        How the solver reads X.
    """
    home = _home_of(data, access, None)
    return home.check(estimator, data, access, classes=classes, like=None)


def check_validation(estimator, training, data, *, access):
    """The validation data, likewise, weighted as the training data; None without X."""
    home = _home_of(data, access, training)
    return home.check(estimator, data, access, classes=None, like=training)


def check_rows(estimator, data, *, classes=None, reset=True):
    """Data that have to be in memory, as a `Dataset` without class weights."""
    return in_memory.check_rows(estimator, *data, classes=classes, reset=reset)


def map_rows(fn, X, empty, *args):
    """fn(X, *args), lazily and rows by rows where X is not in memory.

    empty(dtype) is what fn returns of no rows of that precision.
    """
    homes = (home for home in HOMES if home.holds is not None and home.holds(X))
    return next(homes).map_rows(fn, X, empty, *args)


def _home_of(data, access, like):
    return next(home for home in HOMES if home.recognises(data, access, like))

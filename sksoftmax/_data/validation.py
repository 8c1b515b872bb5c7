"""Where are the data? In memory, in a file, on a cluster, or handed out in batches.

Whatever comes out of here offers the same to a fit: classes and their weights, the
number of features, and blocks of rows.
"""

from sksoftmax._data.arrays import are_batches, is_dask, is_memory_mapped, n_bytes
from sksoftmax._data.chunked import check_stream, source_of_batches, source_of_slices
from sksoftmax._data.dask import check_dask, in_memory
from sksoftmax._data.dataset import check_training, check_validation
from sksoftmax._data.minibatches import LARGEST_WINDOW


def check_training_source(estimator, data, *, classes, access):
    """The training data as an `InMemoryDataset`, or as the home of data elsewhere.

    Parameters
    ----------
    estimator : SoftmaxRegressionClassifier
        Number and names of the features are recorded on it.
    data : tuple
        X, y and sample_weight as they come from users.
    classes : ndarray of shape (n_classes,) or None
        All labels, if they were announced.
    reading : {"passes", "mini-batches", "whole"}
        How the solver reads X. A file that is read whole is read into memory, and so is
        a small one for mini-batches.
    """
    if is_dask(data[0]):
        _check_access(access)
        pinned = access == "passes"
        return check_dask(estimator, data, classes=classes, pinned=pinned)
    data = tuple(map(in_memory, data))
    X, y, sample_weight = data
    if _has_batches(X, y, sample_weight, ("X", "y")):
        _check_access(access)
        return check_stream(estimator, source_of_batches(X), classes=classes)
    if y is not None and is_memory_mapped(X):
        large = n_bytes(X) > LARGEST_WINDOW
        if access == "passes" or (access == "mini-batches" and large):
            source = source_of_slices(X, y, sample_weight)
            return check_stream(estimator, source, classes=classes)
    return check_training(estimator, *data, classes=classes)


def check_validation_source(estimator, training, data, *, access):
    """The validation data, likewise, weighted as the training data; or None.

    Only a solver that reads in passes reads them so.
    """
    in_passes = access == "passes"
    if in_passes and is_dask(data[0]):
        return check_dask(estimator, data, like=training)
    data = tuple(map(in_memory, data))
    X, y, sample_weight = data
    if X is not None and _has_batches(X, y, sample_weight, ("X_val", "y_val")):
        if not in_passes:
            raise ValueError(
                "X_val has batches, which an exact solver without hidden layers can"
                " use; for others the validation data must be in one piece."
            )
        return check_stream(estimator, source_of_batches(X), like=training)
    if in_passes and y is not None and is_memory_mapped(X):
        return check_stream(estimator, source_of_slices(*data), like=training)
    return check_validation(estimator, training, *data)


def _check_access(access):
    if access == "whole":
        raise ValueError(
            "Batches and dask collections are for solvers that read them in passes:"
            ' "newton" and "lbfgs" without hidden layers and without l1_ratio, "adam"'
            ' and "sgd" with any. Others need X in memory.'
        )


def _has_batches(X, y, sample_weight, names):
    """Whether X hands out batches of everything."""
    if not (callable(X) or (y is None and are_batches(X))):
        return False
    if y is not None or sample_weight is not None:
        raise ValueError(
            f"Where {names[0]} has batches, {names[1]} and sample weights are in"
            f" them: (X, y, sample_weight). {names[1]} must be None."
        )
    return True

"""Where are the data? In memory, in a file, on a cluster, or handed out in batches.

Whatever comes out of here offers the same to a fit: classes and their weights, the
number of features, and blocks of rows.
"""

from sksoftmax._dask_sample import check_dask, in_memory
from sksoftmax._data import are_batches, is_dask, is_memory_mapped
from sksoftmax._sample import check_training, check_validation
from sksoftmax._stream import check_stream, source_of_batches, source_of_slices


def check_training_source(estimator, data, *, classes, in_passes):
    """The training data as a `Sample`, or as a `Stream` where they are not in memory.

    Parameters
    ----------
    estimator : SoftmaxRegressionClassifier
        Number and names of the features are recorded on it.
    data : tuple
        X, y and sample_weight as they come from users.
    classes : ndarray of shape (n_classes,) or None
        All labels, if they were announced.
    in_passes : bool
        Whether the solver reads the data in passes over all rows. If not, a file is
        read into memory.
    """
    if is_dask(data[0]):
        _check_in_passes(in_passes)
        return check_dask(estimator, data, classes=classes)
    data = tuple(map(in_memory, data))
    source = _source(data, ("X", "y"), in_passes)
    if source is None:
        return check_training(estimator, *data, classes=classes)
    return check_stream(estimator, source, classes=classes)


def check_validation_source(estimator, training, data, *, in_passes):
    """The validation data, likewise, weighted as the training data; or None."""
    if is_dask(data[0]):
        _check_in_passes(in_passes)
        return check_dask(estimator, data, like=training)
    data = tuple(map(in_memory, data))
    source = None
    if data[0] is not None:
        source = _source(data, ("X_val", "y_val"), in_passes)
    if source is None:
        return check_validation(estimator, training, *data)
    return check_stream(estimator, source, like=training)


def _check_in_passes(in_passes):
    if not in_passes:
        raise ValueError(
            "Batches and dask collections are for an exact solver without hidden"
            " layers, which reads them in passes over all rows; call partial_fit on"
            " each batch instead."
        )


def _source(data, names, in_passes):
    """The source of data that are not in memory, or None."""
    X, y, sample_weight = data
    if callable(X) or (y is None and are_batches(X)):
        if y is not None or sample_weight is not None:
            raise ValueError(
                f"Where {names[0]} has batches, {names[1]} and sample weights are in"
                f" them: (X, y, sample_weight). {names[1]} must be None."
            )
        _check_in_passes(in_passes)
        return source_of_batches(X)
    if in_passes and y is not None and is_memory_mapped(X):
        return source_of_slices(X, y, sample_weight)
    return None

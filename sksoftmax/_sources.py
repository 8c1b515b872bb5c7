"""Where are the data? In memory, in a file, or with somebody who hands them out.

Whatever comes out of here offers the same to a fit: classes and their weights, the
number of features, and blocks of rows.
"""

from sksoftmax._data import are_batches, is_memory_mapped
from sksoftmax._sample import check_training, check_validation
from sksoftmax._stream import check_stream, open_batches, open_mapped


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
    source = _open_source(data, ("X", "y"), in_passes)
    if source is None:
        return check_training(estimator, *data, classes=classes)
    return check_stream(estimator, classes=classes, **source)


def check_validation_source(estimator, training, data, *, in_passes):
    """The validation data, likewise, weighted as the training data; or None."""
    source = None
    if data[0] is not None:
        source = _open_source(data, ("X_val", "y_val"), in_passes)
    if source is None:
        return check_validation(estimator, training, *data)
    return check_stream(estimator, like=training, **source)


def _open_source(data, names, in_passes):
    """What `check_stream` wants to know of data that are not in memory, or None."""
    X, y, sample_weight = data
    if callable(X) or (y is None and are_batches(X)):
        if y is not None or sample_weight is not None:
            raise ValueError(
                f"Where {names[0]} has batches, {names[1]} and sample weights are in"
                f" them: (X, y, sample_weight). {names[1]} must be None."
            )
        if not in_passes:
            raise ValueError(
                "Batches are for an exact solver without hidden layers, which reads"
                " them in passes over all rows; call partial_fit on each batch instead."
            )
        return {"open_pass": open_batches(X)}
    if in_passes and y is not None and is_memory_mapped(X):
        return {"open_pass": open_mapped(X, y, sample_weight), "is_lazy": True}
    return None

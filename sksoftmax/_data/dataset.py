"""What a fit asks of training data, wherever they are: the protocol `Dataset`.

Data have a home: memory (`in_memory`), files and batches that are read again in each
pass (`chunked`), or a dask cluster (`dask`). Fits, estimators and predictions know the
protocol and no home. A new home is one file with

- a class that has the attributes and methods of `Dataset`; `chunks` gives an object
  with the verbs of `chunks.Chunks`, which is all that an objective sees of the data,
- a `Home`, which says what X belongs there and makes the dataset of it,

and one line in `homes.HOMES`, where `fit` and the predictions look for it.
"""

from typing import NamedTuple, Protocol


class Dataset(Protocol):
    """Checked data: rows of features, their targets and weights.

    Methods return new datasets and leave this one as it is.

    Attributes
    ----------
    targets : Targets or ClassTotals
        `classes`, the weight `mass` of each, `total_weight`, `present`, `shares` and
        `null_value`. Class weights and label smoothing are in it.
    factors : ndarray of shape (n_classes,) or None
        Of `class_weight`; validation data are weighted by those of the training data.
    n_rows, n_features : int
        Rows without weight count until `with_weight` leaves them out.
    dtype : dtype
        Of X, float32 or float64.
    is_in_memory : bool
        Whether there is an array `X`, of which other datasets can be made; others have
        a `summary`, and `centred`.
    is_dense : bool
        Whether X is an array rather than a CSR matrix.
    squares : float
        Sum of the squares of all entries, infinite where that overflows.
    """

    targets: object
    factors: object
    n_rows: int
    n_features: int
    dtype: object
    is_in_memory: bool
    is_dense: bool
    squares: float

    def chunks(self, threads):
        """The rows with weight in chunks, with the verbs of `Chunks`."""

    def minibatches(self, scaling, dtype, *, ones):
        """The rows that mini-batches are drawn from, in this precision.

        They are (X - scaling.centre) * scaling.factor, with a last column of ones if
        asked for; without, the centre is zero. The weights have a mean of one.
        """

    def statistics(self):
        """The `ColumnStatistics` of the features, weighted as the rows are."""

    def with_weight(self, *, viewed=False):
        """The rows with weight; viewed=True makes no copy, which mini-batches need."""

    def smooth(self, label_smoothing):
        """With targets moved towards the uniform distribution, and then weighted.

        Smoothing by e is fitting (1 - e) y + e/K as soft labels, class weights or not.
        """

    def restrict(self, present):
        """With targets of the classes in a mask."""

    def hold_out(self, fraction, rng):
        """Two datasets, for training and for validation, before they are smoothed.

        Rows without weight stay in training, where smoothing may give them some.

        Raises
        ------
        ValueError
            If rows cannot be held out.
        """

    def close(self):
        """Let go of what other machines hold for this dataset, and those made of it."""


class Home(NamedTuple):
    """Where some data live.

    Attributes
    ----------
    recognises : callable
        (data, access, like) -> bool, whether X, y and sample_weight in `data` belong
        here. `access` is how the solver reads X: in "passes" over all rows, in
        "mini-batches", or "whole". `like` is the training dataset where the data are
        for validation, and None where they are for training.
    check : callable
        (estimator, data, access, *, classes, like) -> `Dataset`. Errors name the
        culprit. Number and names of the features are recorded on `estimator` where
        `like` is None, else compared. `classes` are all labels, where they are known.
    holds : callable or None
        X -> bool, whether predictions of X are made here.
    map_rows : callable or None
        (fn, X, empty, *args) -> fn(X, *args), rows by rows. `empty(dtype)` is what fn
        returns of no rows.
    """

    recognises: object
    check: object
    holds: object = None
    map_rows: object = None


def refuse_whole(access):
    """Refuse data that are not in memory where the solver reads X whole."""
    if access == "whole":
        raise ValueError(
            "Batches and dask collections are for solvers that read them in passes:"
            ' "newton" and "lbfgs" without hidden layers and without l1_ratio, "adam"'
            ' and "sgd" with any. Others need X in memory.'
        )

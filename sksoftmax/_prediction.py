"""Predictions, `score`, `coef_` and `intercept_` of a fitted model."""

import copy
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sksoftmax import _solvers
from sksoftmax._data.arrays import (
    check_X,
    has_features_of,
    in_memory,
    is_plain,
    slice_rows,
    stored_per_row,
)
from sksoftmax._data.checks import features_of
from sksoftmax._data.homes import map_rows
from sksoftmax._data.labels import log_frequencies, places_of
from sksoftmax._data.targets import check_weights, hard_labels
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.loss import log_softmax, softmax
from sksoftmax._model.network import Network, project_onto_gauge
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.parameters import ChangedParametersMixin
from sksoftmax._utils.threads import fit_threads
from sksoftmax._utils.typing import ByName, FittedAttributes, PathAttributes, Samples
from sksoftmax._utils.versions import package_version
from sksoftmax._utils.warnings import warn

_VERSION = "_sksoftmax_version"  # in the state of saved models


class FittedNetworkMixin(ChangedParametersMixin, FittedAttributes):
    """Predictions from the attributes coefs_, intercepts_, classes_ and _activation.

    Goes before ClassifierMixin, whose `score` it replaces. Of dask arrays and data
    frames, predictions are dask arrays: lazy, block by block.
    """

    # scikit-learn's HTML links to here, and shows parameters with their descriptions.
    _doc_link_module = "sksoftmax"
    _doc_link_template = (
        "https://sksoftmax.readthedocs.io/en/stable/api/generated/"
        "{estimator_module}.{estimator_name}.html"
    )

    def decision_function(self, X: Samples) -> np.ndarray:
        """Logits of samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Z : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Logits z_k; for two classes the difference z_1 - z_0.
        """
        return self._snapshot()._answer(X, _margins)

    def predict(self, X: Samples) -> np.ndarray:
        """Likeliest class of samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to be classified.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Entries of `classes_`; the first among equals.
        """
        model = self._snapshot()
        return model._answer(X, model._likeliest)

    def predict_proba(self, X: Samples) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples, dense or sparse whatever the model was fitted to.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            Probabilities, columns in the order of `classes_`.
        """
        return self._snapshot()._answer(X, softmax)

    def predict_log_proba(self, X: Samples) -> np.ndarray:
        """Natural logarithms of the probabilities, finite also where they underflow.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples, as for `predict_proba`.

        Returns
        -------
        log_P : ndarray of shape (n_samples, n_classes)
            Log-probabilities, columns in the order of `classes_`.
        """
        return self._snapshot()._answer(X, log_softmax)

    def score(
        self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Accuracy of `predict`; a soft row of y counts as its largest class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Test samples.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            True labels or soft labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.

        Returns
        -------
        accuracy : float
            Weighted share of the samples that are predicted right.
        """
        check_is_fitted(self)
        model = self._snapshot()
        y, sample_weight = in_memory(y), in_memory(sample_weight)
        labels = hard_labels(y, model.classes_)
        predicted = in_memory(model._answer(X, model._likeliest))
        with error_context("X and y"):
            check_consistent_length(predicted, labels)
        if not predicted.size:
            raise ValueError("X and y have no rows, of which a score needs one.")
        s = check_weights(sample_weight, predicted.size)
        if labels is not y:  # all of them are classes
            labels = places_of(model.classes_, labels)
            predicted = places_of(model.classes_, predicted)
        with error_context("y"):
            return float(accuracy_score(labels, predicted, sample_weight=s))

    def with_class_prior(self, class_prior: ByName, *, training_prior: ByName) -> Self:
        """The model for a population in which classes have other frequencies.

        If rows were sampled by class, or weighted by class, probabilities are right for
        the frequencies of the sample. Logits of the population differ from them by
        log(class_prior / training_prior), and the slopes are the same: prior
        correction [1]_, [2]_. Standard errors are those of this model. Ask `inference`
        for them before: the corrected model is not at the optimum of the sample.

        Parameters
        ----------
        class_prior : array-like of shape (n_classes,) or dict
            Frequencies > 0 in the population, in the order of `classes_`, or by class.
            They are divided by their sum.
        training_prior : array-like of shape (n_classes,) or dict
            Those of the rows of the fit, weights included; equal numbers after
            ``class_weight="balanced"``.

        Returns
        -------
        model : estimator
            A fitted copy with other intercepts of the last layer.

        Raises
        ------
        ValueError
            If a frequency is not positive, or a class has none.

        References
        ----------
        .. [1] King and Zeng (2001), Logistic Regression in Rare Events Data, Political
           Analysis 9:137-163, section 4.1.
        .. [2] Saerens, Latinne and Decaestecker (2002), Adjusting the Outputs of a
           Classifier to New a Priori Probabilities, Neural Computation 14:21-41.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sksoftmax import SoftmaxRegressionClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = SoftmaxRegressionClassifier().fit(X, y)
        >>> model.predict_proba(X[79:80]).round(2)
        array([[0.01, 0.99, 0.  ]])
        >>> rare = model.with_class_prior({0: 98, 1: 1, 2: 1}, training_prior=[1, 1, 1])
        >>> rare.predict_proba(X[79:80]).round(2)
        array([[0.57, 0.43, 0.  ]])
        """
        check_is_fitted(self)
        model = copy.copy(self)
        shift = log_frequencies("class_prior", class_prior, model.classes_)
        shift -= log_frequencies("training_prior", training_prior, model.classes_)
        *hidden, b = model.intercepts_
        shift = (shift - shift.mean()).astype(b.dtype)
        model.intercepts_ = [*hidden, b + shift]
        return model

    def __copy__(self):
        # Without the pickle's version, which takes seven times as long.
        copied = object.__new__(type(self))
        vars(copied).update(vars(self))
        return copied

    def __getstate__(self):
        # scikit-learn adds a version to its own estimators only.
        return {**super().__getstate__(), _VERSION: package_version()}

    def __setstate__(self, state):
        state = dict(state)
        saved, here = state.pop(_VERSION, None), package_version()
        if saved not in (None, here):
            warning = InconsistentVersionWarning(
                estimator_name=f"sksoftmax's {type(self).__name__}",
                current_sklearn_version=here,
                original_sklearn_version=saved,
            )
            warn(warning)
        super().__setstate__(state)

    def _snapshot(self):
        """The estimator of this moment.

        A fit in another thread swaps all attributes at once (`_become`), so what an
        answer is made of belongs together.
        """
        model = object.__new__(type(self))
        model.__dict__ = self.__dict__
        return model

    def _answer(self, X, of_logits):
        """A function of the logits of X; of dask data, lazily and block by block."""
        empty = partial(_answer_nothing, model=self, of_logits=of_logits)
        return map_rows(_answer_rows, X, empty, self, of_logits)

    def _likeliest(self, Z):
        return self.classes_[Z.argmax(axis=1)]

    def _network(self):
        """The `Network`, and its layers [(W_1, b_1), ...]."""
        if not hasattr(self, "coefs_"):
            check_is_fitted(self)
        layers = list(zip(self.coefs_, self.intercepts_, strict=True))
        n_units = (layers[0][0].shape[0], *(W.shape[1] for W, _ in layers))
        return Network(n_units, ACTIVATIONS[self._activation], True), layers

    @property
    def coef_(self) -> np.ndarray:
        """Coefficients, centred over classes, shape (n_classes, n_features)."""
        return self._linear_layer("coef_")[0].T

    @property
    def intercept_(self) -> np.ndarray:
        """Intercepts, centred over classes, shape (n_classes,)."""
        return self._linear_layer("intercept_")[1]

    def _linear_layer(self, name):
        model = self._snapshot()
        if not hasattr(model, "coefs_"):
            raise AttributeError(
                f"{name} exists on a fitted {type(self).__name__}; this one is not"
                " fitted yet."
            )
        if len(model.coefs_) > 1:
            raise AttributeError(
                f"{name} exists on a {type(self).__name__} without hidden layers; this"
                f" one has hidden_layer_sizes={model.hidden_layer_sizes!r}."
            )
        layer = model.coefs_[0], model.intercepts_[0]
        # A sparse penalty fixes the gauge itself, and the mean is not it.
        return layer if model.solver_ in _solvers.SPARSE else project_onto_gauge(*layer)

    def _keep(self, checked, classes, fitted, earlier_losses=()):
        """Take over the outcome of a fit: for a copy of an estimator, see `_become`."""
        result, history = fitted.result, fitted.history
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        vars(self).update(features_of(checked))
        self.classes_ = classes
        self.coefs_ = [W for W, _ in fitted.layers]
        self.intercepts_ = [b for _, b in fitted.layers]
        self.loss_ = result.value
        self.loss_curve_ = [*earlier_losses, *history.loss_curve]
        self.validation_loss_curve_ = history.validation_loss_curve
        self.validation_score_curve_ = history.validation_score_curve
        self.n_iter_ = len(earlier_losses) + result.n_iter
        self.n_passes_ = fitted.n_passes
        curve = self.validation_loss_curve_ or self.loss_curve_
        self.best_iter_ = int(np.argmin(curve)) + 1 if curve else 0
        self.optimality_ = result.optimality
        self.converged_ = result.converged
        self.solver_ = fitted.solver

    def _become(self, after):
        """Take over the attributes of a changed copy, in one step.

        An interrupt comes before it or after it, never between two attributes.
        """
        self.__dict__ = vars(after)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class ChosenNetworkMixin(PathAttributes, FittedNetworkMixin):
    """The same for a model that was chosen along paths of penalties."""


def _margins(Z):
    return Z[:, 1] - Z[:, 0] if Z.shape[1] == 2 else Z


# Entries of X, or of the widest layer, of rows that are worked on together: 512 KB in
# double precision, which stay in the cache. So memory is that of the answer. (36,000
# rows of 64 features take 5.6 ms, with 2^14 entries 7.9 and with 2^18 6.5.) Fewer rows
# than the second number would make matrix products slow.
_ENTRIES_AT_ONCE, _FEWEST_ROWS = 2**16, 128

# Products of so few numbers BLAS forms on one thread, whatever it may use.
_ON_ONE_THREAD = 2**13


def _answer_rows(X, model, of_logits):
    network, layers = model._network()
    # Logits of what is not finite are not finite, unless a hidden layer saturates.
    is_unchecked = network.is_linear and is_plain(X) and has_features_of(model, X)
    if not is_unchecked:
        X = check_X(model, X, reset=False)
    widest = max(stored_per_row(X), *network.n_units[1:])
    step = max(int(_ENTRIES_AT_ONCE / widest), _FEWEST_ROWS)
    n_rows = X.shape[0]

    def answer(start):
        with np.errstate(over="ignore", invalid="ignore"):
            Z = network.logits(slice_rows(X, start, start + step), layers)
        finite = np.isfinite(Z)
        if not finite.all():
            if is_unchecked:
                check_X(model, X, reset=False)
            raise ValueError(
                f"X is too large in row {start + finite.all(axis=1).argmin()} for the"
                " coefficients: the logits are not finite."
            )
        return of_logits(Z)

    n_weights = sum(W.size for W, _ in layers)
    if n_rows <= step and n_rows * n_weights <= _ON_ONE_THREAD:
        return answer(0)
    with fit_threads() as threads:  # the same bits for any number of them
        first = answer(0)
        if n_rows <= step:
            return first
        answers = np.empty((n_rows, *first.shape[1:]), first.dtype)
        answers[:step] = first

        def fill(start):
            answers[start : start + step] = answer(start)

        threads.map(fill, range(step, n_rows, step))
    return answers


def _answer_nothing(dtype, *, model, of_logits):
    check_is_fitted(model)
    W = model.coefs_[-1]
    return of_logits(np.zeros((0, W.shape[1]), np.result_type(dtype, W)))

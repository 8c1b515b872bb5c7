"""The estimator: parameters, fit, partial_fit and predictions."""

import copy
from typing import ClassVar, Self

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils.metaestimators import available_if

from sksoftmax._data.homes import open_data
from sksoftmax._data.in_memory import check_rows
from sksoftmax._data.targets import check_classes
from sksoftmax._fit.callbacks import CallbackSupportMixin, Monitor, with_callbacks
from sksoftmax._fit.convergence_warnings import (
    warn_if_interrupted,
    warn_unless_converged,
)
from sksoftmax._fit.fit import fit_epoch, fit_network
from sksoftmax._fit.resumption import kept_state
from sksoftmax._fit.settings import (
    PARAMETER_CONSTRAINTS,
    access_of,
    check_trains_by_minibatches,
)
from sksoftmax._fit.warm_start import advance, announced_classes, initial_point
from sksoftmax._prediction import FittedNetworkMixin
from sksoftmax._utils.parameters import with_plain_numbers
from sksoftmax._utils.typing import ByName, Samples, Seed, Sizes


class SoftmaxRegressionClassifier(
    CallbackSupportMixin, FittedNetworkMixin, ClassifierMixin, BaseEstimator
):
    """Softmax (multinomial logistic) regression with optional hidden layers.

    `fit` minimises F(w) = 1/S sum_i s_i d(p_i, y_i) + alpha/2 ||W||^2, where d is the
    cross-entropy in nats (natural logarithms), s are the sample weights and S is their
    sum. With r = `l1_ratio` > 0 the penalty is alpha ((1 - r)/2 ||W||^2 + r ||W||_1).
    It acts on weights W and not on intercepts, and alpha means the same at every number
    of samples and every batch size. Without hidden layers the problem is convex and is
    solved exactly. Hidden layers put a neural network below the same softmax layer.

    Hidden layers need no scaled features: the network is trained on standardised inputs
    (weighted mean and standard deviation, or that of the entries that are not zero if
    it is larger, as for rare features). Sparse X trains the same network and stays
    sparse. Without intercepts nothing is centred. After training the scaling
    goes into the first layer, so `coefs_` and `intercepts_` act on X itself. The
    penalty acts on the weights of the standardised features; without hidden layers it
    acts on the weights of X. Constant features get zero weights. A warm start keeps the
    scaling of the fit that it continues, and `partial_fit` that of its first call.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int or int, default=()
        Units of each hidden layer; empty for softmax regression.
    activation : {"relu", "tanh", "logistic", "identity", "selu", "silu"}, \
default="relu"
        Activation of the hidden layers.
    alpha : float or "auto", default="auto"
        Strength of the penalty, >= 0. "auto" is 1e-3, or min(3 / n, 1e-2) where `fit`
        trains hidden layers on n rows by mini-batches. `LogisticRegression` is the same
        at ``C = 1 / (alpha * S)``, two classes with L2 at ``C = 2 / (alpha * S)``.
    l1_ratio : float, default=0.0
        Fraction r of the L1 norm in the penalty, in [0, 1]. Above 0 many weights are
        exactly zero. The penalty acts on the weights of features as they are, so
        features should have the same scale. Not with hidden layers.
    grouped : bool, default=False
        Whether `l1_ratio` weighs the grouped norm sum_j ||W_j.||_2 instead of the L1
        norm: the coefficients of a feature are zero for all classes or for none (in
        glmnet ``type.multinomial="grouped"``). No effect with l1_ratio=0.
    penalty_factor : array-like of shape (n_features,) or dict, default=None
        Factor on alpha, >= 0, for each feature, or for those that a dict names; others
        have 1. With 0, for l1_ratio=0 only, there is no penalty. Factors are not scaled
        to a mean of one, as glmnet does. Not with hidden layers.
    fit_intercept : bool, default=True
        Whether layers have intercepts.
    class_weight : dict or "balanced", default=None
        Factors on the sample weights, by class. "balanced" is S / (K S_k) with S_k the
        weight of class k. A soft label counts as one row per class, each with its own
        factor.
    label_smoothing : float, default=0.0
        Fraction, in [0, 1), by which targets move towards the uniform distribution.
    dropout : float, default=0.0
        Fraction, in [0, 1), of hidden units left out at random in each training step.
    solver : {"auto", "newton", "lbfgs", "prox-newton", "adam", "sgd"}, default="auto"
        "auto" is "newton" without hidden layers, "adam" with them, and "prox-newton"
        for l1_ratio > 0, which needs it. "newton", "lbfgs" and "prox-newton" use all
        rows in each iteration and work in float64. "adam" and "sgd" use mini-batches
        and the precision of X; with hidden layers float32 takes half the time.
    max_iter : int or "auto", default="auto"
        The most iterations of a solver that uses all rows, or epochs of a mini-batch
        solver. "auto" is 200 iterations or 60 epochs.
    tol : float or "auto", default="auto"
        "newton", "lbfgs" and "prox-newton" have converged when F is within
        tol * (F_null - F) of its minimum, F_null being F of the best model without
        features. With alpha > 0 and without hidden layers the duality gap decides. It
        is a bound at any size, up to the rounding of F and its gradient. Otherwise half
        the squared Newton decrement decides, an estimate of second order, after which
        one more step is taken. A mini-batch solver has converged when the last
        `n_iter_no_change` epochs improved on those before by at most tol * F_null, or
        when a "cosine" schedule has ended. "auto" is 1e-4 with hidden layers or
        mini-batches and 1e-8 without.
    batch_size : int or "auto", default="auto"
        Rows of a mini-batch; "auto" is a 200th of all rows, from 32 to 200.
    learning_rate : {"constant", "cosine", "invscaling", "adaptive"}, \
default="cosine"
        "cosine" leads the learning rate to zero over `max_iter` epochs, which all run
        unless `early_stopping` ends them. "invscaling" divides it by the root of the
        number of steps. "adaptive" divides it by 5 where training would have stopped as
        converged, and stops under 1e-6. `partial_fit`, which has no known end, keeps it
        constant for "cosine" and "adaptive".
    learning_rate_init : float, default=5e-3
        Learning rate of the mini-batch solvers, > 0.
    momentum : float, default=0.9
        Momentum of "sgd", in [0, 1).
    nesterovs_momentum : bool, default=True
        Whether "sgd" uses Nesterov's momentum.
    early_stopping : bool, default=False
        Whether a mini-batch solver watches the validation loss (of `X_val`, or of rows
        held out by class and weight) instead of the training loss, and returns to its
        best epoch. `partial_fit` refuses it.
    validation_fraction : float, default=0.1
        Fraction of the rows that early stopping holds out where there is no `X_val`.
    n_iter_no_change : int or inf, default=10
        Epochs over which a mini-batch solver looks for an improvement; inf: never.
    warm_start : bool, default=False
        Whether `fit` continues from the last fit. A training that was interrupted or
        stopped, or whose max_iter has been raised, goes on as if it had not been.
    shuffle : bool, default=True
        Whether mini-batches are drawn in a new order each epoch.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, hold-out, mini-batches and dropout. No effect with an
        exact solver without hidden layers.
    verbose : int, default=0
        Whether to print one line per iteration or epoch, and why the fit has ended.

    Attributes
    ----------
    alpha_ : float
        Strength of the penalty of the fit.
    classes_ : ndarray of shape (n_classes,)
        Sorted classes. A class without weight stays, with zero coefficients (for
        l1_ratio > 0 the mean of the others') and an intercept that keeps its
        probability under 2.3e-16.
    coefs_ : list of ndarray of shape (n_units_in, n_units_out)
        Weights of each layer; the last has one column per class, two classes included.
    intercepts_ : list of ndarray of shape (n_units_out,)
        Intercepts of each layer.
    coef_ : ndarray of shape (n_classes, n_features)
        Coefficients, centred over classes; for l1_ratio > 0 those of least penalty
        instead, and with `l1_ratio=1` of the least norm among them. Only without hidden
        layers.
    intercept_ : ndarray of shape (n_classes,)
        Intercepts, centred over classes. Only without hidden layers.
    n_iter_ : int
        Iterations or epochs run.
    n_passes_ : float
        Passes over X, the cost where it is slow to read. Subsamples are fractions.
    loss_ : float
        F at the end, in nats. For mini-batch solvers the mean loss of the last epoch's
        batches, each before its step, plus the penalty.
    loss_curve_ : list of float
        F after each iteration, length `n_iter_`.
    validation_loss_curve_ : list of float
        Mean cross-entropy on the validation data after each iteration, in nats; empty
        without validation data.
    validation_score_curve_ : list of float
        Accuracy on the validation data, weighted as their loss is; as long as
        `validation_loss_curve_`.
    best_iter_ : int
        Number of the iteration with the lowest validation loss, or without validation
        data the lowest loss; 1 is the first.
    optimality_ : float
        The number that was compared with the tolerance, in nats. Without hidden layers
        and with alpha > 0 it is the duality gap, a bound on F minus its minimum up to
        rounding. With alpha = 0, or with hidden layers and "lbfgs", it is an estimate
        of that difference, half the squared Newton decrement. With a mini-batch solver
        it is the last improvement; infinite if there were too few epochs to judge.
    converged_ : bool
        Whether the tolerance was met.
    solver_ : str
        The solver that ran.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had them.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same model without hidden layers.
    sklearn.neural_network.MLPClassifier : The same model with hidden layers.

    References
    ----------
    Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, 2nd
    edition, sections 4.4 and 11.3.

    Simon, Friedman and Hastie (2013), A blockwise descent algorithm for group-penalized
    multiresponse and multinomial regression, arXiv:1311.6529 (the grouped penalty).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegressionClassifier().fit(X, y)
    >>> model.predict_proba(X[:2]).round(3)
    array([[0.996, 0.004, 0.   ],
           [0.992, 0.008, 0.   ]])
    """

    _parameter_constraints: ClassVar[dict] = PARAMETER_CONSTRAINTS
    _writes_checkpoints = True

    def __init__(
        self,
        hidden_layer_sizes: Sizes = (),
        *,
        activation: str = "relu",
        alpha: float | str = "auto",
        l1_ratio: float = 0.0,
        grouped: bool = False,
        penalty_factor: ByName | None = None,
        fit_intercept: bool = True,
        class_weight: dict | str | None = None,
        label_smoothing: float = 0.0,
        dropout: float = 0.0,
        solver: str = "auto",
        max_iter: int | str = "auto",
        tol: float | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: str = "cosine",
        learning_rate_init: float = 5e-3,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        warm_start: bool = False,
        shuffle: bool = True,
        random_state: Seed = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.grouped = grouped
        self.penalty_factor = penalty_factor
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.dropout = dropout
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.shuffle = shuffle
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Samples,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        classes: ArrayLike | None = None,
        X_val: Samples | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the model. If anything fails, the estimator stays as it was.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or batches
            Training data, float32 or float64; anything else is converted to float64.
            For exact solvers without hidden layers and for mini-batch solvers they may
            be larger than memory: a `numpy.memmap`, which is read in slices of rows if
            it takes more than 1 GiB, or batches, with y=None: a sequence of ``(X, y)``
            or ``(X, y, sample_weight)``, or a function that returns a new iterator over
            them each time it is called, or a `Table` of `sksoftmax.data`.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Integers, strings, booleans or dates, or soft labels: rows of at least two
            probabilities that sum to 1. The columns of a table name the classes;
            else they are 0, 1, ... None only where X has batches.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0. A row of weight 0 is as if it were not there.
        classes : array-like of shape (n_classes,), default=None
            All labels, those that y lacks included; None for the labels in y.
        X_val, y_val, sample_weight_val : array-like, default=None
            Validation data, for `validation_loss_curve_` and early stopping.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data cannot be used; the message names the culprit,
            and the batch, counted from 0.
        KeyboardInterrupt
            If it comes before the first iteration or epoch has ended. Later it ends the
            fit with an `InterruptionWarning`, and the estimator is fitted as after the
            last of them, or with `early_stopping` after the best.
        """
        checked = with_plain_numbers(self)
        classes = None if classes is None else check_classes(classes)
        data = (X, y, sample_weight), (X_val, y_val, sample_weight_val)
        with open_data(checked, *data, classes=classes, access=access_of(checked)) as (
            training,
            validation,
        ):
            classes = training.targets.classes
            start = initial_point(self, checked, classes, by="warm_start")
            monitor = Monitor.of(self, checked, classes, data[0])
            fitted = fit_network(checked, training, validation, start, monitor)
        warn_unless_converged(checked, fitted)
        after = copy.copy(self)
        after._keep(checked, classes, fitted)
        after._state = kept_state(checked, fitted.result)
        self._become(after)
        if start.layers is None or not fitted.history.n_before:
            advance(self.random_state)
        if monitor is not None:
            monitor.end()
        warn_if_interrupted(self, fitted)
        return self

    @available_if(check_trains_by_minibatches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Samples,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch, on these samples.

        Continues where the last `partial_fit` or `fit` stopped: with its optimizer too,
        unless that was a `fit` without `warm_start`. With solver="auto" it trains by
        "adam", without hidden layers too.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels or soft labels, as in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call only, and not where
            y is soft.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0, relative to the mean of all calls so far.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The estimator, one epoch on.

        Raises
        ------
        ValueError, TypeError
            If the data cannot be used, a label is not among the classes, or
            `early_stopping` is set.
        """
        first = not hasattr(self, "coefs_")
        checked = with_plain_numbers(self)
        classes = announced_classes(self, classes, y)
        data = X, y, sample_weight
        training = check_rows(checked, data, classes=classes, reset=first)
        training = training.weigh_classes(checked.class_weight, checked.label_smoothing)
        classes = training.targets.classes
        start = initial_point(self, checked, classes, by="partial_fit")
        fitted = fit_epoch(checked, training, start)
        after = copy.copy(self)
        after._keep(checked, classes, fitted, [] if first else self.loss_curve_)
        after._state = fitted.result.state
        self._become(after)
        advance(self.random_state)
        return self

    def _keep(self, checked, classes, fitted, earlier_losses=()):
        super()._keep(checked, classes, fitted, earlier_losses)
        self.alpha_ = fitted.alpha
        self._activation = self.activation

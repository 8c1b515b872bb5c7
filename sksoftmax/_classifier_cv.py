"""The estimator that chooses its penalty: paths of alphas, scored by rows left out."""

import copy
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import (
    _num_samples,
    check_consistent_length,
    check_is_fitted,
)

from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._data.arrays import in_memory
from sksoftmax._data.in_memory import check_rows
from sksoftmax._data.targets import check_weights, encode, hard_labels
from sksoftmax._fit.alpha_grid import alphas_of
from sksoftmax._fit.callbacks import CallbackSupportMixin, TaskMonitor, with_callbacks
from sksoftmax._fit.convergence_warnings import warn_unless_all_converged
from sksoftmax._fit.cross_validation import check_folds, path_attributes, score_paths
from sksoftmax._fit.history import PathProgress
from sksoftmax._fit.penalty_factors import factors_for
from sksoftmax._fit.scoring import Scoring, leaves_one_out, route_fit, router_of
from sksoftmax._fit.settings import PARAMETER_CONSTRAINTS
from sksoftmax._prediction import ChosenNetworkMixin
from sksoftmax._utils.errors import error_context
from sksoftmax._utils.parameters import Interval, check_numbers, with_plain_numbers
from sksoftmax._utils.typing import ByName, Samples, Scorer

# A larger number is a value of alpha that should be in a list.
_MOST_ALPHAS = 10_000

# Parameters that every fit gets as they are.
_OF_EVERY_FIT = (
    "grouped",
    "penalty_factor",
    "fit_intercept",
    "class_weight",
    "label_smoothing",
    "max_iter",
    "tol",
)


class SoftmaxRegressionClassifierCV(
    CallbackSupportMixin, ChosenNetworkMixin, ClassifierMixin, BaseEstimator
):
    """Softmax regression that chooses its penalty by cross-validation or leave-one-out.

    For each `l1_ratio` the models of all alphas are fitted one after the other, from
    strong to weak penalty, each begun at the last one's optimum. They are scored on
    rows that were left out, in folds or by approximate leave-one-out. The best one,
    fitted on all rows, is what the estimator then is. The result is that of a
    `GridSearchCV` over `SoftmaxRegressionClassifier` with the same folds, alphas and
    scoring.

    Parameters
    ----------
    alphas : int, array-like of shape (n_alphas,) or None, default=None
        Strengths of the penalty, >= 0, or their number, at most 10,000; None stands
        for 20. Given a number, they are a geometric progression. For l1_ratio > 0 it
        starts at the least alpha at which all weights are zero and ends at 1e-4 of it
        (1e-2 if there are fewer rows than features). For l1_ratio = 0 it starts at
        (1 - sum_k q_k^2) sum_j var(x_j), q_k being the fractions of the classes, above
        which the weights have less than one effective degree of freedom, and ends at
        1e-6 of that, with the median variance in the place of all if that is less: then
        features of small units count as well.
    l1_ratios : float or array-like of shape (n_l1_ratios,), default=(0.0,)
        Values of `l1_ratio` to choose from, in [0, 1].
    grouped : bool, default=False
        As in `SoftmaxRegressionClassifier`, for l1_ratio > 0.
    penalty_factor : array-like of shape (n_features,) or dict, default=None
        As in `SoftmaxRegressionClassifier`. Grids of alphas take it into account.
    fit_intercept : bool, default=True
        Whether there are intercepts.
    class_weight : dict or "balanced", default=None
        Factors on the weights of the rows in a fit, by class; "balanced" is of the rows
        that are fitted. They have no part in the scores, but cv="alo" leaves out no row
        whose factor is zero.
    label_smoothing : float, default=0.0
        Fraction, in [0, 1), by which targets move towards the uniform distribution in a
        fit. It has no part in the scores.
    cv : int, splitter, iterable or "alo", default=5
        How rows are left out: the number of stratified folds, a cross-validation
        splitter, (train, test) pairs of row numbers, or "alo", approximate
        leave-one-out: each row is predicted by the model without it, to which one
        Newton step from the model of all rows leads (Rad and Maleki 2020). Rows that
        move so far that the step may be wrong are fitted again without themselves,
        until the others are estimated to change the mean loss by less than 0.5 %. The
        more weights there are for each row, the more rows that takes, above all with
        l1_ratio > 0. A row is left out with all of its weight. None stands for 5.
    scoring : str or callable, default="neg_log_loss"
        What is maximised: the name of a scorer or a scorer of scikit-learn, and for
        cv="alo" either "neg_log_loss" or "accuracy". None stands for "accuracy". With
        soft labels "neg_log_loss" is minus the mean cross-entropy; any scorer but these
        two gets the likeliest class of each row. A scorer sees X as an array or a CSR
        matrix, without names. If it takes `labels` it gets all classes, because a fold
        may lack some. Folds where it returns NaN have no part in means.
    max_iter : int or "auto", default="auto"
        The most iterations of each fit; "auto" stands for 200.
    tol : float or "auto", default="auto"
        Tolerance of each fit, as in `SoftmaxRegressionClassifier`.
    verbose : int, default=0
        1 prints a line after each path, 2 also one per iteration of those on all rows.
    n_jobs : int, default=None
        How many paths are fitted at once; -1 stands for all processors, None for 1 or
        what `joblib.parallel_config` says. Results are the same to the last bit.

    Attributes
    ----------
    alphas_ : ndarray of shape (n_l1_ratios, n_alphas)
        The alphas of each l1_ratio, in descending order.
    alpha_ : float
        The chosen alpha.
    alpha_1se_ : float
        The largest alpha, for the chosen l1_ratio, whose mean score is within one
        standard error of the best: a simpler model that is not distinguishably worse.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        The values of l1_ratio.
    l1_ratio_ : float
        The chosen l1_ratio.
    scores_ : ndarray of shape (n_l1_ratios, n_alphas, n_folds)
        Score of each fold; the mean over rows is the one fold of cv="alo".
    mean_scores_ : ndarray of shape (n_l1_ratios, n_alphas)
        Means of `scores_`, whose largest decides; the larger alpha among equals.
    score_errors_ : ndarray of shape (n_l1_ratios, n_alphas)
        Standard errors of the means: over folds, their standard deviation divided by
        the root of their number; for cv="alo" over the rows.
    coefs_path_ : ndarray of shape (n_l1_ratios, n_alphas, n_classes, n_features)
        Coefficients of all alphas, fitted on all rows.
    intercepts_path_ : ndarray of shape (n_l1_ratios, n_alphas, n_classes)
        Their intercepts.
    classes_ : ndarray of shape (n_classes,)
        Sorted classes.
    coefs_ : list of one ndarray of shape (n_features, n_classes)
        Weights of the best model.
    intercepts_ : list of one ndarray of shape (n_classes,)
        Intercepts of the best model.
    coef_ : ndarray of shape (n_classes, n_features)
        Coefficients, in the gauge that `SoftmaxRegressionClassifier` describes.
    intercept_ : ndarray of shape (n_classes,)
        Intercepts.
    n_iter_ : int
        Iterations of the fit of all rows at `alpha_`, from the next larger alpha on.
    n_passes_ : float
        Passes over X of the fit at `alpha_`; subsamples count as fractions.
    loss_ : float
        F at the end of the fit at `alpha_`, in nats.
    loss_curve_ : list of float
        F after each iteration of the fit at `alpha_`, in nats.
    validation_loss_curve_ : list
        Empty: how well rows that were left out are predicted is in `scores_`.
    validation_score_curve_ : list
        Empty, as `validation_loss_curve_` is.
    best_iter_ : int
        Number of the iteration with the lowest loss in the fit at `alpha_`, from 1.
    optimality_ : float
        What was compared with the tolerance in the fit at `alpha_`, in nats.
    converged_ : bool
        Whether the fit at `alpha_` met its tolerance.
    solver_ : str
        The solver of the fit at `alpha_`.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had them.

    See Also
    --------
    SoftmaxRegressionClassifier : The same model with a given penalty.
    sklearn.linear_model.LogisticRegressionCV : Cross-validation over C.

    References
    ----------
    Rad and Maleki (2020), A scalable estimate of the out-of-sample prediction error via
    approximate leave-one-out cross-validation, J. R. Stat. Soc. B 82:965.

    Friedman, Hastie and Tibshirani (2010), Regularization paths for generalized linear
    models via coordinate descent, J. Stat. Softw. 33(1).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegressionClassifierCV(cv="alo").fit(X, y)
    >>> model.alphas_.shape, model.scores_.shape
    ((1, 20), (1, 20, 1))
    >>> bool(model.alpha_ <= model.alpha_1se_)
    True
    """

    # `score` passes weights on to the scorer, which is asked in its stead.
    __metadata_request__score: ClassVar[dict] = {"sample_weight": UNUSED}

    _parameter_constraints: ClassVar[dict] = {
        "alphas": [
            Interval(Integral, 1, _MOST_ALPHAS, closed="both"),
            "array-like",
            None,
        ],
        "l1_ratios": [Interval(Real, 0, 1, closed="both"), "array-like"],
        **{name: PARAMETER_CONSTRAINTS[name] for name in _OF_EVERY_FIT},
        "cv": ["cv_object", StrOptions({"alo"})],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "verbose": PARAMETER_CONSTRAINTS["verbose"],
        "n_jobs": [Integral, None],
    }

    _activation = "identity"  # there is no hidden layer

    def __init__(
        self,
        alphas: ArrayLike | None = None,
        *,
        l1_ratios: ArrayLike = (0.0,),
        grouped: bool = False,
        penalty_factor: ByName | None = None,
        fit_intercept: bool = True,
        class_weight: dict | str | None = None,
        label_smoothing: float = 0.0,
        cv: object = 5,
        scoring: Scorer = "neg_log_loss",
        max_iter: int | str = "auto",
        tol: float | str = "auto",
        verbose: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.l1_ratios = l1_ratios
        self.grouped = grouped
        self.penalty_factor = penalty_factor
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.cv = cv
        self.scoring = scoring
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.n_jobs = n_jobs

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Samples,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        **params,
    ) -> Self:
        """Fit the paths and keep the best model. If anything fails, nothing changes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, float32 or float64; anything else is converted to float64.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels or soft labels, as in `SoftmaxRegressionClassifier.fit`. Folds are
            stratified by the likeliest class.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0, in the fits and in the scores; with metadata routing, in the
            scores only if the scorer requests them.
        **params : dict
            `groups` for the splitter; with metadata routing, whatever the splitter and
            the scorer request.

        Returns
        -------
        self : SoftmaxRegressionClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data cannot be used; the message names the culprit.
        """
        split_params, score_params = route_fit(self, sample_weight, params)
        scoring = Scoring.by(self._scorer(), score_params)
        if leaves_one_out(self) and scoring.of_rows is None:
            raise ValueError(
                "cv='alo' needs scoring='neg_log_loss' or 'accuracy', which are means"
                f" over rows; got scoring={self.scoring!r}."
            )
        checked = copy.copy(self)
        dataset = check_rows(checked, (X, y, sample_weight))
        grid = self._grid(checked, dataset)
        folds = None
        if not leaves_one_out(self):
            present = dataset.weigh_classes(self.class_weight).targets.present
            folds = check_folds(self.cv, dataset, present, split_params)
        n_paths = len(grid) * (1 + len(folds or ()))
        monitor = TaskMonitor.of(self, (X, y, sample_weight), n_paths)
        progress = None
        if self.verbose or monitor is not None:
            progress = PathProgress(n_paths, self.verbose, monitor)
        fits, scores, every_fit = score_paths(
            grid, dataset, folds, scoring, n_jobs=self.n_jobs, progress=progress
        )
        means = np.array([path.means for path in scores])
        if np.isnan(means).any():
            raise ValueError(f"scoring={self.scoring!r} returned NaN.")
        best = np.unravel_index(means.argmax(), means.shape)
        warn_unless_all_converged(self, every_fit)
        after = copy.copy(self)
        after._keep(checked, dataset.targets.classes, fits[best[0]][best[1]])
        vars(after).update(path_attributes(grid, fits, scores, best))
        self._become(after)
        if monitor is not None:
            monitor.end()
        return self

    def score(
        self,
        X: Samples,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        **score_params,
    ) -> float:
        """The score that `scoring` names, of these samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or for "neg_log_loss" and "accuracy" soft labels too.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        **score_params : dict
            What else the scorer requests, with metadata routing.

        Returns
        -------
        score : float
            The more the better.
        """
        check_is_fitted(self)
        _raise_for_params(score_params, self, "score")
        with error_context("X and y"):
            check_consistent_length(X, y)
        if sample_weight is not None:
            n_samples = _num_samples(y)
            score_params["sample_weight"] = check_weights(sample_weight, n_samples)
        if _routing_enabled():
            score_params = process_routing(self, "score", **score_params).scorer.score
        y, model = in_memory(y), self._snapshot()
        scoring = Scoring.by(self._scorer(), score_params)
        # Labels of no class leave y as it is. Whether they are an error or only wrong,
        # the scorer knows.
        labels = hard_labels(y, model.classes_)
        if scoring.of_rows is None or labels is y:
            return self._scorer()(model, X, labels, **score_params)
        Z = in_memory(model._answer(X, np.asarray))
        return scoring.mean(Z, encode(y, model.classes_).Y, scoring.weights(len(Z)))

    def get_metadata_routing(self) -> MetadataRouter:
        """Who gets which metadata: `fit` the weights, the splitter, the scorer.

        Returns
        -------
        routing : MetadataRouter
            The routing information.
        """
        return router_of(self, self._scorer())

    def _scorer(self):
        return get_scorer(self.scoring or "accuracy")

    def _grid(self, checked, dataset):
        """Settings and alphas of each path."""
        training = dataset.weigh_classes(self.class_weight, self.label_smoothing)
        n_present = np.count_nonzero(training.targets.present)
        if n_present < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes with weight to"
                f" choose a penalty; y has {n_present} class."
            )
        l1_ratios = check_numbers("l1_ratios", self.l1_ratios, 0.0, 1.0)
        passed_on = {name: getattr(self, name) for name in _OF_EVERY_FIT}
        passed_on["verbose"] = int(self.verbose > 1)
        paths = [
            with_plain_numbers(SoftmaxRegressionClassifier(l1_ratio=r, **passed_on))
            for r in l1_ratios.tolist()
        ]
        for path in paths:
            path.penalty_factor = factors_for(path, checked)
        return [(path, alphas_of(path, training, self.alphas)) for path in paths]

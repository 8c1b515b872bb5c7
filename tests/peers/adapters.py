"""Our classifier under the names and parameters of two of scikit-learn's.

They translate and do nothing else: what passes or fails is the classifier within.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.metaestimators import available_if

from sksoftmax import SoftmaxRegressionClassifier


class Adapter(ClassifierMixin, BaseEstimator):
    """What both have in common: the classifier within, which all questions go to."""

    n_made = 0  # how often any was made, for the plugin

    def __new__(cls, *args, **kwargs):
        Adapter.n_made += 1
        return super().__new__(cls)

    def _fit(self, X, y, sample_weight, **parameters):
        if not (self.warm_start and hasattr(self, "model_")):
            self.model_ = SoftmaxRegressionClassifier()
        model = self.model_.set_params(**parameters)
        self._publish(model.fit(X, y, sample_weight))
        return self

    def _publish(self, model):
        names = "classes_", "n_features_in_", "feature_names_in_"
        vars(self).update({n: vars(model)[n] for n in names if hasattr(model, n)})

    def decision_function(self, X):
        return self._fitted().decision_function(X)

    def predict(self, X):
        return self._fitted().predict(X)

    def predict_proba(self, X):
        return self._fitted().predict_proba(X)

    def predict_log_proba(self, X):
        return self._fitted().predict_log_proba(X)

    def _fitted(self):
        return getattr(self, "model_", SoftmaxRegressionClassifier())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LogisticRegression(Adapter):
    """Softmax regression with the parameters of scikit-learn's LogisticRegression."""

    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None):
        alpha, l1_ratio = self._penalty(y, sample_weight)
        self._fit(
            X,
            y,
            sample_weight,
            alpha=alpha,
            l1_ratio=l1_ratio,
            # Their tests compare coefficients to as many as seven digits, at any tol.
            tol=min(self.tol**2, 1e-13),
            fit_intercept=self.fit_intercept,
            class_weight=self.class_weight,
            solver=self._solver(l1_ratio),
            max_iter=self.max_iter,
            random_state=self.random_state,
            verbose=self.verbose,
            warm_start=self.warm_start,
        )
        coef, intercept = self.model_.coef_, self.model_.intercept_
        if len(self.classes_) == 2:  # one logit there, two here
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        self.coef_, self.intercept_ = coef, intercept
        self.n_iter_ = np.array([self.model_.n_iter_], dtype=np.int32)
        return self

    def _solver(self, l1_ratio):
        if l1_ratio > 0.0:
            return "prox-newton"
        return "lbfgs" if self.solver == "lbfgs" else "newton"

    def _penalty(self, y, sample_weight):
        """Alpha and l1_ratio that make our F theirs, divided by C times the weights.

        With two classes there are two rows of coefficients here, -w/2 and w/2, whose
        squares sum to half of w squared and whose L1 norm is that of w.
        """
        l1_ratio = {"l1": 1.0, "l2": 0.0}.get(self.penalty, self.l1_ratio)
        if np.isinf(self.C) or self.penalty is None:
            return 0.0, 0.0
        S = self._total_weight(y, sample_weight)
        if len(np.unique(y)) != 2:
            return 1.0 / (self.C * S), l1_ratio
        return (2.0 - l1_ratio) / (self.C * S), l1_ratio / (2.0 - l1_ratio)

    def _total_weight(self, y, sample_weight):
        y = np.asarray(y)
        s = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        if self.class_weight == "balanced":
            return s.sum()  # as S / (K S_k) leaves it
        return (s * compute_sample_weight(self.class_weight, y)).sum()


def _trains_in_parts(adapter):
    if adapter.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for stochastic optimizers.")
    return True


class MLPClassifier(Adapter):
    """Hidden layers under softmax, with the parameters of scikit-learn's MLP."""

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    def _parameters(self, y):
        names = set(SoftmaxRegressionClassifier().get_params()) & set(self.get_params())
        parameters = {name: getattr(self, name) for name in names}
        n_rows = len(y)
        parameters["alpha"] = self.alpha / n_rows  # theirs is divided by the rows
        if self.batch_size == "auto":
            parameters["batch_size"] = min(200, n_rows)
        return parameters

    def fit(self, X, y, sample_weight=None):
        return self._fit(X, y, sample_weight, **self._parameters(y))

    @available_if(_trains_in_parts)
    def partial_fit(self, X, y, classes=None):
        model = self.model_ = getattr(self, "model_", SoftmaxRegressionClassifier())
        model.set_params(**self._parameters(y))
        self._publish(model.partial_fit(X, y, classes))
        return self

    def _publish(self, model):
        super()._publish(model)
        self.coefs_, self.intercepts_ = model.coefs_, model.intercepts_
        self.n_iter_, self.loss_, self.loss_curve_ = (
            model.n_iter_,
            model.loss_,
            model.loss_curve_,
        )
        self.best_loss_ = None if self.early_stopping else min(model.loss_curve_)
        scores = model.validation_score_curve_ or None
        self.validation_scores_ = scores
        self.best_validation_score_ = scores and max(scores)

"""Bias-reduced estimates, which are finite even where classes are separated."""

import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError
from scipy.special import chdtrc, chdtri

from sksoftmax._data.chunks import Chunks
from sksoftmax._model.network import project_onto_gauge
from sksoftmax._utils.errors import check_choice
from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._contrast_table import ContrastTable
from sksoftmax.inference._covariance import Estimates, find_base, gauge
from sksoftmax.inference._design import orthonormal_design
from sksoftmax.inference._jeffreys import maximise
from sksoftmax.inference._likelihood import Likelihood
from sksoftmax.inference._problem import observe
from sksoftmax.inference._profile import (
    minimum_on_profile,
    notes_on_ends,
    profile_end,
)
from sksoftmax.inference._tables import check_level, wald_columns
from sksoftmax.inference._weights import COUNTS

# Free parameters up to which the estimates are found. Each step forms the variances of
# all logits of all rows, n_params^2 numbers for each row.
LARGEST = 500


@dataclass(frozen=True, repr=False)
class BiasReduced(ContrastTable):
    """Bias-reduced coefficients with standard errors, tests and intervals.

    Rows of the arrays are classes, without the base class. Columns are terms.

    Parameters
    ----------
    classes : ndarray of shape (n_rows,)
        Class of each row.
    terms : list of str
        Names of the features and, last, "intercept".
    se : ndarray of shape (n_rows, n_terms)
        Standard errors, from the information at the estimates.
    z, p_value : ndarray of shape (n_rows, n_terms)
        The signed root of the penalised likelihood ratio of coef = 0, and its two-sided
        p-value; with interval="wald" coef / se and its.
    conf_int : ndarray of shape (n_rows, n_terms, 2)
        Ends of the confidence intervals.
    confidence_level : float
        Their level.
    notes : list of str
        Ends of intervals that were not found.
    coef : ndarray of shape (n_rows, n_terms)
        Coefficients.
    base : object
        Label of the base class; None for the mean of all classes.
    estimates : Estimates
        Coefficients and covariance in working coordinates, for `wald_test`.
    n : float
        Number of observations; with weights their sum.
    loglik, penalised_loglik : float
        Log-likelihood, in nats (natural logarithms), and that with half the logarithm
        of the determinant of the information. The latter depends on the units of X.
    interval : str
        Kind of the intervals.
    model : SoftmaxRegressionClassifier
        A copy of the classifier that has these coefficients and predicts with them.
    """

    n: float
    loglik: float
    penalised_loglik: float
    interval: str
    model: object = field(repr=False)

    _title = "Softmax regression, bias-reduced"

    @property
    def header(self):
        """Pairs of a name and a value, to show above the table."""
        return [
            ("Observations", f"{self.n:g}"),
            ("Classes", f"{self.model.classes_.size}"),
            ("Coefficients", f"{self.estimates.gamma.size}"),
            ("Log-likelihood", f"{self.loglik:.3f}"),
            ("With the penalty", f"{self.penalised_loglik:.3f}"),
            ("Intervals, tests", self.interval),
        ]


def firth(
    model,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    base: object = None,
    interval: str = "profile",
    confidence_level: float = 0.95,
) -> BiasReduced:
    """Bias-reduced estimates of a softmax regression, finite under separation too.

    They maximise the likelihood with Jeffreys' penalty, which removes the bias of order
    1/n of maximum likelihood. Where features separate classes, and in small samples,
    they are the estimates to publish.

    Parameters
    ----------
    model : SoftmaxRegressionClassifier, or a pipeline that ends in one
        Fitted with alpha=0, without hidden layers. Its coefficients do not matter, so
        it may have warned of separation.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The data that `model` was fitted on.
    y : array-like of shape (n_samples,)
        Its labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Whole numbers: how many equal observations each row stands for.
    base : label, default=None
        Class with which the others are compared. None compares each class with the
        mean of all.
    interval : {"profile", "wald"}, default="profile"
        "profile" computes intervals and p-values from the penalised likelihood, as
        small samples and separation demand. "wald" is faster: coef -+ quantile * se.
    confidence_level : float, default=0.95
        Level of the intervals, in (0, 1).

    Returns
    -------
    estimates : BiasReduced
        To print, or to show in a notebook. Its numbers are attributes; `model` predicts
        with them.

    Raises
    ------
    ValueError, TypeError
        If the model has a penalty, hidden layers, class weights or label smoothing; if
        y has soft labels or weights are no counts; if columns are linearly dependent;
        if there are more than 500 free parameters; or if a parameter is invalid.

    See Also
    --------
    summary : Maximum likelihood, where classes overlap.

    Notes
    -----
    R's brglm2::brmultinom with type="AS_mean" has the same estimates and standard
    errors, and for two classes R's logistf also the same intervals and p-values. Where
    observations are hardly more than coefficients the penalised likelihood can have
    several maxima; the higher of two that are tried is returned.

    References
    ----------
    Firth (1993), Bias reduction of maximum likelihood estimates, Biometrika 80:27.
    Heinze and Schemper (2002), A solution to the problem of separation in logistic
    regression, Statistics in Medicine 21:2409. Kosmidis and Firth (2011), Multinomial
    logit bias reduction via the Poisson log-linear model, Biometrika 98:755.

    Examples
    --------
    No sample of the second class has the mark, so that its coefficient is infinite in
    maximum likelihood:

    >>> import warnings
    >>> import numpy as np
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import firth
    >>> X = np.repeat([[0], [0], [1]], [20, 10, 5], axis=0)
    >>> y = np.repeat([0, 1, 0], [20, 10, 5])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> result = firth(model, X, y, base=0)
    >>> result.coef.round(3), result.se.round(3)
    (array([[-1.729, -0.669]]), array([[1.663, 0.386]]))
    """
    confidence_level = check_level(confidence_level)
    check_choice("interval", interval, ("profile", "wald"))
    observed = observe(model, X, y, sample_weight, COUNTS)
    _check(observed)
    targets, ones = observed.sample.targets, observed.model.fit_intercept
    number = find_base(targets.classes, base)
    with fit_threads() as threads:
        chunks = Chunks(observed.sample.X, targets.Y, targets.s, threads)
        design = orthonormal_design(chunks, ones, observed.terms)
        likelihood = Likelihood(chunks, design, 0.0)
        try:
            maximum = maximise(likelihood)
        except LinAlgError as error:
            raise ValueError(
                "The bias-reduced estimates were not found: the penalised likelihood is"
                " too flat in double precision. Use fewer columns of X."
            ) from error
        estimates = Estimates(
            maximum.gamma,
            maximum.factor.inverse(),
            design.M,
            gauge(targets.classes.size, number),
        )
        classes = np.delete(targets.classes, [] if number is None else number)
        columns = wald_columns(estimates.coef, estimates.se, confidence_level)
        notes = []
        if interval == "profile":
            columns |= _profiles(maximum, estimates, confidence_level)
            notes += notes_on_ends(columns["conf_int"], classes, observed.terms)
        loglik = -likelihood.value(maximum.gamma)
        # The information about the coefficients of X, not about working coordinates.
        units = (targets.classes.size - 1) * np.linalg.slogdet(design.M)[1]
    return BiasReduced(
        classes=classes,
        terms=observed.terms,
        coef=estimates.coef,
        **columns,
        notes=notes,
        base=base,
        n=float(observed.counts.sum()),
        loglik=loglik,
        penalised_loglik=-maximum.loss - units,
        interval=interval,
        model=_with_coefficients(observed.model, estimates, loglik / targets.s.sum()),
        estimates=estimates,
    )


def _check(observed):
    """Refuse what the penalty is not for."""
    if observed.alpha > 0:
        raise ValueError(
            "firth has a penalty of its own; model has"
            f" alpha={observed.alpha:g}, must be 0."
        )
    if observed.model.class_weight is not None:
        raise ValueError(
            "With class_weight there is no likelihood that could be penalised; model"
            f" has class_weight={observed.model.class_weight!r}, must be None."
        )
    Y = observed.sample.targets.Y
    soft = np.flatnonzero(((Y > 0.0) & (Y < 1.0)).any(axis=1))
    if soft.size:
        raise ValueError(
            f"firth needs labels; row {soft[0]} of y, of those with weight, has"
            f" probabilities {Y[soft[0]].tolist()}."
        )
    if observed.n_free > LARGEST:
        raise ValueError(
            f"firth is for up to {LARGEST} free parameters; here are"
            f" {observed.n_free}. Use fewer columns of X, or alpha > 0."
        )


def _profiles(maximum, estimates, level):
    """Intervals, signed roots of likelihood ratios and p-values of all coefficients."""
    drop = 0.5 * float(chdtri(1, 1.0 - level))
    shape = estimates.coef.shape
    ends, z = np.empty((*shape, 2)), np.empty(shape)
    for row, term in np.ndindex(*shape):
        g = np.outer(estimates.G[row], estimates.M[term])
        for place, side in enumerate((-1.0, 1.0)):
            ends[row, term, place] = side * profile_end(maximum, side * g, drop)
        z[row, term] = _signed_root(maximum, g)
    return {"conf_int": ends, "z": z, "p_value": chdtrc(1, np.square(z))}


def _signed_root(maximum, g):
    """The root of the likelihood ratio of g.gamma = 0, with the sign of g.gamma."""
    estimate = float(np.vdot(g, maximum.gamma))
    tangent = maximum.factor.solve(g)
    variance = float(np.vdot(g, tangent))
    start = maximum.gamma - estimate * tangent / variance
    found = minimum_on_profile(maximum, start, g, np.outer(g, g) / variance)
    if found is None:
        return np.nan
    return np.sign(estimate) * np.sqrt(max(2.0 * (found[1] - maximum.loss), 0.0))


def _with_coefficients(model, estimates, mean_loglik):
    """A copy of the classifier that predicts with the estimates."""
    n_classes = estimates.gamma.shape[0] + 1
    theta = gauge(n_classes) @ estimates.gamma @ estimates.M.T
    n_features = model.n_features_in_
    W, b = theta[:, :n_features].T, np.zeros(n_classes)
    if model.fit_intercept:
        b = theta[:, -1]
    W, b = project_onto_gauge(W, b)
    model = copy.copy(model)
    model.coefs_, model.intercepts_ = [W], [b]
    model.loss_ = -float(mean_loglik)
    model.loss_curve_, model.n_iter_, model.converged_ = [model.loss_], 1, True
    return model

"""Tests of the independence of irrelevant alternatives (IIA).

The odds of two classes do not depend on a third in a softmax regression. So a fit
without the rows of the third estimates the same contrasts of the others.
"""

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._data.arrays import take_rows
from sksoftmax._utils.errors import check_choice
from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._fit_statistics import require_likelihood
from sksoftmax.inference._problem import open_problem
from sksoftmax.inference._table_of_tests import TableOfTests
from sksoftmax.inference._weights import COUNTS

_METHODS = {"hausman": "Hausman-McFadden", "small-hsiao": "Small-Hsiao"}


def iia_test(
    model,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    method: str = "hausman",
    random_state=None,
) -> TableOfTests:
    """Tests of the independence of irrelevant alternatives, without each class in turn.

    Parameters
    ----------
    model, X, y : as in `summary`
        The model, fitted without a penalty, and the data that it was fitted on. It has
        three classes at least.
    sample_weight : array-like of shape (n_samples,), default=None
        Counts of equal observations.
    method : {"hausman", "small-hsiao"}, default="hausman"
        Hausman and McFadden's test compares the contrasts of the other classes in the
        model with those in a fit without the class. Small and Hsiao's test is a
        likelihood ratio on one half of the observations, drawn at random.
    random_state : int, RandomState instance or None, default=None
        Draws the halves for "small-hsiao".

    Returns
    -------
    tests : TableOfTests
        A test for each omitted class. All numbers are nan where there is no estimate
        without the class; p is also nan where the statistic is negative.

    Raises
    ------
    ValueError, TypeError
        As in `summary`; if there are less than three classes or a penalty, y has soft
        labels, or weights are no counts.

    See Also
    --------
    likelihood_ratio_test : Compares nested models.

    Notes
    -----
    Both tests are weak. Hausman and McFadden's statistic may be negative in finite
    samples, as the difference of two covariances need not be positive definite; they
    take this for no evidence against IIA. Small and Hsiao's result depends on the
    random halves. In simulations both have the wrong size, even in large samples, and
    they often contradict each other (Cheng and Long 2007). Whether alternatives are
    close substitutes is better answered by what is known of them.

    References
    ----------
    Hausman and McFadden (1984), Specification tests for the multinomial logit model,
    Econometrica 52:1219. Small and Hsiao (1985), Multinomial logit specification tests,
    International Economic Review 26:619. Cheng and Long (2007), Testing for IIA in the
    multinomial logit model, Sociological Methods & Research 35:583.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import iia_test
    >>> X, y = load_wine(return_X_y=True)
    >>> X = X[:, :1]
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> print(iia_test(model, X, y))
    Hausman-McFadden tests of IIA
    omitted       chi2         df          p
    0          -2.5385          2        nan
    1          36.2737          2   1.33e-08
    2          -2.5860          2        nan
    A negative statistic is no evidence against IIA (Hausman and McFadden).
    """
    check_choice("method", method, tuple(_METHODS))
    with fit_threads() as threads:
        problem = open_problem(model, X, y, sample_weight, COUNTS, threads)
        require_likelihood(problem, "iia_test")
    classes = problem.targets.classes
    if classes.size < 3:
        raise ValueError(
            "IIA needs three classes: without one, two must be left; model has"
            f" {classes.size}."
        )
    if method == "hausman":
        test = _hausman(problem)
    else:
        test = _small_hsiao(problem, check_random_state(random_state))
    results, notes = [], []
    for omitted in range(classes.size):
        try:
            results.append(test(omitted))
        except ValueError as error:
            results.append((np.nan, np.nan, np.nan))
            notes.append(f"Without {classes.tolist()[omitted]!r}: {error}")
    statistic, df, p_value = np.array(results, dtype=float).T
    if (statistic < 0).any():
        notes.append(
            "A negative statistic is no evidence against IIA (Hausman and McFadden)."
        )
    title = f"{_METHODS[method]} tests of IIA"
    labels = classes.tolist()
    return TableOfTests(title, "omitted", labels, statistic, df, p_value, notes)


def _hausman(problem):
    """omitted -> statistic, degrees of freedom and p, by one more fit."""
    C, (n_free, q) = problem.factor.inverse(), problem.gamma.shape

    def test(omitted):
        without = _fit(problem, problem.counts, omitted)
        # To contrasts of the other classes with the last of them, in the coordinates
        # of the whole problem.
        T = np.linalg.solve(problem.design.M, without.design.M)
        rest = np.delete(np.vstack([np.eye(n_free), np.zeros(n_free)]), omitted, axis=0)
        G = rest[:-1] - rest[-1]
        d = (without.gamma @ T.T - G @ problem.gamma).ravel()
        own, whole = np.kron(np.eye(len(G)), T), np.kron(G, np.eye(q))
        V = own @ without.factor.inverse() @ own.T - whole @ C @ whole.T
        statistic = float(d @ np.linalg.solve(V, d))
        return (
            statistic,
            d.size,
            chdtrc(d.size, statistic) if statistic >= 0 else np.nan,
        )

    return test


def _small_hsiao(problem, rng):
    """omitted -> statistic, degrees of freedom and p, by fits to random halves."""
    first = rng.binomial(problem.counts.astype(np.int64), 0.5).astype(float)
    second = problem.counts - first
    try:
        halves = [_theta(_fit(problem, counts)) for counts in (first, second)]
    except ValueError as error:
        raise ValueError(f"In one of the random halves: {error}") from error
    mean = np.sqrt(0.5) * halves[0] + (1.0 - np.sqrt(0.5)) * halves[1]

    def test(omitted):
        without = _fit(problem, second, omitted)
        theta = np.delete(mean, omitted, axis=0)
        gamma = without.design.coordinates(theta[:-1] - theta[-1])
        statistic = 2.0 * max(without.likelihood.value(gamma) - without.loss, 0.0)
        return statistic, gamma.size, chdtrc(gamma.size, statistic)

    return test


def _theta(problem):
    """Coefficients of all classes, the last at zero, shape (n_classes, n_terms)."""
    theta = problem.gamma @ problem.design.M.T
    return np.vstack([theta, np.zeros(theta.shape[1])])


def _fit(problem, counts, omitted=None):
    """The problem of the same model on rows with counts, without a class."""
    kept = counts > 0
    if omitted is not None:
        kept &= problem.targets.Y[:, omitted] == 0
    data = take_rows(problem.X, kept), problem.targets.labels[kept], counts[kept]
    model = SoftmaxRegressionClassifier(
        alpha=0.0, tol=1e-12, fit_intercept=problem.design.ones
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # open_problem raises
        model.fit(*data)
    with fit_threads() as threads:
        return open_problem(model, *data, COUNTS, threads)

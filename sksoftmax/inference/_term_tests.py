"""A test of each term: type II and type III tables."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import null_space

from sksoftmax._utils.errors import check_choice
from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._covariance import covariance
from sksoftmax.inference._fit_statistics import require_likelihood
from sksoftmax.inference._hypotheses import chi_squared, wald_statistic
from sksoftmax.inference._likelihood import damped_factor
from sksoftmax.inference._pipeline import encoded_levels, take_apart
from sksoftmax.inference._problem import open_problem
from sksoftmax.inference._table_of_tests import TableOfTests

# Distance from the maximum of the log-likelihood, in nats: a statistic is twice it off.
_TOLERANCE = 1e-10
_MAX_STEPS = 100


def term_tests(
    model,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    terms: dict | None = None,
    kind: str = "II",
    test: str = "lr",
    cov_type: str = "nonrobust",
    groups: ArrayLike | None = None,
    small_sample: str | None = None,
    weights: str | None = None,
) -> TableOfTests:
    """A test of each term: that it has no effect on any class.

    Parameters
    ----------
    model, X, y, sample_weight : as in `summary`
        The model, fitted without a penalty, and the data that it was fitted on.
    terms : dict, default=None
        Names of terms, and the names of the columns that each consists of: the dummies
        of a factor are one term. Names are those of the summary. None takes the terms
        of a formula, or the factors that a pipeline encodes, and otherwise makes a term
        of each column.
    kind : {"II", "III"}, default="II"
        Type II tests a term in the model without the terms that contain it: "a:b" and
        "a:b:c" contain "a". Type III tests it in the whole model; where a term is
        contained in others, its hypothesis then depends on how factors are coded.
        Without interactions both are the same.
    test : {"lr", "wald"}, default="lr"
        Likelihood ratios need a fit for each term, and a likelihood. Wald's tests need
        neither, and take robust covariances.
    cov_type, groups, small_sample : as in `summary`
        Covariance for Wald's tests.
    weights : as in `summary`
        What sample weights mean.

    Returns
    -------
    tests : TableOfTests
        A test for each term.

    Raises
    ------
    ValueError, TypeError
        As in `summary`; if a term names an unknown column or none, or a column is in
        two terms; or if likelihood ratios are asked for where there is no likelihood.

    See Also
    --------
    wald_test : Tests any linear hypothesis.

    References
    ----------
    Fox (2016), Applied Regression Analysis and Generalized Linear Models, 3rd edition,
    sections 8.2 and 14.2.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import term_tests
    >>> X, y = load_wine(return_X_y=True)
    >>> X = X[:, 1:4]
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> print(term_tests(model, X, y, terms={"acid": "x0", "ash": ["x1", "x2"]}))
    Type II likelihood-ratio tests
    term       chi2         df          p
    acid    36.5172          2   1.18e-08
    ash    127.4108          4   1.39e-26
    """
    check_choice("kind", kind, ("II", "III"))
    check_choice("test", test, ("lr", "wald"))
    with fit_threads() as threads:
        problem = open_problem(model, X, y, sample_weight, weights, threads)
        terms = _known_terms(model, problem) if terms is None else terms
        columns = _columns(problem, terms)
        if test == "lr":
            require_likelihood(problem, "term_tests with test='lr'")
            if cov_type != "nonrobust":
                raise ValueError(f"cov_type={cov_type!r} needs test='wald'.")
            distance = _lr_distance(problem)
        else:
            C = covariance(problem, cov_type, groups, small_sample)
            distance = _wald_distance(problem, C)
        tests = [_test(name, columns, kind, distance, problem) for name in columns]
    name = "likelihood-ratio" if test == "lr" else "Wald"
    return TableOfTests(
        f"Type {kind} {name} tests",
        "term",
        list(columns),
        np.array([found.statistic for found in tests]),
        np.array([found.df for found in tests]),
        np.array([found.p_value for found in tests]),
        problem.notes(cov_type) if test == "wald" else [],
    )


def _known_terms(model, problem):
    """Names of the columns of each term of a formula, or of each encoded factor."""
    steps = take_apart(model).steps
    if steps is None:
        return None
    spec = getattr(steps.steps[0][1], "spec_", None)
    if spec is None:
        return _encoded_terms(steps, problem.terms[: problem.design.centre.size])
    names = list(spec.column_names)
    return {
        str(term): names[columns]
        for term, columns in spec.term_slices.items()
        if names[columns] != ["Intercept"]
    }


def _encoded_terms(steps, columns):
    """Names of the columns of each factor, by the names that encoders give them."""
    names = getattr(steps, "feature_names_in_", None)
    if names is None:
        return None
    levels = encoded_levels(steps, list(names))
    factors = {
        f"{factor}_{level}": factor for factor in levels for level in levels[factor]
    }
    terms = {}
    for column in columns:
        plain = column
        while plain not in factors and "__" in plain:
            plain = plain.split("__", 1)[1]  # a ColumnTransformer puts a step in front
        terms.setdefault(factors.get(plain, column), []).append(column)
    return terms


def _columns(problem, terms):
    """Numbers of the columns of each term."""
    names = problem.terms[: problem.design.centre.size]
    if terms is None:
        return {name: [number] for number, name in enumerate(names)}
    if not isinstance(terms, Mapping):
        raise TypeError(
            "terms must be a dict from names of terms to names of columns, got"
            f" {type(terms).__name__}."
        )
    if not terms:
        raise ValueError("terms must hold at least one term; it is empty.")
    found = {}
    for term, columns in terms.items():
        columns = [columns] if isinstance(columns, str) else list(columns)
        unknown = [column for column in columns if column not in names]
        if unknown or not columns:
            raise ValueError(
                f"terms[{term!r}] must name columns among {names}, got {columns}."
            )
        found[str(term)] = [names.index(column) for column in columns]
    used = [number for numbers in found.values() for number in numbers]
    twice = [names[number] for number in set(used) if used.count(number) > 1]
    if twice:
        raise ValueError(f"terms has the columns {sorted(twice)} more than once.")
    return found


def _test(name, columns, kind, distance, problem):
    """The test of a term; distance is that of the model without some columns."""
    containing = []
    if kind == "II":
        parts = set(name.split(":"))
        containing = [other for other in columns if parts < set(other.split(":"))]
    without = sorted(number for other in containing for number in columns[other])
    statistic = distance([*without, *columns[name]]) - distance(without)
    df = len(columns[name]) * len(problem.gamma)
    return chi_squared(max(statistic, 0.0), df, name)


def _wald_distance(problem, C):
    """Columns -> Wald's statistic of the hypothesis that they have no effect.

    Its difference for two sets of columns, one inside the other, is the statistic of
    the rest where the inner ones have no effect.
    """

    def distance(columns):
        if not columns:
            return 0.0
        R = np.kron(np.eye(len(problem.gamma)), problem.design.M[columns])
        return wald_statistic(R, R @ problem.gamma.ravel(), C)[0]

    return distance


def _lr_distance(problem):
    """Columns -> twice the loss that the model without them adds."""
    known = {(): 0.0}

    def distance(columns):
        key = tuple(columns)
        if key not in known:
            known[key] = 2.0 * (_loss_without(problem, columns) - problem.loss)
        return known[key]

    return distance


def _loss_without(problem, columns):
    """The least loss with the coefficients of some columns at zero.

    They are zero where gamma is in the null space of their rows of M. So the working
    columns become combinations A N, and the coefficients of those are free.
    """
    design, n_free = problem.design, len(problem.gamma)
    rows = design.M[columns]
    N = null_space(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    if not N.shape[1]:
        return problem.n * np.log(n_free + 1)
    likelihood = replace(problem.likelihood, design=replace(design, U=design.U @ N))
    gamma = np.zeros((n_free, N.shape[1]))
    value, grad, H, _ = likelihood.derivatives(gamma)
    regular = H
    for _ in range(_MAX_STEPS):
        step = -damped_factor(H, regular).solve(grad)
        fall = -float(np.vdot(grad, step))
        found = likelihood.after(gamma, step, value, fall)
        if 0.5 * fall <= _TOLERANCE or found is None:
            break
        gamma, (value, grad, H, _) = found
    return value

"""The generalized Hosmer-Lemeshow test of goodness of fit."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from sksoftmax._utils.errors import optional_package
from sksoftmax._utils.threads import fit_threads
from sksoftmax.inference._covariance import find_base
from sksoftmax.inference._exports import texts_of
from sksoftmax.inference._fit_statistics import require_likelihood
from sksoftmax.inference._hypotheses import HypothesisTest, chi_squared
from sksoftmax.inference._problem import open_problem
from sksoftmax.inference._sandwich import probabilities
from sksoftmax.inference._weights import COUNTS

# Probabilities that agree so far are equal: sums over columns differ in their rounding.
_DIGITS = 10


@dataclass(frozen=True)
class GoodnessOfFit(HypothesisTest):
    """Result of a test of goodness of fit, with the counts that it compares.

    Parameters
    ----------
    statistic, df, p_value, name : as in `HypothesisTest`
        The test.
    classes : ndarray of shape (n_classes,)
        Columns of the counts.
    observed, expected : ndarray of shape (n_groups, n_classes)
        Observations of each class in each group, and the sums of their probabilities.
    """

    classes: np.ndarray
    observed: np.ndarray
    expected: np.ndarray

    @property
    def notes(self):
        """The test, below the counts that are exported."""
        return [str(self)]

    def to_frame(self):
        """The counts as a pandas data frame.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by group, from the likeliest members of the base class to the least
            likely. Columns are "observed" and "expected" for each class.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with optional_package("pandas", "inference", caller="to_frame"):
            import pandas as pd
        columns = pd.MultiIndex.from_product(
            [["observed", "expected"], self.classes.tolist()]
        )
        counts = np.hstack([self.observed, self.expected])
        index = pd.RangeIndex(1, len(counts) + 1, name="group")
        return pd.DataFrame(counts, index=index, columns=columns)

    def _texts(self, stars, decimals):
        return texts_of(self.to_frame(), decimals, "group")


def hosmer_lemeshow_test(
    model,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    base: object = None,
    n_groups: int = 10,
) -> GoodnessOfFit:
    """Generalized Hosmer-Lemeshow test: whether probabilities agree with frequencies.

    Observations are sorted by the probability of the base class and divided in groups
    of about equal size. In each group the number of observations of each class is
    compared with the sum of their probabilities.

    Parameters
    ----------
    model, X, y : as in `summary`
        The model, fitted without a penalty, and the data that it was fitted on.
    sample_weight : array-like of shape (n_samples,), default=None
        Counts of equal observations.
    base : label, default=None
        Class by whose probability observations are sorted; None for the first.
    n_groups : int, default=10
        Number of groups. Observations of equal probability are in one group, so that
        there may be fewer.

    Returns
    -------
    test : GoodnessOfFit
        Its statistic has (n_groups - 2) (n_classes - 1) degrees of freedom.

    Raises
    ------
    ValueError, TypeError
        As in `summary`; if the model has a penalty, y has soft labels or weights are
        no counts; or if there are fewer than three groups.

    See Also
    --------
    summary : Pseudo-R2 and information criteria.

    Notes
    -----
    For two classes this is the test of Hosmer and Lemeshow. That the statistic is about
    chi-squared was found by simulation. It is not if many expected counts are below 5;
    use fewer groups then. The result depends on the groups and on the base, and the
    test sees no fault that averages out inside the groups.

    References
    ----------
    Fagerland, Hosmer and Bofin (2008), Multinomial goodness-of-fit tests for logistic
    regression models, Statistics in Medicine 27:4238.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inference import hosmer_lemeshow_test
    >>> X, y = load_wine(return_X_y=True)
    >>> X = X[:, :1]
    >>> model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    >>> print(hosmer_lemeshow_test(model, X, y, n_groups=5))
    Hosmer-Lemeshow, 5 groups: chi2(6) = 9.1663, p = 0.1644
    """
    if not (isinstance(n_groups, Integral) and n_groups >= 3):
        raise ValueError(f"n_groups must be an integer >= 3, got {n_groups!r}.")
    with fit_threads() as threads:
        problem = open_problem(model, X, y, sample_weight, COUNTS, threads)
        require_likelihood(problem, "hosmer_lemeshow_test")
        P = probabilities(problem)
    classes, counts = problem.targets.classes, problem.counts
    number = find_base(classes, base) or 0
    groups = _groups(P[:, number], counts, int(n_groups))
    if groups.max() < 2:
        raise ValueError(
            f"The probabilities of class {classes.tolist()[number]!r} make only"
            f" {groups.max() + 1} groups; the test needs three. Take another base."
        )
    members = counts * (groups == np.arange(groups.max() + 1)[:, None])
    observed, expected = members @ problem.targets.Y, members @ P
    test = chi_squared(
        np.sum(np.square(observed - expected) / expected),
        (len(observed) - 2) * (classes.size - 1),
        f"Hosmer-Lemeshow, {len(observed)} groups",
    )
    return GoodnessOfFit(
        **vars(test), classes=classes, observed=observed, expected=expected
    )


def _groups(p, counts, n_groups):
    """The number of the group of each row, by falling p; equal p are together.

    A group takes the rows whose middle, in observations from the top, is in its share.
    """
    _, codes = np.unique(-np.round(p, _DIGITS), return_inverse=True)
    sizes = np.bincount(codes, weights=counts)
    middles = np.cumsum(sizes) - 0.5 * sizes
    groups = np.floor(n_groups * middles / counts.sum()).astype(int)
    return np.unique(groups, return_inverse=True)[1][codes]

"""Statistics of fit that follow from log-likelihoods."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from sksoftmax._model.loss import softmax
from sksoftmax.inference._hypotheses import HypothesisTest, chi_squared
from sksoftmax.inference._likelihood import logits
from sksoftmax.inference._null_model import wald_test_of_model


class Observations(NamedTuple):
    """What two summaries must share to be compared: targets and weights, row by row.

    Of data that are not in memory only the weights of the classes are known.
    """

    mass: np.ndarray  # (n_classes,), weights of the classes
    codes: np.ndarray | None  # number of each row's likeliest class, -1 without weight
    counts: np.ndarray | None  # how often rows with weight were observed; None: once

    @classmethod
    def of(cls, problem):
        """Those of a problem."""
        mass = problem.targets.mass
        if not problem.is_in_memory:
            return cls(mass, None, None)
        codes = np.full(problem.kept.size, -1, dtype=np.int32)
        codes[problem.kept] = problem.targets.Y.argmax(axis=1)
        counts = None if (problem.counts == 1.0).all() else problem.counts
        return cls(mass, codes, counts)

    def difference(self, other):
        """Where the other observations differ, or None."""
        if self.codes is None or other.codes is None:
            are_same = self.mass.shape == other.mass.shape and np.allclose(
                self.mass, other.mass, rtol=1e-9, atol=0.0
            )
            return None if are_same else "their classes have other total weights"
        if self.codes.size != other.codes.size:
            return f"{self.codes.size} rows and {other.codes.size}"
        differ = np.flatnonzero(self.codes != other.codes)
        if differ.size:
            return f"row {differ[0]} has another target or no weight"
        ones = np.ones(np.count_nonzero(self.codes >= 0))
        mine, others = (ones if x.counts is None else x.counts for x in (self, other))
        differ = np.flatnonzero(mine != others)
        if differ.size:
            row = np.flatnonzero(self.codes >= 0)[differ[0]]
            return f"row {row} has weight {mine[differ[0]]:g} and {others[differ[0]]:g}"
        return None


class FitStatistics:
    """Likelihood-ratio test, pseudo-R2 and information criteria of a `Summary`."""

    @property
    def not_valid(self):
        """Why there is no likelihood ratio, in a few words; empty if there is one."""
        return _obstacle(self) or ("clusters" if self.cov_type == "cluster" else "")

    @property
    def lr_test(self):
        """Likelihood-ratio test against constants alone; p is nan if `not_valid`."""
        statistic = 2.0 * (self.loglik - self.loglik_null)
        n_constants = 0 if self.constant is None else len(self.estimates.gamma)
        df = self.estimates.gamma.size - n_constants
        if self.not_valid:
            return HypothesisTest(statistic, df, np.nan, "Likelihood ratio")
        return chi_squared(statistic, df, "Likelihood ratio")

    @cached_property  # with thousands of coefficients it takes long
    def model_test(self):
        """Wald's test of all but the constants, by the covariance of the table."""
        return wald_test_of_model(self.estimates, self.constant)

    @property
    def pseudo_r2(self):
        """McFadden's, plain and adjusted, Cox and Snell's and Nagelkerke's: a dict."""
        cox_snell = -np.expm1(2.0 * (self.loglik_null - self.loglik) / self.n)
        return {
            "McFadden": 1.0 - self.loglik / self.loglik_null,
            "McFadden adjusted": 1.0 - (self.loglik - self.df) / self.loglik_null,
            "Cox-Snell": float(cox_snell),
            "Nagelkerke": float(cox_snell / -np.expm1(2 * self.loglik_null / self.n)),
        }

    @property
    def aic(self):
        """Akaike's criterion, 2 df - 2 loglik."""
        return 2.0 * self.df - 2.0 * self.loglik

    @property
    def bic(self):
        """The Bayesian criterion, df log n - 2 loglik."""
        return float(self.df * np.log(self.n) - 2.0 * self.loglik)

    @property
    def header(self):
        """Pairs of a name and a value, to show above the table."""
        r2, mark = self.pseudo_r2, " (not valid)" if self.not_valid else ""
        shown = [
            ("Observations", f"{self.n:g}"),
            ("Classes", f"{self.target_sums.size}"),
            ("Coefficients", f"{self.df:.5g}"),
            ("Covariance", self.cov_type),
            ("Intervals", self.interval),
            ("AIC", f"{self.aic:.3f}{mark}"),
            ("BIC", f"{self.bic:.3f}{mark}"),
            ("Log-likelihood", f"{self.loglik:.3f}"),
            ("Null log-likelihood", f"{self.loglik_null:.3f}"),
            *_test_lines("LR", self.lr_test),
            ("Pseudo-R2, McFadden", f"{r2['McFadden']:.4f}"),
            ("Cox-Snell", f"{r2['Cox-Snell']:.4f}"),
            ("Nagelkerke", f"{r2['Nagelkerke']:.4f}"),
        ]
        is_likelihood = self.cov_type == "nonrobust" and not self.not_valid
        if not (is_likelihood or self.alpha > 0):
            shown[9:9] = _test_lines("Wald", self.model_test)
        return shown


def _test_lines(name, test):
    p_value = "not valid" if np.isnan(test.p_value) else f"{test.p_value:.3g}"
    return [
        (f"{name} chi2({test.df})", f"{test.statistic:.3f}"),
        (f"P(> {name} chi2)", p_value),
    ]


def require_likelihood(problem, caller):
    """Refuse a problem whose sum of losses is no log-likelihood of independent rows."""
    if what := _obstacle(problem):
        more = f"; model has alpha={problem.alpha}, must be 0" if problem.alpha else ""
        raise ValueError(f"{caller} needs a likelihood without {what}{more}.")


def _obstacle(problem):
    """What keeps the losses from being a log-likelihood; empty if nothing does."""
    if problem.alpha > 0:
        return "a penalty"
    if problem.weighted:
        return "importance weights"
    return "soft labels" if problem.soft else ""


def tjur(problem):
    """Tjur's coefficient of discrimination for each class, shape (n_classes,).

    The mean probability of a class among its own observations, minus that among all
    others (Tjur 2009).
    """
    likelihood, gamma = problem.likelihood, problem.gamma
    own, all_rows = likelihood.chunks.sum(_chunk_masses, likelihood.design, gamma)
    mass, total = problem.targets.mass, problem.targets.total_weight
    return own / mass - (all_rows - own) / (total - mass)


def _chunk_masses(chunk, design, gamma):
    P = softmax(logits(design.rows(chunk.X), gamma))
    return (chunk.sY * P).sum(axis=0), chunk.s @ P

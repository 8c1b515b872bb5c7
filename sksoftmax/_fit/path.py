"""Fits at several strengths of the penalty, each begun where the last one ended."""

from dataclasses import replace

import numpy as np

from sksoftmax._fit.ending import report_end
from sksoftmax._fit.full_batch import solve
from sksoftmax._fit.history import History
from sksoftmax._fit.prepare import with_suitable_features, with_weight
from sksoftmax._fit.settings import changed, is_sparse
from sksoftmax._fit.transforms import logits_for
from sksoftmax._objective.preconditioners import Preconditioner
from sksoftmax._utils.threads import fit_threads


def fit_path(settings, training, alphas, observe=None):
    """Fits at each alpha in turn, each begun at the last optimum; what was observed.

    The data are in memory. What depends on them alone is found once: chunks of rows,
    the space of the rows where that is smaller, centre and scale of the features,
    copies in single precision. Newton's preconditioner starts with the kind that the
    last fit ended with. observe(problem, fitted) returns what to keep of each fit, of
    the rows and classes with weight. Returns a list of `FitResult` and one of these.
    """
    prepared = with_weight(settings, training)
    fits, observed = [], []
    with fit_threads() as threads:
        prepared = with_suitable_features(settings, prepared, min(alphas))
        problems = _Problems(settings, prepared, threads, max(alphas))
        optima = []
        for alpha in alphas:
            problem = problems.at(alpha)
            if not optima:
                optima = [(np.inf, problem.null_w())]
            is_ridge = not is_sparse(problem.settings)
            w = _extrapolate(alpha, optima) if is_ridge else optima[-1][1]
            fitted = solve(problem, w, History(None, settings.verbose))
            report_end(problem.settings, fitted)
            optima = [optima[-1], (alpha, fitted.result.w)]
            if observe is not None:
                observed.append(observe(problem, fitted))
            # The layers have all of w; a long path need not keep it twice.
            result = replace(fitted.result, w=None, step=None)
            fits.append(fitted._replace(result=result))
    return fits, observed


def _extrapolate(alpha, optima):
    """W at the next alpha, linear in log alpha through the last two optima.

    That saves one of the four Newton steps that a fit takes from the last optimum
    (iris, wine, digits and letter, 20 alphas). The step is at most the distance of the
    last two, and zero where an alpha is zero or infinite.
    """
    if len(optima) < 2:
        return optima[-1][1]
    (before, w_before), (last, w) = optima
    if not (0.0 < alpha < last < before < np.inf):
        return w
    fraction = min(np.log(last / alpha) / np.log(before / last), 1.0)
    return w + fraction * (w - w_before)


class _Problems:
    """The problem at one alpha after the other, on the same data."""

    def __init__(self, settings, prepared, threads, largest_alpha):
        self._settings, self._prepared = settings, prepared
        self._chunks = prepared.dataset.chunks(threads)
        # The same number of logits at all alphas: no penalty is sparse at alpha=0.
        self._may_be_one = not is_sparse(changed(settings, alpha=largest_alpha))
        self._last = {}  # objectives, by whether their penalty is sparse
        self._preconditioner = None

    def at(self, alpha):
        """The problem with this alpha."""
        settings = changed(self._settings, alpha=float(alpha))
        kind = is_sparse(settings)
        n_classes = self._prepared.dataset.targets.classes.size
        logits = logits_for(n_classes, is_sparse=kind, may_be_one=self._may_be_one)
        problem = self._prepared.problem(settings, logits)
        if kind in self._last:
            objective = self._last[kind].with_penalty(problem.penalty())
            problem = replace(problem, objective=objective)
        else:
            problem = problem.on(self._chunks, self._succeed)
        self._last[kind] = problem.objective
        return problem

    def _succeed(self, objective, earlier, weak):
        """The preconditioner that learns from the last one, of whatever alpha."""
        self._preconditioner = Preconditioner(
            objective, earlier or self._preconditioner, weak
        )
        return self._preconditioner

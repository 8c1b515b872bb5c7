"""Warnings after fits that did not converge, or whose classes are separated."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import _solvers
from sksoftmax._fit.ending import watched
from sksoftmax._fit.settings import max_iter_of
from sksoftmax._utils.warnings import warn
from sksoftmax.exceptions import InterruptionWarning, SeparationWarning


def warn_unless_converged(estimator, fitted):
    """Warn of a fit that did not converge: what is wrong, by how much, what to do."""
    result = fitted.result
    name = type(estimator).__name__
    if result.halted_by is not None:
        return
    if fitted.separated:
        category = SeparationWarning
        message = (
            f"{name}: the features separate the classes {fitted.separated} from"
            f" others{_through(estimator, fitted)}, so without a penalty their"
            " coefficients have no finite optimum; they were stopped on their way to"
            " infinity. Use alpha > 0."
        )
    elif result.converged:
        return
    else:
        category = ConvergenceWarning
        how = _short_training if fitted.solver in _solvers.MINIBATCH else _short_solve
        message = f"{name} did not converge: {how(estimator, fitted)}"
    warn(message, category)


def _through(estimator, fitted):
    """Which columns separate, where not all act together."""
    names = getattr(estimator, "feature_names_in_", None)
    columns = [
        f"column {j}" if names is None else repr(names[j]) for j in fitted.separating
    ]
    if not columns:
        return ""
    more = " and more" if len(columns) > 5 else ""
    return f" (through {', '.join(columns[:5])}{more})"


def warn_if_interrupted(estimator, fitted):
    """Warn of a fit that Ctrl-C has ended: what the estimator is now, and how to go on.

    Whoever makes errors of warnings has the fitted estimator, because it comes last.
    """
    result = fitted.result
    if result.halted_by is not KeyboardInterrupt:
        return
    if fitted.solver in _solvers.MINIBATCH:
        kept = f"epoch {result.n_iter} of {max_iter_of(estimator)}"
        if estimator.early_stopping:
            kept += f", with the coefficients of epoch {estimator.best_iter_}"
        rest = "the next fit goes on as if it had not been interrupted."
    else:
        kept = f"iteration {result.n_iter}"
        rest = "the next fit starts from here."
    warn(
        f"{type(estimator).__name__} was interrupted; it is fitted as after {kept}."
        f" With warm_start=True, {rest}",
        InterruptionWarning,
    )


def _short_training(estimator, fitted):
    """How far a training on mini-batches came, and what to do."""
    result, n_last = fitted.result, estimator.n_iter_no_change
    stopped = f"solver {fitted.solver!r} stopped after {_counted(result.n_iter)}"
    if result.diverged:
        return (
            f"{stopped}. Training diverged, because the learning rate was too large:"
            f" lower learning_rate_init={estimator.learning_rate_init}."
        )
    if np.isfinite(result.optimality):
        return (
            f"{stopped}, the last {n_last} of which improved the {watched(estimator)}"
            f" by {result.optimality:.2g} nats, with {result.tolerance:.2g} asked for."
            " Raise max_iter, or tol."
        )
    if result.n_iter > n_last and estimator.learning_rate != "adaptive":
        return (
            f"{stopped} at a {watched(estimator)} that is no lower than without"
            " features. Raise max_iter or learning_rate_init, or lower alpha."
        )
    if n_last == np.inf:
        return (
            f"{stopped}, and n_iter_no_change=inf compares none of them. A number of"
            " epochs, or learning_rate='cosine', lets a training end."
        )
    return (
        f"{stopped}, too few to judge: the last n_iter_no_change={n_last} at a learning"
        " rate are compared with those before. Raise max_iter."
    )


def _counted(n_epochs):
    return "1 epoch" if n_epochs == 1 else f"{n_epochs} epochs"


def _short_solve(estimator, fitted):
    """How far a solver that uses all rows in each iteration came, and what to do."""
    result = fitted.result
    return (
        f"solver {fitted.solver!r} stopped after {result.n_iter} iterations at an"
        f" optimality of {result.optimality:.2g} nats, with {result.tolerance:.2g}"
        f" asked for. {_advice(estimator, fitted)}"
    )


def _advice(estimator, fitted):
    """What to do about such a solver that stopped short of its tolerance."""
    result, max_iter = fitted.result, max_iter_of(estimator)
    if len(fitted.layers) > 1:  # whose inputs are standardised
        return "Raise max_iter, or tol."
    if result.is_costly:
        return (
            "The problem is so ill-conditioned that the solver read the data"
            f" {fitted.n_passes:.0f} times, or did as much other work. That is all that"
            f" max_iter={max_iter} allows. Scale the features, or raise alpha, or"
            " max_iter."
        )
    if result.n_iter < max_iter:
        return (
            "More iterations would not help, because the objective only changes by"
            " rounding errors. Scale the features, or raise alpha, or tol."
        )
    return "Raise max_iter, or tol, or scale the features."


def warn_unless_all_converged(estimator, fits):
    """Warn once of all the fits that did not converge.

    fits are `FitResult` or anything else with their `result` and `separated`.
    """
    failed = [fitted for fitted in fits if not fitted.result.converged]
    if not failed:
        return
    name = type(estimator).__name__
    separated = [fitted.separated for fitted in failed if fitted.separated]
    if separated:
        category = SeparationWarning
        message = (
            f"{name}: in {len(separated)} of {len(fits)} fits, without a penalty,"
            f" the features separate classes ({separated[0]} in the first)"
            " from others, and their coefficients have no finite optimum. Use"
            " alphas > 0."
        )
    else:
        category = ConvergenceWarning
        worst = max((fitted.result for fitted in failed), key=lambda r: r.optimality)
        message = (
            f"{name}: {len(failed)} of {len(fits)} fits did not converge; the"
            f" farthest stopped at an optimality of {worst.optimality:.2g} nats, with"
            f" {worst.tolerance:.2g} asked for. Raise max_iter, or tol, or scale the"
            " features."
        )
    warn(message, category)

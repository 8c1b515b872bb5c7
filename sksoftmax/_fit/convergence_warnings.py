"""Warnings after fits that did not converge, or whose classes are separated."""

from sklearn.exceptions import ConvergenceWarning

from sksoftmax import _solvers
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
            " others, so without a penalty their coefficients have no finite optimum;"
            " they were stopped on their way to infinity. Use alpha > 0."
        )
    elif result.converged:
        return
    else:
        category = ConvergenceWarning
        message = (
            f"{name} did not converge: solver {fitted.solver!r} stopped after"
            f" {result.n_iter} iterations at an optimality of {result.optimality:.2g}"
            f" nats, with {result.tolerance:.2g} asked for."
            f" {_advice(estimator, fitted)}"
        )
    warn(message, category)


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


def _advice(estimator, fitted):
    """What to do about a solver that stopped short of its tolerance."""
    result, max_iter = fitted.result, max_iter_of(estimator)
    if result.diverged:
        return (
            "Training diverged, because the learning rate was too large: lower"
            f" learning_rate_init={estimator.learning_rate_init}."
        )
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

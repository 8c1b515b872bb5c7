"""The warning that follows fits that did not converge."""

from sklearn.exceptions import ConvergenceWarning

from sksoftmax._utils.warnings import warn
from sksoftmax.exceptions import SeparationWarning


def warn_unless_converged(estimator, fitted):
    """Warn of a fit that did not converge: what is wrong, by how much, what to do."""
    result = fitted.result
    name = type(estimator).__name__
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
        advice = "Raise max_iter, or tol, or scale the features."
        if len(fitted.layers) > 1:  # whose inputs are standardised
            advice = "Raise max_iter, or tol."
        if result.diverged:
            advice = (
                "Training diverged, because the learning rate was too large: lower"
                f" learning_rate_init={estimator.learning_rate_init}."
            )
        message = (
            f"{name} did not converge: solver {fitted.solver!r} stopped after"
            f" {result.n_iter} iterations at an optimality of {result.optimality:.2g}"
            f" nats, with {result.tolerance:.2g} asked for. {advice}"
        )
    warn(message, category)


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

"""What the plots of a path share: which path, the marked alphas, and their axis."""

import numpy as np

from sksoftmax.plotting._axes import fitted_classifier


def path_of(display, estimator, l1_ratio):
    """The fitted CV estimator, the number of a path of it, and the alphas to mark."""
    classifier = fitted_classifier(display, estimator)
    if not hasattr(classifier, "coefs_path_"):
        raise TypeError(
            f"{display.__name__} draws coefs_path_, which {type(classifier).__name__}"
            " has not: fit a SoftmaxRegressionClassifierCV."
        )
    chosen = classifier.l1_ratio_
    row = _row_of(chosen if l1_ratio is None else l1_ratio, classifier.l1_ratios_)
    if classifier.l1_ratios_[row] != chosen:
        return classifier, row, {}
    marks = {"alpha": classifier.alpha_, "alpha_1se": classifier.alpha_1se_}
    return classifier, row, marks


def _row_of(l1_ratio, l1_ratios):
    (rows,) = np.nonzero(np.isclose(l1_ratios, l1_ratio, rtol=1e-9, atol=0.0))
    if rows.size:
        return rows[0]
    raise ValueError(f"l1_ratio must be one of {l1_ratios.tolist()}, got {l1_ratio!r}.")


def mark_alphas(ax, alpha, alpha_1se):
    """Lines at the chosen alphas; returns those that were drawn."""
    marks = [(alpha, ":", "best alpha")]
    if alpha_1se != alpha:
        marks.append((alpha_1se, "--", "within 1 std. error"))
    return [
        ax.axvline(at, color="0.4", ls=style, lw=1.0, zorder=1, label=label)
        for at, style, label in marks
        if at is not None
    ]


def scale_alphas(ax, alphas):
    """A logarithmic axis that falls to the right, to zero if that is an alpha."""
    alphas = np.asarray(alphas)
    positive = alphas[alphas > 0]
    if positive.size == alphas.size:
        ax.set_xscale("log")
    elif positive.size:
        ax.set_xscale("symlog", linthresh=positive.min())
    if not ax.xaxis_inverted():
        ax.invert_xaxis()

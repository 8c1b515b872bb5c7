"""The likelihood with Jeffreys' penalty, and its maximum, which is always finite.

The penalised log-likelihood is l(gamma) + log |I(gamma)| / 2 with the information I,
the Hessian of -l (Firth 1993, Bias reduction of maximum likelihood estimates,
Biometrika 80:27). In the multinomial logit the natural parameters are linear in gamma,
so that its score is also the one that removes the bias of order 1/n (mean bias
reduction; Kosmidis and Firth 2011, Multinomial logit bias reduction via the Poisson
log-linear model, Biometrika 98:755).

The derivative of the penalty follows from the third moments of the multinomial. With
the variances Q = x.I^-1.x of a row's logits, between its classes, and the lengths
h_l = (e_l - p).Q.(e_l - p), the score of a row gets

    y_k - p_k  +  p_k (h_k - sum_l p_l h_l) / 2.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError

from sksoftmax._model.loss import softmax
from sksoftmax.inference._likelihood import Factor, Likelihood, logits

# Half the squared length of a step, in nats, at which it is the last, and below which
# the objective is too coarse to judge steps. They shrink by a factor each, as I is not
# quite the Hessian of the objective.
_LAST, _FINE = 1e-20, 1e-9

# Most fits take under fifty. Flat ones of separated classes have taken two thousand.
_MAX_STEPS = 5000

# The objective may have several maxima. With a stronger penalty the lower ones vanish,
# and the maximum there is where the second try begins.
_STRONGER = 4.0


@dataclass(frozen=True)
class JeffreysLikelihood:
    """The loss -l(gamma) - strength log |I(gamma)| / 2 and its derivatives."""

    likelihood: Likelihood  # without a ridge
    strength: float = 1.0

    after = Likelihood.after

    def derivatives(self, gamma):
        """The loss, its gradient, and twice I, as `Likelihood.derivatives` has them.

        The loss is infinite where I has lost rank.
        """
        loss, grad, H, _ = self.likelihood.derivatives(gamma)
        try:
            factor = Factor(H)
        except LinAlgError:
            return np.inf, grad, H, H
        chunks, design = self.likelihood.chunks, self.likelihood.design
        n_free, n_terms = gamma.shape
        C = factor.inverse().reshape(n_free, n_terms, n_free, n_terms)
        grad = grad - self.strength * chunks.sum(_chunk_adjustment, design, gamma, C)
        return loss - 0.5 * self.strength * factor.log_determinant, grad, H, H

    def value(self, gamma):
        """The loss alone."""
        H = self.likelihood.derivatives(gamma)[2]
        try:
            penalty = 0.5 * self.strength * Factor(H).log_determinant
        except LinAlgError:
            return np.inf
        return self.likelihood.value(gamma) - penalty


class JeffreysMaximum(NamedTuple):
    """The minimum of the loss, as profiles start from it."""

    likelihood: JeffreysLikelihood
    gamma: np.ndarray  # (K - 1, n_terms)
    loss: float
    hessian: np.ndarray  # the information
    factor: Factor  # of the information


def maximise(likelihood):
    """The `JeffreysMaximum` of a `Likelihood` without a ridge: the higher of two tries.

    Raises LinAlgError where none is found.
    """
    n_free = likelihood.chunks.n_classes - 1
    null = np.zeros((n_free, likelihood.design.U.shape[0]))
    stronger = _scoring(JeffreysLikelihood(likelihood, _STRONGER), null)
    objective = JeffreysLikelihood(likelihood)
    tries = [_scoring(objective, start) for start in (null, stronger.gamma)]
    return min(tries, key=lambda found: found.loss)


def _scoring(likelihood, gamma):
    """The maximum that Fisher's scoring comes to from gamma."""
    loss, grad, H, _ = likelihood.derivatives(gamma)
    last = np.inf
    for _ in range(_MAX_STEPS):
        factor = Factor(H)
        step = -factor.solve(grad)
        fall = -float(np.vdot(grad, step))
        if fall <= 2.0 * _LAST or (fall <= 2.0 * _FINE and fall >= last):
            return JeffreysMaximum(likelihood, gamma, loss, H, factor)
        if fall <= 2.0 * _FINE:
            last, gamma = fall, gamma + step
            loss, grad, H, _ = likelihood.derivatives(gamma)
            continue
        found = likelihood.after(gamma, step, loss, fall)
        if found is None:
            break
        gamma, (loss, grad, H, _) = found
    raise LinAlgError("Fisher's scoring found no maximum.")


def _chunk_adjustment(chunk, design, gamma, C):
    """The gradient of log |I| / 2 from the rows of a chunk, shape (K - 1, n_terms)."""
    A = design.rows(chunk.X)
    P = softmax(logits(A, gamma))[:, :-1]
    Q = np.stack(
        [
            np.einsum("nbq,nq->nb", np.tensordot(A, C[k], axes=(1, 0)), A)
            for k in range(len(C))
        ],
        axis=1,
    )
    QP = np.einsum("nab,nb->na", Q, P)
    PQP = np.einsum("na,na->n", P, QP)
    h = np.diagonal(Q, axis1=1, axis2=2) - 2.0 * QP + PQP[:, None]
    # The last class has no logit, so that its h is p.Q.p.
    mean = np.einsum("na,na->n", P, h) + (1.0 - P.sum(axis=1)) * PQP
    adjustment = 0.5 * P * (h - mean[:, None]) * chunk.s[:, None]
    return adjustment.T @ A

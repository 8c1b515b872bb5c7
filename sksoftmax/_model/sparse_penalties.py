"""Sparse penalties on the flat parameter vector w: a ridge plus a sum of norms."""

import copy

import numpy as np

from sksoftmax._model.penalties import Penalty


class SparsePenalty(Penalty):
    """R(W) = alpha ((1 - r)/2 ||W||^2 + r N(W)), N a sum of norms of parts of W.

    r in (0, 1] is l1_ratio. With factors v_j, one per feature, W_j stands for v_j times
    the weights of the feature, so only the ridge has a factor, 1 / v_j. w holds the
    n_weights entries of W row by row and then the intercepts, which are free. `value`
    is that of R; `grad` and `hessp` are those of the ridge. A subclass chooses the
    parts, single weights or rows, and has what concerns alpha r N: `prox` and, where no
    part is zero, `slope` and the Hessian.
    These take flat weights u, of W or of any of its parts.
    """

    is_sparse = True

    def __init__(self, alpha, l1_ratio, *, n_classes, n_weights, factors=None):
        self.ridge = alpha * (1.0 - l1_ratio)
        if factors is not None and self.ridge > 0.0:
            self.ridge = self.ridge / factors
        self.lasso = alpha * l1_ratio
        self.l1_ratio = l1_ratio
        self.n_classes, self.n_weights = n_classes, n_weights

    def restricted(self, features):
        """The same penalty on some features."""
        part = copy.copy(self)
        part.n_weights = len(features) * self.n_classes
        if np.ndim(self.ridge):
            part.ridge = self.ridge[features]
        return part

    @property
    def has_ridge(self):
        """Whether there is a ridge, on every weight then."""
        return bool(np.all(self.ridge > 0.0))

    def _ridge_times(self, u):
        """The ridge of each weight times all weights u."""
        if not np.ndim(self.ridge):
            return self.ridge * u
        return np.repeat(self.ridge, self.n_classes) * u

    def value(self, w):
        """R(w), in nats."""
        return self.weights_value(w[: self.n_weights])

    def weights_value(self, u):
        """R of the weights u, in nats."""
        norms = float(self.norms(u).sum())
        return 0.5 * float(u @ self._ridge_times(u)) + self.lasso * norms

    def grad(self, w):
        """Gradient of the ridge, shape (n_params,)."""
        return self.hessp(w)

    def hessp(self, v):
        """Hessian of the ridge times v."""
        product = np.zeros_like(v)
        product[: self.n_weights] = self._ridge_times(v[: self.n_weights])
        return product

    def _support(self, w):
        """Numbers of the weights whose part is not zero."""
        is_used = self.norms(w[: self.n_weights]) > 0.0
        return np.flatnonzero(np.repeat(is_used, self.n_together))

    def free_entries(self, w):
        """Numbers of the entries of w near which R is smooth: not of parts of zeros."""
        return np.append(self._support(w), np.arange(self.n_weights, w.size))

    def grad_of_support(self, w):
        """Gradient of R where no part is zero, zeros elsewhere, shape (n_params,)."""
        grad, used = self.grad(w), self._support(w)
        grad[used] += self.slope(w[used])
        return grad

    def prox_part(self, v, step):
        """`prox` of a single part, with one number as its step."""
        return self.prox(v, np.full(v.size, step))

    def sweep(self, x, h, H, steps):
        """Take a proximal gradient step in one part after another, in place.

        This is coordinate descent on q(x) + alpha r N(x), q being quadratic with the
        Hessian H and the gradient h at x, which is kept up to date. A part is
        `n_together` entries of x; the entries behind the last part stay. `steps` has a
        step for each part, at most one over the largest eigenvalue of its block of H.
        """
        size = self.n_together
        for number, step in enumerate(steps):
            part = slice(number * size, (number + 1) * size)
            v = self.prox_part(x[part] - step * h[part], step)
            p = v - x[part]
            if p.any():
                h += H[:, part] @ p
                x[part] = v

    def gap(self, w, grad, entropy, value, rounding):
        """Duality gap: a bound on F(w) - min F, in nats, where intercepts are optimal.

        The dual problem is to maximise the mean entropy of Q minus R*(X^T s(Y - Q)/S);
        for intercepts that are not optimal it is minus infinity. The probabilities P
        are a point of it, and so are Q = Y + t (P - Y), whose gradient is t times that
        of P. With r = 1, R* is zero where all dual norms are at most alpha and infinite
        elsewhere, so t shrinks the gradient until it fits. With r < 1 any t will do,
        and the better of that one and 1 is taken.

        grad is that of J at w, without the ridge; value is F(w); entropy(t) is the mean
        entropy of the rows of Q, weighted by s. rounding, shape (n_features,), is the
        error of each feature's gradient: it hides whether a dual point fits and counts
        as zero. The gap is never less than the rounding of F either.
        """
        u, g = w[: self.n_weights], grad[: self.n_weights]
        norms = np.maximum(self.norms(g) - self._slack(rounding), 0.0)
        largest = float(norms.max(initial=0.0))
        t = 1.0 if largest <= self.lasso else self.lasso / largest
        gap, conjugate = value - entropy(t), 0.0
        if self.has_ridge:
            excess = np.maximum(norms - self.lasso, 0.0).reshape(-1, self._n_parts)
            squares = np.einsum("jk,jk->j", excess, excess)
            conjugate = 0.5 * float(np.sum(squares / self.ridge))
        if self.has_ridge or t == 1.0:
            # Fenchel's inequality, weight by weight: no difference of large numbers,
            # whose sums over many rows are rounded by more than tol=0 asks for.
            gap = min(gap, float(g @ u) + self.weights_value(u) + conjugate)
        return float(max(gap, 2.0 * np.finfo(float).eps * abs(value)))

    @property
    def _n_parts(self):
        """Number of parts of each feature."""
        return self.n_classes // self.n_together

    def _slack(self, rounding):
        return np.repeat(rounding, self.n_weights // (rounding.size or 1))

    def alpha_max(self, grad):
        """Least alpha at which W = 0 is optimal, from the null model's gradient of J.

        There -grad is in the subdifferential alpha r dN(0): its norms are at most
        alpha r.
        """
        norms = self.norms(grad[: self.n_weights])
        return float(norms.max(initial=0.0)) / self.l1_ratio


class ElasticNetPenalty(SparsePenalty):
    """N(W) = ||W||_1: single weights are zero or not."""

    n_together = 1

    @property
    def fixes_gauge(self):
        """Whether R has curvature along a shift of all classes of a feature."""
        return self.has_ridge

    def norms(self, u):
        """Norm of each part, |u_j|."""
        return np.abs(u)

    def norms_change(self, v, u):
        """N(v) - N(u), exact to the last digits where they are close."""
        return float((np.abs(v) - np.abs(u)).sum())

    def prox(self, u, step):
        """argmin_v 1/2 sum_j (v_j - u_j)^2 / step_j + alpha r ||v||_1."""
        return np.sign(u) * np.maximum(np.abs(u) - self.lasso * step, 0.0)

    def sweep(self, x, h, H, steps):
        """Take a proximal gradient step in one weight after another, in place.

        Weights that are zero and optimal at the start are left out. Floats take a
        quarter of the time of arrays with one entry (300 weights).
        """
        n, lasso = steps.size, self.lasso
        is_moving = (x[:n] != 0.0) | (np.abs(h[:n]) > lasso)
        for j in np.flatnonzero(is_moving).tolist():
            old, step = float(x[j]), float(steps[j])
            v, cut = old - step * float(h[j]), lasso * step
            v = v - cut if v > cut else v + cut if v < -cut else 0.0
            if v != old:
                h += (v - old) * H[j]
                x[j] = v

    def slope(self, u):
        """Gradient of alpha r N where no weight is zero."""
        return self.lasso * np.sign(u)

    def add_curvature(self, H, u):
        """Add the Hessian of alpha r N, which is zero: N is piecewise linear."""

    def curvature_times(self, u, v):
        """The Hessian of alpha r N at u times v: zeros."""
        return np.zeros_like(v)

    def confine(self, v, u):
        """V with zeros where its sign is not that of u: the slope differs there."""
        return np.where(v * u > 0.0, v, 0.0)

    def step_along(self, u, d, slope, curvature):
        """U + t d with the t that minimises slope t + curvature t^2/2 + alpha r N.

        slope is the derivative at t = 0, that of N included. N bends where weights
        change sign, each time by 2 alpha r |d_j|; a minimum at such a t leaves that
        weight at zero exactly. Without curvature it is at one of those, the last if
        need be, or at t = 0 if there is none.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            kinks = np.where(d * u < 0.0, -u / d, np.inf)
        order = np.argsort(kinks, kind="stable")
        kinks = kinks[order]
        bends = np.cumsum(2.0 * self.lasso * np.abs(d[order]))
        before = slope + np.append(0.0, bends)  # on each piece, less curvature t
        ends = np.append(kinks, np.inf)
        with np.errstate(invalid="ignore"):
            is_minimum = before + curvature * ends >= 0.0
        piece = int(np.argmax(is_minimum | np.isinf(ends)))
        start = ends[piece - 1] if piece else 0.0
        t = max(-before[piece] / curvature, start) if curvature > 0.0 else start
        v = u + t * d
        if piece and t == start:
            v[order[piece - 1]] = 0.0
        return v, t

    def project_onto_gauge(self, W):
        """W - c with the c per feature that makes R least; its logits mean the same.

        The derivative of R by c is piecewise linear, and its zero is the median of the
        weights and of where each linear piece would have it (Li and Osher 2009, Inverse
        Probl. Imaging 3:487). With r = 1 and an even number of classes the zeros can
        be an interval, of which this formula takes the point nearest to the mean: the
        limit r -> 1, and of all equal minima the one of least ||W||.
        """
        K = W.shape[1]
        balance = (K - 2.0 * np.arange(K + 1)) / K
        with np.errstate(divide="ignore", invalid="ignore"):
            ridge = np.reshape(self.ridge, (-1, 1))
            lean = np.where(balance == 0.0, 0.0, balance * self.lasso / ridge)
        pieces = W.mean(axis=1, keepdims=True) + lean
        return W - np.median(np.hstack([W, pieces]), axis=1, keepdims=True)


class GroupPenalty(SparsePenalty):
    """N(W) = sum_j ||W_j.||_2: the weights of a feature are all zero or none is."""

    fixes_gauge = True

    @property
    def n_together(self):
        """Number of weights in a part."""
        return self.n_classes

    def _rows(self, u):
        return u.reshape(-1, self.n_classes)

    def norms(self, u):
        """Norm of each part, of each feature's weights."""
        return np.linalg.norm(self._rows(u), axis=1)

    def norms_change(self, v, u):
        """N(v) - N(u), exact to the last digits where they are close."""
        sums = self.norms(v) + self.norms(u)
        squares = np.einsum("jk,jk->j", self._rows(v - u), self._rows(v + u))
        return float((squares / np.where(sums > 0.0, sums, 1.0)).sum())

    def prox(self, u, step):
        """argmin_V 1/2 sum_j ||V_j - U_j||^2 / step_j + alpha r sum_j ||V_j||.

        step has one number per weight, equal within each feature.
        """
        norms = self.norms(u)
        shrunk = np.maximum(norms - self.lasso * self._rows(step)[:, 0], 0.0)
        factors = np.divide(shrunk, norms, out=np.zeros_like(norms), where=norms > 0)
        return (self._rows(u) * factors[:, None]).ravel()

    def prox_part(self, v, step):
        """`prox` of the weights of one feature, with one number as its step."""
        norm = np.sqrt(v @ v)
        return v * (max(1.0 - self.lasso * step / norm, 0.0) if norm > 0.0 else 0.0)

    def slope(self, u):
        """Gradient of alpha r N where no feature is zero."""
        return (self.lasso / self.norms(u)[:, None] * self._rows(u)).ravel()

    def add_curvature(self, H, u):
        """Add the Hessian of alpha r N to H, in place."""
        K, norms = self.n_classes, self.norms(u)
        for j, row in enumerate(self._rows(u)):
            part = slice(j * K, (j + 1) * K)
            direction = row / norms[j]
            H[part, part] -= self.lasso / norms[j] * np.outer(direction, direction)
            H[part, part] += self.lasso / norms[j] * np.eye(K)

    def curvature_times(self, u, v):
        """The Hessian of alpha r N at u times v."""
        U, V = self._rows(u), self._rows(v)
        squares = np.einsum("jk,jk->j", U, U)
        along = np.einsum("jk,jk->j", U, V) / squares
        product = self.lasso / np.sqrt(squares)[:, None] * (V - along[:, None] * U)
        return product.ravel()

    def confine(self, v, u):
        """V itself: N is smooth on both sides."""
        return v

    def step_along(self, u, d, slope, curvature):
        """U + t d with the t > 0 that minimises slope t + curvature t^2/2 + alpha r N.

        slope is the derivative at t = 0, that of N included. Bisection, in (0, 1].
        """
        smooth = slope - float(self.slope(u) @ d)

        def derivative(t):
            v = u + t * d
            return smooth + curvature * t + float(self.slope(v) @ d)

        low, high = 0.0, 1.0
        while derivative(high) > 0.0 and high - low > 1e-3 * high:
            middle = 0.5 * (low + high)
            low, high = (low, middle) if derivative(middle) > 0.0 else (middle, high)
        t = 0.5 * (low + high) if low else high
        return u + t * d, t

    def project_onto_gauge(self, W):
        """W - c with the c per feature that makes R least: the mean."""
        return W - W.mean(axis=1, keepdims=True)

    def _slack(self, rounding):
        return rounding * np.sqrt(self.n_classes)

"""Calls as users write them, for type checkers: `make types`. Nothing here is run."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, csr_matrix

import sksoftmax
from sksoftmax import (
    SoftmaxRegressionClassifier,
    SoftmaxRegressionClassifierCV,
    cross_entropy,
    hardmax,
    log_softmax,
    softmax,
)
from sksoftmax.callbacks import Checkpoint
from sksoftmax.data import from_arrays, from_arrow, from_parquet, from_svmlight
from sksoftmax.export import register_skl2onnx, to_onnx
from sksoftmax.inference import (
    compare,
    firth,
    from_formula,
    hosmer_lemeshow_test,
    likelihood_ratio_test,
    marginal_effects,
    predictions,
    summary,
    wald_test,
)
from sksoftmax.plotting import (
    CoefficientPathDisplay,
    CVScoreDisplay,
    LossCurveDisplay,
    ReliabilityDisplay,
    plot_decision_boundaries,
)


def containers(dask_array: Any) -> None:
    """X in every container."""
    X, y = np.ones((6, 2)), np.array([0, 1, 2, 0, 1, 2])
    model = SoftmaxRegressionClassifier((10, 5), alpha=1e-4, max_iter=100, tol=1e-6)
    model.fit(X, y, sample_weight=np.ones(6), classes=["a", "b"], X_val=X, y_val=y)
    model.fit(X.tolist(), y.tolist())
    model.fit(csr_matrix(X), y).fit(csr_array(X), y)
    model.fit(pd.DataFrame(X), pd.Series(y))
    model.fit(dask_array, dask_array)

    def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield X, y

    model.fit([(X, y), (X, y)]).fit(read)
    model.fit(from_parquet("x.parquet", target="y", columns=["a"]))
    model.fit(from_arrays([X, X], [y, y])).fit(from_arrow(lambda: iter([]), target="y"))
    model.fit(from_svmlight("x.svm", n_features=3))
    model.partial_fit(X, y, classes=[0, 1, 2])


def fitted(X: np.ndarray, y: np.ndarray) -> None:
    """What a fitted model has."""
    model = SoftmaxRegressionClassifier(class_weight={"a": 1.0}).fit(X, y)
    answers: list[np.ndarray] = [
        model.predict(X),
        model.predict_proba(csr_matrix(X)),
        model.predict_log_proba(pd.DataFrame(X)),
        model.decision_function(X),
        model.coef_,
        model.intercept_,
        model.classes_,
        *model.coefs_,
    ]
    numbers: list[float] = [model.score(X, y), model.loss_, model.optimality_]
    numbers += [model.n_iter_, model.n_passes_, *model.loss_curve_]
    print(answers, model.converged_, model.solver_.upper())
    rare = model.with_class_prior([0.9, 0.1], training_prior={"a": 1, "b": 1})
    rare.predict(from_parquet("x.parquet"))
    chosen = SoftmaxRegressionClassifierCV(10, cv="alo", scoring="accuracy", n_jobs=2)
    alpha: float = chosen.fit(X, y).alpha_
    print(alpha, numbers, chosen.mean_scores_.max(), Checkpoint("x.npz"))


def functions(X: np.ndarray, y: np.ndarray) -> None:
    """Everything else."""
    total = softmax(X) + log_softmax(X) + hardmax(X)
    print(total, cross_entropy(X, X))
    sksoftmax.show_versions()
    model = SoftmaxRegressionClassifier(alpha=0).fit(X, y)
    table = summary(model, X, y, exponentiate=True, cov_type="HC1")
    print(table, compare([table, table]), wald_test(table, "x0"))
    print(marginal_effects(model, X, y, at="mean"), predictions(model, X, X=X, y=y))
    print(likelihood_ratio_test(table, table), firth(model, X, y))
    print(hosmer_lemeshow_test(model, X, y), from_formula("y ~ x", pd.DataFrame()))
    LossCurveDisplay.from_estimator(model)
    CoefficientPathDisplay.from_estimator(model)
    CVScoreDisplay.from_estimator(model)
    ReliabilityDisplay.from_estimator(model, X, y)
    plot_decision_boundaries(model, X, y)
    register_skl2onnx()
    to_onnx(model, X[:1], dtype=np.float32)

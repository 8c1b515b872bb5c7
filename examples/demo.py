"""The estimator on real data, compared with scikit-learn's; `make demo` runs it.

There are four parts: a comparison on unscaled data, a pipeline on a table of mixed
types, a grid search, and a picture of decision boundaries.
"""

import time
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws into files, needs no screen

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba_array
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier

ROOT = Path(__file__).resolve().parents[1]
STUDENTS = ROOT / "tests" / "data" / "hsbdemo.csv"
PICTURE = ROOT / "build" / "demo" / "decision_boundaries.png"

FOLDS = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
COLORS = ["#0072b2", "#e69f00", "#009e73"]  # also for colour-blind readers


# Part 1: unscaled data, the same folds, every model with its default settings.

MODELS = {
    "SoftmaxRegressionClassifier()": SoftmaxRegressionClassifier(),
    "LogisticRegression()": LogisticRegression(),
    "SoftmaxRegressionClassifier((100,))": SoftmaxRegressionClassifier(
        (100,), random_state=0
    ),
    "MLPClassifier((100,))": MLPClassifier((100,), random_state=0),
}


def compare_models():
    """Print accuracy, log-loss, seconds and convergence of each model on each set."""
    print("Unscaled data, default settings, the same 5 folds, one BLAS thread for all.")
    print("Log-loss in nats (natural logarithms); seconds per fit; converged: fits")
    print("without a warning.\n")
    print(f"{'':37}accuracy  log-loss  seconds  converged")
    for load in (load_wine, load_breast_cancer, load_digits):
        X, y = load(return_X_y=True)
        name = load.__name__.removeprefix("load_").replace("_", " ")
        print(f"{name}, {X.shape[0]} x {X.shape[1]}, {len(set(y))} classes")
        for label, model in MODELS.items():
            print(f"  {label:35}{scores_line(model, X, y)}", flush=True)


def scores_line(model, X, y):
    """Cross-validate a model and put the means over the folds on one line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = cross_validate(
            model, X, y, cv=FOLDS, scoring=["accuracy", "neg_log_loss"]
        )
    short = sum(issubclass(w.category, ConvergenceWarning) for w in caught)
    converged = f"{FOLDS.n_splits - short} of {FOLDS.n_splits}"
    accuracy = scores["test_accuracy"].mean()
    log_loss = -scores["test_neg_log_loss"].mean()
    seconds = scores["fit_time"].mean()
    return f"{accuracy:8.3f}{log_loss:10.3f}{seconds:9.3f}  {converged:>9}"


# Part 2: a table with a category and a number, and the probabilities of new rows.


def choose_programmes():
    """Model which programme a student chooses by social class and writing score."""
    students = pd.read_csv(STUDENTS)
    X, y = students[["ses", "write"]], students["prog"]
    columns = make_column_transformer(
        (OneHotEncoder(), ["ses"]), (StandardScaler(), ["write"])
    )
    model = make_pipeline(columns, SoftmaxRegressionClassifier())
    accuracy = cross_val_score(model, X, y, cv=FOLDS)
    print(f"\nProgramme choice of {len(X)} students by social class and writing score.")
    print(f"Accuracy {accuracy.mean():.3f} +- {accuracy.std():.3f} over 5 folds.")

    model.fit(X, y)
    new = pd.DataFrame({"ses": ["low", "middle", "high"], "write": 52})
    table = pd.DataFrame(model.predict_proba(new), columns=model.classes_)
    print("Probabilities, and the likeliest programme, at a writing score of 52:\n")
    table = new.join(table).assign(predicted=model.predict(new))
    print(table.to_string(index=False, float_format="{:.3f}".format))


# Part 3: a grid search chooses the hidden layers and the penalty.


def search_hidden_layers():
    """Choose penalty and hidden layers by cross-validated log-loss."""
    X, y = load_breast_cancer(return_X_y=True)
    softmax = SoftmaxRegressionClassifier(random_state=0)
    model = Pipeline([("scale", StandardScaler()), ("softmax", softmax)])
    grid = {
        "softmax__alpha": [1e-3, 1e-2, 1e-1],
        "softmax__hidden_layer_sizes": [(), (10,), (10, 10)],
    }
    search = GridSearchCV(model, grid, scoring="neg_log_loss", cv=FOLDS).fit(X, y)
    results = pd.DataFrame(search.cv_results_["params"]).astype(str)
    results.columns = ["alpha", "hidden layers"]
    results["log-loss"] = -search.cv_results_["mean_test_score"]
    print("\nGrid search on standardised breast cancer, mean log-loss over 5 folds:\n")
    print(results.pivot(index="hidden layers", columns="alpha", values="log-loss"))
    print(f"\nBest: {search.best_params_}")


# Part 4: three spirals. Boundaries are straight without hidden layers and curved with.


def spirals(n_per_arm=150, seed=0):
    """Noisy points on three arms around the origin, and the arm of each point."""
    radius = np.linspace(0.15, 1.0, n_per_arm)
    angles = [3.5 * radius + 2 * np.pi * arm / 3 for arm in range(3)]
    X = np.concatenate([np.c_[radius * np.cos(a), radius * np.sin(a)] for a in angles])
    X += np.random.default_rng(seed).normal(scale=0.04, size=X.shape)
    return X, np.repeat(["class A", "class B", "class C"], n_per_arm)


def draw_boundaries(path):
    """Fit the spirals without and with hidden layers and draw both fits."""
    X, y = spirals()
    curved = SoftmaxRegressionClassifier(
        (32, 32),
        activation="tanh",
        learning_rate_init=0.01,
        max_iter=300,
        random_state=0,
    )
    models = {
        "No hidden layer": SoftmaxRegressionClassifier(),
        "Two hidden layers": curved,
    }
    figure, axes = plt.subplots(1, 2, figsize=(9, 5))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    for ax, (title, model) in zip(axes, models.items(), strict=True):
        model.fit(X, y)
        draw_probabilities(ax, model)
        draw_samples(ax, X, y)
        ax.set_title(f"{title}: accuracy {model.score(X, y):.0%}", pad=8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        markerscale=2,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def draw_probabilities(ax, model, reach=1.2):
    """Mix the colours of the classes by their probabilities; draw the boundaries."""
    side = np.linspace(-reach, reach, 300)
    plane = np.stack(np.meshgrid(side, side), axis=-1)
    P = model.predict_proba(plane.reshape(-1, 2)).reshape(300, 300, 3)
    colors = to_rgba_array(COLORS)[:, :3]
    extent = (-reach, reach, -reach, reach)
    ax.imshow(P @ colors, origin="lower", extent=extent, alpha=0.4)
    for k in range(3):
        lead = P[..., k] - np.delete(P, k, axis=-1).max(axis=-1)
        ax.contour(side, side, lead, levels=[0.0], colors="0.3", linewidths=0.8)
    ax.set(xticks=[], yticks=[])


def draw_samples(ax, X, y):
    """Draw the samples in the colours of their classes."""
    for label, color in zip(np.unique(y), COLORS, strict=True):
        x1, x2 = X[y == label].T
        ax.scatter(x1, x2, s=16, color=color, edgecolor="white", lw=0.5, label=label)


def main():
    """Run the four parts."""
    start = time.perf_counter()
    with threadpool_limits(1):
        compare_models()
    choose_programmes()
    search_hidden_layers()
    draw_boundaries(PICTURE)
    print(f"\nDecision boundaries: {PICTURE.relative_to(ROOT)}")
    print(f"All in {time.perf_counter() - start:.0f} seconds.")


if __name__ == "__main__":
    main()

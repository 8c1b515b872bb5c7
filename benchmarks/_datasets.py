"""The data sets of the benchmarks: real ones, and generated ones with fixed seeds."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import datasets
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
TEST_DATA = HERE.parent / "tests" / "data"


@dataclass(frozen=True)
class Problem:
    """One fit: the data, the strength of the penalty, and what to call it."""

    name: str
    X: np.ndarray | sparse.csr_array
    y: np.ndarray
    alpha: float

    @property
    def n_samples(self):
        return self.X.shape[0]

    @property
    def n_features(self):
        return self.X.shape[1]

    @property
    def n_classes(self):
        return int(self.y.max()) + 1

    @property
    def n_params(self):
        return (self.n_features + 1) * self.n_classes

    @property
    def shape(self):
        return self.n_samples, self.n_features, self.n_classes

    @property
    def data_bytes(self):
        X = self.X
        if sparse.issparse(X):
            return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
        return X.nbytes


def problem(name):
    """Build a problem from its name, ``set[-std][-alpha]``, as in ``wine-std-1e-5``."""
    stem, alpha = name, 1e-3
    if name.endswith("-1e-5"):
        stem, alpha = name.removesuffix("-1e-5"), 1e-5
    X, y = _load(stem.removesuffix("-std"))
    if stem.endswith("-std"):
        X = StandardScaler().fit_transform(X)
    y = np.unique(y, return_inverse=True)[1]
    if not sparse.issparse(X):
        X = np.ascontiguousarray(X, dtype=np.float64)
    return Problem(name, X, y, alpha)


@cache
def _load(stem):
    return SETS[stem]()


def _letter():
    data = pd.read_csv(HERE / "data" / "letter.csv.gz")
    return data.drop(columns="lettr").to_numpy(float), data["lettr"].to_numpy()


def _anes96():
    data = pd.read_csv(TEST_DATA / "anes96.csv")
    return data.drop(columns="PID").to_numpy(), data["PID"].to_numpy()


def _glmnet3():
    data = pd.read_csv(TEST_DATA / "glmnet3.csv.gz")
    return data.drop(columns="y").to_numpy(), data["y"].to_numpy()


def _draw(logits, rng):
    """Draw one class a row from the softmax of the logits (the Gumbel trick)."""
    return np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)


def _correlated(rng, n_samples, n_features, n_factors=8):
    """Features that share a few factors, with units from 0.03 to 30."""
    factors = rng.standard_normal((n_samples, n_factors))
    mixing = rng.standard_normal((n_factors, n_features))
    X = factors @ mixing + rng.standard_normal((n_samples, n_features))
    return X, 10.0 ** rng.uniform(-1.5, 1.5, n_features)


def correlated(n_samples, n_features, n_classes, seed=0):
    """Correlated features in unequal units, and classes of unequal sizes."""
    rng = np.random.default_rng(seed)
    X, units = _correlated(rng, n_samples, n_features)
    W = rng.standard_normal((n_features, n_classes)) / np.sqrt(n_features)
    y = _draw(X @ W + rng.standard_normal(n_classes), rng)
    return X * units + units, y


def _wide():
    """As gene expression: 200 samples, 5000 features, 40 of them informative."""
    rng = np.random.default_rng(1)
    X, _ = _correlated(rng, 200, 5000)
    W = np.zeros((5000, 5))
    W[:40] = rng.standard_normal((40, 5))
    return X, _draw(X @ W / 4, rng)


def _pixels():
    """As images: 784 pixels from 0 to 255, smooth, so of low rank, and often zero."""
    rng = np.random.default_rng(2)
    side = np.linspace(-1, 1, 28)
    centres = rng.uniform(-0.8, 0.8, (60, 2))
    widths = rng.uniform(0.05, 0.3, 60)
    squared = (side[:, None, None] - centres[:, 0]) ** 2 + (
        side[None, :, None] - centres[:, 1]
    ) ** 2
    strokes = np.exp(-squared / (2 * widths**2)).reshape(784, 60)
    y = rng.integers(10, size=20_000)
    means = 0.3 + 0.7 * rng.gamma(1.0, 1.0, (10, 60))
    loadings = means[y] * rng.gamma(1.0, 1.0, (20_000, 60))
    ink = loadings @ strokes.T + 0.05 * rng.standard_normal((20_000, 784))
    return np.round(np.clip(60 * (ink - 1.5), 0, 255)), y


def _onehot():
    """Eight categorical columns, 4 to 200 levels with skewed frequencies, as CSR."""
    rng = np.random.default_rng(3)
    levels = [4, 6, 10, 15, 25, 40, 80, 200]
    columns = [
        np.floor(n_levels * rng.beta(0.8, 2.0, 100_000)).astype(int)
        for n_levels in levels
    ]
    X = OneHotEncoder().fit_transform(np.column_stack(columns)).tocsr()
    W = rng.standard_normal((X.shape[1], 6))
    return X, _draw(X @ W, rng)


def _rare():
    """Heavy-tailed features in unequal units, and two classes of about 0.02 %."""
    rng = np.random.default_rng(4)
    n_samples, n_features, n_classes = 60_000, 9, 7
    X = rng.standard_t(2.0, (n_samples, n_features))
    W = 0.4 * rng.standard_normal((n_features, n_classes))
    shares = np.array([0.6, 0.25, 0.1, 0.04, 0.0096, 0.0002, 0.0002])
    # Clipped logits: an outlier does not by itself decide its class.
    y = _draw(np.clip(X @ W, -1.5, 1.5) + np.log(shares), rng)
    return X * 10.0 ** np.arange(-4, 5), y


def _separable():
    """Classes that overlap in a few rows only."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((5000, 50))
    return X, _draw(6 * X @ rng.standard_normal((50, 4)), rng)


def _text():
    """As documents: 60 words a row from a Zipf law over 30000, 20 topics, tf-idf."""
    rng = np.random.default_rng(6)
    n_rows, n_words, n_topics, length = 50_000, 30_000, 20, 60
    frequency = 1.0 / np.arange(1, n_words + 1)
    y = rng.integers(n_topics, size=n_rows)
    words = np.empty((n_rows, length), dtype=np.int32)
    for topic in range(n_topics):
        rows = np.flatnonzero(y == topic)
        tilt = frequency * np.exp(rng.standard_normal(n_words))
        cumulative = np.cumsum(tilt / tilt.sum())
        draws = np.searchsorted(cumulative, rng.random((len(rows), length)))
        words[rows] = np.minimum(draws, n_words - 1)
    indptr = np.arange(0, n_rows * length + 1, length, dtype=np.int32)
    X = sparse.csr_array(
        (np.ones(words.size), words.ravel(), indptr), shape=(n_rows, n_words)
    )
    X.sum_duplicates()
    seen = np.bincount(X.indices, minlength=n_words)
    X.data *= np.log((1 + n_rows) / (1 + seen))[X.indices] + 1
    X.data /= np.repeat(np.sqrt(X.multiply(X).sum(axis=1)), np.diff(X.indptr))
    return X, y


SETS = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "letter": _letter,
    "anes96": _anes96,
    "glmnet3": _glmnet3,
    "tall": lambda: correlated(300_000, 54, 7),
    "wide": _wide,
    "pixels": _pixels,
    "onehot": _onehot,
    "rare": _rare,
    "separable": _separable,
    "text": _text,
}

QUICK = [
    "iris",
    "wine",
    "wine-std",
    "cancer",
    "digits",
    "anes96",
    "glmnet3",
    "wide",
    "separable",
]

DEFAULT = [
    "iris",
    "wine",
    "wine-std",
    "wine-1e-5",
    "cancer",
    "cancer-std",
    "cancer-std-1e-5",
    "digits",
    "digits-std",
    "digits-1e-5",
    "letter",
    "letter-std",
    "letter-std-1e-5",
    "anes96",
    "glmnet3",
    "tall",
    "tall-std",
    "wide",
    "pixels",
    "pixels-std",
    "onehot",
    "rare",
    "rare-std",
    "separable",
    "separable-1e-5",
    "text",
    "text-1e-5",
]

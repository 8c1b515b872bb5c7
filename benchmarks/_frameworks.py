"""The same network, batches and optimizer in every framework that is installed.

A contestant is a class made with (net, dtype); `train(X, y, n_epochs)` trains a fresh
network, `epoch(X, y)` goes on with one and `log_loss(X, y)` judges it. Adam at 1e-3
with a constant rate, relu, batches drawn in a new order each epoch, next to no penalty.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from sksoftmax import SoftmaxRegressionClassifier

RATE = 1e-3


@dataclass(frozen=True)
class Net:
    """A network, its batch size, and how many rows there are to train on."""

    units: tuple  # inputs, hidden layers, classes
    batch_size: int
    n_rows: int

    @property
    def name(self):
        return "-".join(map(str, self.units))

    @property
    def hidden(self):
        return self.units[1:-1]

    @property
    def n_steps(self):
        """Steps of an epoch."""
        return -(-self.n_rows // self.batch_size)

    @property
    def n_params(self):
        layers = zip(self.units[:-1], self.units[1:], strict=True)
        return sum((m + 1) * n for m, n in layers)

    def data(self, dtype, n_rows=None):
        """Rows of standard normal features, and classes from a random network."""
        rng = np.random.default_rng(0)
        n_rows = n_rows or self.n_rows
        X = rng.standard_normal((n_rows, self.units[0]))
        teacher = np.random.default_rng(1)
        hidden = np.tanh(X @ teacher.standard_normal((self.units[0], 20)))
        Z = hidden @ teacher.standard_normal((20, self.units[-1]))
        y = np.argmax(Z + rng.gumbel(size=Z.shape), axis=1)
        return X.astype(dtype), y


NETS = [
    Net((20, 32, 3), 32, 3200),
    Net((16, 100, 26), 200, 16000),
    Net((64, 100, 10), 200, 8000),
    Net((784, 128, 64, 10), 200, 6000),
    Net((54, 256, 256, 256, 7), 256, 5120),
    Net((784, 512, 256, 10), 200, 4000),
]


class _Estimator:
    """What has fit, partial_fit and predict_proba."""

    def __init__(self, net, dtype):
        self.net, self.dtype = net, dtype
        self.model = self.make(1)

    def train(self, X, y, n_epochs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.make(n_epochs).fit(X, y)

    def epoch(self, X, y):
        self.model.partial_fit(X, y, classes=np.arange(self.net.units[-1]))

    def log_loss(self, X, y):
        P = self.model.predict_proba(X)
        return log_loss(y, P, labels=np.arange(self.net.units[-1]))


class Ours(_Estimator):
    name = "sksoftmax"

    def make(self, n_epochs):
        return SoftmaxRegressionClassifier(
            self.net.hidden,
            alpha=1e-6,
            solver="adam",
            batch_size=self.net.batch_size,
            max_iter=n_epochs,
            learning_rate="constant",
            learning_rate_init=RATE,
            tol=0.0,
            n_iter_no_change=10_000,
            random_state=0,
        )


class ScikitLearn(_Estimator):
    name = "MLPClassifier"

    def make(self, n_epochs):
        return MLPClassifier(
            self.net.hidden,
            alpha=1e-6,
            batch_size=self.net.batch_size,
            max_iter=n_epochs,
            learning_rate_init=RATE,
            tol=0.0,
            n_iter_no_change=10_000,
            random_state=0,
        )


class Torch:
    """PyTorch as its tutorials write it; batches are gathered by index."""

    name = "PyTorch"
    compiled = False

    def __init__(self, net, dtype):
        import torch

        self.torch, self.net = torch, net
        self.dtype = torch.float32 if dtype == np.float32 else torch.float64
        self.model, self.optimizer = self._fresh()

    def _fresh(self):
        torch = self.torch
        torch.manual_seed(0)
        layers = []
        for m, n in zip(self.net.units[:-1], self.net.units[1:], strict=True):
            layers += [torch.nn.Linear(m, n, dtype=self.dtype), torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        if self.compiled:
            torch.compiler.reset()  # or it gives up after eight networks
            model = torch.compile(model)
        return model, optimizer

    def train(self, X, y, n_epochs):
        model, optimizer = (
            (self.model, self.optimizer) if self.compiled else self._fresh()
        )
        X, y = self.torch.from_numpy(X), self.torch.from_numpy(y)
        for _ in range(n_epochs):
            self._epoch(model, optimizer, X, y)

    def epoch(self, X, y):
        X, y = self.torch.from_numpy(X), self.torch.from_numpy(y)
        self._epoch(self.model, self.optimizer, X, y)

    def _epoch(self, model, optimizer, X, y):
        loss = self.torch.nn.functional.cross_entropy
        for rows in self.torch.randperm(len(y)).split(self.net.batch_size):
            optimizer.zero_grad()
            loss(model(X[rows]), y[rows]).backward()
            optimizer.step()

    def log_loss(self, X, y):
        torch = self.torch
        with torch.no_grad():
            Z = self.model(torch.from_numpy(X))
            return float(torch.nn.functional.cross_entropy(Z, torch.from_numpy(y)))


class CompiledTorch(Torch):
    """The same through torch.compile; its compilation is not timed."""

    name = "torch.compile"
    compiled = True


class Skorch(Torch):
    name = "skorch"

    def train(self, X, y, n_epochs):
        from skorch import NeuralNetClassifier

        model, _ = self._fresh()
        NeuralNetClassifier(
            model,
            max_epochs=n_epochs,
            lr=RATE,
            batch_size=self.net.batch_size,
            optimizer=self.torch.optim.Adam,
            criterion=self.torch.nn.CrossEntropyLoss,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        ).fit(X, y)


def installed(contestants, net):
    """Those of the contestants that train, with the reason why the others do not."""
    working, missing = [], {}
    X, y = net.data(np.float32, 2 * net.batch_size)
    for contestant in contestants:
        try:
            contestant(net, np.float32).train(X, y, 1)
        except Exception as error:  # whatever a framework raises where it cannot run
            missing[contestant.name] = f"{type(error).__name__}: {error}".split("\n")[0]
        else:
            working.append(contestant)
    return working, missing


def limit_torch(n_threads):
    """PyTorch has threads of its own."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(n_threads)

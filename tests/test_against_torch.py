"""Training step by step beside PyTorch: same start, same batches, same parameters."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax._data.minibatches import batch_rows
from sksoftmax._model.activations import ACTIVATIONS
from sksoftmax._model.network import Network
from sksoftmax._model.penalties import L2Penalty
from sksoftmax._objective.batch_objective import BatchObjective
from sksoftmax.optimizers import SGD, Adam

torch = pytest.importorskip("torch")

N_ROWS, BATCH, ALPHA, N_UNITS = 125, 25, 0.01, (6, 8, 5, 3)

PAIRS = {
    "adam": (Adam(0.01), lambda w: torch.optim.Adam(w, lr=0.01)),
    "sgd": (
        SGD(0.05, momentum=0.9, nesterov=True),
        lambda w: torch.optim.SGD(w, lr=0.05, momentum=0.9, nesterov=True),
    ),
}
MODULES = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "silu": torch.nn.SiLU}


@pytest.mark.parametrize("activation", MODULES)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS.keys())
def test_fifty_steps_end_at_the_parameters_of_pytorch(rng, ours, theirs, activation):
    X = rng.standard_normal((N_ROWS, N_UNITS[0]))
    Y = rng.dirichlet(np.ones(N_UNITS[-1]), size=N_ROWS)
    s = rng.uniform(0.2, 3.0, size=N_ROWS)
    network = Network(N_UNITS, ACTIVATIONS[activation], True)
    w = network.initial(rng)
    model = as_module(network, w, MODULES[activation])
    optimizer = theirs(model.parameters())
    rows = batch_rows(np.hstack([X, np.ones((N_ROWS, 1))]), Y, s / s.mean(), np.float64)
    penalty = L2Penalty(ALPHA * network.weight_mask())
    batches = BatchObjective(network, rows, penalty).batches(
        w, batch_size=BATCH, dropout=0.0
    )
    state = ours.init(w)
    for number in range(10):
        order = np.random.default_rng(number).permutation(N_ROWS)
        steps = batches.epoch(np.random.default_rng(number), shuffle=True)
        for start, (loss, _) in zip(range(0, N_ROWS, BATCH), steps, strict=True):
            state = ours.step(batches.grad, state, w)
            chosen = order[start : start + BATCH]
            expected = torch_step(
                model, optimizer, X[chosen], Y[chosen], s[chosen] / s.mean()
            )
            assert_allclose(loss, expected, rtol=1e-6)
    for layer, (W, b) in zip(linear_layers(model), network.unpack(w), strict=True):
        assert_allclose(W, layer.weight.detach().numpy().T, atol=1e-6)
        assert_allclose(b, layer.bias.detach().numpy(), atol=1e-6)


def linear_layers(model):
    return [layer for layer in model if hasattr(layer, "weight")]


def as_module(network, w, activation):
    """The network in PyTorch, with copies of its parameters."""
    layers = []
    for W, b in network.unpack(w.copy()):
        layer = torch.nn.Linear(*W.shape, dtype=torch.float64)
        layer.weight.data = torch.from_numpy(W.T.copy())
        layer.bias.data = torch.from_numpy(b.copy())
        layers += [layer, activation()]
    return torch.nn.Sequential(*layers[:-1])


def torch_step(model, optimizer, X, Y, s):
    """A step on the mean weighted cross-entropy and the penalty; the former."""
    X, Y, s = (torch.from_numpy(array) for array in (X, Y, s))
    loss = (s * torch.nn.functional.cross_entropy(model(X), Y, reduction="none")).mean()
    squares = sum((layer.weight**2).sum() for layer in linear_layers(model))
    optimizer.zero_grad()
    (loss + ALPHA / 2 * squares).backward()
    optimizer.step()
    return loss.item()

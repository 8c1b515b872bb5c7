"""The tables of the benchmark of hidden layers in Markdown, and their picture."""

import importlib.metadata
from statistics import geometric_mean

import matplotlib.pyplot as plt
import numpy as np
from _markdown import table
from _measure import environment


def write_report(folder, epochs, targets, sizes, missing):
    """Write hidden.md and hidden.png."""
    folder.mkdir(parents=True, exist_ok=True)
    _draw(epochs, folder / "hidden.png")
    parts = [
        _introduction(missing),
        _verdict(epochs),
        *(_table(epochs, dtype) for dtype in ("float32", "float64")),
        _targets(targets),
        _steps(epochs),
        _sizes(sizes),
    ]
    (folder / "hidden.md").write_text("\n\n".join(parts) + "\n")


def _introduction(missing):
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("torch", "skorch")
        if _is_installed(name)
    )
    notes = [f"- {name} did not run: {why}" for name, why in missing.items()]
    lines = [f"- {line}" for line in (*environment(), versions) if line] + notes
    return f"""# Benchmark of hidden layers

Written by `python benchmarks/hidden.py`.

The same networks, rows, batches (200 rows; 32 for 20-32-3, 256 for 54-256-256-256-7)
and optimizer (Adam, 1e-3) run in every package. Runs are interleaved, and figures are
medians. BLAS and PyTorch have the same number of threads. A ratio is the seconds of the
other package over ours. Compilation by `torch.compile` is not timed. The summary counts
each network with the number of threads that is worse for us.

{chr(10).join(lines)}

![Ratios](hidden.png)"""


def _is_installed(name):
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _ratios(epochs, name, dtype):
    """Ratio of each network, with the number of threads that is worse for us."""
    harder = {}
    for (net, precision, _), seconds in epochs.items():
        if precision == dtype and name in seconds:
            ratio = seconds[name] / seconds["sksoftmax"]
            harder[net.name] = min(ratio, harder.get(net.name, np.inf))
    return harder


def _verdict(epochs):
    names = list(dict.fromkeys(name for times in epochs.values() for name in times))
    lines = ["## Summary", ""]
    for dtype in ("float32", "float64"):
        for name in names[1:]:
            ratios = _ratios(epochs, name, dtype)
            if ratios:
                least = min(ratios, key=ratios.get)
                lines.append(
                    f"- Per epoch against {name}, {dtype}: geometric mean"
                    f" {geometric_mean(ratios.values()):.2f}x, least"
                    f" {ratios[least]:.2f}x ({least})."
                )
    return "\n".join(lines)


def _table(epochs, dtype):
    names = list(
        dict.fromkeys(
            name for (_, d, _), times in epochs.items() if d == dtype for name in times
        )
    )
    head = ["network", "threads", "ours, ms", *(f"{n}, ratio" for n in names[1:])]
    rows = [
        [net.name, str(n_threads), f"{1e3 * times[names[0]]:.2f}"]
        + [f"{times[name] / times[names[0]]:.2f}" for name in names[1:]]
        for (net, precision, n_threads), times in epochs.items()
        if precision == dtype
    ]
    return f"## Per epoch, {dtype}\n\n{table(head, rows)}"


def _targets(targets):
    names = list(next(iter(targets.values()))[1])
    head = ["network", "threads", "target, nats", *(f"{name}, s" for name in names)]
    rows = [
        [net.name, str(n_threads), f"{target:.4f}"]
        + ["not reached" if s is None else f"{s:.3f}" for s in seconds.values()]
        for (net, n_threads), (target, seconds) in targets.items()
    ]
    return (
        "## To a validation loss, float32\n\nThe target is MLPClassifier's lowest loss"
        " in 20 epochs, plus one percent. Losses are in nats: logarithms are natural."
        f"\n\n{table(head, rows)}"
    )


def _steps(epochs):
    rows = [
        [
            net.name,
            dtype,
            str(n_threads),
            f"{1e6 * times['sksoftmax'] / net.n_steps:.1f}",
        ]
        for (net, dtype, n_threads), times in epochs.items()
    ]
    head = ["network", "precision", "threads", "microseconds"]
    return f"## A whole step of ours, arithmetic included\n\n{table(head, rows)}"


def _sizes(sizes):
    rows = [
        [net.name, str(pickled), str(parameters), f"{pickled - 1.2 * parameters:.0f}"]
        for net, (pickled, parameters) in sizes.items()
    ]
    head = ["network", "bytes of a pickle", "of the parameters", "beyond 1.2 times"]
    note = "Last column: bytes of a pickle beyond 1.2 times those of the parameters."
    return f"## Size\n\n{note}\n\n{table(head, rows)}"


def _draw(epochs, path):
    """Ratios of each network in float32, with the threads that are worse for us."""
    names = list(dict.fromkeys(name for times in epochs.values() for name in times))[1:]
    nets = list(dict.fromkeys(net.name for net, _, _ in epochs))
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        ratios = _ratios(epochs, name, "float32")
        heights = [ratios.get(net, np.nan) for net in nets]
        axes.bar(
            np.arange(len(nets)) + (i + 0.5) * width - 0.4, heights, width, label=name
        )
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.set_xticks(np.arange(len(nets)), nets, rotation=15)
    axes.set_ylabel("seconds per epoch over ours")
    axes.legend(title="float32")
    figure.savefig(path, dpi=150)
    plt.close(figure)

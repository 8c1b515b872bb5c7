"""The cost of a fit whose data do not fit into memory or into one process.

    python benchmarks/scale.py [--gigabytes 8] [--rows 2000000] [--out docs/benchmarks]

Four measurements: a memory-mapped table against the rate at which its file can be
read; data in memory against a memory-mapped table, batches, parquet, dask without a
cluster and with two workers; what a pass over a cluster costs where there is nothing to
compute; and how the time grows with the number of rows. Writes tables in Markdown.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dask
import dask.array as da
import distributed
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
from _measure import environment, n_cores, pinned

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import chunked
from sksoftmax.data import from_parquet

chunked.LARGEST_LIKE_ARRAY = 0  # smaller files stand for large ones here

N_CHUNKS = 32
DISK_SHARE = 0.4  # of what is free, at most


def main():
    """Measure and report."""
    arguments = _parse()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        folder = Path(folder)
        lines = ["# Larger than memory", ""]
        lines += [f"- {line}" for line in environment()]
        lines += [f"- dask {dask.__version__}, distributed {distributed.__version__}"]
        for part in (
            lambda: _file(folder, arguments.gigabytes),
            lambda: _homes(folder, arguments.rows),
            _overhead,
            lambda: _growth(folder, arguments.rows),
        ):
            section = ["", *part()]
            lines += section
            print("\n".join(section), flush=True)
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "scale.md").write_text("\n".join(lines) + "\n")
    print(f"see {out / 'scale.md'}")


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=8.0, help="of the file")
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the others")
    parser.add_argument("--folder", default=None, help="where the files go")
    parser.add_argument("--out", default="docs/benchmarks")
    arguments = parser.parse_args()
    free = shutil.disk_usage(arguments.folder or tempfile.gettempdir()).free
    arguments.gigabytes = min(arguments.gigabytes, DISK_SHARE * free / 1e9)
    return arguments


# The data


def _write(folder, n_rows, n_features, n_classes, dtype=np.float32):
    """A table of features in different units, and labels, as files."""
    rng = np.random.default_rng(0)
    shape = (n_rows, n_features)
    X = np.memmap(folder / "X", dtype, "w+", shape=shape)
    y = np.memmap(folder / "y", np.int8, "w+", shape=(n_rows,))
    units = 10.0 ** rng.integers(-2, 3, n_features)
    W = rng.normal(size=(n_features, n_classes)) / np.sqrt(n_features)
    for start in range(0, n_rows, 100_000):
        U = rng.standard_normal((min(100_000, n_rows - start), n_features), np.float32)
        Z = 3.0 * U @ W + rng.gumbel(size=(len(U), n_classes))
        X[start : start + len(U)] = U * units
        y[start : start + len(U)] = Z.argmax(axis=1)
    X.flush()
    y.flush()


def _read(folder, n_features, dtype):
    y = np.memmap(folder / "y", np.int8, "r")
    return np.memmap(folder / "X", dtype, "r", shape=(y.size, n_features)), y


def _read_rate(path):
    """Bytes a second at which a file can be read in sequence, best of two."""
    buffer = bytearray(2**24)
    best = np.inf
    for _ in range(2):
        started = time.perf_counter()
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
        best = min(best, time.perf_counter() - started)
    return path.stat().st_size / best


# A file, in a process of its own, whose memory is then known


_FIT = """
import sys, threading, time
import numpy as np
from sksoftmax import SoftmaxRegressionClassifier

folder, n_features = sys.argv[1], int(sys.argv[2])
y = np.memmap(folder + "/y", np.int8, "r")
X = np.memmap(folder + "/X", np.float32, "r", shape=(y.size, n_features))
own = [0]

def watch():
    while True:
        with open("/proc/self/status") as status:
            own[0] = max(own[0], *(int(line.split()[1]) for line in status
                                   if line.startswith("RssAnon")))
        time.sleep(0.02)

threading.Thread(target=watch, daemon=True).start()
started = time.perf_counter()
model = SoftmaxRegressionClassifier().fit(X, y)
seconds = time.perf_counter() - started
print(seconds, model.n_passes_, model.optimality_, int(model.converged_), own[0] * 1024)
"""


def _file(folder, gigabytes, n_features=100, n_classes=2):
    n_rows = int(gigabytes * 1e9 / (4 * n_features))
    _write(folder, n_rows, n_features, n_classes)
    rate = _read_rate(folder / "X")
    command = [sys.executable, "-c", _FIT, str(folder), str(n_features)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, passes, gap, converged, memory = map(float, output.split())
    own = 4.0 * n_rows * n_features * passes / seconds
    return [
        f"## A memory-mapped table of {4e-9 * n_rows * n_features:.2f} GB",
        "",
        f"{n_rows} x {n_features} float32, {n_classes} classes, {n_cores()} threads.",
        "",
        "| seconds | passes | s/pass | optimality | converged | own memory | GB/s |",
        "|---|---|---|---|---|---|---|",
        (
            f"| {seconds:.1f} | {passes:.1f} | {seconds / passes:.2f} | {gap:.1e} |"
            f" {bool(converged)} | {memory / 2**20:.0f} MiB | {own / 1e9:.2f} |"
        ),
        "",
        f"Reading the file in sequence: {rate / 1e9:.2f} GB/s, best of two.",
        "",
        "Own memory is the largest RssAnon of the process. It does not include mapped",
        "pages of the file. These belong to the page cache, and the system drops them",
        "if memory is short.",
    ]


# The same data in different homes


def _homes(folder, n_rows, n_features=50, n_classes=6):
    _write(folder, n_rows, n_features, n_classes, np.float64)
    X, y = _read(folder, n_features, np.float64)
    rows = -(-n_rows // N_CHUNKS)
    starts = range(0, n_rows, rows)
    batches = [(X[i : i + rows], y[i : i + rows]) for i in starts]
    table, scan = _parquet(folder / "rows.parquet", X, y, rows)
    dX = _parts_of(folder / "X", np.float64, X.shape, rows)
    dy = _parts_of(folder / "y", np.int8, y.shape, rows)
    results = {
        "in memory": _timed(np.array(X), np.array(y)),
        "numpy.memmap": _timed(X, y),
        "batches": _timed(batches),
        "parquet": _timed(table),
        "dask, no client": _timed(dX, dy),
    }
    with _cluster() as client, client.as_current():
        pX, py = client.persist([dX, dy])
        distributed.wait([pX, py])
        results["dask, 2 workers"] = _timed(pX, py)
    oracle, base = results["in memory"]
    lines = [
        f"## {n_rows} x {n_features}, {n_classes} classes, in {N_CHUNKS} parts",
        "",
        f"In memory with {n_cores()} threads, float64, all with tol=0. The last column",
        "has the largest difference from the coefficients of the fit in memory,",
        "relative to the largest of the feature.",
        "",
        "| home | seconds | passes | s/pass | times in memory | coefficients |",
        "|---|---|---|---|---|---|",
    ]
    for name, (model, seconds) in results.items():
        lines.append(
            f"| {name} | {seconds:.2f} | {model.n_passes_:.1f} |"
            f" {seconds / model.n_passes_:.3f} | {seconds / base:.2f} |"
            f" {_difference(model, oracle):.1e} |"
        )
    model, seconds = results["parquet"]
    share = scan * model.n_passes_ / seconds
    lines += [
        "",
        f"pyarrow scans the same columns in {scan:.2f} s, best of three. A pass over",
        f"parquet runs at {share:.0%} of that rate, arithmetic included.",
    ]
    return lines


def _parquet(path, X, y, rows):
    """The table in parquet, and the least seconds in which pyarrow scans it."""
    schema = pa.schema([(f"x{j}", pa.float64()) for j in range(X.shape[1])])
    schema = schema.append(pa.field("y", pa.int8()))
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(y), rows):
            columns = [*X[start : start + rows].T, y[start : start + rows]]
            table = pa.table(list(map(pa.array, columns)), schema=schema)
            writer.write_table(table, row_group_size=rows)
    best = np.inf
    for _ in range(3):
        started = time.perf_counter()
        for _batch in pyarrow.dataset.dataset(path).to_batches():
            pass
        best = min(best, time.perf_counter() - started)
    return from_parquet(path, target="y"), best


def _parts_of(path, dtype, shape, rows):
    """A dask array of slices of a file, which each worker reads for itself."""

    def part(start, stop):
        return np.array(np.memmap(path, dtype, "r", shape=shape)[start:stop])

    parts = [
        da.from_delayed(
            dask.delayed(part)(start, min(start + rows, shape[0])),
            (min(rows, shape[0] - start), *shape[1:]),
            dtype,
        )
        for start in range(0, shape[0], rows)
    ]
    return da.concatenate(parts)


def _timed(*data):
    started = time.perf_counter()
    model = SoftmaxRegressionClassifier(tol=0.0).fit(*data)
    return model, time.perf_counter() - started


def _difference(model, oracle):
    largest = np.abs(oracle.coef_).max(axis=0)
    return float((np.abs(model.coef_ - oracle.coef_) / largest).max())


def _cluster():
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    )
    return distributed.Client(cluster, set_as_default=False)


# What a pass over a cluster costs


def _overhead():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50 * N_CHUNKS, 10))
    y = (X[:, :3] + rng.gumbel(size=(len(X), 3))).argmax(axis=1)
    with pinned(1):
        alone = _timed(X, y)[1]
    with _cluster() as client, client.as_current():
        dX, dy = da.from_array(X, chunks=(50, -1)), da.from_array(y, chunks=50)
        model, seconds = min((_timed(dX, dy) for _ in range(3)), key=lambda run: run[1])
    each = (seconds - alone) / model.n_passes_
    return [
        "## A pass over a cluster where there is nothing to compute",
        "",
        f"{len(X)} x 10, 3 classes in {N_CHUNKS} parts on 2 workers:",
        f"{1e3 * each:.0f} ms per pass, {model.n_passes_:.0f} passes.",
    ]


# Growth


def _growth(folder, n_rows, n_features=50, n_classes=6, doublings=4):
    lines = [
        "## Growth with the number of rows, memory-mapped",
        "",
        "| rows | seconds | passes | s/pass | us per row and pass |",
        "|---|---|---|---|---|",
    ]
    _write(folder, n_rows, n_features, n_classes)
    X, y = _read(folder, n_features, np.float32)
    sizes = [n_rows >> (doublings - i) for i in range(doublings + 1)]
    times = []
    for n in sizes:
        model, seconds = _timed(X[:n], y[:n])
        times.append((seconds, seconds / model.n_passes_))
        each = 1e6 * times[-1][1] / n
        lines.append(
            f"| {n} | {seconds:.2f} | {model.n_passes_:.1f} | {times[-1][1]:.4f} |"
            f" {each:.3f} |"
        )
    slopes = [
        np.polyfit(np.log(sizes), np.log(column), 1)[0]
        for column in zip(*times, strict=True)
    ]
    return [
        *lines,
        "",
        "Slopes on logarithmic axes: {:.2f} for the time, {:.2f} for the time per"
        " pass.".format(*slopes),
    ]


if __name__ == "__main__":
    main()

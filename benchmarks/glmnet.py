"""L1 fits against R's glmnet, where R and that package are installed.

    python benchmarks/glmnet.py [--out docs/benchmarks]

Times are processor seconds with one BLAS thread. glmnet fits ten alphas down to the
last one, with the loosest thresh that reaches a relative gap of 1e-6 there. Writes
glmnet.md.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import geometric_mean

import numpy as np
from _datasets import problem
from _markdown import table
from _measure import environment, pinned
from path import TARGET, l1_value, largest_alpha, null_value, processor_seconds

from sksoftmax import SoftmaxRegressionClassifier

SETS = ["glmnet3", "digits", "letter", "wide"]

# glmnet is meant to go down a path; a short one is faster than the last alpha alone.
_SCRIPT = """
suppressMessages(library(glmnet))
arguments <- commandArgs(TRUE)
folder <- arguments[1]
n <- as.integer(arguments[2]); p <- as.integer(arguments[3])
X <- matrix(readBin(file.path(folder, "X"), "double", n * p), n, p)
y <- factor(readBin(file.path(folder, "y"), "integer", n))
path <- readBin(file.path(folder, "path"), "double", 100)
seconds <- system.time(fit <- glmnet(
  X, y, "multinomial", lambda = path, standardize = FALSE,
  thresh = as.numeric(arguments[4]), maxit = 1e7
))
last <- length(fit$lambda)
W <- sapply(fit$beta, function(b) as.matrix(b)[, last])
writeBin(as.vector(rbind(fit$a0[, last], W)), file.path(folder, "W"))
cat(sum(seconds[1:2]), as.character(packageVersion("glmnet")), "\\n")
"""


def main():
    """Race, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="docs/benchmarks")
    folder = Path(parser.parse_args().out)
    if not is_installed():
        raise SystemExit("Rscript does not find glmnet: install R and that package.")
    with pinned(1):
        rows = [row for name in SETS for row in race(name)]
    mean = geometric_mean(float(row["ratio"].lstrip("> ")) for row in rows)
    lines = [
        "# L1 fits against glmnet",
        "",
        "Written by `python benchmarks/glmnet.py`.",
        "",
        *(f"- {line}" for line in environment()),
        "",
        "glmnet fits ten alphas down to the last one, with the loosest thresh that",
        f"reaches a relative gap of {TARGET:.0e} there. Its time to read data does not",
        "count.",
        "",
        table(list(rows[0]), [list(row.values()) for row in rows]),
        "",
        f"Geometric mean of the ratios: {mean:.1f}.",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "glmnet.md").write_text("\n".join(lines) + "\n")


def is_installed():
    """Whether Rscript finds glmnet."""
    if shutil.which("Rscript") is None:
        return False
    command = ["Rscript", "-e", "packageVersion('glmnet')"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def glmnet(X, y, path, thresh):
    """Processor seconds, W, b and the version, at the end of a path of alphas."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        np.asfortranarray(X, np.float64).T.tofile(folder / "X")
        y.astype(np.int32).tofile(folder / "y")
        np.asarray(path, np.float64).tofile(folder / "path")
        (folder / "fit.R").write_text(_SCRIPT)
        sizes = [str(size) for size in (*X.shape, thresh)]
        output = subprocess.run(
            ["Rscript", str(folder / "fit.R"), str(folder), *sizes],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        seconds, version = output.split()
        W = np.fromfile(folder / "W").reshape(y.max() + 1, -1).T
    return float(seconds), W[1:], W[0], version


def race(name):
    """Rows of the table at a tenth and a hundredth of the largest alpha."""
    data = problem(name)
    X, y = data.X, data.y
    largest, null = largest_alpha(X, y), null_value(y)
    for part in (10, 100):
        path = np.geomspace(largest, largest / part, 10)

        def fit(alpha=path[-1]):
            return SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=1.0).fit(X, y)

        ours, model = processor_seconds(fit, 3)
        for thresh in (1e-5, 1e-7, 1e-9, 1e-11, 1e-13):
            seconds, W, b, version = glmnet(X, y, path, thresh)
            gap = l1_value(X, y, path[-1], W, b) - model.loss_
            gap /= null - model.loss_
            if gap <= TARGET:
                break
        print(name, part, ours, seconds, thresh, gap, flush=True)
        yield {
            "set": name,
            "alpha": f"max/{part}",
            "ours, s": f"{ours:.3f}",
            f"glmnet {version}, s": f"{seconds:.3f}",
            "thresh": f"{thresh:.0e}",
            "gap": f"{gap:.0e}",
            "ratio": f"{'' if gap <= TARGET else '> '}{seconds / ours:.1f}",
        }


if __name__ == "__main__":
    main()

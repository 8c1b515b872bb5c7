"""L1 fits by R's glmnet, where R and the package are installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

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

"""Paths of sparse fits by adelie and by R's glmnet, each in a process of its own.

adelie needs numpy 1, so it lives in an environment of its own; the variable ADELIE of
the environment is that environment's python. glmnet needs R. This file is also the
program that adelie's python runs.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_GLMNET = """
suppressMessages(library(glmnet))
arguments <- commandArgs(TRUE)
folder <- arguments[1]
n <- as.integer(arguments[2]); p <- as.integer(arguments[3])
X <- matrix(readBin(file.path(folder, "X"), "double", n * p), n, p)
y <- factor(readBin(file.path(folder, "y"), "integer", n))
path <- readBin(file.path(folder, "alphas"), "double", 1000)
type <- if (arguments[4] == "True") "grouped" else "ungrouped"
seconds <- system.time(fit <- glmnet(
  X, y, "multinomial", lambda = path, standardize = FALSE, type.multinomial = type,
  thresh = as.numeric(arguments[5]), maxit = 1e8
))
W <- sapply(fit$beta, function(b) as.vector(as.matrix(b)))
W <- array(W, c(p, length(fit$lambda), length(fit$beta)))
writeBin(as.vector(W), file.path(folder, "W"))
writeBin(as.vector(fit$a0), file.path(folder, "b"))
version <- as.character(packageVersion("glmnet"))
cat(sum(seconds[1:2]), version, length(fit$lambda), "\\n")
"""


def has_glmnet():
    """Whether Rscript finds glmnet."""
    if shutil.which("Rscript") is None:
        return False
    command = ["Rscript", "-e", "packageVersion('glmnet')"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def has_adelie():
    """Whether ADELIE is a python with that package."""
    return "ADELIE" in os.environ


def glmnet_path(X, y, alphas, grouped, thresh):
    """Processor seconds, version, and (W, b) of as many alphas as glmnet has fitted."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        _write(folder, X, y, alphas)
        (folder / "fit.R").write_text(_GLMNET)
        output = _run(
            ["Rscript", folder / "fit.R", folder, *X.shape, grouped, thresh]
        ).split()
        n_fits, n_classes = int(output[2]), y.max() + 1
        W = np.fromfile(folder / "W").reshape(n_classes, n_fits, -1)
        b = np.fromfile(folder / "b").reshape(n_fits, n_classes)
    fits = [(W[:, i].T, b[i]) for i in range(n_fits)]
    return float(output[0]), output[1], fits


def adelie_path(X, y, alphas, grouped, tol):
    """The same of adelie, which has the grouped penalty only."""
    assert grouped
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        _write(folder, X, y, alphas)
        sizes = [len(X), X.shape[1]]
        output = _run([os.environ["ADELIE"], __file__, folder, *sizes, tol])
        answer = json.loads(output.splitlines()[-1])
        n_fits = answer["n_fits"]
        W = np.fromfile(folder / "W").reshape(n_fits, X.shape[1], -1)
        b = np.fromfile(folder / "b").reshape(n_fits, -1)
    return answer["seconds"], answer["version"], list(zip(W, b, strict=True))


def _write(folder, X, y, alphas):
    np.asfortranarray(X, np.float64).T.tofile(folder / "X")
    y.astype(np.int32).tofile(folder / "y")
    np.asarray(alphas, np.float64).tofile(folder / "alphas")


def _run(command):
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    done = subprocess.run(
        list(map(str, command)),
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **threads},
    )
    return done.stdout


def _run_adelie(folder, n, p, tol):
    import adelie

    folder, n, p, tol = Path(folder), int(n), int(p), float(tol)
    X = np.fromfile(folder / "X").reshape(p, n).T  # by columns, as adelie likes it
    y = np.fromfile(folder / "y", np.int32)
    alphas = np.fromfile(folder / "alphas")
    K = y.max() + 1
    glm = adelie.glm.multinomial(np.eye(K)[y])
    # Its loss is divided by K and its group norms are multiplied by sqrt(K).
    path = alphas / (K * np.sqrt(K))
    started = time.process_time()
    state = adelie.grpnet(
        X=adelie.matrix.dense(X, method="naive", n_threads=1),
        glm=glm,
        lmda_path=path,
        tol=tol,
        irls_tol=tol,
        early_exit=False,
        progress_bar=False,
    )
    seconds = time.process_time() - started
    W = state.betas.toarray().reshape(len(path), p, K)
    W.tofile(folder / "W")
    np.asarray(state.intercepts).tofile(folder / "b")
    version = adelie.__version__
    print(json.dumps({"seconds": seconds, "version": version, "n_fits": len(path)}))


if __name__ == "__main__":
    _run_adelie(*sys.argv[1:])

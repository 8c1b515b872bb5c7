"""L1 fits against R's glmnet, where R and that package are installed.

    python benchmarks/glmnet.py [--out docs/benchmarks]

Times are processor seconds with one BLAS thread. glmnet fits ten alphas down to the
last one, with the loosest thresh that reaches a relative gap of 1e-6 there. Writes
glmnet.md.
"""

import argparse
from pathlib import Path
from statistics import geometric_mean

import numpy as np
from _datasets import problem
from _markdown import table
from _measure import environment, pinned
from _path_peers import glmnet_path, has_glmnet
from path import TARGET, l1_value, largest_alpha, null_value, processor_seconds

from sksoftmax import SoftmaxRegressionClassifier

SETS = ["glmnet3", "digits", "letter", "wide"]

# glmnet is meant to go down a path; a short one is faster than the last alpha alone.
_N_ALPHAS = 10


def main():
    """Race, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="docs/benchmarks")
    folder = Path(parser.parse_args().out)
    if not has_glmnet():
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


def race(name):
    """Rows of the table at a tenth and a hundredth of the largest alpha."""
    data = problem(name)
    X, y = data.X, data.y
    largest, null = largest_alpha(X, y), null_value(y)
    for part in (10, 100):
        path = np.geomspace(largest, largest / part, _N_ALPHAS)

        def fit(alpha=path[-1]):
            return SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=1.0).fit(X, y)

        ours, model = processor_seconds(fit, 3)
        for thresh in (1e-5, 1e-7, 1e-9, 1e-11, 1e-13):
            seconds, version, fits = glmnet_path(X, y, path, False, thresh)
            if len(fits) < _N_ALPHAS:  # it stopped before the last alpha
                gap = np.inf
                continue
            gap = l1_value(X, y, path[-1], *fits[-1]) - model.loss_
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

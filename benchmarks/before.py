"""What a change costs or saves: fits by this tree and by an earlier one, in turn.

    python benchmarks/before.py REVISION [--sets iris,letter] [--rounds 9] [--out ...]

The earlier tree is checked out in a temporary folder, where its kernels are built if it
has any. Each tree has a process of its own; they take turns. Times are medians of
processor seconds with one BLAS thread, and the ratio is the median over the rounds. MB
are the most that a fit takes beyond the data. Writes before.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from statistics import median

from _datasets import problem
from _markdown import table
from _measure import environment

ROOT = Path(__file__).resolve().parents[1]
SETS = "iris,wine,cancer-std,digits,anes96,letter,tall,text"
# + sizes of hidden layers: 5 epochs; + held: of these with rows held out
SETS += ",digits+100,letter+16,letter+128+64,letter+16+held,pixels+128+64+held"

# Fits of a round take at least so long together.
SECONDS = 0.05


def main():
    """Race, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", help="of git; '-' starts a process that fits")
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", default="docs/benchmarks")
    arguments = parser.parse_args()
    if arguments.revision == "-":
        return fit_what_is_asked_for()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        before = check_out(arguments.revision, Path(folder) / "tree")
        stack.callback(git, "worktree", "remove", "--force", str(before))
        trees = [stack.enter_context(start(tree)) for tree in (before, ROOT)]
        names = arguments.sets.split(",")
        rows = [race(trees, name, arguments.rounds) for name in names]
    lines = [
        f"# This tree against {git('rev-parse', '--short', arguments.revision)}",
        "",
        "Written by `python benchmarks/before.py`. Passes count reads of all rows.",
        "",
        *[f"- {text}" for text in environment()],
        "",
        table(list(rows[0]), [list(row.values()) for row in rows]),
    ]
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "before.md").write_text("\n".join(lines) + "\n")
    return None


def git(*arguments):
    """Run git, and return what it prints."""
    run = subprocess.run(
        ["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True
    )
    return run.stdout.strip()


def check_out(revision, tree):
    """The tree of a revision, ready to be imported."""
    git("worktree", "add", "--detach", str(tree), revision)
    if (tree / "setup.py").exists():
        command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
        subprocess.run(command, cwd=tree, check=True)
    return tree


def start(tree):
    """A process that fits by the package of a tree."""
    return subprocess.Popen(
        [sys.executable, Path(__file__), "-"],
        env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def fit_what_is_asked_for():
    """Answer each name of a set by processor seconds of a fit, its passes and MB."""
    from sksoftmax import SoftmaxRegressionClassifier

    warnings.simplefilter("ignore")
    load, peaks = cache(problem), {}
    for name in map(str.strip, sys.stdin):
        stem, *options = name.split("+")
        data, sizes = load(stem), tuple(int(size) for size in options if size != "held")
        epochs = {"max_iter": 5, "tol": 0.0, "random_state": 0} if sizes else {}
        if "held" in options:
            epochs["early_stopping"] = True
        seconds, start = [], time.process_time()
        while time.process_time() - start < SECONDS or not seconds:
            before = time.process_time()
            model = SoftmaxRegressionClassifier(sizes, alpha=data.alpha, **epochs)
            model.fit(data.X, data.y)
            seconds.append(time.process_time() - before)
        if name not in peaks:
            tracemalloc.start()
            model.fit(data.X, data.y)
            peaks[name] = 1e-6 * tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        print(median(seconds), model.n_passes_, peaks[name], flush=True)


def race(trees, name, n_rounds):
    """A line of the table; the first round warms up."""
    seconds, passes, megabytes = ([], []), [0.0, 0.0], [0.0, 0.0]
    for turn in range(n_rounds + 1):
        for i in (0, 1) if turn % 2 else (1, 0):
            print(name, file=trees[i].stdin, flush=True)
            answers = map(float, trees[i].stdout.readline().split())
            answer, passes[i], megabytes[i] = answers
            seconds[i].append(answer)
    pairs = list(zip(*seconds, strict=True))[1:]
    row = {
        "set": name,
        "before, ms": f"{1e3 * median(pair[0] for pair in pairs):.2f}",
        "now, ms": f"{1e3 * median(pair[1] for pair in pairs):.2f}",
        "now / before": f"{median(now / then for then, now in pairs):.2f}",
        "passes before": f"{passes[0]:.1f}",
        "passes now": f"{passes[1]:.1f}",
        "MB before": f"{megabytes[0]:.1f}",
        "MB now": f"{megabytes[1]:.1f}",
    }
    print(*row.values(), flush=True)
    return row


if __name__ == "__main__":
    main()

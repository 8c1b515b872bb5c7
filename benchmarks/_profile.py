"""Performance profile of Dolan and More (2002, Mathematical Programming 91:201-213)."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from _opponents import INTELEX, SOLVERS

OURS = "SoftmaxRegressionClassifier"
# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = dict(
    zip(
        (OURS, *SOLVERS),
        ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"],
        strict=True,
    )
)
WIDEST = 100.0


def draw_profile(rows, target, path):
    """One panel for each number of threads."""
    thread_counts = sorted({row.n_threads for row in rows})
    figure, axes = plt.subplots(
        1,
        len(thread_counts),
        figsize=(4.2 * len(thread_counts) + 2.6, 4.0),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, n_threads in zip(axes[0], thread_counts, strict=True):
        _draw_panel(ax, [row for row in rows if row.n_threads == n_threads], target)
        ax.set_title(f"{n_threads} BLAS thread{'s' if n_threads > 1 else ''}")
    axes[0, 0].set_ylabel("share of data sets")
    exponent = round(np.log10(target))
    figure.suptitle(f"Time to a relative suboptimality of $10^{{{exponent}}}$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_panel(ax, rows, target):
    seconds = np.array([_seconds_to(row, target) for row in rows])
    slowdown = seconds / seconds.min(axis=1, keepdims=True)
    for column, (name, colour) in zip(slowdown.T, COLOURS.items(), strict=True):
        if name == INTELEX and not np.isfinite(column).any():
            continue
        reached = np.sort(column[column <= WIDEST])
        x = np.concatenate([[1.0], reached, [WIDEST]])
        share = np.arange(len(reached) + 1) / len(rows)
        y = np.concatenate([share, share[-1:]])
        ours = name == OURS
        ax.step(
            x,
            y,
            where="post",
            color=colour,
            label=name if ours else f"LogisticRegression, {name}",
            linewidth=2.8 if ours else 1.6,
            zorder=3 if ours else 2,
            clip_on=False,
        )
    ax.set_xscale("log")
    ax.set_xlim(1, WIDEST)
    ax.set_ylim(0, 1.02)
    ticks = [1, 2, 5, 10, 20, 50, 100]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("seconds / seconds of the fastest")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def _seconds_to(row, target):
    """Seconds of each solver in the order of COLOURS, infinite where it gets lost."""
    theirs = (row.time_of(solver, target) for solver in SOLVERS)
    return [
        row.seconds if row.gap <= target else np.inf,
        *(time.seconds if time else np.inf for time in theirs),
    ]

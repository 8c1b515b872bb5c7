"""The table in Markdown and the performance profile as a picture."""

import math
from statistics import geometric_mean

from _markdown import table
from _measure import environment
from _opponents import LONGEST, SOLVERS, TARGETS
from _profile import draw_profile

FIRST, SECOND = TARGETS


def summary_line(row):
    """One row for the terminal."""
    best = row.best(FIRST)
    theirs = _opponent(best)
    return (
        f"{row.name:16} {row.n_threads} thread(s): ours {_seconds(row.seconds)}"
        f" (gap {row.gap:.0e}), best {theirs}, ratio {_ratio(row, FIRST)}"
    )


def write_report(folder, rows, machines, passes, stops, growths):
    """Write convex.md and convex-profile.png."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_profile(rows, FIRST, folder / "convex-profile.png")
    parts = [
        _introduction(machines),
        _verdict(rows),
        *(_table(rows, machine.n_threads) for machine in machines),
        _memory(rows),
        _passes(passes),
        _stops(stops),
        _growths(growths),
        _notes(rows),
    ]
    (folder / "convex.md").write_text("\n\n".join(filter(None, parts)) + "\n")


def _introduction(machines):
    lines = [
        f"- {machine.n_threads} thread(s): reads {machine.bandwidth / 1e9:.0f} GB/s,"
        f" float64 GEMM {machine.gemm / 1e9:.0f} GFLOP/s"
        for machine in machines
    ]
    return f"""# Convex benchmark

Written by `python benchmarks/convex.py`.

F is the objective, F* its minimum, F_null its value at the best model without features.
The *gap* of a fit is (F - F*) / (F_null - F*). Separate code computes it after each
timed run. alpha is 1e-3 unless the name of the set ends in another value; `-std` means
standardised features. `SoftmaxRegressionClassifier` runs with its defaults.
scikit-learn's solvers run with the smallest `max_iter` that reaches the gap in the head
of the column. A search that knows F* found this number: no user has such an opponent.
Runs are interleaved, figures are medians, and BLAS threads are limited alike for all.
Ratios are the best opponent's seconds over ours.

{chr(10).join(f"- {line}" for line in environment())}
{chr(10).join(lines)}

![Performance profile](convex-profile.png)

The profile shows, for each solver, on what fraction of the sets it reaches a gap of
{FIRST:.0e} within x times the seconds of the fastest on that set."""


def _verdict(rows):
    """The summary over sets, each with the number of threads that is worse for us."""
    harder = _harder(rows)
    ratios = {n: r.ratio(FIRST) for n, r in harder.items() if r.best(FIRST)}
    reached = {name: ratio for name, ratio in ratios.items() if ratio is not None}
    lines = ["## Summary", ""]
    slower = (name for name, ratio in reached.items() if ratio < 1)
    if reached:
        slowest = min(reached, key=reached.get)
        lines += [
            (
                f"- Against the best opponent at {FIRST:.0e}: geometric mean"
                f" {geometric_mean(reached.values()):.1f}x, least"
                f" {reached[slowest]:.2f}x ({slowest}), over {len(reached)} sets, each"
                " with the number of threads that is worse for us."
            ),
            f"- Slower than the best opponent: {_names(slower)}.",
        ]
    lines.append(
        f"- Ours short of {FIRST:.0e}: {_names(r.name for r in rows if r.gap > FIRST)};"
        f" short of {SECOND:.0e}: {_names(r.name for r in rows if r.gap > SECOND)}."
    )
    lbfgs = [
        time.seconds / row.seconds
        for row in harder.values()
        if (time := row.time_of("lbfgs", FIRST))
    ]
    if lbfgs:
        lines.append(
            f"- Against lbfgs, the default solver, taken to {FIRST:.0e}: geometric mean"
            f" {geometric_mean(lbfgs):.1f}x, least {min(lbfgs):.2f}x, over the"
            f" {len(lbfgs)} sets where it gets there."
        )
    beaten = [r for r in rows if r.default_gap < 1e-3 and r.default_seconds < r.seconds]
    short = {r.name for r in rows if r.default_gap > FIRST}
    lines.append(
        f"- With its defaults `LogisticRegression` stops short of {FIRST:.0e} on"
        f" {len(short)} of {len(harder)} sets; within 1e-3 and faster than ours:"
        f" {_names(f'{r.name} ({r.n_threads})' for r in beaten)}."
    )
    return "\n".join(lines)


def _harder(rows):
    """Row of each set by its name, with the number of threads that is worse for us."""
    harder = {}
    for row in rows:
        kept = harder.get(row.name)
        if kept is None or (row.ratio(FIRST) or 0) < (kept.ratio(FIRST) or 0):
            harder[row.name] = row
    return harder


def _table(rows, n_threads):
    head = (
        "set",
        "n x p x K",
        "ours",
        "gap",
        "passes",
        f"best at {FIRST:.0e}",
        "ratio",
        f"best at {SECOND:.0e}",
        "ratio",
        f"lbfgs at {FIRST:.0e}",
        "default",
        "gap",
    )
    body = [
        (
            row.name,
            " x ".join(map(str, row.shape)),
            _seconds(row.seconds),
            _gap(row.gap) + ("" if row.converged else " (not converged)"),
            _passes_used(row.n_passes),
            _opponent(row.best(FIRST)),
            _ratio(row, FIRST),
            _opponent(row.best(SECOND)),
            _ratio(row, SECOND),
            _lbfgs(row),
            _seconds(row.default_seconds),
            _gap(row.default_gap),
        )
        for row in rows
        if row.n_threads == n_threads
    ]
    title = f"## {n_threads} thread{'s' if n_threads > 1 else ''}"
    note = "Times are in seconds. ~: far behind, scaled from the times of the search."
    return f"{title}\n\n{table(head, body)}\n\n{note}"


def _memory(rows):
    """Peak memory beyond X and y against four arrays of (n, K) and 256 MB."""
    body = [
        (
            row.name,
            _megabytes(row.peak_memory),
            _megabytes(4 * 8 * row.shape[0] * row.shape[2] + 256e6),
            _megabytes(row.peak_memory_best),
        )
        for row in rows
        if row.peak_memory is not None
    ]
    head = ("set", "ours, MB", "4 arrays of (n, K) + 256 MB", "best opponent, MB")
    return "## Peak memory of a fit, on top of the data\n\n" + table(head, body)


def _passes(passes):
    if not passes:
        return ""
    body = [
        (
            one.name,
            " x ".join(map(str, one.shape)),
            str(one.n_threads),
            f"{1e3 * one.seconds:.3g}",
            f"{1e3 * one.limit:.3g}",
            f"{one.seconds / one.limit:.1f}",
        )
        for one in passes
    ]
    head = ("set", "n x p x K", "threads", "pass, ms", "limit, ms", "pass / limit")
    return (
        "## One pass against the limit of the machine\n\nA pass computes value and"
        " gradient. Its limit is the larger of bytes / bandwidth and operations / GEMM"
        " peak.\n\n" + table(head, body)
    )


def _stops(stops):
    if not stops:
        return ""
    body = [
        (
            one.name,
            _seconds(one.loose),
            _seconds(one.tight),
            f"{one.ratio:.2f}",
            f"{_passes_used(one.loose_passes)} / {_passes_used(one.tight_passes)}",
            "yes" if one.converged else "no",
        )
        for one in stops
    ]
    mean = geometric_mean(one.ratio for one in stops)
    head = ("set", "tol=1e-4, s", "tol=1e-8, s", "ratio", "passes", "both converged")
    return (
        "## What a loose tolerance saves\n\nSeconds of processor, one thread. Geometric"
        f" mean of the ratios: {mean:.2f}.\n\n" + table(head, body)
    )


def _growths(growths):
    if not growths:
        return ""
    body = []
    last = None
    for one in growths:
        same = last is not None and last.doubled == one.doubled
        body.append(
            (
                one.doubled,
                " x ".join(map(str, one.shape)),
                _seconds(one.seconds),
                f"{one.seconds / last.seconds:.1f}" if same else "",
                _passes_used(one.n_passes),
            )
        )
        last = one
    head = ("doubles", "n x p x K", "ours", "times the size before", "passes")
    return "## Cost as the data double\n\n" + table(head, body)


def _notes(rows):
    body, seen = [], set()
    for row in rows:
        for solver in SOLVERS:
            if solver in row.notes and (row.name, solver) not in seen:
                seen.add((row.name, solver))
                body.append((row.name, solver, row.notes[solver]))
    if not body:
        return ""
    return (
        "## Solvers that did not reach a target\n\nThe search gives each solver"
        f" {LONGEST:.0f} s or 30 times the best time so far, whichever is less, but at"
        " least 10 s (sag and saga: 3 times the best time, at least 0.1 s). The table"
        " has the gap at that time.\n\n" + table(("set", "solver", "why"), body)
    )


def _seconds(x):
    """Three digits below a tenth of a second, where fits of ours differ by less."""
    if x >= 10:
        return f"{x:.0f}"
    digits = 3 if x < 0.1 else 2
    return f"{x:.{digits - 1 - math.floor(math.log10(x))}f}"


def _gap(gap):
    return f"{gap:.0e}" if gap > 1e-15 else "< 1e-15"


def _ratio(row, target):
    """Theirs over ours; a bound where the search found no opponent in its time."""
    ratio = row.ratio(target)
    if ratio is None and row.best(target) is None and row.gap <= target:
        return f"> {LONGEST / row.seconds:.1f}"
    return "-" if ratio is None else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


def _passes_used(n_passes):
    return "" if n_passes is None else f"{n_passes:.0f}"


def _opponent(time):
    if time is None:
        return f"none in {LONGEST:.0f} s"
    mark = "~" if time.estimated else ""
    return f"{time.solver} ({time.max_iter}) {mark}{_seconds(time.seconds)}"


def _lbfgs(row):
    time = row.time_of("lbfgs", FIRST)
    if time is None:
        return "not reached"
    return f"{'~' if time.estimated else ''}{_seconds(time.seconds)}"


def _megabytes(n_bytes):
    return "" if n_bytes is None else f"{n_bytes / 1e6:.3g}"


def _names(names):
    return ", ".join(dict.fromkeys(names)) or "none"

"""Mutation testing: whether the tests notice that the mathematics was changed.

One operator, number, condition or statement of a file is changed at a time, and the
tests that matter to that file are run until one fails. A change that none notices
survives; docs/mutation.md has a reason for each of those.

    python tools/mutate.py                # all modules, as `make mutation`
    python tools/mutate.py _model/loss    # one of them

Each mutant runs in a fork of this process, which has imported all that the tests need
but the package: a second instead of five. That needs a system that can fork.
"""

import argparse
import ast
import contextlib
import copy
import importlib.machinery
import os
import signal
import sys
import time
from pathlib import Path

# What the tests import, once for all forks.
import pandas  # noqa: F401
import polars  # noqa: F401
import pytest
import scipy.optimize  # noqa: F401
import sklearn.datasets
import sklearn.linear_model
import sklearn.model_selection  # noqa: F401
import statsmodels.api  # noqa: F401

# The compiled kernels would hide what happens to their twins in numpy.
os.environ["SKSOFTMAX_KERNELS"] = "numpy"

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    "_model/linear": ["test_objective", "test_single_precision"],
    "_model/loss": ["test_loss", "test_batch_objective", "test_objective"],
    "_model/network": ["test_network"],
    "_model/penalties": ["test_penalties"],
    "_model/sparse_penalties": ["test_penalties"],
    "_objective/objective": ["test_objective", "test_single_precision"],
    "_objective/separation": ["test_objective"],
}
LIMIT = 60  # seconds, of which tests take less than 10: a mutant may loop for ever

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
COMPARISONS = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
}
NAMES = {
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "all": "any",
    "any": "all",
    "zeros": "ones",
    "ones": "zeros",
    "argmax": "argmin",
}


def changed(node):
    """Nodes that may stand in the place of a node, each a mutant."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        yield replaced(node, op=OPERATORS[type(node.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        for operator in COMPARISONS[type(node.ops[0])]:
            yield replaced(node, ops=[operator(), *node.ops[1:]])
    if isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield replaced(node, op=other())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield replaced(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield replaced(node, value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield replaced(node, value=node.value + 1)
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield replaced(node, attr=NAMES[node.attr])
    if isinstance(node, ast.Name) and node.id in NAMES:
        yield replaced(node, id=NAMES[node.id])
    if isinstance(node, ast.AugAssign | ast.Expr) and not is_docstring(node):
        yield ast.Pass()


def replaced(node, **fields):
    """A copy of a node with other fields."""
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def is_docstring(node):
    """Whether a statement is a string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def mutants(tree):
    """(where, before, after, tree with one change) for every change there is."""
    for place, parent, field, index in list(places(tree)):
        held = getattr(parent, field)
        node = held if index is None else held[index]
        for other in changed(node):
            other = ast.copy_location(other, node)
            put(parent, field, index, other)
            before, after = short(node), short(other)
            yield place, before, after, ast.fix_missing_locations(tree)
            put(parent, field, index, node)


def put(parent, field, index, node):
    """Set a field of a node, or an entry of a field that is a list."""
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def short(node):
    """The first line of the source of a node."""
    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))
    return text.splitlines()[0]


def places(tree, name=""):
    """Every node by its parent and field, but for messages, types and decorators."""
    for field, value in ast.iter_fields(tree):
        if field in {"annotation", "returns", "decorator_list"}:
            continue
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or isinstance(node, ast.Raise):
                continue
            inner = name
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                inner = f"{name}.{node.name}".strip(".")
            yield inner, tree, field, index if isinstance(value, list) else None
            yield from places(node, inner)


class Mutated(importlib.machinery.SourceFileLoader):
    """Loads a module from a tree instead of its file."""

    tree = None

    def get_code(self, fullname):
        """The tree, compiled."""
        return compile(self.tree, self.path, "exec", dont_inherit=True)


class Finder:
    """Finds the one module that is mutated."""

    def __init__(self, module, tree):
        self.name, self.tree = f"sksoftmax.{module.replace('/', '.')}", tree
        self.path = str(ROOT / "sksoftmax" / f"{module}.py")

    def find_spec(self, name, path=None, target=None):
        """Where that module is, and nothing of others."""
        if name != self.name:
            return None
        loader = Mutated(name, self.path)
        loader.tree = self.tree
        return importlib.machinery.ModuleSpec(name, loader, origin=self.path)


def is_noticed(module, tree):
    """Whether the tests of a module fail with the tree in the place of its file."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()  # so that a time limit ends what tests started too
            sys.meta_path.insert(0, Finder(module, tree))
            files = [str(ROOT / "tests" / f"{name}.py") for name in MODULES[module]]
            with open(os.devnull, "w") as nothing:
                os.dup2(nothing.fileno(), 1)
                os.dup2(nothing.fileno(), 2)
                status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files])
        finally:
            os._exit(int(status))
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def report(module):
    """Print the survivors; return the numbers of mutants and of survivors."""
    tree = ast.parse((ROOT / "sksoftmax" / f"{module}.py").read_text(encoding="utf-8"))
    if is_noticed(module, tree):
        sys.exit(f"The tests of {module} fail without a change.")
    n_mutants = n_survivors = 0
    for place, before, after, mutant in mutants(tree):
        n_mutants += 1
        if not is_noticed(module, mutant):
            n_survivors += 1
            print(f"{module} {place}: {before}  ->  {after}", flush=True)
    score = 100.0 * (1.0 - n_survivors / n_mutants)
    print(f"{module}: {n_mutants} mutants, {n_survivors} survive: {score:.1f} %\n")
    return n_mutants, n_survivors


def main():
    """Report on the modules that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # Before Python 3.12 no arguments at all have to be among the choices.
    parser.add_argument("modules", nargs="*", choices=[[], *MODULES], metavar="module")
    modules = parser.parse_args().modules or list(MODULES)
    os.chdir(ROOT)
    counts = [report(module) for module in modules]
    n_mutants, n_survivors = (sum(column) for column in zip(*counts, strict=True))
    score = 100.0 * (1.0 - n_survivors / n_mutants)
    print(f"all: {n_mutants} mutants, {n_survivors} survive: {score:.1f} %")


if __name__ == "__main__":
    main()

"""Validate the docstrings of all public names by numpydoc; exit with 1 if one fails.

`python -m numpydoc lint` reads files and cannot tell what is public; this asks the
package. The checks are those of [tool.numpydoc_validation] in pyproject.toml.
"""

import inspect
import sys
import tomllib
from pathlib import Path

from numpydoc.validate import get_validation_checks, validate

import sksoftmax

ROOT = Path(__file__).resolve().parents[1]


def configured_checks():
    """Codes of the checks that pyproject.toml asks for."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    config = tomllib.loads(text)["tool"]["numpydoc_validation"]
    return get_validation_checks(set(config["checks"]))


def documented_names(thing, dotted):
    """Dotted names of the public functions, classes and methods in a thing."""
    for name in sorted(public_names(thing)):
        member = getattr(thing, name)
        if callable(member):
            yield f"{dotted}.{name}"
        if inspect.ismodule(member) or inspect.isclass(member):
            yield from documented_names(member, f"{dotted}.{name}")


def public_names(thing):
    """What a module exports; of a class, what no other package has given it."""
    if inspect.ismodule(thing):
        return thing.__all__
    bases = [base for base in thing.__mro__ if base.__module__.startswith("sksoftmax")]
    return {name for base in bases for name in vars(base) if not name.startswith("_")}


def main():
    """Print each violation as name: code: what is wrong."""
    checks = configured_checks()
    failures = [
        f"{name}: {code}: {message}"
        for name in documented_names(sksoftmax, "sksoftmax")
        for code, message in validate(name)["errors"]
        if code in checks
    ]
    print("\n".join(failures) or "All public docstrings pass numpydoc's validation.")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())

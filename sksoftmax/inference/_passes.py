"""Models of data that are not in memory: their problem, from passes over the rows.

Batches, tables of `sksoftmax.data`, large files and dask collections are read as `fit`
reads them. No array here has an entry for each row.
"""

import copy
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import numpy as np

from sksoftmax._data.checks import features_of
from sksoftmax._data.homes import are_in_memory, open_data
from sksoftmax._data.one_hot import is_coded
from sksoftmax.inference._pipeline import names_out, take_apart
from sksoftmax.inference._problem import (
    check_classes,
    check_model,
    open_problem,
    problem_at,
    term_names,
)
from sksoftmax.inference._weights import are_counts


@contextmanager
def opened_problem(model, X, y, sample_weight, weights, threads):
    """The problem of a model and its data, wherever they are, during a block."""
    data = X, y, sample_weight
    if are_in_memory(data):
        yield open_problem(model, *data, weights, threads)
        return
    parts = take_apart(model)
    model = parts.classifier
    check_model(model)
    if parts.steps is not None:
        raise ValueError(
            "The data of a pipeline must be in memory. Pass the classifier,"
            " `model[-1]`, and batches that the steps before it have transformed."
        )
    # That X has the features of the fit is checked at the end of the first pass.
    checked = copy.copy(model)
    validation = None, None, None
    with open_data(
        checked, data, validation, classes=model.classes_, access="passes"
    ) as (dataset, _):
        _check_features(model, checked)
        check_classes(dataset.targets)
        terms = term_names(model, names_out(parts))
        yield _problem_in_passes(model, terms, dataset, weights, threads)


def _problem_in_passes(model, terms, dataset, weights, threads):
    given = replace(dataset, encoder=dataset.encoder._replace(factors=None))
    chunks = given.chunks(threads)
    seen = _seen(chunks)
    are_counted = are_counts(seen.fraction, seen.largest, weights)
    factors = dataset.factors
    if factors is not None and are_counted and np.ptp(factors) > 0.0:
        raise ValueError(
            "class_weight and weights='frequency' together need data in memory. Leave"
            " one of them out, or pass weights='importance'."
        )
    n = float(dataset.summary.mass.sum() if are_counted else dataset.summary.n_weighted)
    scale = n / dataset.targets.total_weight
    if factors is not None or scale != 1.0:
        factors = np.ones(model.classes_.size) if factors is None else factors
        encoder = dataset.encoder._replace(factors=scale * factors)
        dataset = replace(dataset, encoder=encoder)
        chunks = dataset.chunks(threads)
        seen = _seen(chunks)
    spread = 0.0 if are_counted else seen.largest - seen.smallest
    problem = problem_at(
        model,
        terms,
        chunks,
        dataset.targets,
        n,
        weighted=spread > 1e-12 * seen.largest,
        soft=seen.are_soft,
    )
    return replace(problem, are_counted=are_counted)


def _check_features(model, checked):
    """Refuse data that have other features than those that the model was fitted on."""
    expected, found = features_of(model), features_of(checked)
    if expected["n_features_in_"] != found["n_features_in_"]:
        raise ValueError(
            f"X has {found['n_features_in_']} features, and the model was fitted on"
            f" {expected['n_features_in_']}."
        )
    names = [known.get("feature_names_in_") for known in (expected, found)]
    if any(x is None for x in names) or list(names[0]) == list(names[1]):
        return
    place = np.flatnonzero(names[0] != names[1])[0]
    raise ValueError(
        "The feature names should match those that were passed during fit: column"
        f" {place} of X is {names[1][place]!r}, and was {names[0][place]!r}."
    )


class _Seen(NamedTuple):
    """What the weights and targets of some rows are like."""

    smallest: float  # weight
    largest: float
    fraction: float | None  # a weight that is no whole number, if there is one
    are_soft: bool  # whether there are probabilities between zero and one

    def and_those(self, other):
        fraction = other.fraction if self.fraction is None else self.fraction
        return _Seen(
            min(self.smallest, other.smallest),
            max(self.largest, other.largest),
            fraction,
            self.are_soft or other.are_soft,
        )


def _seen(chunks):
    return reduce(_Seen.and_those, chunks.collect(_chunk_seen, reads_X=False))


def _chunk_seen(chunk):
    s, sY = chunk.s, chunk.sY
    if not s.size:
        return _Seen(np.inf, 0.0, None, False)
    fractions = s[s != np.floor(s)]
    return _Seen(
        float(s.min()),
        float(s.max()),
        float(fractions[0]) if fractions.size else None,
        not is_coded(sY) and bool(((sY > 0.0) & (sY < s[:, None])).any()),
    )

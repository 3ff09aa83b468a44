"""What one column alone says about the label, measured on rows that were not used to learn it (cross-fitting)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.checks.columns import Column

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FOLDS = 5
_PRIOR_WEIGHT = 2.0
_EXACT_VALUES = 256
_HEAVY_SHARE = 0.005
_TAILS = (0.0005, 0.001, 0.002, 0.005)


def discretise(column: Column) -> tuple[Ints, int]:
    """Codes of a column, missing values with a code of their own.

    Text and numbers with few different values keep their values. Other numbers fall into 64 bins of equal mass with
    finer ones in both tails, and values that many rows share (a default, a limit) get a bin to themselves.

    Returns:
        (rows,) codes from 0, and how many codes there are.
    """
    if column.is_text:
        return np.where(column.missing, len(column.categories), column.codes), len(column.categories) + 1
    values = column.numbers[~column.missing]
    codes = np.full(column.rows, 0, np.int64)
    if not values.size:
        return codes, 1
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size <= _EXACT_VALUES:
        edges = distinct[1:]
    else:
        shares = np.unique([*np.linspace(0, 1, 65)[1:-1], *_TAILS, *(1 - np.array(_TAILS))])
        heavy = distinct[counts >= _HEAVY_SHARE * values.size]
        edges = np.unique([*np.quantile(values, shares), *heavy, *np.nextafter(heavy, np.inf)])
    codes[~column.missing] = np.searchsorted(edges, values, side="right")
    codes[column.missing] = edges.size + 1
    return codes, edges.size + 2


def assign_folds(rows: int, rng: np.random.Generator) -> Ints:
    """(rows,) fold of each row, folds of equal size."""
    return rng.permutation(np.arange(rows) % _FOLDS).astype(np.int64)


def cross_fit(codes: Ints, code_count: int, target: Floats, folds: Ints) -> Floats:
    """Mean target of each row's code, learned on the other folds only.

    An identifier teaches nothing about rows it was not seen with, so random ids score like chance however many
    different values they have.

    Args:
        codes: (rows,) codes from 0.
        code_count: Number of codes.
        target: (rows,) 0/1 for a class, any number for regression.
        folds: (rows,) fold of each row.

    Returns:
        (rows,) smoothed means; the mean of the other folds where a code was not seen.
    """
    cells = folds * code_count + codes
    size = _FOLDS * code_count
    counts = np.bincount(cells, minlength=size).reshape(_FOLDS, code_count)
    sums = np.bincount(cells, weights=target, minlength=size).reshape(_FOLDS, code_count)
    other_counts = counts.sum(axis=0) - counts
    other_sums = sums.sum(axis=0) - sums
    prior = other_sums.sum(axis=1, keepdims=True) / np.maximum(other_counts.sum(axis=1, keepdims=True), 1)
    means = (other_sums + _PRIOR_WEIGHT * prior) / (other_counts + _PRIOR_WEIGHT)
    return np.asarray(means[folds, codes])

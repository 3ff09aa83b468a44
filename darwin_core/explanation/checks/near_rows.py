"""Table rows that agree in all but one group of columns, and how many of them the table's own make-up explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import ColumnKind
from darwin_core.data.sketches import column_groups, three_digits
from darwin_core.explanation.checks.base import CheckedData
from darwin_core.explanation.checks.columns import Column

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Keys = NDArray[np.uint64]

_ROWS, _QUERIES = 50_000, 1_000
_ENOUGH_PAIRS = 30
_ROUNDED = frozenset({ColumnKind.NUMBER, ColumnKind.INTEGER})


def near_in(queries: Keys, rows: Keys) -> Bools:
    """(queries,) whether some row agrees in all but one group of columns."""
    near = np.zeros(len(queries), bool)
    for group in range(queries.shape[1]):
        near |= np.isin(queries[:, group], rows[:, group])
    return near


def near_of_another_label(rows: Keys, labels: Ints) -> Bools:
    """(rows,) whether some row of another label agrees in all but one group of columns."""
    near = np.zeros(len(rows), bool)
    if not near.size:
        return near
    for group in range(rows.shape[1]):
        cells = np.unique(rows[:, group], return_inverse=True)[1]
        lowest = np.full(cells.max() + 1, np.iinfo(np.int64).max)
        highest = np.full(cells.max() + 1, -1)
        np.minimum.at(lowest, cells, labels)
        np.maximum.at(highest, cells, labels)
        near |= (lowest < highest)[cells]
    return near


def natural_rate(data: CheckedData) -> float | None:
    """Largest plausible chance that two rows of their own agree in all but one group of columns; None if unknown.

    How many pairs of training rows differ in 2, 3, ... groups tells how many would differ in just one. Were the groups
    independent of each other, the counts n_h would be log-concave in h (Newton's inequalities), so that
    n_1 <= n_h * (n_h / n_(h+1)) ** (h - 1) for any h >= 2; bound columns make natural tables only more so. The first h
    with enough pairs is taken. Copies planted in the table raise n_1 and leave the others alone.
    """
    codes = _group_codes(data)
    if codes is None:
        return None
    rng = data.rng("natural rate of near rows")
    codes = codes[:, rng.permutation(data.rows)[:_ROWS]]
    groups, rows = codes.shape
    asked = min(rows, _QUERIES)
    counts = np.zeros(groups + 1, np.int64)
    for query in range(asked):
        differing = np.zeros(rows, np.int8)
        for group in codes:
            differing += group != group[query]
        counts += np.bincount(differing, minlength=groups + 1)
    counts[0] -= asked  # each row agrees with itself
    for h in range(2, groups):
        if counts[h] >= _ENOUGH_PAIRS and counts[h + 1]:
            bound = float(counts[h]) * float(counts[h] / counts[h + 1]) ** (h - 1)
            return float(bound / (asked * (rows - 1)))
    return None


def _group_codes(data: CheckedData) -> NDArray[np.int32] | None:
    """(groups, sampled rows) equal numbers where a group's columns are equal, as sketches compare them."""
    groups = column_groups(list(data.columns))
    if len(groups) < 3 or data.rows < 2:
        return None
    codes = [_joined([_near_code(data.columns[name]) for name in names]) for names in groups]
    return np.stack(codes).astype(np.int32)


def _joined(codes: list[Ints]) -> Ints:
    joined = codes[0]
    for other in codes[1:]:
        joined = np.unique(joined * (int(other.max()) + 1) + other, return_inverse=True)[1].astype(np.int64)
    return joined


def _near_code(column: Column) -> Ints:
    if column.is_text:
        names = [name.strip().lower() for name in column.categories]
        place = {name: index for index, name in enumerate(dict.fromkeys(names), 1)}
        return np.array([*(place[name] for name in names), 0], np.int64)[column.codes]
    values = three_digits(column.numbers) if column.kind in _ROUNDED else column.numbers
    return np.unique(values, return_inverse=True, equal_nan=True)[1].astype(np.int64)

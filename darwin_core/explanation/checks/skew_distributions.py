"""Two versions of a column without common rows: how far their distributions lie apart, and what would undo it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import ColumnKind
from darwin_core.explanation.checks.columns import Column, show_number
from darwin_core.explanation.checks.skew_kinds import (
    Kind,
    another_type,
    clipping_kind,
    default_kind,
    factor_kind,
    offset_kind,
    plain,
    spelling_kind,
)
from darwin_core.explanation.checks.statistics import Stability, stability

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_BINS = 20
_HEAVY = 0.02
_UNDONE = 0.1
_CUT = 0.005
_FREQUENT = 20
_NUDGE = 1e-9
_FACTORS = (10.0, 100.0, 1000.0, 1e6, 60.0, 3600.0, 24.0)
_HOUR = 3600.0


@dataclass(frozen=True)
class Comparison:
    """A column's two distributions.

    Attributes:
        result: How far they lie apart.
        kind: What kind of skew explains it; None where nothing simple does.
    """

    result: Stability
    kind: Kind | None


def distance(train: Column, serving: Column, rng: np.random.Generator, *, tests: int) -> Stability | None:
    """The population stability index of both versions; None where too little is there, or the types differ."""
    if train.is_text != serving.is_text:
        return None
    if train.is_text:
        return stability(*_category_counts(train, serving), rng, tests=tests)
    return _apart(train.numbers, serving.numbers, rng, tests)


def explained(train: Column, serving: Column, result: Stability, rng: np.random.Generator) -> Kind | None:
    """The kind of skew that, undone, makes the versions (nearly) agree; the one that leaves least."""
    if train.is_text != serving.is_text:
        return another_type(train, serving)
    known = _emptied(train, serving) or _default(train, serving, rng, result)
    if known is not None:
        return known
    if train.is_text:
        return _spelling(train, serving)
    a, b = train.numbers[~train.missing], serving.numbers[~serving.missing]
    if a.size < _BINS or b.size < _BINS:
        return None
    tries: list[tuple[bool, float, Kind]] = []
    for guessed, kind, ours, theirs in _hypotheses(a, b, train.kind):
        left = _apart(ours, theirs, rng, 1)
        if left is not None and _is_undone(left, result):
            tries.append((guessed, left.psi, kind))
    return min(tries, key=lambda each: each[:2])[2] if tries else None


def _is_undone(left: Stability, before: Stability) -> bool:
    return left.psi <= max(left.null_99, _UNDONE * before.psi)


def _emptied(train: Column, serving: Column) -> Kind | None:
    """Serving has no value at all, or a single one."""
    if serving.missing.all():
        return Kind("missing", "is always missing in serving", "has no value in serving")
    values = np.unique(serving.identity[~serving.missing])
    if values.size == 1 and np.unique(train.identity[~train.missing]).size > 1:
        value = serving.shown(int(np.flatnonzero(~serving.missing)[0]))
        return Kind("constant", f"is always {value} in serving", f"has the one value {value} in serving")
    return None


def _hypotheses(a: Floats, b: Floats, kind: ColumnKind) -> list[tuple[bool, Kind, Floats, Floats]]:
    """Kinds of skew, with both versions as they would be without it; guessed ones have a figure taken from the data."""
    found: list[tuple[bool, Kind, Floats, Floats]] = []
    middle, other = float(np.median(a)), float(np.median(b))
    if kind is ColumnKind.TIME:
        hours = np.rint((other - middle) / _HOUR)
        found.append((False, offset_kind(hours * _HOUR, kind, exact=True), a, b - hours * _HOUR))
    else:
        known = [*_FACTORS, *(1 / each for each in _FACTORS), -1.0]
        found += [(False, factor_kind(factor, exact=True), a, b / factor) for factor in known]
        if middle and other and abs(other / middle - 1) > 0.05:
            found.append((True, factor_kind(other / middle, exact=False), a, b * (middle / other)))
        found.append((True, offset_kind(float(f"{other - middle:.2g}"), kind, exact=False), a, b - (other - middle)))
    for upper, limit in ((True, float(b.max())), (False, float(b.min()))):
        if np.mean(b == limit) >= _CUT and np.mean(a > limit if upper else a < limit) >= _CUT:
            clipped = np.minimum(a, limit) if upper else np.maximum(a, limit)
            found.append((False, clipping_kind(limit, upper=upper), clipped, b))
    return found


def _default(train: Column, serving: Column, rng: np.random.Generator, result: Stability) -> Kind | None:
    """Missing on one side where the other has more of one value."""
    sides = ((train, serving, "training", "serving"), (serving, train, "serving", "training"))
    for gaps, filled, where, other in sides:
        surplus = float(gaps.missing.mean() - filled.missing.mean())
        noise = float(np.sqrt(gaps.missing.mean() * (1 / gaps.rows + 1 / filled.rows)))
        if surplus <= max(_CUT, 3 * noise):
            continue
        value, gain = _grown_value(gaps, filled)
        if value is not None and abs(gain - surplus) < 0.25 * surplus + 3 * noise:
            if filled.is_text:
                return default_kind(f"'{value}'", missing=where, present=other)
            left = _apart(np.where(gaps.missing, float(value), gaps.numbers), filled.numbers, rng, 1)
            if left is not None and _is_undone(left, result):
                return default_kind(show_number(float(value)), missing=where, present=other)
        # Nothing took the place of the gaps; they are the skew if the values that are there agree.
        if not gaps.is_text:
            left = _apart(gaps.numbers[~gaps.missing], filled.numbers[~filled.missing], rng, 1)
            if left is not None and _is_undone(left, result):
                text = f"is missing in {where} for values that {other} has"
                return Kind("missing", f"is missing more often in {where}", text)
    return None


def _grown_value(gaps: Column, filled: Column) -> tuple[str | float | None, float]:
    """The value that makes up a larger share in ``filled`` than in ``gaps``, most of all, and the difference."""
    before, after = _shares(gaps), _shares(filled)
    gains = {value: share - before.get(value, 0.0) for value, share in after.items()}
    if not gains:
        return None, 0.0
    value = max(gains, key=lambda each: gains[each])
    return value, gains[value]


def _shares(column: Column) -> dict[str | float, float]:
    """Value -> share of rows, for values that at least a few rows have."""
    if column.is_text:
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.categories))
        return {name: int(count) / column.rows for name, count in zip(column.categories, counts, strict=True)}
    values, counts = np.unique(column.numbers[~column.missing], return_counts=True)
    many = counts >= 3
    return {float(v): int(c) / column.rows for v, c in zip(values[many], counts[many], strict=True)}


def _spelling(train: Column, serving: Column) -> Kind | None:
    """Values of serving that training has in another spelling only."""
    known, ours = set(train.categories), {plain(name): name for name in train.categories}
    pairs = [(ours[plain(name)], name) for name in serving.categories if name not in known and plain(name) in ours]
    return spelling_kind(pairs) if pairs else None


def _apart(a: Floats, b: Floats, rng: np.random.Generator, tests: int) -> Stability | None:
    present = a[~np.isnan(a)]
    if not present.size:
        return None
    distinct, counts = np.unique(present, return_counts=True)
    heavy = distinct[counts >= _HEAVY * present.size]
    starts = np.array([*np.quantile(present, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower"), *heavy])
    # A little off the values, so that a value divided and multiplied again stays in its bin.
    edges = np.unique([*(starts - _NUDGE * np.abs(starts)), *(heavy + _NUDGE * np.maximum(np.abs(heavy), 1e-9))])
    return stability(_binned(a, edges), _binned(b, edges), rng, tests=tests)


def _binned(values: Floats, edges: Floats) -> Counts:
    missing = np.isnan(values)
    counts = np.bincount(np.searchsorted(edges, values[~missing], side="right"), minlength=edges.size + 1)
    return np.array([*counts, missing.sum()], np.int64)


def _category_counts(train: Column, serving: Column) -> tuple[Counts, Counts]:
    """Rows per category: the frequent ones, all others, missing.

    Categories are chosen by both sides' rows together, and only where each side should hold many: those that training
    happens to hold many of would seem to become rarer.
    """
    ours, theirs = _counted(train), _counted(serving)
    together = Counter(ours) + Counter(theirs)
    smaller = min(train.rows, serving.rows) / max(train.rows + serving.rows, 1)
    names = [name for name, count in together.items() if count * smaller >= _FREQUENT]
    found = []
    for counts, column in ((ours, train), (theirs, serving)):
        named = [counts.get(name, 0) for name in names]
        found.append(np.array([*named, sum(counts.values()) - sum(named), column.missing.sum()], np.int64))
    return found[0], found[1]


def _counted(column: Column) -> dict[str, int]:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.categories))
    return dict(zip(column.categories, map(int, counts), strict=True))

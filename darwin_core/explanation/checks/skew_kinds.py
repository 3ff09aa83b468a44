"""What kind of skew there is between two versions of a column, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import ColumnKind
from darwin_core.explanation.checks.columns import Column, show_number
from darwin_core.wording import listed, percent

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TOLERANCE = 1e-6
"""Numbers count as equal within this share of their size; float32 keeps seven digits."""

_MOST = 0.9
_SECOND = 1e-3
_FEWEST = 5
_LEFT_OVER = 0.01
_NATURAL_FACTORS = (10, 100, 1000, 1e4, 1e6, 1e9, 7, 12, 24, 60, 365, 3600, 86400, 1.609344, 2.54, 0.45359237)


@dataclass(frozen=True)
class Kind:
    """A kind of skew.

    Attributes:
        name: One word for it.
        title: What serving does, as the end of a title that begins with the column's name.
        text: What was seen, as the end of a sentence that begins with the column's name.
    """

    name: str
    title: str
    text: str


def plain(text: str) -> str:
    """Text without case, spaces and punctuation: two spellings of one thing agree."""
    return re.sub(r"[\W_]+", "", text.casefold())


def differing(train: Column, serving: Column) -> Bools:
    """(rows,) where two versions of the same rows differ; a type of its own differs everywhere but where both miss."""
    if train.is_text != serving.is_text:
        return ~(train.missing & serving.missing)
    if train.is_text:
        return np.asarray(train.texts != serving.texts)
    a, b = train.numbers, serving.numbers
    if ColumnKind.TIME in (train.kind, serving.kind):
        close = np.abs(a - b) <= _SECOND
    elif train.kind is serving.kind is ColumnKind.INTEGER:
        close = a == b
    else:
        with np.errstate(invalid="ignore"):  # infinities have no difference
            close = (a == b) | (np.abs(a - b) <= TOLERANCE * np.maximum(np.abs(a), np.abs(b)))
    return ~(close | (train.missing & serving.missing))


def kind_by_row(train: Column, serving: Column, apart: Bools) -> Kind:
    """The kind of skew of a column whose rows are known in both versions.

    Args:
        train: The column as in training.
        serving: The same rows as in production.
        apart: (rows,) where they differ; at least one does.
    """
    if train.is_text != serving.is_text:
        return another_type(train, serving)
    gained, lost = train.missing & apart, serving.missing & apart
    if gained.sum() >= _MOST * apart.sum():
        return _default(serving, gained, "missing in training", "serving")
    if lost.sum() >= _MOST * apart.sum():
        return _default(train, lost, "missing in serving", "training")
    both = apart & ~train.missing & ~serving.missing
    found = _spelling(train, serving, both) if train.is_text else _arithmetic(train, serving, both)
    return found or Kind("unexplained", "differs between training and serving", "follows no simple rule")


def another_type(train: Column, serving: Column) -> Kind:
    """Numbers on one side, text on the other."""
    ours, theirs = ("text" if column.is_text else str(column.kind) for column in (train, serving))
    return Kind(
        "type", "has another type in serving", f"holds {ours} values in training and {theirs} values in serving"
    )


def factor_kind(factor: float, *, exact: bool) -> Kind:
    """Serving values are a multiple of the training values."""
    larger = factor if abs(factor) >= 1 else 1 / factor
    way = "large" if abs(factor) >= 1 else "small"
    size = f"{'' if exact else 'about '}{show_number(_natural(larger))} times as {way}"
    return Kind("factor", f"is {size} in serving", f"is {size} in serving as in training (another unit?)")


def offset_kind(offset: float, kind: ColumnKind, *, exact: bool) -> Kind:
    """Serving values lie a constant away from the training values."""
    if kind is ColumnKind.TIME:
        hours = abs(offset) / 3600
        way = "later" if offset > 0 else "earlier"
        unit = "hour" if abs(hours - 1) < 1e-9 else "hours"
        size = f"{show_number(round(hours, 4))} {unit} {way}"
        return Kind("offset", f"is {size} in serving", f"is {size} in serving than in training (another time zone?)")
    size = f"{'higher' if offset > 0 else 'lower'} by {'' if exact else 'about '}{show_number(abs(offset))}"
    return Kind("offset", f"is {size} in serving", f"is {size} in serving than in training")


def clipping_kind(limit: float, *, upper: bool) -> Kind:
    """Serving values stop at a limit."""
    way, where = "above" if upper else "below", show_number(limit)
    text = f"never lies {way} {where} in serving, and does in training"
    return Kind("clipped", f"is cut off at {where} in serving", text)


def default_kind(value: str, *, missing: str, present: str) -> Kind:
    """Missing on one side, a constant on the other."""
    return Kind("default", f"has another default for missing values in {present}",
                f"is missing in {missing} where it is {value} in {present}")  # fmt: skip


def spelling_kind(pairs: list[tuple[str, str]]) -> Kind:
    """The same categories in other words."""
    shown = listed([f"'{ours}' is '{theirs}'" for ours, theirs in pairs], 4)
    same = all(plain(ours) == plain(theirs) for ours, theirs in pairs)
    how = "apart from case, spaces and punctuation these are the same" if same else "each value has one other name"
    return Kind("spelling", "is spelled differently in serving", f"uses other spellings in serving ({shown}; {how})")


def _default(present: Column, rows: Bools, where: str, side: str) -> Kind:
    values, counts = np.unique(present.identity[rows], return_counts=True)
    top = int(values[np.argmax(counts)])
    other = where.rsplit(" ", 1)[1]
    if counts.max() >= _MOST * rows.sum():
        shown = present.shown(int(np.flatnonzero(rows & (present.identity == top))[0]))
        return default_kind(f"'{shown}'" if present.is_text else shown, missing=other, present=side)
    return Kind("missing", f"is {where} only", f"is {where} for values that {side} has")


def _arithmetic(train: Column, serving: Column, both: Bools) -> Kind | None:
    a, b = train.numbers[both], serving.numbers[both]
    if a.size < _FEWEST:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(a != 0, b / a, np.nan)
    factor, offset = float(np.nanmedian(ratios)) if (a != 0).any() else 1.0, float(np.median(b - a))
    rules = [(factor_kind(factor, exact=True), factor * a)] if np.ptp(a) > 0 and factor not in (0, 1) else []
    rules.append((offset_kind(offset, train.kind, exact=True), a + offset))
    # What a rule leaves over is held against what it explains: values may be rounded to cents on one side.
    left = [np.abs(b - expected) / np.abs(b - a) for _, expected in rules]
    best = int(np.argmin([np.median(each) for each in left]))
    if np.mean(left[best] <= _LEFT_OVER) >= _MOST:
        return rules[best][0]
    for upper, limit in ((True, float(b.max())), (False, float(b.min()))):
        beyond = a > limit if upper else a < limit
        if np.mean(beyond & (np.abs(b - limit) <= TOLERANCE * max(abs(limit), 1e-300))) >= _MOST:
            return clipping_kind(limit, upper=upper)
    return None


def _spelling(train: Column, serving: Column, both: Bools) -> Kind | None:
    cells, counts = np.unique(np.stack([train.codes[both], serving.codes[both]]), axis=1, return_counts=True)
    order = np.argsort(-counts)
    first: dict[int, tuple[int, int]] = {}
    for ours, theirs, count in zip(cells[0][order], cells[1][order], counts[order], strict=True):
        first.setdefault(int(ours), (int(theirs), int(count)))
    if not both.any() or sum(count for _, count in first.values()) < _MOST * both.sum():
        return None
    return spelling_kind([(train.categories[ours], serving.categories[theirs]) for ours, (theirs, _) in first.items()])


def _natural(factor: float) -> float:
    """A factor as people use it, where it is one of those within a hundredth."""
    near = [known for known in _NATURAL_FACTORS if abs(abs(factor) / known - 1) < 0.01]
    return float(np.copysign(near[0], factor)) if near else float(f"{factor:.4g}")


def share_text(share: float, rows: int) -> str:
    """``in 97 % of 1,000 rows with the same id``."""
    return f"in {percent(share)} of {rows:,} rows with the same id"

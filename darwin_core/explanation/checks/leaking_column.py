"""Columns that alone nearly give the label away: usually something only known once the outcome is.

Two kinds of evidence, both measured on rows that were not used to learn them:

* separation: the column alone orders the rows nearly as the label does (area under the ROC curve, or the correlation
  with the label for regression);
* a giveaway: some values of the column occur with one label only, and cover a good part of that label. Separation
  misses these, since the other rows dilute it.

Missing values take part as a value of their own. The difference of two time columns counts as a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from darwin_core.contracts import ColumnKind, Finding, FindingKind, Severity
from darwin_core.explanation.checks.base import (
    FALSE_ALARM_RATE,
    MAX_AFFECTED_IDS,
    CheckedData,
    DataCheck,
    register_check,
)
from darwin_core.explanation.checks.columns import Bools, Column, Floats, Ints, show_number
from darwin_core.explanation.checks.encoding import assign_folds, cross_fit, discretise
from darwin_core.explanation.checks.statistics import Interval, auc_interval, correlation_interval, share_interval
from darwin_core.wording import counted, listed, percent

_MIN_CLASS_ROWS = 20
_MOST_TIME_COLUMNS = 6
_EASY_TASK_COLUMNS = 3


@dataclass(frozen=True)
class _Suspicion:
    """How well one column alone predicts one class (or the number, where ``label`` is empty)."""

    column: Column
    label: str
    strength: Interval
    proven: float
    """The strength's lower bound after correction for every column and class tried."""
    giveaway: Bools
    """Rows whose value occurs with this label only; all False where there are none, or too few."""
    giveaway_share: Interval
    """Share of the label's rows that these are."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The data's own columns that this one was made of."""
        return tuple(self.column.name.split(_MINUS))


_MINUS = " minus "


@register_check
class LeakingColumn(DataCheck):
    """Finds columns that alone come near to full knowledge of the label.

    A column is strong where its strength reaches ``strong`` and is beyond ``clear``; it is near full knowledge where
    it is beyond ``near_full``. "Beyond" speaks of the lower bound, corrected for the number of columns and classes
    tried, so few rows never raise an alarm.
    """

    name = "leaking columns"
    strong, clear, near_full = 0.80, 0.70, 0.97
    strong_correlation, clear_correlation = 0.90, 0.80
    giveaway_purity = 0.95
    giveaway_coverage = 0.10

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding per suspicious column; strong columns of an easy task are gathered into one."""
        columns = [*data.columns.values(), *_time_differences(data.columns)]
        targets = list(_targets(data))
        if not columns or not targets:
            return []
        alpha = FALSE_ALARM_RATE / (len(columns) * len(targets))
        folds = assign_folds(data.rows, data.rng(self.name))
        suspicions = [
            worst for column in columns if (worst := self._worst(column, targets, folds, alpha, bool(data.classes)))
        ]
        suspicions.sort(key=lambda suspicion: (suspicion.proven, suspicion.giveaway_share.value), reverse=True)
        return self._findings(data, suspicions)

    def _worst(
        self, column: Column, targets: list[tuple[str, Floats]], folds: Ints, alpha: float, classify: bool
    ) -> _Suspicion | None:
        codes, code_count = discretise(column)
        found = []
        for label, target in targets:
            predicted = cross_fit(codes, code_count, target, folds)
            if classify:
                suspicion = self._class_suspicion(column, label, target == 1, predicted, alpha)
            else:
                suspicion = _number_suspicion(column, target, predicted, alpha)
            if self._is_suspicious(suspicion):
                found.append(suspicion)
        return max(found, key=lambda each: (each.proven, each.giveaway_share.value), default=None)

    def _class_suspicion(
        self, column: Column, label: str, positive: Bools, predicted: Floats, alpha: float
    ) -> _Suspicion:
        strength = auc_interval(positive, predicted)
        proven = auc_interval(positive, predicted, alpha).low if strength.value >= self.strong else 0.0
        region = predicted >= self.giveaway_purity
        hits, members = int((region & positive).sum()), int(positive.sum())
        pure = (
            positive.mean() <= 0.5
            and hits >= self.giveaway_coverage * members
            and share_interval(hits, int(region.sum()), alpha).low >= self.giveaway_purity
        )
        return _Suspicion(
            column=column,
            label=label,
            strength=strength,
            proven=proven,
            giveaway=region if pure else np.zeros_like(region),
            giveaway_share=share_interval(hits if pure else 0, members),
        )

    def _is_suspicious(self, suspicion: _Suspicion) -> bool:
        strong, clear = (
            (self.strong, self.clear) if suspicion.label else (self.strong_correlation, self.clear_correlation)
        )
        is_strong = suspicion.strength.value >= strong and suspicion.proven >= clear
        return is_strong or bool(suspicion.giveaway.any())

    def _findings(self, data: CheckedData, suspicions: list[_Suspicion]) -> list[Finding]:
        own = [each for each in suspicions if each.proven >= self.near_full or each.giveaway.any()]
        merely_strong = [each for each in suspicions if each.proven < self.near_full and not each.giveaway.any()]
        if len(merely_strong) > _EASY_TASK_COLUMNS:
            return [*(self._finding(data, each) for each in own), _easy_task(data, merely_strong)]
        return [self._finding(data, each) for each in suspicions]

    def _finding(self, data: CheckedData, found: _Suspicion) -> Finding:
        covers = found.giveaway_share.value
        grave = found.proven >= self.near_full or covers >= 0.5
        sentences = [_strength_sentence(data, found), _giveaway_sentence(found), _missing_sentence(data, found)]
        ids = [data.row_ids[row] for row in np.flatnonzero(found.giveaway)[:MAX_AFFECTED_IDS]]
        return Finding(
            kind=FindingKind.LEAKING_COLUMN,
            severity=Severity.HIGH if grave else Severity.MEDIUM,
            title=self._title(found),
            description=" ".join(filter(None, sentences)) + f" Measured by cross-fitting on {data.basis}.",
            columns=found.sources,
            effect=found.strength.value,
            low=found.strength.low,
            high=found.strength.high,
            affected_rows=int(found.giveaway.sum()) or None,
            affected_ids=tuple(ids),
            suggestion=(
                f"Ask whether {' and '.join(found.sources)} {'is' if len(found.sources) == 1 else 'are'} known "
                "when the decision is made. If not, leave it out and retrain the reference."
            ),
        )

    def _title(self, found: _Suspicion) -> str:
        if found.proven >= self.near_full:
            return f"{found.column.name} alone nearly gives the label away"
        if found.giveaway.any():
            return f"Some values of {found.column.name} give the label away"
        return f"{found.column.name} alone says much about the label"


def _targets(data: CheckedData) -> Iterator[tuple[str, Floats]]:
    """What to predict: each class (of two, the positive one) or label against the rest, or the ranks of the numbers."""
    if not data.classes:
        if np.ptp(data.labels) == 0:
            return  # masks, or a constant: nothing that a column could give away
        if data.rows > 10 * _MIN_CLASS_ROWS:
            yield "", stats.rankdata(data.labels) / data.rows
        return
    only_positive = len(data.classes) == 2 and not data.has_several_labels
    for index in range(1, 2) if only_positive else range(len(data.classes)):
        target = data.members(index).astype(np.float64)
        if _MIN_CLASS_ROWS <= target.sum() <= data.rows - _MIN_CLASS_ROWS:
            yield data.classes[index], target


def _time_differences(columns: Mapping[str, Column]) -> Iterator[Column]:
    times = [column for column in columns.values() if column.kind is ColumnKind.TIME and not column.is_text]
    for first, second in combinations(times[:_MOST_TIME_COLUMNS], 2):
        yield Column.of_numbers(f"{second.name}{_MINUS}{first.name}", second.numbers - first.numbers)


def _number_suspicion(column: Column, target: Floats, predicted: Floats, alpha: float) -> _Suspicion:
    return _Suspicion(
        column=column,
        label="",
        strength=correlation_interval(predicted, target),
        proven=correlation_interval(predicted, target, alpha).low,
        giveaway=np.zeros(target.size, bool),
        giveaway_share=Interval(0.0, 0.0, 0.0),
    )


def _strength_sentence(data: CheckedData, found: _Suspicion) -> str:
    value, low, high = found.strength.value, found.strength.low, found.strength.high
    if not found.label:
        return (
            f"Predicted from {found.column.name} alone, the rank of {data.roles.label} is right up to a correlation of "
            f"{value:.3f} (95 % interval {low:.3f} to {high:.3f})."
        )
    return (
        f"{found.column.name} alone tells {data.named(found.label)} from the rest with an area under the ROC "
        f"curve of {value:.3f} (95 % interval {low:.3f} to {high:.3f}; 0.5 is chance, 1 is certainty)."
    )


def _giveaway_sentence(found: _Suspicion) -> str:
    if not found.giveaway.any():
        return ""
    rows, share = int(found.giveaway.sum()), found.giveaway_share
    return (
        f"Where {_region(found.column, found.giveaway)} ({counted(rows, 'row')}), the label is practically always "
        f"{found.label}; these rows are {percent(share.value)} of all rows with that label."
    )


def _region(column: Column, rows: Bools) -> str:
    missing = column.missing & rows
    if missing.sum() == rows.sum():
        return f"{column.name} is missing"
    if column.is_text:
        codes, counts = np.unique(column.codes[rows & ~column.missing], return_counts=True)
        names = [repr(column.categories[code]) for code in codes[np.argsort(-counts)]]
        return f"{column.name} is {listed(names, 4)}"
    values = column.numbers[rows & ~column.missing]
    low, high = show_number(values.min()), show_number(values.max())
    if low == high:
        return f"{column.name} is {low}"
    distinct = np.unique(values)
    outside = column.numbers[~rows & ~column.missing]
    if not np.any((outside >= values.min()) & (outside <= values.max())):
        return f"{column.name} lies between {low} and {high}"
    return f"{column.name} takes one of {distinct.size:,} values between {low} and {high}"


def _missing_sentence(data: CheckedData, found: _Suspicion) -> str:
    """Says so where the presence of a value, not the value itself, carries the separation."""
    missing = found.column.missing
    if not found.label or not missing.any() or missing.all():
        return ""
    positive = data.members(data.classes.index(found.label))
    alone = auc_interval(positive, missing.astype(np.float64)).value
    reached = max(alone, 1 - alone) - 0.5
    if reached < 0.8 * (found.strength.value - 0.5):
        return ""
    return f"Most of it lies in whether {found.column.name} is missing at all (area {max(alone, 1 - alone):.3f})."


def _easy_task(data: CheckedData, strong: list[_Suspicion]) -> Finding:
    shown = [f"{each.column.name} ({each.strength.value:.2f})" for each in strong]
    first = strong[0].strength
    return Finding(
        kind=FindingKind.LEAKING_COLUMN,
        severity=Severity.LOW,
        title=f"{len(strong)} columns each say much about the label on their own",
        description=(
            f"Each of these columns alone predicts {data.label_title} well (area under the ROC curve, for regression "
            f"the correlation): {listed(shown, 8)}. So many strong columns point to an easy task rather than to one "
            f"leak. Measured by cross-fitting on {data.basis}."
        ),
        columns=tuple(dict.fromkeys(name for each in strong for name in each.sources)),
        effect=first.value,
        low=first.low,
        high=first.high,
        suggestion="Check that all of them are known when the decision is made.",
    )

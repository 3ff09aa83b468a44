"""Columns that are distributed differently in training and test rows; reads profiles only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from darwin_core.contracts import ColumnProfile, Finding, FindingKind, Severity, SplitProfile
from darwin_core.evaluation.multiplicity import holm
from darwin_core.explanation.checks.base import FALSE_ALARM_RATE, CheckedData, DataCheck, register_check
from darwin_core.explanation.checks.columns import show_number
from darwin_core.explanation.checks.statistics import Stability, share_interval, stability
from darwin_core.wording import counted, listed, percent

PROFILE_CATEGORIES = 200
"""Profiles list this many categories at most; a shorter list is complete."""


@dataclass(frozen=True)
class _Histogram:
    bins: tuple[str, ...]
    train: NDArray[np.int64]
    test: NDArray[np.int64]

    @property
    def largest_change(self) -> str:
        train, test = self.train / self.train.sum(), self.test / self.test.sum()
        worst = int(np.argmax(np.abs(test - train)))
        return (
            f"{self.bins[worst]}: {percent(train[worst])} of the training rows, {percent(test[worst])} of the test rows"
        )


@register_check
class Shift(DataCheck):
    """Compares every column by the population stability index.

    A column is reported where its index is beyond chance for these numbers of rows, corrected for the number of
    columns. The usual constants (0.1 and 0.25) only grade how much it matters.
    """

    name = "shift between training and test rows"
    notable, grave = 0.1, 0.25

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding per column that shifted notably, and one for all small shifts together."""
        compared = _compare(data)
        if not compared:
            return []
        adjusted = holm([result.p_value for _, _, result in compared])
        shifted = [each for each, p in zip(compared, adjusted, strict=True) if p < FALSE_ALARM_RATE]
        shifted.sort(key=lambda each: -each[2].psi)
        findings = [self._finding(*each) for each in shifted if each[2].psi >= self.notable]
        small = [each for each in shifted if each[2].psi < self.notable]
        return [*findings, *([_small_shifts(small, len(compared))] if small else [])]

    def _finding(self, name: str, histogram: _Histogram, result: Stability) -> Finding:
        return Finding(
            kind=FindingKind.SHIFT,
            severity=Severity.HIGH if result.psi >= self.grave else Severity.MEDIUM,
            title=f"{name} is distributed differently in the test rows",
            description=(
                f"The population stability index of {name} between training and test rows is {result.psi:.3f} "
                f"(95 % interval {result.low:.3f} to {result.high:.3f}); without a shift it would stay below "
                f"{result.null_99:.4f} in 99 of 100 cases. Largest change: {histogram.largest_change}."
            ),
            columns=(name,),
            effect=result.psi,
            low=result.low,
            high=result.high,
            suggestion=f"Find out what changed in {name} between the two; if the test rows are the newer ones, retrain "
            "on recent rows.",
        )


@register_check
class UnseenCategories(DataCheck):
    """Finds text columns whose test rows hold values the training rows never had, beyond what rare values explain.

    Without a change, the c rows with one value are all test rows with a chance of (share of test rows) to the power of
    c. That gives a test of the most frequent unseen value and one of the number of unseen values. Columns with more
    categories than a profile lists are left out.
    """

    name = "categories never seen in training"

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding per column."""
        compared = [found for pair in _pairs(data) if (found := _unseen(*pair)) is not None]
        if not compared:
            return []
        adjusted = holm([p for _, _, _, p in compared])
        return [
            _unseen_finding(name, unseen, rows)
            for (name, unseen, rows, _), p in zip(compared, adjusted, strict=True)
            if p < FALSE_ALARM_RATE
        ]


def _pairs(data: CheckedData) -> list[tuple[ColumnProfile, ColumnProfile, SplitProfile, SplitProfile]]:
    train, test = data.train_profile, data.test_profile
    if train is None or test is None:
        return []
    others = {column.name: column for column in test.columns}
    # A split by time moves the time column by intention.
    return [
        (column, others[column.name], train, test)
        for column in train.columns
        if column.name in others and column.name != data.roles.time
    ]


def _compare(data: CheckedData) -> list[tuple[str, _Histogram, Stability]]:
    rng = data.rng(Shift.name)
    compared, pairs = [], _pairs(data)
    for first, second, train, test in pairs:
        histogram = _histogram(first, second, train.rows, test.rows)
        result = stability(histogram.train, histogram.test, rng, tests=len(pairs))
        if result is not None:
            compared.append((first.name, histogram, result))
    return compared


def _histogram(train: ColumnProfile, test: ColumnProfile, train_rows: int, test_rows: int) -> _Histogram:
    if train.counts:
        bins, in_train, in_test = _bin_names(train.edges), list(train.counts), list(test.counts)
    else:
        names = _compared_categories(train, test)
        bins = [f"'{name}'" for name in names]
        in_train = [train.categories.get(name, 0) for name in names]
        in_test = [test.categories.get(name, 0) for name in names]
    return _Histogram(
        bins=(*bins, "other values", "missing"),
        train=_with_rest(in_train, train.missing, train_rows),
        test=_with_rest(in_test, test.missing, test_rows),
    )


def _compared_categories(train: ColumnProfile, test: ColumnProfile) -> list[str]:
    """The categories that get a bin of their own.

    The list of a profile may be cut off. Categories near the cut are on it because the training rows happen to hold
    many of them, and would seem to become rarer; only those that would be on it anyway are compared.
    """
    if len(train.categories) < PROFILE_CATEGORIES:
        return [*train.categories, *(name for name in test.categories if name not in train.categories)]
    cut = min(train.categories.values())
    return [name for name, count in train.categories.items() if count - cut > 4 * count**0.5]


def _with_rest(counts: list[int], missing: int, rows: int) -> NDArray[np.int64]:
    return np.array([*counts, max(rows - sum(counts) - missing, 0), missing], np.int64)


def _bin_names(edges: tuple[float, ...]) -> list[str]:
    if not edges:
        return ["all values"]
    inner = [f"{show_number(low)} to {show_number(high)}" for low, high in pairwise(edges)]
    return [f"below {show_number(edges[0])}", *inner, f"from {show_number(edges[-1])}"]


def _small_shifts(small: list[tuple[str, _Histogram, Stability]], columns: int) -> Finding:
    name, histogram, worst = small[0]
    return Finding(
        kind=FindingKind.SHIFT,
        severity=Severity.LOW,
        title=f"{counted(len(small), 'column')} shifted slightly",
        description=(
            f"{counted(len(small), 'column')} of {columns:,} {'differs' if len(small) == 1 else 'differ'} between "
            f"training and test rows by more than chance, but little: {listed([each[0] for each in small], 8)}. The "
            f"largest is {name} with a population stability index of {worst.psi:.4f} (without a shift below "
            f"{worst.null_99:.4f} in 99 of 100 cases). {histogram.largest_change}."
        ),
        columns=tuple(each[0] for each in small),
        effect=worst.psi,
        low=worst.low,
        high=worst.high,
        suggestion="Nothing to do by itself; watch these columns if the quality falls.",
    )


def _unseen(
    train: ColumnProfile, test: ColumnProfile, train_part: SplitProfile, test_part: SplitProfile
) -> tuple[str, dict[str, int], int, float] | None:
    if not train.categories or max(len(train.categories), len(test.categories)) >= PROFILE_CATEGORIES:
        return None
    unseen = {name: count for name, count in test.categories.items() if name not in train.categories}
    pooled = Counter(train.categories) + Counter(test.categories)
    share = test_part.rows / (train_part.rows + test_part.rows)
    all_in_test = share ** np.array(list(pooled.values()), np.float64)
    largest = max(unseen.values(), default=0)
    p_largest = float(all_in_test[[count >= largest for count in pooled.values()]].sum()) if largest else 1.0
    p_number = float(stats.poisson.sf(len(unseen) - 1, all_in_test.sum()))
    return train.name, unseen, test_part.rows, min(1.0, 2 * min(p_largest, p_number))


def _unseen_finding(name: str, unseen: dict[str, int], rows: int) -> Finding:
    affected = sum(unseen.values())
    share = share_interval(affected, rows)
    shown = [f"'{value}' ({count:,})" for value, count in sorted(unseen.items(), key=lambda item: -item[1])]
    return Finding(
        kind=FindingKind.SHIFT,
        severity=Severity.HIGH if share.value >= 0.05 else Severity.MEDIUM,
        title=f"{name} holds values never seen in training",
        description=(
            f"{counted(affected, 'test row')} of {rows:,} ({percent(share.value)}, 95 % interval {percent(share.low)} "
            f"to {percent(share.high)}) hold {counted(len(unseen), 'value')} of {name} that no training row has: "
            f"{listed(shown, 5)}. The network treats them all as unknown."
        ),
        columns=(name,),
        effect=share.value,
        low=share.low,
        high=share.high,
        affected_rows=affected,
        suggestion=f"Find out where the new values of {name} come from: another spelling, another source, or something "
        "the network has to learn first.",
    )

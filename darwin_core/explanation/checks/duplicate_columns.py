"""Columns that are exact copies of another column."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from darwin_core.contracts import Finding, FindingKind, Severity
from darwin_core.explanation.checks.base import FALSE_ALARM_RATE, CheckedData, DataCheck, register_check
from darwin_core.explanation.checks.columns import Column, same_values
from darwin_core.wording import counted, listed


@register_check
class DuplicateColumns(DataCheck):
    """Finds copies. Nearly constant columns can agree by chance, and are reported only where chance is ruled out."""

    name = "duplicate columns"

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding for all copies together."""
        tests = max(len(data.columns) * (len(data.columns) - 1) // 2, 1)
        telling = [n for n, c in data.columns.items() if _chance_agreement(c) * tests < FALSE_ALARM_RATE]
        groups: dict[bytes, list[str]] = defaultdict(list)
        for name in telling:
            groups[_digest(data.columns[name])].append(name)
        copies = [
            (first, other)
            for first, *others in groups.values()
            for other in others
            if same_values(data.columns[first], data.columns[other])
        ]
        if data.is_sampled:
            copies = _copies_everywhere(data, copies)
        return [_finding(data, copies)] if copies else []


def _finding(data: CheckedData, copies: Sequence[tuple[str, str]]) -> Finding:
    pairs = [f"{copy} repeats {first}" for first, copy in copies]
    return Finding(
        kind=FindingKind.DUPLICATE_COLUMN,
        severity=Severity.LOW,
        title=f"{counted(len(copies), 'column')} that {'repeats' if len(copies) == 1 else 'repeat'} another",
        description=(
            f"{counted(len(copies), 'column')} of {len(data.columns):,} "
            f"{'equals' if len(copies) == 1 else 'equal'} another column in every one of the {data.train_rows:,} "
            f"training rows: {listed(pairs, 6)}. Copies split the credit of one cause between several names, and "
            "cost parameters for nothing."
        ),
        columns=tuple(dict.fromkeys(name for pair in copies for name in pair)),
        effect=len(copies) / len(data.columns),
        affected_rows=data.train_rows,
        suggestion="Keep one column of each group.",
    )


def _chance_agreement(column: Column) -> float:
    """Chance that a shuffled copy of the column equals it: product of (count!) over rows!; 1 for constants."""
    counts = column.value_counts
    return float(np.exp(gammaln(counts + 1).sum() - gammaln(column.rows + 1)))


def _digest(column: Column) -> bytes:
    if column.is_text:
        return hashlib.blake2b("\x1f".join(map(str, column.texts)).encode()).digest()
    return hashlib.blake2b(np.where(column.missing, np.nan, column.numbers + 0.0).tobytes()).digest()


def _copies_everywhere(data: CheckedData, copies: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    left = list(copies)
    if left:
        for chunk in data.stream(sorted({name for pair in left for name in pair})):
            left = [(first, copy) for first, copy in left if same_values(chunk[first], chunk[copy])]
    return left

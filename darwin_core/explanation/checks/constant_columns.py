"""Columns that hold the same value in every training row."""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import Finding, FindingKind, Severity
from darwin_core.explanation.checks.base import CheckedData, DataCheck, register_check
from darwin_core.explanation.checks.columns import Column
from darwin_core.wording import counted, listed


@register_check
class ConstantColumns(DataCheck):
    """Finds columns without any information. A column that is constant in a sample is followed up in all rows."""

    name = "constant columns"

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding for all constant columns together."""
        suspects = [name for name, column in data.columns.items() if column.rows and _only_value(column) is not None]
        if data.is_sampled:
            suspects = _constant_everywhere(data, suspects)
        if not suspects:
            return []
        shown = [f"{name} = {_only_value(data.columns[name])}" for name in suspects]
        return [
            Finding(
                kind=FindingKind.CONSTANT_COLUMN,
                severity=Severity.LOW,
                title=f"{counted(len(suspects), 'column')} without information",
                description=(
                    f"{counted(len(suspects), 'column')} of {len(data.columns):,} "
                    f"{'holds' if len(suspects) == 1 else 'hold'} one single value in all {data.train_rows:,} training "
                    f"rows: {listed(shown, 8)}. A network can learn nothing from them; a value that differs "
                    "later would reach weights that were never trained."
                ),
                columns=tuple(suspects),
                effect=len(suspects) / len(data.columns),
                affected_rows=data.train_rows,
                suggestion="Drop these columns, or find out why they were never filled.",
            )
        ]


def _only_value(column: Column) -> str | None:
    return column.shown(0) if column.value_counts.size == 1 else None


def _constant_everywhere(data: CheckedData, suspects: Sequence[str]) -> list[str]:
    expected = {name: _only_value(data.columns[name]) for name in suspects}
    left = list(suspects)
    if left:
        for chunk in data.stream(left):
            left = [name for name in left if _only_value(chunk[name]) == expected[name]]
    return left

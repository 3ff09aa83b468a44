"""How many equal rows chance alone would make."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import stats

from darwin_core.contracts import ColumnKind
from darwin_core.explanation.checks.base import FALSE_ALARM_RATE, CheckedData
from darwin_core.explanation.checks.columns import Column

_IDENTIFYING = frozenset({ColumnKind.IMAGE, ColumnKind.TENSOR})


def chance_of_equal_rows(data: CheckedData) -> float:
    """Chance that two rows agree in every feature if the features were independent of each other.

    Pictures and tensors are taken to differ always.
    """
    if any(kind in _IDENTIFYING for kind in data.kinds.values()):
        return 0.0
    return float(np.exp(sum(_log_agreement(data.columns.values()))))


def beyond_chance(pairs: int, expected: float) -> bool:
    """Whether more pairs of rows agree than chance explains."""
    return pairs > 0 and bool(stats.poisson.sf(pairs - 1, expected) < FALSE_ALARM_RATE)


def _log_agreement(columns: Iterable[Column]) -> Iterable[float]:
    for column in columns:
        counts, rows = column.value_counts.astype(np.float64), float(column.rows)
        agreeing = float((counts * (counts - 1)).sum())
        # A column whose values never repeat still could: half a pair keeps the estimate above zero.
        yield float(np.log(max(agreeing, 0.5) / max(rows * (rows - 1), 1.0)))

"""Distributions of columns, gathered batch by batch and without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import ColumnKind, ColumnProfile, ColumnSchema
from darwin_core.data.mapped import Array

_BINS = 20
_MAX_SEPARATE_VALUES = 40
_SAMPLE_ROWS = 20_000
_MAX_DISTINCT = 1_000
_CATEGORIES = 200
_MAX_COUNTED = 50_000


def numeric_view(column: pa.Array) -> npt.NDArray[np.float64]:
    """Numbers, booleans and times (seconds since 1970, UTC) as float64; a missing value is NaN."""
    if pa.types.is_timestamp(column.type):
        column = pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def is_numeric(column: ColumnSchema) -> bool:
    """Whether the column has a histogram."""
    return column.kind in (ColumnKind.NUMBER, ColumnKind.INTEGER, ColumnKind.BOOLEAN, ColumnKind.TIME)


class EdgeFinder:
    """Inner bin edges from an evenly spaced sample of the training rows.

    Args:
        columns: Names of the numeric columns.
        rows: How many rows will come; every n-th is kept so that about 20,000 remain.
    """

    def __init__(self, columns: Sequence[str], rows: int) -> None:
        self._stride = max(1, rows // _SAMPLE_ROWS)
        self._offset = 0
        self._seen: dict[str, list[Array]] = {name: [] for name in columns}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in some training rows."""
        for name, parts in self._seen.items():
            values = numeric_view(batch[name])[self._offset :: self._stride]
            parts.append(values[np.isfinite(values)])
        self._offset = (self._offset - batch.num_rows) % self._stride

    def edges(self) -> dict[str, tuple[float, ...]]:
        """Column -> ascending inner edges: between the values where they are few, else at the quantiles."""
        return {name: _edges(np.concatenate(parts)) if parts else () for name, parts in self._seen.items()}


def _edges(sample: Array) -> tuple[float, ...]:
    distinct = np.unique(sample)
    if len(distinct) <= _MAX_SEPARATE_VALUES:
        middles = distinct[:-1] / 2 + distinct[1:] / 2
        return tuple(float(edge) for edge in np.unique(middles))
    quantiles = np.quantile(sample, np.linspace(0, 1, _BINS + 1)[1:-1])
    return tuple(float(edge) for edge in np.unique(quantiles))


class Profiler:
    """Counts one part of the split, batch by batch.

    Args:
        columns: The features.
        factors: Column of image factors in the batches -> name in the profile.
        edges: Numeric column or factor column -> inner bin edges; a value equal to an edge counts above it.
    """

    def __init__(
        self, columns: Sequence[ColumnSchema], factors: Mapping[str, str], edges: Mapping[str, tuple[float, ...]]
    ) -> None:
        self._columns = columns
        self._factors = factors
        self._edges = edges
        self._histograms = {name: np.zeros(len(inner) + 1, np.int64) for name, inner in edges.items()}
        self._categories = {c.name: _Categories() for c in columns if c.kind is ColumnKind.STRING}
        self._distinct = {c.name: _Distinct() for c in columns if is_numeric(c) or c.kind is ColumnKind.STRING}
        self._missing: Counter[str] = Counter()
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in some rows."""
        self.rows += batch.num_rows
        for name, histogram in self._histograms.items():
            values = numeric_view(batch[name])
            present = values[~np.isnan(values)]
            self._missing[name] += len(values) - len(present)
            histogram += np.bincount(np.searchsorted(self._edges[name], present, "right"), minlength=len(histogram))
        for name, categories in self._categories.items():
            self._missing[name] += batch[name].null_count
            categories.add(batch[name].drop_null())
        for name, distinct in self._distinct.items():
            distinct.add(batch[name].drop_null())

    def profile(self) -> tuple[ColumnProfile, ...]:
        """Profiles of all columns; images by their factors, arrays of other kinds not at all."""
        found = [self._column(column) for column in self._columns if column.name in self._distinct]
        found += [
            ColumnProfile(name=name, kind=ColumnKind.NUMBER, edges=self._edges[source], counts=self._counts(source))
            for source, name in self._factors.items()
        ]
        return tuple(found)

    def schemas(self) -> tuple[ColumnSchema, ...]:
        """The features with what was seen of them."""
        return tuple(
            column.model_copy(
                update={
                    "missing_share": self._missing[column.name] / max(self.rows, 1),
                    "distinct": self._distinct[column.name].count if column.name in self._distinct else None,
                }
            )
            for column in self._columns
        )

    def _column(self, column: ColumnSchema) -> ColumnProfile:
        missing = self._missing[column.name]
        if column.kind is ColumnKind.STRING:
            categories = self._categories[column.name].most_frequent()
            return ColumnProfile(name=column.name, kind=column.kind, categories=categories, missing=missing)
        return ColumnProfile(
            name=column.name,
            kind=column.kind,
            edges=self._edges[column.name],
            counts=self._counts(column.name),
            missing=missing,
        )

    def _counts(self, name: str) -> tuple[int, ...]:
        return tuple(int(count) for count in self._histograms[name])


class _Categories:
    """Value counts; where values are very many, the rare ones are forgotten from time to time."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, values: pa.Array) -> None:
        for item in pc.value_counts(values).to_pylist():
            self._counts[item["values"]] += item["counts"]
        if len(self._counts) > _MAX_COUNTED:
            self._counts = Counter(dict(_ranked(self._counts.items())[: _MAX_COUNTED // 2]))

    def most_frequent(self) -> dict[str, int]:
        return dict(_ranked(self._counts.items())[:_CATEGORIES])


def _ranked(items: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(items, key=lambda item: (-item[1], item[0]))


class _Distinct:
    """Counts different values up to a bound."""

    def __init__(self) -> None:
        self._values: set[object] = set()

    def add(self, values: pa.Array) -> None:
        if len(self._values) <= _MAX_DISTINCT:
            self._values.update(pc.unique(values).to_pylist())

    @property
    def count(self) -> int | None:
        return len(self._values) if len(self._values) <= _MAX_DISTINCT else None

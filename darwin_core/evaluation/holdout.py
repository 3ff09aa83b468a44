"""The sealed rows beside their scores: labels, who belongs to whom, alert periods and slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from darwin_core.contracts import Snapshot
from darwin_core.data import MappedSplit, read_columns
from darwin_core.evaluation.cases import Cases, Slice
from darwin_core.evaluation.slicing import cut, slice_names

MIN_DAYS = 10
"""Fewer days are too few to be resampled as wholes: rows are drawn one by one then, and a note says so."""

_ROWS_PER_PERIOD = 50
_MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True)
class Holdout:
    """Everything about the sealed rows except what networks say about them.

    ``names`` holds the slice of every row per cut; ``notes`` what a reader has to know about how rows are resampled;
    ``labels`` the names of the labels where a row can have several.
    """

    cases: Cases
    slices: tuple[Slice, ...]
    names: dict[str, NDArray[np.object_]]
    row_ids: Sequence[str]
    notes: tuple[str, ...]
    labels: tuple[str, ...] = ()


def read_holdout(path: Path, snapshot: Snapshot, split: MappedSplit) -> Holdout:
    """Read the sealed rows.

    Rows of one entity are resampled together where the snapshot names an entity, else rows of one day where it names a
    time with at least ten days; alerts are counted per day then. Times that are plain numbers count as days when many
    rows share each value.

    Args:
        path: The sealed part as a local file.
        snapshot: Its snapshot.
        split: The same part, decoded.
    """
    roles = snapshot.roles
    wanted = dict.fromkeys(
        column for column in (roles.entity, roles.time, *(spec.column for spec in roles.slices)) if column
    )
    table = read_columns(path, list(wanted)) if wanted else pa.table({})
    periods = None if roles.time is None else _periods(table[roles.time])
    clusters, note = _clusters(snapshot, table, periods)
    columns = {spec.column: table[spec.column].to_numpy(zero_copy_only=False) for spec in roles.slices}
    names = slice_names(roles.slices, columns)
    cases = Cases(
        labels=np.asarray(split.labels),
        weights=None if split.weights is None else np.asarray(split.weights, np.float64),
        clusters=clusters,
        periods=periods,
    )
    labels = roles.labels if len(roles.labels) > 1 else ()
    return Holdout(cases, cut(names), names, split.row_ids, (note,) if note else (), labels)


def _clusters(
    snapshot: Snapshot, table: pa.Table, periods: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64] | None, str]:
    roles = snapshot.roles
    if roles.entity is not None:
        return _codes(table[roles.entity]), f"Rows of one {roles.entity} are resampled together."
    if roles.time is None:
        return None, ""
    days = 0 if periods is None else int(periods.max()) + 1
    if days >= MIN_DAYS:
        return periods, f"Rows of one day by {roles.time} are resampled together ({days} days)."
    return None, f"{roles.time} tells fewer than {MIN_DAYS} days apart, so rows are resampled one by one."


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Index of each distinct value; a row without a value stands for itself."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices.fill_null(-1)).astype(np.int64)
    alone = np.flatnonzero(codes < 0)
    codes[alone] = len(encoded.dictionary) + np.arange(len(alone))
    return codes


def _periods(column: pa.ChunkedArray) -> NDArray[np.int64] | None:
    """Index of the day of each row; None where there is only one, or where numbers do not look like days."""
    values: NDArray[Any] = (
        np.asarray(column.cast(pa.timestamp("us")).cast(pa.int64())) // _MICROSECONDS_PER_DAY
        if pa.types.is_temporal(column.type)
        else np.asarray(column)
    )
    days, index = np.unique(values, return_inverse=True)
    is_daily = pa.types.is_temporal(column.type) or len(values) >= _ROWS_PER_PERIOD * len(days)
    return index.astype(np.int64) if len(days) > 1 and is_daily else None

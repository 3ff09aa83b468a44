"""Second pass: staged rows go to their parts, and each side is profiled and fingerprinted on the way."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import ColumnProfile, ColumnSchema
from darwin_core.data.columns import ROW_ID
from darwin_core.data.hashing import hex_text
from darwin_core.data.labels import label_masks, label_text
from darwin_core.data.planning import ColumnPlan
from darwin_core.data.profiles import EdgeFinder, Profiler, is_numeric
from darwin_core.data.staging import ENTITY_HASH, ROW_HASH, SKETCH, Staged, factor_columns
from darwin_core.data.writing import PartWriter
from darwin_core.progress import Reporter

_FINGERPRINTS = pa.schema(
    [("row_id", pa.string()), ("row_hash", pa.string()), ("entity_hash", pa.string()), ("sketch", pa.binary())]
)


class Part(IntEnum):
    """Where a row goes."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2

    @property
    def file(self) -> str:
        """Name of the part's Parquet file."""
        return f"{self.name.lower()}.parquet"


@dataclass(frozen=True)
class Assignment:
    """Staged rows and the part of each: one part for all, or a uint8 per row."""

    staged: Staged
    parts: Part | npt.NDArray[np.uint8]

    def of(self, start: int, count: int) -> npt.NDArray[np.uint8]:
        """Parts of some rows."""
        if isinstance(self.parts, Part):
            return np.full(count, self.parts, np.uint8)
        return self.parts[start : start + count]


@dataclass(frozen=True)
class WrittenParts:
    """What was written.

    Attributes:
        rows: Rows per part.
        label_counts: Label value (or label column, of several) -> rows, per part; empty for regression.
        profiles: "train" (training and validation rows) and "test".
        columns: The features with what was seen in the training rows.
    """

    rows: Mapping[Part, int]
    label_counts: Mapping[Part, dict[str, int]]
    profiles: Mapping[str, tuple[ColumnProfile, ...]]
    columns: tuple[ColumnSchema, ...]


def write_parts(assignments: Sequence[Assignment], plan: ColumnPlan, folder: Path, reporter: Reporter) -> WrittenParts:
    """Write ``train.parquet``, ``validation.parquet``, ``test.parquet`` and the fingerprints of both sides.

    Rows keep the order of their source. The training side, which gives the bin edges, is training and validation.
    """
    edges = _edges(assignments, plan)
    factors = factor_columns(plan)
    profilers = {side: Profiler(plan.features, factors, edges) for side in ("train", "test")}
    labels: dict[Part, Counter[str]] = {part: Counter() for part in Part}
    schema = pa.schema([pa.field(ROW_ID, pa.string()), *plan.schema])
    with contextlib.ExitStack() as stack:
        writers = {part: stack.enter_context(PartWriter(folder / part.file, schema)) for part in Part}
        prints = {
            side: stack.enter_context(PartWriter(folder / f"{side}_fingerprints.parquet", _FINGERPRINTS))
            for side in profilers
        }
        tracker = stack.enter_context(reporter.track("Writing the parts", sum(a.staged.rows for a in assignments)))
        for assignment in assignments:
            start = 0
            for batch in assignment.staged.read():
                parts = assignment.of(start, batch.num_rows)
                for part in Part:
                    rows = batch.filter(pa.array(parts == part))
                    writers[part].write(rows.select(schema.names))
                    _count(labels[part], rows, plan)
                for side, mask in (("train", parts != Part.TEST), ("test", parts == Part.TEST)):
                    rows = batch.filter(pa.array(mask))
                    profilers[side].add(rows)
                    prints[side].write(_fingerprints(rows))
                start += batch.num_rows
                tracker.advance(batch.num_rows)
    return WrittenParts(
        rows={part: writer.rows for part, writer in writers.items()},
        label_counts={part: dict(sorted(counts.items())) for part, counts in labels.items()},
        profiles={side: profiler.profile() for side, profiler in profilers.items()},
        columns=profilers["train"].schemas(),
    )


def _edges(assignments: Sequence[Assignment], plan: ColumnPlan) -> dict[str, tuple[float, ...]]:
    numeric = [column.name for column in plan.features if is_numeric(column)] + list(factor_columns(plan))
    if not numeric:
        return {}
    finder = EdgeFinder(numeric, sum(assignment.staged.rows for assignment in assignments))
    for assignment in assignments:
        start = 0
        for batch in assignment.staged.read(numeric):
            finder.add(batch.filter(pa.array(assignment.of(start, batch.num_rows) != Part.TEST)))
            start += batch.num_rows
    return finder.edges()


def _count(counter: Counter[str], rows: pa.RecordBatch, plan: ColumnPlan) -> None:
    if plan.is_segmentation:
        classes, shape = plan.output.classes, plan.output.positions
        masks = label_masks(rows[plan.roles.label], shape, classes, lambda position: f"row {position}")
        for index in range(classes):
            having = int((masks == index).any(axis=(1, 2)).sum())
            counter.update({str(index): having} if having else {})
    elif plan.is_multilabel:
        for name in plan.roles.labels:
            having = pc.sum(pc.equal(label_text(rows[name]), "1"), min_count=0).as_py()
            counter.update({name: having} if having else {})
    elif not plan.is_regression:
        for item in pc.value_counts(label_text(rows[plan.roles.label])).to_pylist():
            counter[item["values"]] += item["counts"]


def _fingerprints(rows: pa.RecordBatch) -> pa.RecordBatch:
    entities = rows[ENTITY_HASH].to_pylist()
    return pa.RecordBatch.from_arrays(
        [
            rows[ROW_ID],
            pa.array(hex_text(rows[ROW_HASH].to_numpy(zero_copy_only=False)), pa.string()),
            pa.array([None if value is None else f"{value:016x}" for value in entities], pa.string()),
            rows[SKETCH],
        ],
        schema=_FINGERPRINTS,
    )

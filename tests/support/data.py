"""Small data sets and snapshots for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from darwin_core.contracts import (
    ArtifactRef,
    ColumnSchema,
    DataRoles,
    DataSource,
    NetworkInput,
    OutputKind,
    Snapshot,
    SplitConfig,
    SplitPart,
    Task,
)
from darwin_core.data.snapshots import PreparedSnapshot, SourceSet, prepare_snapshot
from darwin_core.data.sources import LocalFile, RowSource, open_source
from darwin_core.progress import Reporter

BINARY = OutputKind(task=Task.BINARY, units=1, from_logits=False)
REGRESSION = OutputKind(task=Task.REGRESSION, units=1, from_logits=False)

_NOWHERE = ArtifactRef(uri="nowhere", sha256="0" * 64, size_bytes=0)
_PART = SplitPart(data=_NOWHERE, rows=1, label_counts={})


def multiclass(units: int) -> OutputKind:
    """The output of a classifier with logits."""
    return OutputKind(task=Task.MULTICLASS, units=units, from_logits=True)


def multilabel(units: int) -> OutputKind:
    """The output of a network with several labels."""
    return OutputKind(task=Task.MULTILABEL, units=units, from_logits=False)


def numbers(*names: str) -> tuple[NetworkInput, ...]:
    """Float inputs of shape (1,)."""
    return tuple(NetworkInput(name=name, shape=(1,), dtype="float32") for name in names)


def opened(path: Path, text: str = "") -> RowSource:
    """A source of one file; ``text`` is what stands behind the path, as in ``#split=train``."""
    source = DataSource.parse(f"{path}{text}")
    return open_source(source, [LocalFile(Path(source.uri), Path(source.uri).name)])


def rows_of(source: RowSource) -> list[dict[str, Any]]:
    """All rows of a source in the types of its own schema."""
    schema = pa.schema(
        [field.with_type(pa.float64()) if pa.types.is_null(field.type) else field for field in source.fields.values()]
    )
    return [row for batch in source.batches(schema) for row in batch.columns.to_pylist()]


def snapshot_of(
    columns: Sequence[ColumnSchema], classes: Sequence[str], label: str, weight: str | None = None
) -> Snapshot:
    """A snapshot document for parts that were written by hand."""
    return Snapshot(
        roles=DataRoles(label=label, weight=weight),
        split=SplitConfig(),
        columns=tuple(columns),
        classes=tuple(classes),
        reference=_NOWHERE,
        train=_PART,
        validation=_PART,
        test=_PART,
        train_profile=_NOWHERE,
        test_profile=_NOWHERE,
        sources={},
        split_rule="by hand",
    )


def prepared(
    folder: Path,
    train: RowSource,
    roles: DataRoles,
    network: tuple[Sequence[NetworkInput], OutputKind],
    *,
    validation: RowSource | None = None,
    test: RowSource | None = None,
    split: SplitConfig | None = None,
) -> PreparedSnapshot:
    """A snapshot prepared below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = SourceSet(train=train, validation=validation, test=test)
    return prepare_snapshot(sources, roles, split or SplitConfig(), network, folder, Reporter())


def part_column(snapshot: PreparedSnapshot, part: str, column: str) -> list[Any]:
    """A column of a written part."""
    found: list[Any] = pq.read_table(snapshot.folder / f"{part}.parquet", columns=[column])[column].to_pylist()
    return found


def png(pixels: np.ndarray[Any, Any], form: str = "PNG") -> bytes:
    """An encoded image."""
    buffer = io.BytesIO()
    options = {"lossless": True} if form == "WEBP" else {}
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()

"""The predictions of all networks on the sealed rows, as one Parquet file that anybody can check the verdict with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from darwin_core.contracts import Task
from darwin_core.evaluation.cases import Answers
from darwin_core.evaluation.holdout import Holdout
from darwin_core.storage import atomic_file

_BLOCK_ROWS = 65_536


def write_evidence(
    path: Path,
    task: Task,
    holdout: Holdout,
    answers: Mapping[str, Answers],
    flags: Mapping[str, NDArray[np.bool_]],
) -> None:
    """Write the evidence, block by block.

    Columns: ``row_id``, ``label``, ``weight`` (where rows have weights), per network ``<name>_score`` (probability of
    the positive class, probability of the predicted class, or predicted value), ``<name>_predicted`` (class index;
    classification only) and ``<name>_alerted`` (where alerts exist), and ``slice:<column>`` per declared slice. Several
    labels have a column each: ``label.<label>``, ``<name>_score.<label>``, ``<name>_predicted.<label>``. Instead of
    masks there is ``<name>_right``, the share of right pixels.

    Args:
        path: Where to write; the file appears only when complete.
        task: What the networks predict.
        holdout: The sealed rows.
        answers: Network -> its answers.
        flags: Network -> rows on its alert queue; may be empty.
    """
    labels, is_mask = np.asarray(holdout.cases.labels), task is Task.SEGMENTATION
    columns: dict[str, NDArray[Any]] = {} if is_mask else _by_label("label", labels, holdout.labels)
    if holdout.cases.weights is not None:
        columns["weight"] = holdout.cases.weights
    for name, one in answers.items():
        columns |= _by_label(f"{name}_score", one.scores, holdout.labels)
        if is_mask:
            columns[f"{name}_right"] = (one.predicted == labels).mean(axis=(1, 2))
        elif task is not Task.REGRESSION:
            columns |= _by_label(f"{name}_predicted", one.predicted, holdout.labels)
        if name in flags:
            columns[f"{name}_alerted"] = flags[name]
    columns |= {f"slice:{name}": values for name, values in holdout.names.items()}
    with atomic_file(path) as file:
        writer: pq.ParquetWriter | None = None
        for start in range(0, holdout.cases.rows, _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            table = pa.table(
                {"row_id": list(holdout.row_ids[block]), **{name: pa.array(v[block]) for name, v in columns.items()}}
            )
            writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
            writer.write_table(table)
        if writer is not None:
            writer.close()


def _by_label(name: str, values: NDArray[Any], labels: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """One column, or one for each of several labels."""
    if values.ndim == 1:
        return {name: values}
    return {f"{name}.{label}": values[:, index] for index, label in enumerate(labels)}

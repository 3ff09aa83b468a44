"""The fix of a shortcut: training rows with the factor neutralised, and the reference trained on with them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from darwin_core.contracts import ColumnKind, OutputKind, Task
from darwin_core.data import ROW_ID, BoundInput, MappedSplit
from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.finder.experiments import Trial
from darwin_core.explanation.finder.findings import affected_rows
from darwin_core.explanation.finder.pool import Ints, Pool, ScoresRows
from darwin_core.networks.inputs import as_structure
from darwin_core.networks.wiring import read_wiring
from darwin_core.progress import Reporter
from darwin_core.storage import atomic_file

_BATCH_ROWS = 128
_LEARNING_RATE = 1e-3
_SCORED_ROWS = 4_096


@dataclass(frozen=True)
class Neutralised:
    """A part of the data whose affected rows have lost the factor.

    Attributes:
        split: The part as it is.
        rows: Positions of the affected rows, ascending.
        inputs: Their inputs, neutralised.
    """

    split: MappedSplit
    rows: Ints
    inputs: Inputs

    def take(self, rows: Ints) -> dict[str, NDArray[Any]]:
        """Inputs of some rows, neutralised where they are affected."""
        places = np.searchsorted(self.rows, rows)
        hit = np.flatnonzero(np.isin(rows, self.rows))
        changed = {name: values[places[hit]] for name, values in self.inputs.items()}
        return _with_rows(self.split.take(rows).inputs, hit, changed)

    def accuracy(self, network: ScoresRows, rule: DecisionRule, rng: np.random.Generator) -> float:
        """Share of these rows, or of a sample where they are many, that a network decides right."""
        rows = np.sort(rng.permutation(self.split.rows)[:_SCORED_ROWS])
        return float((rule.decided(network.scores(self.take(rows))) == np.asarray(self.split.labels)[rows]).mean())


def _with_rows(inputs: Inputs, places: Ints, changed: Inputs) -> dict[str, NDArray[Any]]:
    """A copy of some inputs with other values at some places."""
    taken = {}
    for name, values in inputs.items():
        room = np.promote_types(values.dtype, changed[name].dtype) if values.dtype.kind == "S" else values.dtype
        taken[name] = np.array(values, dtype=room)
        taken[name][places] = changed[name]
    return taken


@dataclass(frozen=True)
class Planting:
    """Gives rows of all classes, drawn at random, the factor that one class had.

    A network that never sees the factor again keeps what it has learned about it; one that sees it anywhere, as often
    as before, unlearns it.

    Attributes:
        trial: The factor, the class and the region.
        pool: Where the donors come from.
        share: Of the rows that get it.
        rng: Draws rows and donors.
    """

    trial: Trial
    pool: Pool
    share: float
    rng: np.random.Generator

    def plant(self, inputs: Inputs) -> Inputs:
        """Some inputs with the factor here and there."""
        count = len(next(iter(inputs.values())))
        places = np.flatnonzero(self.rng.random(count) < self.share)
        if not len(places):
            return inputs
        donors = self.rng.choice(np.flatnonzero(self.trial.inside), len(places))
        recipients = {name: values[places] for name, values in inputs.items()}
        return _with_rows(inputs, places, self.trial.factor.transfer(recipients, self.pool.take(donors)))


def neutralise(trial: Trial, split: MappedSplit, pool: Pool, rng: np.random.Generator) -> Neutralised:
    """Give the affected rows of a part the factor of rows that lack it.

    Args:
        trial: The factor, the class and the region.
        split: The part.
        pool: Where the donors come from.
        rng: Draws them.
    """
    rows = affected_rows(trial, split)
    donors = rng.choice(np.flatnonzero(~trial.inside), len(rows))
    changed = (
        trial.factor.transfer(split.take(rows).inputs, pool.take(donors)) if len(rows) else split.take(rows).inputs
    )
    return Neutralised(split, rows, changed)


def train_on(
    model: keras.Model,
    kind: OutputKind,
    data: Neutralised,
    planting: Planting,
    epochs: int,
    reporter: Reporter,
    *,
    seed: int,
) -> None:
    """Train a network on with the neutralised rows and the factor planted at random, in place.

    The learning rate falls to nothing.

    Args:
        model: The network.
        kind: What its output means.
        data: The training rows.
        planting: Plants the factor.
        epochs: How often every row is seen.
        reporter: Where progress goes.
        seed: Seed of the order of rows.
    """
    wiring = read_wiring(model)
    steps = epochs * -(-data.split.rows // _BATCH_ROWS)
    is_binary = kind.task is Task.BINARY
    loss = keras.losses.BinaryCrossentropy if is_binary else keras.losses.SparseCategoricalCrossentropy
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)),
        loss=loss(from_logits=kind.from_logits),
    )
    with reporter.track("Training the reference on", total=steps) as tracker:
        for epoch in range(epochs):
            for batch in data.split.batches(_BATCH_ROWS, seed=seed + epoch):
                labels = batch.labels.astype(np.float32).reshape(-1, 1) if is_binary else batch.labels
                inputs = as_structure(wiring, planting.plant(data.take(batch.rows)))
                model.train_on_batch(inputs, labels, sample_weight=batch.weights)
                tracker.advance(1)


def write_neutralised(
    source: Path, target: Path, data: Neutralised, bound: tuple[BoundInput, ...], row_id: str | None
) -> None:
    """Write a part of a snapshot with its affected rows neutralised; the file appears whole.

    Args:
        source: The part as it lies in the snapshot.
        target: Where to write.
        data: The affected rows.
        bound: Which column feeds which input.
        row_id: Name of the column of row names; None leaves it out.
    """
    table = pq.read_table(source)
    for item in bound:
        for position, column in enumerate(item.columns):
            values = data.inputs[item.input.name].reshape(len(data.rows), -1) if not column.shape else None
            fresh = _cells(data.inputs[item.input.name], column.kind) if values is None else values[:, position]
            table = _replaced(table, column.name, data.rows, fresh)
    names = table.column_names
    if row_id is None or row_id in names:
        table = table.drop_columns([ROW_ID])
    else:
        table = table.rename_columns([row_id if name == ROW_ID else name for name in names])
    with atomic_file(target) as file:
        pq.write_table(table, file, compression="zstd")


def _cells(pictures: NDArray[Any], kind: ColumnKind) -> list[Any]:
    """Values of an image or array column."""
    if kind is not ColumnKind.IMAGE:
        return [list(row.reshape(-1)) for row in pictures]
    return [_png(picture) for picture in np.clip(pictures.round(), 0, 255).astype(np.uint8)]


def _png(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture.squeeze()).save(buffer, "PNG")
    return buffer.getvalue()


def _replaced(table: pa.Table, name: str, rows: Ints, values: Any) -> pa.Table:
    column = table[name].combine_chunks()
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    fresh = pa.array([_plain(value) for value in values], from_pandas=True)
    changed = pc.replace_with_mask(column, pa.array(mask), fresh.cast(column.type, safe=False))
    return table.set_column(table.column_names.index(name), table.schema.field(name), changed)


def _plain(value: Any) -> Any:
    """A value as Arrow takes it; text decoded, missing text as None."""
    if isinstance(value, bytes) and not value.startswith(b"\x89PNG"):
        return value.decode() or None
    return value

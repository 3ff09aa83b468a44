"""The reference network of the demo: what a credit-risk team would train for a table, preprocessing included.

``build_table_reference`` and ``train_table_reference`` serve any table of text and number columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from darwin_core.contracts import DataRoles, DataSource
from darwin_core.demo.data import LABEL, ROW_ID
from darwin_core.demo.tables import TableColumn, TrainingTable, read_table
from darwin_core.progress import Reporter, Tracker

OUTPUT_NAME = "default_probability"
_VALIDATION_SHARE = 0.15
_ONE_HOT_WORDS = 12
_CLIP = 6.0


@dataclass(frozen=True)
class Recipe:
    """How a table network is built and trained."""

    widths: tuple[int, ...] = (512, 512, 256, 128)
    dropout: float = 0.3
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 512
    epochs: int = 30
    patience: int = 6


@dataclass(frozen=True)
class TrainedReference:
    """A trained reference and how it did on the validation rows it was stopped by."""

    path: Path
    parameters: int
    epochs: int
    validation: dict[str, float]


def train_reference(train_path: Path, output: Path, reporter: Reporter, seed: int = 0) -> TrainedReference:
    """Train the demo's reference and save it.

    Args:
        train_path: ``train.parquet`` of ``write_demo_data``.
        output: Where to save the network; ends in ``.keras``.
        reporter: Where progress goes.
        seed: Seed of initialisation, order of rows and dropout.
    """
    roles = DataRoles(label=LABEL, row_id=ROW_ID)
    return train_table_reference(
        DataSource(uri=str(train_path)),
        roles,
        output,
        reporter,
        seed=seed,
        output_name=OUTPUT_NAME,
    )


def train_table_reference(
    source: DataSource,
    roles: DataRoles,
    output: Path,
    reporter: Reporter,
    *,
    seed: int = 0,
    regression: bool = False,
    output_name: str = "prediction",
    recipe: Recipe | None = None,
) -> TrainedReference:
    """Train a network on any local table and save it, compiled, as ``.keras``.

    A seventh of the rows (per class) only decides when to stop; the best epoch's weights are kept. They are not the
    rows by which a compaction judges: on rows that chose its epoch, a reference looks better than it is.

    Args:
        source: A local file and the rows of it.
        roles: The label, and the columns that are no features.
        output: Where to save the network.
        reporter: Where progress goes.
        seed: Seed of initialisation, order of rows and dropout.
        regression: Predict the label as a number.
        output_name: Name of the output layer.
        recipe: Widths and training settings.

    Raises:
        DataError: The table cannot be used.
    """
    recipe = recipe or Recipe()
    keras.utils.set_random_seed(seed)
    table = read_table(source, roles, regression=regression)
    model = build_table_reference(
        table.columns, len(table.classes) or None, widths=recipe.widths, dropout=recipe.dropout, output_name=output_name
    )
    held_out = _held_out(table, seed)
    train_rows, stop_rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    steps = math.ceil(len(train_rows) / recipe.batch_size)
    monitor = _compile(model, table, recipe, steps)
    with reporter.track("Training the reference", recipe.epochs) as tracker:
        history = model.fit(
            _dataset(table, train_rows, recipe.batch_size, seed=seed),
            validation_data=_dataset(table, stop_rows, 4 * recipe.batch_size, seed=None),
            epochs=recipe.epochs,
            verbose=0,
            shuffle=False,  # the data set shuffles itself
            callbacks=[
                keras.callbacks.EarlyStopping(
                    monitor,
                    mode="min" if monitor == "val_loss" else "max",
                    patience=recipe.patience,
                    restore_best_weights=True,
                ),
                _Progress(tracker, monitor),
            ],
        ).history
    _save(model, output)
    best = int((np.argmin if monitor == "val_loss" else np.argmax)(history[monitor]))
    return TrainedReference(
        path=output,
        parameters=int(model.count_params()),
        epochs=len(history["loss"]),
        validation={name.removeprefix("val_"): values[best] for name, values in history.items() if name[:4] == "val_"},
    )


def build_table_reference(
    columns: Sequence[TableColumn],
    classes: int | None,
    *,
    widths: Sequence[int] = (512, 512, 256, 128),
    dropout: float = 0.3,
    output_name: str = "prediction",
) -> keras.Model:
    """A multilayer perceptron over named raw columns; all preprocessing is inside.

    Text goes through a vocabulary into one-hot codes or, from 12 values on, an embedding. Numbers are normalised and
    clipped to six standard deviations; a missing number becomes the mean, and a flag says that it was missing.

    Args:
        columns: The inputs, with means and vocabularies.
        classes: Number of classes; 2 gives one sigmoid output, None a number.
        widths: Units of the hidden layers.
        dropout: Share of units dropped behind each hidden layer but the last.
        output_name: Name of the output layer.

    Returns:
        An uncompiled network whose inputs are a dict, named like the columns, each of shape (1,).
    """
    inputs = {
        column.name: keras.Input((1,), name=column.name, dtype="string" if column.words else "float32")
        for column in columns
    }
    features = [_text(column, inputs[column.name]) for column in columns if column.words]
    numbers = [column for column in columns if not column.words]
    if numbers:
        features += _numbers(numbers, [inputs[column.name] for column in numbers])
    x = _joined(features, "features")
    for position, width in enumerate(widths):
        x = keras.layers.Dense(width, use_bias=False, name=f"dense_{position + 1}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{position + 1}")(x)
        x = keras.layers.ReLU(name=f"relu_{position + 1}")(x)
        if dropout and position + 1 < len(widths):
            x = keras.layers.Dropout(dropout, name=f"dropout_{position + 1}")(x)
    units = 1 if classes is None or classes == 2 else classes
    activation = None if classes is None else "sigmoid" if units == 1 else "softmax"
    output = keras.layers.Dense(units, activation=activation, name=output_name)(x)
    return keras.Model(inputs, output, name="table_reference")


def _text(column: TableColumn, tensor: Any) -> Any:
    words = list(column.words)
    name = _layer_name(column.name)
    if len(words) < _ONE_HOT_WORDS:
        return keras.layers.StringLookup(vocabulary=words, output_mode="one_hot", name=f"{name}_one_hot")(tensor)
    codes = keras.layers.StringLookup(vocabulary=words, name=f"{name}_lookup")(tensor)
    size = min(24, math.ceil(1.6 * len(words) ** 0.56))
    embedded = keras.layers.Embedding(len(words) + 1, size, name=f"{name}_embedding")(codes)
    return keras.layers.Flatten(name=f"{name}_flat")(embedded)


def _numbers(columns: Sequence[TableColumn], tensors: Sequence[Any]) -> list[Any]:
    # One Normalization per column, as the preprocessing layers are meant to be used: a column that is no longer read
    # then takes its own normalisation with it.
    normalized = [
        keras.layers.Normalization(
            axis=None, mean=column.mean, variance=column.variance, name=f"{_layer_name(column.name)}_normalized"
        )(tensor)
        for column, tensor in zip(columns, tensors, strict=True)
    ]
    found = [keras.ops.clip(keras.ops.nan_to_num(_joined(normalized, "numbers")), -_CLIP, _CLIP)]
    gaps = [tensor for column, tensor in zip(columns, tensors, strict=True) if column.has_missing]
    if gaps:
        found.append(keras.ops.cast(keras.ops.isnan(_joined(gaps, "gaps")), "float32"))
    return found


def _joined(tensors: Sequence[Any], name: str) -> Any:
    return keras.layers.Concatenate(name=name)(list(tensors)) if len(tensors) > 1 else tensors[0]


def _layer_name(column: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in column)


def _compile(model: keras.Model, table: TrainingTable, recipe: Recipe, steps: int) -> str:
    """Compile for the task; returns the figure that decides when to stop."""
    schedule = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.epochs * steps, alpha=0.05)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)
    if not table.classes:
        model.compile(optimizer, loss="mean_squared_error")
    elif len(table.classes) == 2:
        model.compile(optimizer, loss="binary_crossentropy", metrics=[keras.metrics.AUC(curve="PR", name="pr_auc")])
        return "val_pr_auc"
    else:
        model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return "val_loss"


def _held_out(table: TrainingTable, seed: int) -> npt.NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    groups = table.labels if table.classes else np.zeros(len(table.labels), np.int32)
    held_out = np.zeros(len(groups), bool)
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        held_out[members[: round(_VALIDATION_SHARE * len(members))]] = True
    return held_out


def _dataset(table: TrainingTable, rows: npt.NDArray[np.int64], batch_size: int, *, seed: int | None) -> Any:
    values = {name: tf.constant(column) for name, column in table.values.items()}
    labels = tf.constant(table.labels.reshape(-1, 1) if len(table.classes) < 3 else table.labels)
    indices = tf.data.Dataset.from_tensor_slices(rows)
    if seed is not None:
        indices = indices.shuffle(len(rows), seed=seed)

    def gather(batch: Any) -> tuple[dict[str, Any], Any]:
        return {name: tf.gather(column, batch) for name, column in values.items()}, tf.gather(labels, batch)

    return indices.batch(batch_size).map(gather, num_parallel_calls=2).prefetch(2)


def _save(model: keras.Model, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.stem}.partial.keras")
    model.save(partial)
    partial.replace(output)


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """One tick per epoch."""

    def __init__(self, tracker: Tracker, monitor: str) -> None:
        super().__init__()
        self._tracker, self._monitor = tracker, monitor

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report the epoch's validation figure."""
        value = (logs or {}).get(self._monitor)
        self._tracker.advance(1, f"epoch {epoch + 1}" + (f", {self._monitor} {value:.4f}" if value is not None else ""))

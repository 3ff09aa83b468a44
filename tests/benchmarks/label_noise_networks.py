"""Networks for the label-noise cases: a reference as a team would train it, the same once per fold, a distilled candidate."""

from __future__ import annotations

import time
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from planted import picture_network, read_pictures, read_rows

from darwin_core.contracts import OutputKind, Task
from darwin_core.data import MappedSplit
from darwin_core.demo.reference import build_table_reference
from darwin_core.demo.tables import TableColumn
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.networks import Predictor
from darwin_core.training import PLAIN, DistillationData, Distiller, TrainingPlan, prepare_runtime

FOLDS = 3
TRAIN_ROWS = {"gtsrb": 3000, "fashion": 3000, "bank": 6000, "taiwan": 6000}
"""Training rows of each data set; what the other scripts draw as well."""
_EPOCHS = {"gtsrb": 10, "fashion": 10, "bank": 8, "taiwan": 8}
_CANDIDATE_EPOCHS = 10
_SMALLEST_WORD_COUNT = 5


@dataclass(frozen=True)
class Data:
    """Rows of one case with their right labels, training rows first."""

    inputs: dict[str, np.ndarray]
    labels: np.ndarray
    train_rows: int
    classes: int

    def split(self, rows: np.ndarray, labels: np.ndarray) -> MappedSplit:
        """Some rows with the labels that they are given."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        types = {
            name: np.dtype("float32") if values.dtype == np.uint8 else values.dtype for name, values in inputs.items()
        }
        return MappedSplit(inputs, types, labels[rows].astype(np.int32), None, [f"r{row}" for row in rows])


def read_data(folder, name: str, seed: int) -> Data:
    """A sub-sample of a data set."""
    if name in ("gtsrb", "fashion"):
        (train, labels), (other, other_labels) = read_pictures(folder, name, seed)
        rows = TRAIN_ROWS[name]
        every = np.concatenate([labels[:rows], other_labels])
        return Data({"image": np.concatenate([train[:rows], other])}, every, rows, int(every.max()) + 1)
    columns, labels, _ = read_rows(folder, name, seed)
    inputs = {}
    for column, values in columns.items():
        text = values.dtype.kind == "O"
        inputs[column] = np.array([str(value).encode() for value in values]) if text else values.astype(np.float32)
    return Data({column: values[:, None] for column, values in inputs.items()}, labels, TRAIN_ROWS[name], 2)


class Case:
    """One data set with the labels that its networks are trained on."""

    def __init__(self, name: str, data: Data, labels: np.ndarray, seed: int) -> None:
        self.name, self.data, self.labels, self.seed = name, data, labels, seed
        self._network: keras.Model | None = None
        self.is_pictures = "image" in data.inputs
        self.kind = (
            OutputKind(task=Task.MULTICLASS, units=data.classes, from_logits=True)
            if self.is_pictures
            else OutputKind(task=Task.BINARY, units=1, from_logits=False)
        )

    def reference(self, rows: np.ndarray) -> keras.Model:
        """Train the reference on these rows, for as many steps as all of them would give."""
        batch = self.data.split(rows, self.labels).take(np.arange(len(rows)))
        size, total = (64 if self.is_pictures else 128), self.data.train_rows
        if self._network is None:
            keras.utils.set_random_seed(self.seed)
            self._network = self._reference_network(_EPOCHS[self.name] * -(-total // size))
            self._start = [variable.numpy() for variable in self._network.variables]
        for variable, value in zip(self._network.variables, self._start, strict=True):
            variable.assign(value)
        for variable in self._network.optimizer.variables:
            if variable.shape == () and "learning_rate" in variable.path:
                continue
            variable.assign(np.zeros(variable.shape, variable.dtype))
        labels = batch.labels if self.is_pictures else batch.labels[:, None]
        inputs = {name: tf.constant(values) for name, values in batch.inputs.items()}
        self._network.fit(
            inputs["image"] if self.is_pictures else inputs,
            labels,
            batch_size=size,
            epochs=round(_EPOCHS[self.name] * total / len(rows)),
            verbose=0,
        )
        return self._network

    def _reference_network(self, steps: int) -> keras.Model:
        rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
        if self.is_pictures:
            model = picture_network(self.data.inputs["image"].shape[1:], self.data.classes, self.seed)
            model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        else:
            model = self._table_network((96, 48), 0.1)
            model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
        model.optimizer.build(model.trainable_variables)
        return model

    def candidate(self, reference: keras.Model, rows: np.ndarray) -> keras.Model:
        """Distil a network of some thousand parameters from the reference, as a search would at its end."""
        prepare_runtime(self.seed)
        if self.is_pictures:
            model = tiny_picture_network(self.data.inputs["image"].shape[1:], self.data.classes)
        else:
            model = self._table_network((8,), 0.0)
        split = self.data.split(rows, self.labels)
        outputs = Predictor(reference)(split.take(np.arange(len(rows))).inputs, batch_size=1024)
        plan = TrainingPlan.for_data(_CANDIDATE_EPOCHS * len(rows), images=self.is_pictures)
        Distiller(self.kind, DistillationData(split, ((PLAIN, outputs.astype(np.float32)),))).train(
            model, plan, seed=self.seed
        )
        return model

    def scores(self, model: keras.Model, rows: np.ndarray) -> np.ndarray:
        """Scores as the explain step has them."""
        inputs = self.data.split(rows, self.labels).take(np.arange(len(rows))).inputs
        return NetworkScorer(model, self.kind).scores(inputs)

    def _table_network(self, widths: tuple[int, ...], dropout: float) -> keras.Model:
        columns = []
        for name, values in self.data.inputs.items():
            known = values[: self.data.train_rows]
            if known.dtype.kind == "S":
                words, counts = np.unique(known, return_counts=True)
                words = tuple(word.decode() for word in words[counts >= _SMALLEST_WORD_COUNT])
                columns.append(TableColumn(name, words=words))
            else:
                spread = float(np.nanvar(known)) or 1.0
                columns.append(TableColumn(name, (), float(np.nanmean(known)), spread, bool(np.isnan(known).any())))
        return build_table_reference(columns, 2, widths=widths, dropout=dropout)


def tiny_picture_network(shape: tuple[int, ...], classes: int) -> keras.Model:
    """A convolutional network of 5,000 (10 classes) to 14,000 parameters (43)."""
    image = keras.Input(shape, name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    for filters in (8, 12, 16):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(image, keras.layers.Dense(classes)(keras.layers.Flatten()(x)))


def train_and_score(case: Case, *, folds: bool = True) -> dict[str, np.ndarray]:
    """Everything that is asked about a case: scores of both networks on all rows, of the reference out of fold, seconds."""
    train, every = np.arange(case.data.train_rows), np.arange(len(case.labels))
    clock = [time.process_time()]
    reference = case.reference(train)
    clock.append(time.process_time())
    candidate = case.candidate(reference, train)
    clock.append(time.process_time())
    found = {"reference": case.scores(reference, every), "candidate": case.scores(candidate, every)}
    if folds:
        found["out_of_fold"] = np.zeros_like(found["reference"][: len(train)])
        parts = np.random.default_rng(case.seed).integers(0, FOLDS, len(train))
        started = time.process_time()
        for part in range(FOLDS):
            model = case.reference(train[parts != part])
            found["out_of_fold"][parts == part] = case.scores(model, train[parts == part])
        clock.append(time.process_time())
        found["fold_seconds"] = np.array(clock[-1] - started)
    found["parameters"] = np.array([reference.count_params(), candidate.count_params()])
    found["seconds"] = np.diff(clock[:3])
    return found

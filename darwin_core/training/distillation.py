"""Distillation: a network learns from the labels and from the cached outputs of the reference at the same time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from darwin_core.contracts import OutputKind
from darwin_core.data import MappedSplit
from darwin_core.data.permutation import Permutation
from darwin_core.progress import Tracker
from darwin_core.training.checkpoint import load_checkpoint, save_checkpoint
from darwin_core.training.front import TrainedPart
from darwin_core.training.losses import RowLoss, distillation_losses, label_losses
from darwin_core.training.normalization import fast_normalization
from darwin_core.training.optimizer import FlatAdamW
from darwin_core.training.plan import TrainingPlan
from darwin_core.training.recalibration import recalibrate
from darwin_core.training.runtime import reseed, stable_seed, without_dropout
from darwin_core.training.views import PLAIN, View

Lesson = tuple[dict[str, Any], Any, Any, Any]

_CHUNK_ROWS = 4_096
_CHUNK_BYTES = 24 << 20
_CHECKPOINT_SECONDS = 20.0
_RECALIBRATION_ROWS = 4096
_TRIAL_STEPS = 16
_RECALIBRATION_BATCH = 256


@dataclass(frozen=True)
class DistillationData:
    """Training rows beside the teacher's outputs on each of their views.

    Attributes:
        split: The training rows.
        views: Views in the order in which the epochs use them, each with the teacher's outputs, shape (rows, units).
    """

    split: MappedSplit
    views: tuple[tuple[View, npt.NDArray[np.float32]], ...]

    def take(self, start: int, count: int, seed: int) -> Lesson:
        """Rows ``start`` to ``start + count`` of the endless shuffled sequence that ``seed`` determines.

        Returns:
            Inputs, labels, sample weights and teacher outputs, ``count`` rows each.
        """
        pieces = []
        while count > 0:
            epoch, offset = divmod(start, self.split.rows)
            length = min(count, self.split.rows - offset)
            pieces.append(self._piece(epoch, offset, length, seed))
            start, count = start + length, count - length
        if len(pieces) == 1:
            return pieces[0]
        inputs = {name: np.concatenate([piece[0][name] for piece in pieces]) for name in pieces[0][0]}
        labels, weights, outputs = (np.concatenate([piece[part] for piece in pieces]) for part in (1, 2, 3))
        return inputs, labels, weights, outputs

    def _piece(self, epoch: int, offset: int, length: int, seed: int) -> Lesson:
        order = Permutation(self.split.rows, stable_seed(seed, "epoch", epoch))
        rows = order(np.arange(offset, offset + length, dtype=np.int64))
        view, outputs = self.views[epoch % len(self.views)]
        batch = self.split.take(rows)
        inputs = batch.inputs if view is PLAIN else view.inputs(self.split, rows)
        weights = np.ones(length, np.float32) if batch.weights is None else batch.weights
        return inputs, batch.labels, weights, np.asarray(outputs[rows])


@dataclass(frozen=True)
class TrainingOutcome:
    """What a stint of training did; fewer samples than planned where time ran out first."""

    samples: int
    seconds: float


class Distiller:
    """Trains networks in place, each stint a pure function of network, data, plan and seed.

    Args:
        kind: How to read the outputs of reference and network alike.
        data: Training rows and teacher outputs.
        loss: The reference's own loss; None: the usual one for ``kind``.
        teacher_loss: Makes the distance to the teacher's outputs at a temperature.
    """

    def __init__(
        self,
        kind: OutputKind,
        data: DistillationData,
        loss: keras.losses.Loss | None = None,
        teacher_loss: Callable[[OutputKind, float], RowLoss] = distillation_losses,
    ) -> None:
        self._kind, self._data, self._labels = kind, data, label_losses(kind, loss)
        self._teacher_loss = teacher_loss
        mean = 1.0 if data.split.weights is None else float(np.mean(data.split.weights))
        self._weight_scale = 1.0 / max(mean, 1e-12)

    def train(
        self,
        network: keras.Model,
        plan: TrainingPlan,
        *,
        seed: int,
        checkpoint: Path | None = None,
        tracker: Tracker | None = None,
        seconds_left: Callable[[], float] = lambda: math.inf,
    ) -> TrainingOutcome:
        """Train ``network`` for one stint and recalibrate its batch normalisation.

        Args:
            network: Changed in place.
            plan: How much and how.
            seed: Determines the order of the rows and every random operation inside the network.
            checkpoint: File from which a killed stint goes on; None: a killed stint starts again.
            tracker: Advances by rows of the plan; where the clock makes the schedule run faster, so does this.
            seconds_left: Asked between chunks. Where the rows of the plan do not fit, the learning rate falls faster,
                so that the stint is over in time and ends at a rate near zero nevertheless.
        """
        started = time.monotonic()
        part = TrainedPart(network)
        reseed(network, seed)
        optimizer = _optimizer(network, plan)
        losses = (self._labels, self._teacher_loss(self._kind, plan.temperature))
        with without_dropout(network), fast_normalization(network):
            step = _step_function(network, optimizer, part, plan, losses, _signature(self._tensors(part, 0, 1, seed)))
        position = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        state = _distinct([*network.variables, *optimizer.variables, position])
        done = load_checkpoint(checkpoint, state) if checkpoint else 0
        if tracker and done:
            tracker.advance(float(position) * plan.batch_size, "resumed")
        saved = begun = time.monotonic()
        chunks, first = self._chunks(part, plan, done, seed), done
        for steps, tensors in chunks:
            spent = (time.monotonic() - begun) / max(done - first, 1)
            affordable = seconds_left() / spent if done > first else math.inf
            pace = max(1.0, (plan.steps - float(position)) / max(affordable, steps))
            step(*tensors, tf.constant(steps), position, tf.constant(pace, tf.float64))
            done += steps
            position.assign_add(steps * pace)
            if tracker:
                tracker.advance(steps * pace * plan.batch_size)
            if seconds_left() <= 0 or position >= plan.steps:
                break
            if checkpoint and done < plan.steps and time.monotonic() - saved > _CHECKPOINT_SECONDS:
                save_checkpoint(checkpoint, done, state)
                saved = time.monotonic()
        chunks.close()
        optimizer.finish()
        recalibrate(network, self._plain_batches(), part)
        return TrainingOutcome(done * plan.batch_size, time.monotonic() - started)

    def _chunks(self, part: TrainedPart, plan: TrainingPlan, done: int, seed: int) -> Generator[tuple[int, Lesson]]:
        """What is left of a stint in pieces, each a number of steps and their rows; the next is read meanwhile."""
        size = self._chunk_steps(plan)

        def read(start: int) -> tuple[int, Lesson]:
            steps = min(size, plan.steps - start)
            return steps, self._tensors(part, start * plan.batch_size, steps * plan.batch_size, seed)

        starts = range(done, plan.steps, size)
        with ThreadPoolExecutor(max_workers=1) as pool:
            coming = [pool.submit(read, start) for start in starts[:1]]
            for start in starts[1:]:
                ready = coming.pop().result()
                coming.append(pool.submit(read, start))
                yield ready
            yield from (last.result() for last in coming)

    def trial(self, network: keras.Model, plan: TrainingPlan) -> tuple[int, float]:
        """How long a few steps take once everything is built.

        Args:
            network: Changed in place.
            plan: How it would be trained.

        Returns:
            Rows, and the seconds that they took.
        """
        part, optimizer = TrainedPart(network), _optimizer(network, plan)
        losses = (self._labels, self._teacher_loss(self._kind, plan.temperature))
        rows = self._tensors(part, 0, _TRIAL_STEPS * plan.batch_size, seed=0)
        with without_dropout(network), fast_normalization(network):
            step = _step_function(network, optimizer, part, plan, losses, _signature(rows))
        schedule = (tf.constant(0.0, tf.float64), tf.constant(1.0, tf.float64))
        step(*rows, tf.constant(1), *schedule)
        started = time.monotonic()
        step(*rows, tf.constant(_TRIAL_STEPS), *schedule)
        return _TRIAL_STEPS * plan.batch_size, time.monotonic() - started

    def recalibrate(self, network: keras.Model) -> None:
        """Measure the network's batch-norm statistics on training rows."""
        recalibrate(network, self._plain_batches())

    def _plain_batches(self) -> Any:
        for batch in self._data.split.batches(_RECALIBRATION_BATCH, seed=0, limit=_RECALIBRATION_ROWS):
            yield batch.inputs

    def _chunk_steps(self, plan: TrainingPlan) -> int:
        row = sum(values[:1].nbytes for values in self._data.split.take([0]).inputs.values())
        rows = min(_CHUNK_ROWS, _CHUNK_BYTES // max(row, 1))
        return max(1, rows // plan.batch_size)

    def _tensors(self, part: TrainedPart, start: int, count: int, seed: int) -> Lesson:
        inputs, labels, weights, outputs = self._data.take(start, count, seed)
        scaled = weights * np.float32(self._weight_scale)
        tensors = dict(part.prepare({name: tf.constant(values) for name, values in inputs.items()}))
        return tensors, tf.constant(labels), tf.constant(scaled), tf.constant(outputs)


def _signature(tensors: Any) -> Any:
    specs = keras.tree.map_structure(lambda tensor: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype), tensors)
    return (*specs, tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.float64), tf.TensorSpec((), tf.float64))


def _optimizer(network: keras.Model, plan: TrainingPlan) -> FlatAdamW:
    return FlatAdamW(network.trainable_variables, weight_decay=plan.weight_decay, ema_momentum=plan.ema_momentum)


def _rate(plan: TrainingPlan, position: Any) -> Any:
    """The learning rate at a position between 0 and ``plan.steps``: linear warm-up, then half a cosine down to zero."""
    progress = tf.minimum(position / plan.steps, 1.0)
    warmup = max(plan.warmup_share, 1e-9)
    falling = 0.5 * (1.0 + tf.cos(math.pi * (progress - warmup) / (1.0 - warmup)))
    return tf.cast(plan.peak_rate * tf.where(progress < warmup, progress / warmup, falling), tf.float32)


def _step_function(
    network: keras.Model,
    optimizer: FlatAdamW,
    part: TrainedPart,
    plan: TrainingPlan,
    losses: tuple[RowLoss, RowLoss],
    signature: Any,
) -> Callable[..., Any]:
    """A compiled loop over the batches of a chunk: one call from Python serves many steps.

    Beside the chunk it takes the number of steps, their first position in the schedule, and the pace at which they
    pass through it.
    """
    label_loss, teacher_loss = losses
    variables, size, share = network.trainable_variables, plan.batch_size, plan.teacher_share

    def batch_of(values: Any, index: Any) -> Any:
        return values[index * size : (index + 1) * size]

    def learn(index: Any, inputs: Mapping[str, Any], labels: Any, weights: Any, teacher: Any) -> None:
        rows = {name: batch_of(values, index) for name, values in inputs.items()}
        with tf.GradientTape() as tape:
            outputs = part.run(rows)
            per_row = (1.0 - share) * label_loss(batch_of(labels, index), outputs)
            per_row += share * teacher_loss(batch_of(teacher, index), outputs)
            loss = tf.reduce_mean(per_row * batch_of(weights, index))
        optimizer.apply(tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO))

    def run(
        inputs: Mapping[str, Any], labels: Any, weights: Any, teacher: Any, steps: Any, position: Any, pace: Any
    ) -> None:
        def body(index: Any) -> tuple[Any]:
            optimizer.learning_rate.assign(_rate(plan, position + pace * (tf.cast(index, tf.float64) + 0.5)))
            learn(index, inputs, labels, weights, teacher)
            return (index + 1,)

        tf.while_loop(lambda index: index < steps, body, (tf.constant(0),), parallel_iterations=1)

    # One signature for chunks of any length and no rewriting of Python code: tracing takes longer than many small
    # networks train.
    compiled: Callable[..., Any] = tf.function(run, autograph=False).get_concrete_function(*signature)
    return compiled


def _distinct(variables: list[Any]) -> list[Any]:
    seen: dict[int, Any] = {}
    for variable in variables:
        seen.setdefault(id(variable), variable)
    return list(seen.values())

"""Distillation: a network learns from the labels and from the cached outputs of the reference at the same time."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from darwin_core.contracts import OutputKind
from darwin_core.progress import Tracker
from darwin_core.training.checkpoint import load_checkpoint, save_checkpoint
from darwin_core.training.compilation import gains_by_compiling
from darwin_core.training.front import TrainedPart
from darwin_core.training.lessons import DistillationData, Lesson, Lessons, plain_batches
from darwin_core.training.losses import RowLoss, distillation_losses, label_losses
from darwin_core.training.normalization import fast_normalization
from darwin_core.training.optimizer import FlatAdamW
from darwin_core.training.plan import TrainingPlan
from darwin_core.training.recalibration import recalibrate
from darwin_core.training.runtime import reseed, without_dropout

_CHECKPOINT_SECONDS = 20.0
_TRIAL_STEPS = 16


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
        lessons = Lessons(self._data, TrainedPart(network), plan, seed)
        reseed(network, seed)
        optimizer = _optimizer(network, plan)
        losses = (self._labels, self._teacher_loss(self._kind, plan.temperature))
        position = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        state = _distinct([*network.variables, *optimizer.variables, position])
        done = load_checkpoint(checkpoint, state) if checkpoint else 0
        if tracker and done:
            tracker.advance(float(position) * plan.batch_size, "resumed")
        chunks, first = lessons.chunks(done), done
        beginning = next(chunks)
        with without_dropout(network), fast_normalization(network):
            step = _step_function(network, optimizer, lessons.part, plan, losses, beginning[1])
        saved = begun = time.monotonic()
        for steps, tensors in itertools.chain([beginning], chunks):
            spent = (time.monotonic() - begun) / max(done - first, 1)
            affordable = seconds_left() / spent if done > first else math.inf
            pace = max(1.0, (plan.steps - float(position)) / max(affordable, steps))
            step(*tensors, tf.constant(steps), *_schedule(position, pace))
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
        recalibrate(network, lessons.plain_batches(), lessons.part)
        return TrainingOutcome(done * plan.batch_size, time.monotonic() - started)

    def trial(self, network: keras.Model, plan: TrainingPlan) -> tuple[int, float]:
        """How long a few steps take once everything is built.

        Args:
            network: Changed in place.
            plan: How it would be trained.

        Returns:
            Rows, and the seconds that they took.
        """
        lessons, optimizer = Lessons(self._data, TrainedPart(network), plan, seed=0), _optimizer(network, plan)
        losses = (self._labels, self._teacher_loss(self._kind, plan.temperature))
        rows = lessons.first(_TRIAL_STEPS * plan.batch_size)
        with without_dropout(network), fast_normalization(network):
            step = _step_function(network, optimizer, lessons.part, plan, losses, rows)
        step(*rows, tf.constant(1), *_schedule(0.0))
        started = time.monotonic()
        step(*rows, tf.constant(_TRIAL_STEPS), *_schedule(0.0))
        return _TRIAL_STEPS * plan.batch_size, time.monotonic() - started

    def recalibrate(self, network: keras.Model) -> None:
        """Measure the network's batch-norm statistics on training rows."""
        recalibrate(network, plain_batches(self._data.split))


def _signature(tensors: Any) -> Any:
    specs = keras.tree.map_structure(lambda tensor: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype), tensors)
    return (*specs, tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.float64), tf.TensorSpec((), tf.float64))


def _schedule(position: Any, pace: float = 1.0) -> tuple[Any, Any]:
    """Where in its schedule a chunk begins, and how fast it passes through it, as a step function takes them."""
    return tf.convert_to_tensor(position, tf.float64), tf.constant(pace, tf.float64)


def _optimizer(network: keras.Model, plan: TrainingPlan) -> FlatAdamW:
    return FlatAdamW(
        network.trainable_variables,
        weight_decay=plan.weight_decay,
        orthogonal_kernels=plan.orthogonal_kernels,
        ema_momentum=plan.ema_momentum,
    )


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
    chunk: Lesson,
) -> Callable[..., Any]:
    """A traced loop over the batches of a chunk: one call from Python serves many steps.

    Beside a chunk like the one given it takes the number of steps, their first position in the schedule, and the pace
    at which they pass through it.
    """
    label_loss, teacher_loss = losses
    variables, size, share = network.trainable_variables, plan.batch_size, plan.teacher_share

    def learn(inputs: Mapping[str, Any], labels: Any, weights: Any, teacher: Any) -> None:
        with tf.GradientTape() as tape:
            outputs = part.run(inputs)
            per_row = (1.0 - share) * label_loss(labels, outputs) + share * teacher_loss(teacher, outputs)
            loss = tf.reduce_mean(per_row * weights)
        optimizer.apply(tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO))

    def run(
        inputs: Mapping[str, Any], labels: Any, weights: Any, teacher: Any, steps: Any, position: Any, pace: Any
    ) -> None:
        batches = keras.tree.map_structure(
            lambda values: tf.reshape(values, (-1, size, *values.shape[1:])), (inputs, labels, weights, teacher)
        )

        def body(index: Any) -> tuple[Any]:
            optimizer.learning_rate.assign(_rate(plan, position + pace * (tf.cast(index, tf.float64) + 0.5)))
            learn(*keras.tree.map_structure(lambda values: values[index], batches))
            return (index + 1,)

        tf.while_loop(lambda index: index < steps, body, (tf.constant(0),), parallel_iterations=1)

    def traced(*, compiled: bool) -> Callable[..., Any]:
        # One signature for chunks of any length and no rewriting of Python code: tracing takes longer than many small
        # networks train.
        function = tf.function(run, autograph=False, jit_compile=compiled)
        concrete: Callable[..., Any] = function.get_concrete_function(*_signature(chunk))
        return concrete

    if gains_by_compiling(part.tensors, plan.steps):
        with contextlib.suppress(tf.errors.OpError):  # a loss of the user's own, say, that XLA does not know
            program = traced(compiled=True)
            program(*chunk, tf.constant(0), *_schedule(0.0))  # compiles; no step is done
            return program
    return traced(compiled=False)


def _distinct(variables: list[Any]) -> list[Any]:
    seen: dict[int, Any] = {}
    for variable in variables:
        seen.setdefault(id(variable), variable)
    return list(seen.values())

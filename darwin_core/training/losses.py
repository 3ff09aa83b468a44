"""Losses per row: the reference's own loss on labels, and the distance to the reference's outputs.

Every function here returns one value per row, shape (batch,), so that sample weights apply in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from darwin_core.contracts import OutputKind, Task

RowLoss = Callable[[Any, Any], Any]
"""(labels or teacher outputs, network outputs) -> loss per row; TensorFlow tensors, which carry no static types."""

_SMALLEST_PROBABILITY = 1e-7


def logits(kind: OutputKind, outputs: Any) -> Any:
    """Raw outputs as logits, shape (batch, units); probabilities are taken back through the link function."""
    if kind.from_logits:
        return outputs
    clipped = tf.clip_by_value(outputs, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
    if kind.units == 1 or kind.task is Task.MULTILABEL:
        return tf.math.log(clipped) - tf.math.log1p(-clipped)
    return tf.math.log(clipped)


def default_loss(kind: OutputKind) -> keras.losses.Loss:
    """The loss of a network that was saved without one."""
    if kind.task is Task.REGRESSION:
        return keras.losses.MeanSquaredError()
    if kind.units == 1 or kind.task is Task.MULTILABEL:
        return keras.losses.BinaryCrossentropy(from_logits=kind.from_logits)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=kind.from_logits)


def label_losses(kind: OutputKind, loss: keras.losses.Loss | None = None) -> RowLoss:
    """The loss against labels.

    Args:
        kind: How to read the outputs.
        loss: The reference's own loss; None: the usual one for ``kind``.

    Returns:
        A function of labels, shape (batch,) (class index or target) or (batch, units) of zeros and ones, and outputs,
        shape (batch, units); segmentation: class indices (batch, height, width), outputs (batch, height, width, units).
    """
    own = loss or default_loss(kind)
    classes = kind.task is Task.MULTICLASS or (kind.task is Task.SEGMENTATION and kind.units > 1)
    one_hot = classes and not type(own).__name__.startswith("Sparse")

    def per_row(labels: Any, outputs: Any) -> Any:
        if one_hot:
            target = tf.one_hot(tf.cast(labels, tf.int32), kind.units)
        elif classes:
            target = labels
        elif kind.task is Task.SEGMENTATION:
            target = tf.cast(labels, outputs.dtype)[..., None]
        elif kind.task is Task.MULTILABEL:
            target = tf.cast(labels, outputs.dtype)
        else:
            target = tf.reshape(tf.cast(labels, outputs.dtype), (-1, 1))
        value = own.call(target, outputs)
        return tf.reduce_mean(tf.reshape(value, (tf.shape(outputs)[0], -1)), axis=1)

    return per_row


def distillation_losses(kind: OutputKind, temperature: float) -> RowLoss:
    """The distance to the teacher's outputs.

    Several classes: Kullback-Leibler divergence of softmax at ``temperature``, times its square, which keeps the
    gradient's size (Hinton, Vinyals, Dean, arXiv 1503.02531). Two classes on one unit: the same for the Bernoulli
    distribution, as cross-entropy on logits. Several labels: its mean over the labels, as that of the loss on labels.
    Segmentation: its mean over the positions. Regression: squared difference.

    Returns:
        A function of teacher outputs and network outputs, both raw and of shape (batch, units).
    """

    def classes(teacher: Any, outputs: Any) -> Any:
        soft_teacher = tf.nn.log_softmax(logits(kind, teacher) / temperature)
        soft_student = tf.nn.log_softmax(logits(kind, outputs) / temperature)
        divergence = tf.reduce_sum(tf.exp(soft_teacher) * (soft_teacher - soft_student), axis=-1)
        return _by_row(divergence) * temperature**2

    def bernoulli(teacher: Any, outputs: Any) -> Any:
        target = tf.sigmoid(logits(kind, teacher) / temperature)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits(kind, outputs) / temperature)
        return _by_row(tf.reduce_mean(entropy, axis=-1)) * temperature**2

    def squared(teacher: Any, outputs: Any) -> Any:
        return tf.reduce_mean(tf.square(teacher - outputs), axis=-1)

    if kind.task is Task.REGRESSION:
        return squared
    several = kind.task is Task.MULTICLASS or (kind.task is Task.SEGMENTATION and kind.units > 1)
    return classes if several else bernoulli


def _by_row(values: Any) -> Any:
    """Mean over the positions of a map, shape (batch,); values that have no positions as they are."""
    return values if len(values.shape) == 1 else tf.reduce_mean(values, axis=(1, 2))

"""AdamW over all variables as one vector.

A compact network has dozens of variables of a few numbers each. An optimizer that goes through them one by one takes as
long to trace as the whole network, which a search does for every candidate, and its many small operations cost a
quarter of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_FIRST_DECAY = 0.9
_SECOND_DECAY = 0.999
_EPSILON = 1e-7


class FlatAdamW:
    """AdamW (Loshchilov, Hutter, arXiv 1711.05101), with a moving average of the weights if wanted.

    Args:
        variables: What is trained; their constraints are kept.
        weight_decay: Decoupled weight decay.
        ema_momentum: Share that the moving average keeps at each step; None: no average.
    """

    def __init__(self, variables: Sequence[Any], *, weight_decay: float, ema_momentum: float | None = None) -> None:
        self._trained, self._weight_decay, self._ema_momentum = list(variables), weight_decay, ema_momentum
        self._shapes = [tuple(variable.shape) for variable in self._trained]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._first, self._second = self._zeros(), self._zeros()
        self._average = None if ema_momentum is None else self._zeros()
        self.learning_rate = tf.Variable(0.0, trainable=False)
        self._steps = tf.Variable(0, dtype=tf.int64, trainable=False)

    def _zeros(self) -> tf.Variable:
        return tf.Variable(tf.zeros(sum(self._sizes)), trainable=False)

    @property
    def variables(self) -> list[tf.Variable]:
        """The optimizer's state."""
        averages = [] if self._average is None else [self._average]
        return [self._first, self._second, *averages, self.learning_rate, self._steps]

    def apply(self, gradients: Sequence[Any]) -> None:
        """One step.

        Args:
            gradients: Those of a loss with respect to the variables, in their order.
        """
        gradient, weights = _flat(gradients), _flat(self._trained)
        rate, count = self.learning_rate, tf.cast(self._steps.assign_add(1), tf.float32)
        first = self._first.assign_add((1.0 - _FIRST_DECAY) * (gradient - self._first))
        second = self._second.assign_add((1.0 - _SECOND_DECAY) * (tf.square(gradient) - self._second))
        correction = tf.sqrt(1.0 - tf.pow(_SECOND_DECAY, count)) / (1.0 - tf.pow(_FIRST_DECAY, count))
        weights -= rate * (self._weight_decay * weights + correction * first / (tf.sqrt(second) + _EPSILON))
        if self._average is not None:
            kept = tf.where(count > 1.0, self._ema_momentum, 0.0)
            self._average.assign(kept * self._average + (1.0 - kept) * weights)
        self._distribute(weights)

    def finish(self) -> None:
        """Give the variables their moving averages, if there are any."""
        if self._average is not None:
            self._distribute(self._average)

    def _distribute(self, weights: Any) -> None:
        parts = tf.split(weights, self._sizes)
        for variable, part, shape in zip(self._trained, parts, self._shapes, strict=True):
            value = tf.cast(tf.reshape(part, shape), variable.dtype)
            variable.assign(value if variable.constraint is None else variable.constraint(value))


def _flat(values: Sequence[Any]) -> Any:
    return tf.concat([tf.cast(tf.reshape(tf.convert_to_tensor(value), (-1,)), tf.float32) for value in values], axis=0)

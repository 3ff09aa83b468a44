"""AdamW over all variables as one vector, and Muon for the kernels of convolutions.

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
_KERNEL_STEP = 0.6
"""Root mean square of a kernel's step at rate 1. AdamW's is 0.2 to 0.4 (Liu et al. 2025, arXiv 2502.16982)."""


class FlatAdamW:
    """AdamW (Loshchilov, Hutter, arXiv 1711.05101), with a moving average of the weights if wanted.

    Args:
        variables: What is trained; their constraints are kept.
        weight_decay: Decoupled weight decay.
        orthogonal_kernels: Whether kernels of two-dimensional convolutions move in orthogonalised directions
            (Muon: Jordan et al. 2024, kellerjordan.github.io/posts/muon), all others as by AdamW.
        ema_momentum: Share that the moving average keeps at each step; None: no average.
    """

    def __init__(
        self,
        variables: Sequence[Any],
        *,
        weight_decay: float,
        orthogonal_kernels: bool = False,
        ema_momentum: float | None = None,
    ) -> None:
        self._trained, self._weight_decay, self._ema_momentum = list(variables), weight_decay, ema_momentum
        self._shapes = [tuple(variable.shape) for variable in self._trained]
        self._kernels = [index for index, shape in enumerate(self._shapes) if orthogonal_kernels and _is_kernel(shape)]
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
        direction = correction * first / (tf.sqrt(second) + _EPSILON)
        if self._kernels:
            direction = self._with_orthogonal_kernels(direction, _FIRST_DECAY * first + (1.0 - _FIRST_DECAY) * gradient)
        weights -= rate * (self._weight_decay * weights + direction)
        if self._average is not None:
            kept = tf.where(count > 1.0, self._ema_momentum, 0.0)
            self._average.assign(kept * self._average + (1.0 - kept) * weights)
        self._distribute(weights)

    def finish(self) -> None:
        """Give the variables their moving averages, if there are any."""
        if self._average is not None:
            self._distribute(self._average)

    def _with_orthogonal_kernels(self, direction: Any, momentum: Any) -> Any:
        """The direction with that of kernels replaced by their momentum (Nesterov's), made orthogonal."""
        parts, momenta = tf.split(direction, self._sizes), tf.split(momentum, self._sizes)
        for index in self._kernels:
            matrix = tf.reshape(momenta[index], (-1, self._shapes[index][-1]))
            size = _KERNEL_STEP * max(matrix.shape) ** 0.5
            parts[index] = tf.reshape(size * orthogonalized(matrix), (-1,))
        return tf.concat(parts, axis=0)

    def _distribute(self, weights: Any) -> None:
        parts = tf.split(weights, self._sizes)
        for variable, part, shape in zip(self._trained, parts, self._shapes, strict=True):
            value = tf.cast(tf.reshape(part, shape), variable.dtype)
            variable.assign(value if variable.constraint is None else variable.constraint(value))


def _is_kernel(shape: tuple[int, ...]) -> bool:
    """Whether it is (height, width, channels, filters); a depthwise kernel has one filter for each of its channels."""
    return len(shape) == 4 and shape[-1] > 1


def orthogonalized(matrix: Any) -> Any:
    """Roughly the nearest matrix with orthonormal rows or columns, whichever are fewer.

    Five Newton-Schulz steps with Jordan's coefficients, which bring all but the smallest singular values to between
    0.7 and 1.2: close enough for a direction, and far cheaper than a decomposition.

    Args:
        matrix: Shape (m, n), float32; zeros stay zeros.
    """
    rows, columns = matrix.shape
    if rows > columns:
        return tf.transpose(orthogonalized(tf.transpose(matrix)))
    matrix /= tf.norm(matrix) + _EPSILON
    for _ in range(5):
        square = matrix @ tf.transpose(matrix)
        matrix = 3.4445 * matrix + (-4.7750 * square + 2.0315 * square @ square) @ matrix
    return matrix


def _flat(values: Sequence[Any]) -> Any:
    return tf.concat([tf.cast(tf.reshape(tf.convert_to_tensor(value), (-1,)), tf.float32) for value in values], axis=0)

"""Log-odds of a class, computed where they keep their digits: from the network's outputs, not from probabilities.

A probability of 0.9999999 has hardly a gradient in single precision, and what is left is rounding noise. The log-odds
``z_t - logsumexp(other z)`` have the full one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from darwin_core.contracts import Task
from darwin_core.explanation.attribution.base import Floats, Inputs, Targets
from darwin_core.explanation.scoring import NetworkScorer, in_batches

_TINY = 1e-30
_CLOSEST = 1e-7


class LogOdds:
    """A differentiable scorer on the scale of log-odds. Contributions on this scale still add up.

    Args:
        scorer: The network; a classifier.
    """

    def __init__(self, scorer: NetworkScorer) -> None:
        self._scorer = scorer
        self._gradient: Any = None

    def __call__(self, inputs: Inputs, targets: Targets | None) -> Floats:
        """Log-odds of the target class or label, shape (rows,)."""
        outputs = self._scorer.outputs(inputs)
        chosen = np.zeros(len(outputs), np.int64) if targets is None else targets
        found = self._log_odds(tf.constant(outputs, tf.float32), tf.constant(chosen, tf.int64))
        return np.asarray(found, np.float64)

    def gradients(self, pictures: NDArray[Any], targets: Targets | None) -> tuple[Floats, NDArray[np.float32]]:
        """Log-odds and their gradients by the pictures."""
        if self._gradient is None:
            signature = [tf.TensorSpec((None, *pictures.shape[1:]), tf.float32), tf.TensorSpec((None,), tf.int64)]
            self._gradient = tf.function(self._differentiate, input_signature=signature, autograph=False)
        return in_batches(self._gradient, pictures, targets)

    def _differentiate(self, pictures: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            odds = self._log_odds(tf.cast(self._scorer.model(pictures, training=False), tf.float32), targets)
        return odds, tf.cast(tape.gradient(odds, pictures), tf.float32)

    def _log_odds(self, outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        kind = self._scorer.kind
        outputs = tf.reshape(outputs, (-1, kind.units))
        if kind.task in (Task.BINARY, Task.MULTILABEL):
            several = kind.task is Task.MULTILABEL
            own = tf.gather(outputs, targets, axis=1, batch_dims=1) if several else outputs[:, 0]
            if kind.from_logits:
                return own
            p = tf.clip_by_value(own, _CLOSEST, 1 - _CLOSEST)
            return tf.math.log(p) - tf.math.log1p(-p)
        logits = outputs if kind.from_logits else tf.math.log(outputs + _TINY)
        own = tf.one_hot(targets, kind.units, on_value=True, off_value=False)
        others = tf.where(own, tf.constant(-np.inf, logits.dtype), logits)
        return tf.gather(logits, targets, axis=1, batch_dims=1) - tf.reduce_logsumexp(others, axis=1)

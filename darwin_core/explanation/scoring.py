"""A network as the explanation sees it: scores of rows, and gradients of the score where they exist."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from darwin_core.contracts import OutputKind, Task
from darwin_core.explanation.attribution.base import Floats, Inputs, Targets
from darwin_core.networks import Predictor, to_scores

_TINY = 1e-7


class NetworkScorer:
    """Scores of a network: probability of the positive class, of each class, or the predicted number.

    Args:
        model: The network.
        kind: How to read its output.
        batch_size: Rows per call.
    """

    def __init__(self, model: keras.Model, kind: OutputKind, *, batch_size: int = 2048) -> None:
        self._model = model
        self._kind = kind
        self._predict = Predictor(model)
        self._batch_size = batch_size
        self._gradient = tf.function(self._score_and_gradient, reduce_retracing=True)
        self.inputs: tuple[str, ...] = tuple(given.name for given in self._predict.inputs)
        """Names of the network's inputs."""

    @property
    def is_differentiable(self) -> bool:
        """Whether the score can be differentiated by the network's one input."""
        given, *more = self._predict.inputs
        return not more and given.dtype.startswith(("float", "bfloat"))

    def scores(self, inputs: Inputs) -> Floats:
        """Scores of shape (rows,), or (rows, classes) where there are more than two."""
        outputs = self._predict(inputs, batch_size=self._batch_size)
        return np.asarray(to_scores(self._kind, outputs), np.float64)

    def __call__(self, inputs: Inputs, targets: Targets | None) -> Floats:
        """Scores of shape (rows,): of the target class, where there are several."""
        scores = self.scores(inputs)
        if scores.ndim == 1 or targets is None:
            return scores
        return np.asarray(np.take_along_axis(scores, targets[:, None], axis=1)[:, 0])

    def gradients(self, pictures: NDArray[Any], targets: Targets | None) -> tuple[Floats, NDArray[np.float32]]:
        """Scores and their gradients by the pictures; the score is the same as that of a call."""
        chosen = np.zeros(len(pictures), np.int64) if targets is None else targets
        scores, gradients = self._gradient(
            tf.constant(pictures.astype(np.float32)), tf.constant(chosen, dtype=tf.int64)
        )
        return scores.numpy().astype(np.float64), gradients.numpy()

    def _score_and_gradient(self, pictures: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            score = self._score(tf.cast(self._model(pictures, training=False), tf.float32), targets)
        return score, tf.cast(tape.gradient(score, pictures), tf.float32)

    def _score(self, outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        outputs = tf.reshape(outputs, (tf.shape(outputs)[0], -1))
        if self._kind.task is Task.REGRESSION:
            return outputs[:, 0]
        if self._kind.task is Task.BINARY:
            return tf.sigmoid(outputs[:, 0]) if self._kind.from_logits else outputs[:, 0]
        probabilities = tf.nn.softmax(outputs) if self._kind.from_logits else outputs
        return tf.gather(probabilities, targets, axis=1, batch_dims=1)


class LogOdds:
    """A differentiable scorer on the scale of log-odds, for networks whose probabilities are nearly 0 or 1.

    There the probability's gradient vanishes and a map would show noise. Contributions on this scale still add up.
    """

    def __init__(self, scorer: NetworkScorer) -> None:
        self._scorer = scorer

    def __call__(self, inputs: Inputs, targets: Targets | None) -> Floats:
        """Log-odds of the target class, shape (rows,)."""
        p = np.clip(self._scorer(inputs, targets), _TINY, 1 - _TINY)
        return np.asarray(np.log(p) - np.log1p(-p))

    def gradients(self, pictures: NDArray[Any], targets: Targets | None) -> tuple[Floats, NDArray[np.float32]]:
        """Log-odds and their gradients."""
        p, gradients = self._scorer.gradients(pictures, targets)
        p = np.clip(p, _TINY, 1 - _TINY)
        factor = (1.0 / (p * (1 - p))).astype(np.float32)
        return np.log(p) - np.log1p(-p), gradients * factor.reshape(-1, *(1,) * (gradients.ndim - 1))

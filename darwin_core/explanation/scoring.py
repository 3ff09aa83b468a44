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

_GRADIENT_ROWS = 256


class NetworkScorer:
    """Scores of a network: probability of the positive class, of each class or label, or the predicted number.

    Args:
        model: The network.
        kind: How to read its output.
        batch_size: Rows per call.
    """

    def __init__(self, model: keras.Model, kind: OutputKind, *, batch_size: int = 2048) -> None:
        self.model = model
        self.kind = kind
        self._predict = Predictor(model)
        self._batch_size = batch_size
        self._gradient: Any = None
        self.inputs: tuple[str, ...] = tuple(given.name for given in self._predict.inputs)
        """Names of the network's inputs."""

    @property
    def is_differentiable(self) -> bool:
        """Whether the score can be differentiated by the network's one input."""
        given, *more = self._predict.inputs
        return not more and given.dtype.startswith(("float", "bfloat"))

    def scores(self, inputs: Inputs) -> Floats:
        """Scores of shape (rows,), or (rows, classes) where there are more than two, or (rows, labels)."""
        return np.asarray(to_scores(self.kind, self.outputs(inputs)), np.float64)

    def outputs(self, inputs: Inputs) -> NDArray[Any]:
        """Raw outputs of the network, rows first."""
        return self._predict(inputs, batch_size=self._batch_size)

    def __call__(self, inputs: Inputs, targets: Targets | None) -> Floats:
        """Scores of shape (rows,): of the target class, where there are several."""
        scores = self.scores(inputs)
        if scores.ndim == 1 or targets is None:
            return scores
        return np.asarray(np.take_along_axis(scores, targets[:, None], axis=1)[:, 0])

    def gradients(self, pictures: NDArray[Any], targets: Targets | None) -> tuple[Floats, NDArray[np.float32]]:
        """Scores and their gradients by the pictures; the score is the same as that of a call."""
        if self._gradient is None:
            self._gradient = self._compiled_gradient(pictures.shape[1:])
        return in_batches(self._gradient, pictures, targets)

    def _compiled_gradient(self, shape: tuple[int, ...]) -> Any:
        """One traced function for batches of any size: tracing takes longer than most calls."""
        signature = [tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.int64)]
        return tf.function(self._score_and_gradient, input_signature=signature, autograph=False)

    def _score_and_gradient(self, pictures: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            score = score_of(self.kind, tf.cast(self.model(pictures, training=False), tf.float32), targets)
        return score, tf.cast(tape.gradient(score, pictures), tf.float32)


def score_of(kind: OutputKind, outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """(rows,) scores from float outputs, as a graph that can be differentiated: of the target class, if several."""
    outputs = tf.reshape(outputs, (tf.shape(outputs)[0], -1))
    if kind.task is Task.REGRESSION:
        return outputs[:, 0]
    if kind.task is Task.BINARY:
        return tf.sigmoid(outputs[:, 0]) if kind.from_logits else outputs[:, 0]
    link = tf.sigmoid if kind.task is Task.MULTILABEL else tf.nn.softmax
    probabilities = link(outputs) if kind.from_logits else outputs
    return tf.gather(probabilities, targets, axis=1, batch_dims=1)


def in_batches(gradient: Any, pictures: NDArray[Any], targets: Targets | None) -> tuple[Floats, NDArray[np.float32]]:
    """Scores and gradients by a compiled function of (pictures, targets), a batch at a time."""
    chosen = np.zeros(len(pictures), np.int64) if targets is None else targets
    found = []
    for start in range(0, len(pictures), _GRADIENT_ROWS):
        rows = slice(start, start + _GRADIENT_ROWS)
        found.append(
            gradient(tf.constant(pictures[rows].astype(np.float32)), tf.constant(chosen[rows], dtype=tf.int64))
        )
    scores = np.concatenate([score.numpy() for score, _ in found]).astype(np.float64)
    return scores, np.concatenate([values.numpy() for _, values in found])

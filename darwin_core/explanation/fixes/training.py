"""Training a network on with rows that a fix has changed."""

from __future__ import annotations

import keras
import numpy as np

from darwin_core.contracts import OutputKind, Task
from darwin_core.explanation.fixes.parts import Part
from darwin_core.networks.inputs import as_structure
from darwin_core.networks.wiring import read_wiring
from darwin_core.progress import Reporter

_BATCH_ROWS = 128
_LEARNING_RATE = 1e-3


def train_on(model: keras.Model, kind: OutputKind, data: Part, epochs: int, reporter: Reporter, *, seed: int) -> None:
    """Train a network on in place; the learning rate falls to nothing.

    Args:
        model: The network; it may read fewer inputs than the rows have.
        kind: What its output means: classes, not numbers.
        data: The training rows. Their own weights count, times those of the fix.
        epochs: How often every row is seen.
        reporter: Where progress goes.
        seed: Seed of the order of rows.
    """
    wiring = read_wiring(model)
    steps = epochs * -(-data.split.rows // _BATCH_ROWS)
    is_binary = kind.task is Task.BINARY
    loss = keras.losses.BinaryCrossentropy if is_binary else keras.losses.SparseCategoricalCrossentropy
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)),
        loss=loss(from_logits=kind.from_logits),
    )
    with reporter.track("Training the reference on", total=steps) as tracker:
        for epoch in range(epochs):
            for batch in data.split.batches(_BATCH_ROWS, seed=seed + epoch):
                changed = data.batch(batch)
                if len(changed.rows):
                    labels = changed.labels.astype(np.float32).reshape(-1, 1) if is_binary else changed.labels
                    inputs = as_structure(wiring, changed.inputs)
                    model.train_on_batch(inputs, labels, sample_weight=changed.weights)
                tracker.advance(1)

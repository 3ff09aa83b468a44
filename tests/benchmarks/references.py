"""The reference of the picture case that brings none: what a team would train for small grey pictures in a quarter of an hour."""

from __future__ import annotations

import io
from pathlib import Path

import keras
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from PIL import Image

from darwin_core.contracts import DataRoles, DataSource
from darwin_core.progress import Reporter

EPOCHS = 12
BATCH = 128


def picture_network(shape: tuple[int, ...], classes: int) -> keras.Model:
    """Six convolutions in three stages and a dense head; pixels in 0..255 in, logits out."""
    image = keras.Input(shape, name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    for filters in (32, 64, 128):
        for _ in range(2):
            x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    x = keras.layers.Dropout(0.3)(keras.layers.Dense(256, activation="relu")(x))
    return keras.Model(image, keras.layers.Dense(classes)(x))


def train_picture_reference(
    source: DataSource, roles: DataRoles, output: Path, reporter: Reporter, *, seed: int = 0
) -> None:
    """Train on pictures that may be mirrored and moved by two pixels, and save the last epoch's weights, compiled."""
    keras.utils.set_random_seed(seed)
    table = pq.read_table(source.uri, columns=["image", roles.label])
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(item))) for item in table["image"].to_pylist()])
    pictures = pictures.reshape(*pictures.shape[:3], -1)
    labels = table[roles.label].to_numpy().astype(np.int32)
    model = picture_network(pictures.shape[1:], int(labels.max()) + 1)
    steps = EPOCHS * -(-len(labels) // BATCH)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(2e-3, steps), weight_decay=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rows = tf.data.Dataset.from_tensor_slices((pictures, labels)).shuffle(len(labels), seed=seed).batch(BATCH)
    rows = rows.map(lambda images, given: (_moved(tf.cast(images, tf.float32)), given)).prefetch(2)
    with reporter.track("Training the reference", EPOCHS) as tracker:
        advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: tracker.advance(1))
        model.fit(rows, epochs=EPOCHS, verbose=0, callbacks=[advance])
    model.save(output)


def _moved(images: tf.Tensor) -> tf.Tensor:
    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [2, 2], [2, 2], [0, 0]])
    shift = tf.random.uniform([2], 0, 5, tf.int32)
    moved = padded[:, shift[0] : shift[0] + height, shift[1] : shift[1] + width]
    return tf.image.random_flip_left_right(tf.ensure_shape(moved, images.shape))

"""The reference of the picture case that brings none: what a team would train for small grey pictures in an hour."""

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

EPOCHS = 40
BATCH = 128
PEAK_RATE = 0.1


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
    """Train on pictures that are mirrored or not, moved, and partly erased, and save the last weights, compiled."""
    keras.utils.set_random_seed(seed)
    table = pq.read_table(source.uri, columns=["image", roles.label])
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(item))) for item in table["image"].to_pylist()])
    pictures = pictures.reshape(*pictures.shape[:3], -1)
    labels = table[roles.label].to_numpy().astype(np.int32)
    model = picture_network(pictures.shape[1:], int(labels.max()) + 1)
    steps = EPOCHS * -(-len(labels) // BATCH)
    model.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=PEAK_RATE, warmup_steps=steps // 5),
            momentum=0.9,
            nesterov=True,
            weight_decay=5e-3,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rows = tf.data.Dataset.from_tensor_slices((pictures, labels)).shuffle(len(labels), seed=seed).batch(BATCH)
    rows = rows.map(lambda images, given: (_erased(_moved(tf.cast(images, tf.float32))), given)).prefetch(2)
    with reporter.track("Training the reference", EPOCHS) as tracker:
        advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: tracker.advance(1))
        model.fit(rows, epochs=EPOCHS, verbose=0, callbacks=[advance])
    model.save(output)


def _moved(images: tf.Tensor) -> tf.Tensor:
    """Every picture with its own shift of up to two pixels, half of them mirrored; black comes in at the border."""
    count, width = tf.shape(images)[0], tf.cast(tf.shape(images)[2], tf.float32)
    shift = tf.cast(tf.random.uniform([count, 2], -2, 3, tf.int32), tf.float32)
    mirror = tf.cast(tf.random.uniform([count], 0, 2, tf.int32), tf.float32)
    zero, one = tf.zeros(count), tf.ones(count)
    from_x = shift[:, 0] + mirror * (width - 1)
    transforms = tf.stack([1 - 2 * mirror, zero, from_x, zero, one, shift[:, 1], zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )


def _erased(images: tf.Tensor) -> tf.Tensor:
    """Noise in place of a rectangle of up to half of each side in every second picture (Zhong et al., arXiv 1708.04896)."""
    count, size = tf.shape(images)[0], tf.cast(tf.shape(images)[1:3], tf.float32)
    sides = size * tf.random.uniform([count, 2], 0.1, 0.5)
    start = (size - sides) * tf.random.uniform([count, 2])
    inside = []
    for axis in range(2):
        place = tf.range(size[axis])
        inside.append((place >= start[:, axis, None]) & (place < (start + sides)[:, axis, None]))
    chosen = tf.random.uniform([count, 1, 1]) < 0.5
    erased = inside[0][:, :, None] & inside[1][:, None, :] & chosen
    return tf.where(erased[..., None], tf.random.uniform(tf.shape(images), 0, 255), images)

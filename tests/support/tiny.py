"""A tiny fraud-like table with a learnable rule, and a network trained on it; an image pair of the same size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BROWSERS = ("chrome", "firefox", "safari")


def write_table(path: Path, *, rows: int = 1200, seed: int = 0, noise: float = 0.6, missing: float = 0.0) -> Path:
    """Columns: row_id, amount, age, browser, unused, is_fraud. `amount` and `browser` decide.

    A share ``missing`` of the amounts is empty; the network below has no answer for those rows.
    """
    rng = np.random.default_rng(seed)
    amount = rng.normal(size=rows)
    age = rng.integers(18, 80, rows)
    browser = rng.choice(BROWSERS, rows)
    score = 1.6 * amount + 1.2 * (browser == "chrome") - 0.02 * (age - 45) + noise * rng.normal(size=rows)
    label = (score > np.quantile(score, 0.75)).astype(np.int64)
    table = pa.table(
        {
            "row_id": [f"{path.stem}-{index}" for index in range(rows)],
            "amount": pa.array(100 + 40 * amount, mask=rng.random(rows) < missing),
            "age": age,
            "browser": browser,
            "unused": rng.normal(size=rows),
            "is_fraud": label,
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def write_table_network(path: Path, train: Path, *, epochs: int = 12, units: int = 64, seed: int = 0) -> Path:
    """A dict-input network with preprocessing inside, trained on the table."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    table = pq.read_table(train)
    numbers = {
        name: np.nan_to_num(table[name].to_numpy(zero_copy_only=False).astype("float32"), nan=100.0)
        for name in ("amount", "age", "unused")
    }
    inputs = {name: keras.Input((1,), name=name, dtype="float32") for name in numbers}
    inputs["browser"] = keras.Input((1,), name="browser", dtype="string")
    parts = []
    for name, values in numbers.items():
        scale = keras.layers.Normalization(
            mean=float(values.mean()), variance=float(values.var()), name=f"{name}_scaled"
        )
        parts.append(scale(inputs[name]))
    lookup = keras.layers.StringLookup(vocabulary=list(BROWSERS), name="browser_index")
    parts.append(keras.layers.Flatten()(keras.layers.Embedding(4, 4, name="browser_vector")(lookup(inputs["browser"]))))
    x = keras.layers.Concatenate()(parts)
    for index in range(2):
        x = keras.layers.Dense(units, name=f"hidden_{index}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{index}")(x)
        x = keras.layers.ReLU(name=f"relu_{index}")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="fraud_probability")(x))
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    features: dict = {name: tf.constant(values[:, None]) for name, values in numbers.items()}
    features["browser"] = tf.constant([[value] for value in table["browser"].to_pylist()])
    model.fit(features, table["is_fraud"].to_numpy().astype("float32"), batch_size=128, epochs=epochs, verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    return path


def write_images(path: Path, *, rows: int = 600, seed: int = 0, side: int = 12) -> Path:
    """PNG pictures of three classes: a bright bar at the left, in the middle or at the right."""
    import io

    from PIL import Image

    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    blobs = []
    for label in labels:
        picture = rng.integers(0, 90, (side, side, 3), dtype=np.uint8)
        left = int(label) * side // 3
        picture[:, left : left + side // 3] += 120
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        blobs.append(buffer.getvalue())
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": pa.array(blobs, pa.binary()), "label": labels}), path)
    return path


def write_image_network(path: Path, train: Path, *, epochs: int = 4, seed: int = 0, side: int = 12) -> Path:
    """A convolutional network with a residual block and a dense head, trained on the pictures."""
    import io

    import keras
    from PIL import Image

    keras.utils.set_random_seed(seed)
    table = pq.read_table(train)
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(blob))) for blob in table["image"].to_pylist()])
    image = keras.Input((side, side, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(24, 3, padding="same", use_bias=False, name="stem")(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    y = keras.layers.Conv2D(24, 3, padding="same", use_bias=False, name="branch")(x)
    x = keras.layers.Add()([x, keras.layers.BatchNormalization()(y)])
    x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
    x = keras.layers.Dense(48, activation="relu", name="dense")(keras.layers.Flatten()(x))
    model = keras.Model(image, keras.layers.Dense(3, name="logits")(x))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(pictures.astype("float32"), table["label"].to_numpy(), batch_size=64, epochs=epochs, verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    return path

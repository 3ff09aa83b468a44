"""Searches beyond the two-class table: images, numbers, and a network in which nothing can be removed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
from support.learning import as_split

from darwin_core.contracts import HeadKind, SearchBudget
from darwin_core.data import MappedSplit
from darwin_core.networks import load_network, output_kind, save_network
from darwin_core.progress import Reporter
from darwin_core.synthesis import Aim, Part, Reference, Search, SearchOutcome
from darwin_core.training import prepare_runtime

BUDGET = SearchBudget(generations=1, offspring=1, generation_samples=4_000, final_samples=8_000)


def search(
    folder: Path, network: keras.Model, loss: keras.losses.Loss, train: MappedSplit, validation: MappedSplit
) -> SearchOutcome:
    prepare_runtime(0)
    network.compile(keras.optimizers.Adam(1e-2), loss)
    (values,) = train.inputs.values()
    network.fit(values, train.labels, epochs=3, batch_size=64, verbose=0)
    path = folder / "reference.keras"
    save_network(network, path)
    columns = {name: tuple(f"{name}_{n}" for n in range(values.shape[1] if values.ndim == 2 else 1))
               for name, values in train.inputs.items()}  # fmt: skip
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    reference = Reference(path, sha256, output_kind(network), loss, columns)
    return Search(
        reference,
        Part(train, "a" * 64),
        Part(validation, "b" * 64),
        Aim(budget=BUDGET),
        workdir=folder / "work",
        cache_dir=folder / "cache",
        reporter=Reporter(),
    ).run()


def pictures(rows: int, seed: int) -> MappedSplit:
    """Plain, lying stripes and standing stripes on noise: what a mean over places can still tell."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows).astype(np.int32)
    images = rng.integers(0, 120, size=(rows, 8, 8, 1)).astype(np.float32)
    images[labels == 1, ::2] += 120
    images[labels == 2, :, ::2] += 120
    return as_split({"image": images}, labels)


def test_images_get_a_head_that_weighs_positions(tmp_path: Path) -> None:
    x = image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Rescaling(1 / 255)(x)
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dense(32, activation="relu", name="hidden")(keras.layers.Flatten(name="flatten")(x))
    network = keras.Model(image, keras.layers.Dense(3, name="stripes")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = search(tmp_path, network, loss, pictures(900, 0), pictures(400, 1))
    assert found.record.reference.cost.parameters > 30_000
    assert found.chosen.record.genome.head is HeadKind.WEIGHTED_POOLING
    assert found.record.controls[0].record.genome.head is HeadKind.WEIGHTED_POOLING
    pooling = load_network(found.chosen.path).get_layer("global_average_pooling_weights")
    assert np.asarray(pooling.kernel).std() > 0.0  # it starts with equal weights, and learned others
    assert found.chosen.record.quality is not None
    assert (found.chosen.record.quality.accuracy or 0) > 0.6
    assert found.insights.input_use == {"image_0": 1.0}


@pytest.mark.parametrize(("axis", "mirrored"), [(1, True), (2, False)], ids=["above or below", "left or right"])
def test_pictures_are_mirrored_where_sides_mean_nothing(tmp_path: Path, axis: int, mirrored: bool) -> None:
    def lit(rows: int, seed: int) -> MappedSplit:
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, rows).astype(np.int32)
        images = rng.integers(0, 120, size=(rows, 6, 6, 1)).astype(np.float32)
        rolled = np.moveaxis(images, axis, 1)  # a view: half of each picture is lit along the axis
        rolled[labels == 0, :3] += 120
        rolled[labels == 1, 3:] += 120
        return as_split({"image": images}, labels)

    image = keras.Input((6, 6, 1), name="image")
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(keras.layers.Rescaling(1 / 255)(image))
    network = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = search(tmp_path, network, loss, lit(900, 0), lit(400, 1))
    assert found.record.variation.mirrored is mirrored
    assert (found.chosen.record.quality.accuracy or 0) > 0.95  # type: ignore[union-attr]


def numbers(rows: int, seed: int) -> MappedSplit:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 4)).astype(np.float32)
    return as_split({"vector": values}, (3 * values[:, 0] + np.abs(values[:, 1]) + 10).astype(np.float32))


def test_regression_is_judged_by_its_error(tmp_path: Path) -> None:
    vector = keras.Input((4,), name="vector")
    x = keras.layers.Dense(64, activation="relu", name="hidden_1")(vector)
    x = keras.layers.Dense(64, activation="relu", name="hidden_2")(x)
    network = keras.Model(vector, keras.layers.Dense(1, name="price")(x))
    found = search(tmp_path, network, keras.losses.MeanSquaredError(), numbers(900, 0), numbers(400, 1))
    quality = found.chosen.record.quality
    assert quality is not None
    assert quality.accuracy is None
    assert quality.rmse is not None
    assert [str(status.requirement) for status in found.chosen.record.requirements] == ["rmse_rise<=0.02"]
    assert found.insights.input_use["vector_0"] == max(found.insights.input_use.values())


def test_a_network_that_cannot_be_narrowed_ends_in_a_result(tmp_path: Path) -> None:
    vector = keras.Input((4,), name="vector")
    network = keras.Model(vector, keras.layers.Dense(1, name="price")(vector))
    found = search(tmp_path, network, keras.losses.MeanSquaredError(), numbers(900, 0), numbers(400, 1))
    assert found.chosen.record.cost.parameters == 5
    assert found.record.reason


@pytest.mark.parametrize("rows", [1, 30])
def test_a_handful_of_validation_rows_is_enough_to_end(tmp_path: Path, rows: int) -> None:
    vector = keras.Input((4,), name="vector")
    network = keras.Model(vector, keras.layers.Dense(1, name="price")(keras.layers.Dense(4, name="hidden")(vector)))
    found = search(tmp_path, network, keras.losses.MeanSquaredError(), numbers(200, 0), numbers(rows, 1))
    assert found.record.candidates

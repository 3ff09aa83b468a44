"""What outputs mean: every combination of units, activation and loss that decides, and those that do not."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from darwin_core.contracts import OutputKind, Task
from darwin_core.errors import NetworkError
from darwin_core.networks import output_kind, reference_loss, save_network, to_scores

B, M, L, R = Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION
losses = keras.losses


def network(units: int, activation: str | None) -> keras.Model:
    x = keras.Input((3,), name="x")
    return keras.Model(x, layers.Dense(units, activation=activation)(x), name="net")


@pytest.mark.parametrize(
    ("units", "activation", "loss", "task", "from_logits"),
    [
        (1, "sigmoid", None, B, False),
        (1, "sigmoid", "binary_crossentropy", B, False),
        (1, None, losses.BinaryCrossentropy(from_logits=True), B, True),
        (1, None, losses.BinaryFocalCrossentropy(from_logits=True), B, True),
        (1, None, "bce", B, False),
        (1, "sigmoid", losses.BinaryCrossentropy(from_logits=True), B, False),
        (2, "softmax", "sparse_categorical_crossentropy", M, False),
        (5, "softmax", None, M, False),
        (5, None, losses.SparseCategoricalCrossentropy(from_logits=True), M, True),
        (5, None, losses.CategoricalCrossentropy(from_logits=True), M, True),
        (5, "softmax", "mse", M, False),
        (5, "sigmoid", None, L, False),
        (5, "sigmoid", "binary_crossentropy", L, False),
        (5, None, losses.BinaryCrossentropy(from_logits=True), L, True),
        (5, None, losses.BinaryFocalCrossentropy(from_logits=True), L, True),
        (5, "sigmoid", losses.BinaryCrossentropy(from_logits=True), L, False),
        (5, "sigmoid", "categorical_crossentropy", M, False),
        (1, None, "mse", R, False),
        (1, None, losses.MeanAbsoluteError(), R, False),
        (1, "relu", losses.Huber(), R, False),
        (1, "sigmoid", losses.MeanSquaredError(), R, False),
        (1, "softplus", None, R, False),
    ],
)
def test_what_decides(units: int, activation: str, loss: object, task: Task, from_logits: bool, tmp_path: Path) -> None:
    model = network(units, activation)
    if loss is not None:
        model.compile(loss=loss)
    expected = OutputKind(task=task, units=units, from_logits=from_logits)
    assert output_kind(model) == expected
    save_network(model, tmp_path / "net.keras")
    assert output_kind(network(units, activation), tmp_path / "net.keras") == expected


@pytest.mark.parametrize(
    ("units", "activation", "loss"),
    [
        (1, None, None),
        (1, "tanh", None),
        (4, None, None),
        (4, "sigmoid", "mse"),
        (4, None, "mse"),
        (1, None, losses.SparseCategoricalCrossentropy(from_logits=True)),
        (1, None, losses.Hinge()),
    ],
)
def test_what_does_not(units: int, activation: str, loss: object) -> None:
    model = network(units, activation)
    if loss is not None:
        model.compile(loss=loss)
    with pytest.raises(NetworkError, match=r"can mean several things\. Compile it with the loss"):
        output_kind(model)


def test_the_activation_may_be_a_layer_of_its_own() -> None:
    x = keras.Input((3,), name="x")
    for end in (layers.Activation("sigmoid"), layers.Dense(1, "sigmoid"), ops.sigmoid):
        kind = output_kind(keras.Model(x, layers.Flatten()(layers.Reshape((1, 1))(end(layers.Dense(1)(x))))))
        assert kind == OutputKind(task=B, units=1, from_logits=False)
    softmax = layers.Activation("linear")(layers.Softmax()(layers.Dense(3)(x)))
    assert output_kind(keras.Model(x, softmax)).task is M


def test_a_scalar_per_row_is_one_unit() -> None:
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.Reshape(())(layers.Dense(1, "sigmoid")(x)))
    assert output_kind(model).units == 1


def test_several_outputs_and_maps_are_refused() -> None:
    x = keras.Input((3,), name="x")
    with pytest.raises(NetworkError, match="has 2 outputs; one output is supported now"):
        output_kind(keras.Model(x, [layers.Dense(1)(x), layers.Dense(1)(x)]))
    with pytest.raises(NetworkError, match="Expected one prediction per row"):
        output_kind(keras.Model(x, layers.Reshape((3, 1))(x)))
    image = keras.Input((None, None, 3), name="image")
    with pytest.raises(NetworkError, match="a map of known size"):
        output_kind(keras.Model(image, layers.Conv2D(2, 1, activation="softmax")(image)))


@pytest.mark.parametrize(
    ("units", "activation", "loss", "from_logits"),
    [
        (3, "softmax", None, False),
        (3, None, losses.SparseCategoricalCrossentropy(from_logits=True), True),
        (1, "sigmoid", "binary_crossentropy", False),
        (1, None, losses.BinaryCrossentropy(from_logits=True), True),
    ],
)
def test_a_class_at_every_position(units: int, activation: str, loss: object, from_logits: bool) -> None:
    image = keras.Input((4, 6, 3), name="image")
    model = keras.Model(image, layers.Conv2D(units, 1, activation=activation)(image))
    if loss is not None:
        model.compile(loss=loss)
    kind = output_kind(model)
    assert kind == OutputKind(task=Task.SEGMENTATION, units=units, positions=(4, 6), from_logits=from_logits)
    outputs = model.predict(np.random.default_rng(0).normal(size=(2, 4, 6, 3)), verbose=0)
    scores = to_scores(kind, outputs)
    assert scores.shape == (2, 4, 6, max(units, 2))
    np.testing.assert_allclose(scores.sum(axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(("units", "loss"), [(3, "binary_crossentropy"), (1, "mse")])
def test_labels_or_numbers_at_every_position_are_refused(units: int, loss: str) -> None:
    image = keras.Input((4, 6, 3), name="image")
    model = keras.Model(image, layers.Conv2D(units, 1, activation="sigmoid")(image))
    model.compile(loss=loss)
    with pytest.raises(NetworkError, match="can mean several things"):
        output_kind(model)


def test_scores() -> None:
    logits = np.asarray([[0.0], [2.0]])
    binary = OutputKind(task=B, units=1, from_logits=True)
    np.testing.assert_allclose(to_scores(binary, logits), [0.5, 1 / (1 + np.exp(-2))])
    np.testing.assert_allclose(to_scores(binary, np.asarray([-1000.0, 1000.0])), [0, 1])
    classes = to_scores(OutputKind(task=M, units=2, from_logits=True), np.asarray([[1000.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_allclose(classes, [[1, 0], [0.5, 0.5]])
    labels = to_scores(OutputKind(task=L, units=2, from_logits=True), np.asarray([[1000.0, 0.0], [2.0, 2.0]]))
    np.testing.assert_allclose(labels, [[1, 0.5], [1 / (1 + np.exp(-2))] * 2])
    regression = OutputKind(task=R, units=1, from_logits=False)
    np.testing.assert_array_equal(to_scores(regression, np.asarray([[3.0], [-4.0]])), [3, -4])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("binary_crossentropy", losses.BinaryCrossentropy),
        ("mse", losses.MeanSquaredError),
        (losses.mean_absolute_error, losses.MeanAbsoluteError),
        ([losses.Huber(delta=2.0)], losses.Huber),
        ({"dense": losses.Poisson()}, losses.Poisson),
    ],
)
def test_the_loss_comes_back_in_any_form(loss: object, expected: type[losses.Loss], tmp_path: Path) -> None:
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.Dense(1, name="dense")(x))
    model.compile(loss=loss)
    save_network(model, tmp_path / "net.keras")
    assert type(reference_loss(tmp_path / "net.keras")) is expected


def test_arguments_of_the_loss_come_back(tmp_path: Path) -> None:
    model = network(1, None)
    model.compile(loss=losses.BinaryFocalCrossentropy(gamma=3.0, from_logits=True))
    save_network(model, tmp_path / "net.keras")
    found = reference_loss(tmp_path / "net.keras")
    assert found is not None
    assert (found.get_config()["gamma"], found.get_config()["from_logits"]) == (3.0, True)


def test_no_loss_or_an_own_one_is_none(tmp_path: Path) -> None:
    model = network(1, "sigmoid")
    save_network(model, tmp_path / "net.keras")
    assert reference_loss(tmp_path / "net.keras") is None

    def own(y: keras.KerasTensor, p: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(y - p)

    model.compile(loss=own)
    save_network(model, tmp_path / "net.keras")
    assert reference_loss(tmp_path / "net.keras") is None
    assert output_kind(model, tmp_path / "net.keras").task is B

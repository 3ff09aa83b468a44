"""Losses per row against plain numpy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from darwin_core.contracts import OutputKind, Task
from darwin_core.training import distillation_losses, label_losses

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, 3)).astype(np.float32)
TEACHER = RNG.normal(size=(6, 3)).astype(np.float32)
LABELS = np.asarray([0, 1, 2, 2, 1, 0], np.int32)


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def kind(task: Task, units: int, *, from_logits: bool) -> OutputKind:
    return OutputKind(task=task, units=units, from_logits=from_logits)


@pytest.mark.parametrize(
    "loss",
    [
        None,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras.losses.CategoricalCrossentropy(from_logits=True),
    ],
    ids=["default", "sparse", "one-hot"],
)
def test_class_labels(loss: keras.losses.Loss | None) -> None:
    found = label_losses(kind(Task.MULTICLASS, 3, from_logits=True), loss)(tf.constant(LABELS), tf.constant(LOGITS))
    np.testing.assert_allclose(found, -np.log(softmax(LOGITS)[np.arange(6), LABELS]), rtol=1e-5)


def test_binary_labels_are_class_indices_of_one_unit() -> None:
    probabilities = sigmoid(LOGITS[:, :1])
    labels = np.asarray([0, 1, 1, 0, 1, 0], np.int32)
    found = label_losses(kind(Task.BINARY, 1, from_logits=False))(tf.constant(labels), tf.constant(probabilities))
    expected = -np.where(labels == 1, np.log(probabilities[:, 0]), np.log(1 - probabilities[:, 0]))
    assert found.shape == (6,)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("from_logits", [False, True])
def test_several_labels_are_as_many_binary_tasks(from_logits: bool) -> None:
    flags = np.asarray([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]], np.int8)
    outputs = LOGITS if from_logits else sigmoid(LOGITS)
    found = label_losses(kind(Task.MULTILABEL, 3, from_logits=from_logits))(tf.constant(flags), tf.constant(outputs))
    expected = -np.where(flags == 1, np.log(sigmoid(LOGITS)), np.log(1 - sigmoid(LOGITS))).mean(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_several_labels_use_the_references_own_loss() -> None:
    flags = np.asarray([[0, 1, 1], [1, 0, 0]], np.int8)
    own = keras.losses.BinaryFocalCrossentropy(gamma=3.0, from_logits=True)
    found = label_losses(kind(Task.MULTILABEL, 3, from_logits=True), own)(tf.constant(flags), tf.constant(LOGITS[:2]))
    right = np.where(flags == 1, sigmoid(LOGITS[:2]), 1 - sigmoid(LOGITS[:2]))
    np.testing.assert_allclose(found, (-((1 - right) ** 3) * np.log(right)).mean(axis=1), rtol=1e-4)


def test_the_distance_of_several_labels_is_the_mean_of_the_binary_ones() -> None:
    together = distillation_losses(kind(Task.MULTILABEL, 3, from_logits=True), 2.0)(TEACHER, LOGITS)
    alone = distillation_losses(kind(Task.BINARY, 1, from_logits=True), 2.0)
    each = [alone(TEACHER[:, k : k + 1], LOGITS[:, k : k + 1]) for k in range(3)]
    np.testing.assert_allclose(together, np.mean(each, axis=0), rtol=1e-5)


def test_regression_uses_the_references_own_loss() -> None:
    targets, outputs = LOGITS[:, 0], TEACHER[:, :1]
    absolute = label_losses(kind(Task.REGRESSION, 1, from_logits=False), keras.losses.MeanAbsoluteError())
    np.testing.assert_allclose(absolute(tf.constant(targets), tf.constant(outputs)), np.abs(targets - outputs[:, 0]))


def test_softened_divergence_of_classes() -> None:
    found = distillation_losses(kind(Task.MULTICLASS, 3, from_logits=True), 3.0)(TEACHER, LOGITS)
    teacher, student = softmax(TEACHER / 3), softmax(LOGITS / 3)
    np.testing.assert_allclose(found, 9 * (teacher * np.log(teacher / student)).sum(axis=1), rtol=1e-3)


@pytest.mark.parametrize(("task", "units"), [(Task.MULTICLASS, 3), (Task.MULTILABEL, 3), (Task.BINARY, 1)])
def test_probabilities_and_logits_give_the_same_distance(task: Task, units: int) -> None:
    teacher, student = TEACHER[:, :units], LOGITS[:, :units]
    link = softmax if task is Task.MULTICLASS else sigmoid
    on_logits = distillation_losses(kind(task, units, from_logits=True), 2.0)(teacher, student)
    on_shares = distillation_losses(kind(task, units, from_logits=False), 2.0)(link(teacher), link(student))
    np.testing.assert_allclose(on_logits, on_shares, rtol=1e-3)


@pytest.mark.parametrize(
    ("task", "units"), [(Task.MULTICLASS, 3), (Task.MULTILABEL, 3), (Task.BINARY, 1), (Task.REGRESSION, 1)]
)
def test_nothing_pulls_at_a_network_that_equals_its_teacher(task: Task, units: int) -> None:
    outputs = tf.Variable(TEACHER[:, :units])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distillation_losses(kind(task, units, from_logits=True), 2.0)(TEACHER[:, :units], outputs))
    np.testing.assert_allclose(tape.gradient(loss, outputs), 0.0, atol=1e-6)


MASKS = np.random.default_rng(1).integers(0, 3, (2, 4, 5)).astype(np.uint8)
MAPS = np.random.default_rng(2).normal(size=(2, 4, 5, 3)).astype(np.float32)
OTHER_MAPS = np.random.default_rng(3).normal(size=(2, 4, 5, 3)).astype(np.float32)


def map_kind(units: int) -> OutputKind:
    return OutputKind(task=Task.SEGMENTATION, units=units, positions=(4, 5), from_logits=True)


@pytest.mark.parametrize("loss", [None, keras.losses.CategoricalCrossentropy(from_logits=True)])
def test_masks_are_as_many_rows_as_they_have_positions(loss: keras.losses.Loss | None) -> None:
    found = label_losses(map_kind(3), loss)(tf.constant(MASKS), tf.constant(MAPS))
    flat = label_losses(kind(Task.MULTICLASS, 3, from_logits=True))(MASKS.ravel(), MAPS.reshape(-1, 3))
    np.testing.assert_allclose(found, np.reshape(flat, (2, -1)).mean(axis=1), rtol=1e-5)
    distance = distillation_losses(map_kind(3), 2.0)(OTHER_MAPS, MAPS)
    flat = distillation_losses(kind(Task.MULTICLASS, 3, from_logits=True), 2.0)(
        OTHER_MAPS.reshape(-1, 3), MAPS.reshape(-1, 3)
    )
    np.testing.assert_allclose(distance, np.reshape(flat, (2, -1)).mean(axis=1), rtol=1e-4)


def test_masks_of_two_classes_need_one_unit() -> None:
    masks, maps, others = (MASKS > 0).astype(np.uint8), MAPS[..., :1], OTHER_MAPS[..., :1]
    binary = kind(Task.BINARY, 1, from_logits=True)
    found = label_losses(map_kind(1))(tf.constant(masks), tf.constant(maps))
    flat = label_losses(binary)(tf.constant(masks.ravel()), tf.constant(maps.reshape(-1, 1)))
    np.testing.assert_allclose(found, np.reshape(flat, (2, -1)).mean(axis=1), rtol=1e-5)
    distance = distillation_losses(map_kind(1), 2.0)(others, maps)
    flat = distillation_losses(binary, 2.0)(others.reshape(-1, 1), maps.reshape(-1, 1))
    np.testing.assert_allclose(distance, np.reshape(flat, (2, -1)).mean(axis=1), rtol=1e-4)

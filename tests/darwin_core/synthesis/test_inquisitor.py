"""The inquisitor finds what was planted: dead channels, doubles, features nobody reads."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from support.learning import BINARY, COLUMNS, as_split, customers, trained_reference

from darwin_core.contracts import OutputKind, Task
from darwin_core.dependency import analyse
from darwin_core.progress import Reporter
from darwin_core.synthesis import Inquisitor
from darwin_core.synthesis.inquisitor import redundancy


def probe(network: keras.Model, **options: object):
    inquisitor = Inquisitor(
        BINARY, customers(1_000, seed=1), {name: (name,) for name in COLUMNS}, rows=600, reporter=Reporter(), **options
    )
    return inquisitor.probe(network, analyse(network), "n")


def test_a_channel_that_nobody_reads_has_no_importance() -> None:
    network = keras.models.clone_model(trained_reference())
    network.set_weights(trained_reference().get_weights())
    kernel = network.get_layer("dense_2").kernel
    kernel.assign(np.concatenate([np.zeros((1, 32), np.float32), np.asarray(kernel)[1:]]))
    found = {item.group: item for item in probe(network).groups}
    assert found["dense_1"].importance[0] == 0.0
    assert sum(value > 0 for value in found["dense_1"].importance) > 16


def test_importance_is_the_taylor_term_of_the_loss() -> None:
    """For loss = -log sigmoid and a = relu(w x): |a * dL/da| by hand."""
    x = keras.Input((1,), name="income")
    hidden = keras.layers.Dense(2, activation="relu", use_bias=False, name="hidden")(x)
    network = keras.Model(x, keras.layers.Dense(1, activation="sigmoid", use_bias=False, name="out")(hidden))
    network.set_weights([np.asarray([[1.0, 2.0]]), np.asarray([[0.5], [-0.25]])])
    values = np.asarray([[1.0], [2.0], [-1.0], [3.0]], np.float32)
    labels = np.asarray([1, 0, 1, 1], np.int32)
    inquisitor = Inquisitor(
        BINARY, as_split({"income": values}, labels), {"income": ("income",)}, rows=4, reporter=Reporter()
    )
    found = inquisitor.probe(network, analyse(network), "n").groups[0]
    active = np.maximum(values * [[1.0, 2.0]], 0)
    score = 1 / (1 + np.exp(-active @ [[0.5], [-0.25]]))
    per_row = np.abs(active * (score - labels[:, None]) * [[0.5, -0.25]])
    np.testing.assert_allclose(found.importance, per_row.mean(axis=0), rtol=1e-4)
    for label in (0, 1):
        np.testing.assert_allclose(found.class_response[label], per_row[labels == label].mean(axis=0), rtol=1e-4)


def test_input_use_names_the_columns_that_matter() -> None:
    use = probe(trained_reference()).input_use
    assert set(use) == set(COLUMNS)
    assert sum(use.values()) == pytest.approx(1.0)
    assert use["unused"] == 0.0
    assert use["income"] > use["debt"] > use["noise"]


def test_columns_of_a_vector_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    x = keras.Input((3,), name="vector")
    network = keras.Model(x, keras.layers.Dense(1, activation="sigmoid", name="out")(
        keras.layers.Dense(4, activation="tanh", name="hidden")(x)))  # fmt: skip
    network.get_layer("hidden").kernel.assign(np.asarray([[1.0] * 4, [0.0] * 4, [0.1] * 4]))
    rows = as_split({"vector": rng.normal(size=(300, 3)).astype(np.float32)}, rng.integers(0, 2, 300).astype(np.int32))
    inquisitor = Inquisitor(BINARY, rows, {"vector": ("a", "b", "c")}, reporter=Reporter())
    use = inquisitor.probe(network, analyse(network), "n").input_use
    assert use["b"] == 0.0
    assert use["a"] > 3 * use["c"] > 0


def test_heads_are_seen_inside_of_their_layer() -> None:
    """A head that is mixed in with zeros has no importance, whatever the sizes of its other weights."""
    x = keras.Input((4, 3), name="vector")
    y = keras.layers.MultiHeadAttention(3, 5, value_dim=2, name="mha")(x, x)
    out = keras.layers.Dense(1, activation="sigmoid", name="out")(keras.layers.GlobalAveragePooling1D()(y))
    network = keras.Model(x, out)
    mha = network.get_layer("mha")
    mixing = np.asarray(mha.output_dense.kernel)
    mixing[1] = 0
    mixing[:, 1] = 0
    mha.output_dense.kernel.assign(mixing)
    mha.value_dense.kernel.assign(mha.value_dense.kernel * np.asarray([1, 50, 1])[:, None])
    mha.query_dense.kernel.assign(mha.query_dense.kernel * np.asarray([0, 1, 1, 1, 1]))
    rng = np.random.default_rng(0)
    rows = as_split({"vector": rng.normal(size=(40, 4, 3)).astype(np.float32)}, rng.integers(0, 2, 40).astype(np.int32))
    inquisitor = Inquisitor(BINARY, rows, {"vector": ("vector",)}, rows=40, reporter=Reporter())
    found = {
        item.group: np.asarray(item.importance) for item in inquisitor.probe(network, analyse(network), "n").groups
    }
    assert (found["mha/heads"] > 0).tolist() == [True, False, True]
    assert (found["mha/value_width"] > 0).tolist() == [True, False]
    assert (found["mha/key_width"] > 0).tolist() == [False, True, True, True, True]
    # The layer is as it was: its parts answer for themselves again.
    assert "call" not in vars(mha.output_dense)


def test_probing_is_reproducible_and_changes_nothing() -> None:
    before = trained_reference().get_weights()
    assert probe(trained_reference(), seed=4) == probe(trained_reference(), seed=4)
    for old, new in zip(before, trained_reference().get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_regressions_have_no_class_response() -> None:
    x = keras.Input((1,), name="income")
    network = keras.Model(x, keras.layers.Dense(1, name="out")(keras.layers.Dense(3, name="hidden")(x)))
    values = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    kind = OutputKind(task=Task.REGRESSION, units=1, from_logits=False)
    rows = as_split({"income": values}, values[:, 0])
    inquisitor = Inquisitor(kind, rows, {"income": ("income",)}, reporter=Reporter())
    found = inquisitor.probe(network, analyse(network), "n").groups[0]
    assert found.class_response == ()
    assert max(found.importance) > 0


def test_redundancy_of_doubles_constants_and_independent_channels() -> None:
    rng = np.random.default_rng(0)
    free = rng.normal(size=(2_000, 4))
    assert redundancy(free) < 0.1
    assert redundancy(np.concatenate([free, -2 * free], axis=1)) == pytest.approx(1.0)
    assert redundancy(np.concatenate([free[:, :1], np.ones((2_000, 1))], axis=1)) == pytest.approx(0.5)
    assert redundancy(free[:, :1]) == 0.0

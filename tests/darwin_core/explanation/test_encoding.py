"""Gradients through a network's own preprocessing."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from darwin_core.contracts import ColumnKind, OutputKind, Task
from darwin_core.errors import NetworkError
from darwin_core.explanation.attribution import Feature, FeatureMap, SampledShapley
from darwin_core.explanation.attribution.row_gradients import RowExpectedGradients
from darwin_core.explanation.encoding import Encoding
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.progress import Tracker

KIND = OutputKind(task=Task.BINARY, units=1, from_logits=False)
FEATURES = FeatureMap(
    (
        Feature("amount", ColumnKind.NUMBER, "amount"),
        Feature("age", ColumnKind.NUMBER, "age"),
        Feature("browser", ColumnKind.STRING, "browser"),
        Feature("city", ColumnKind.STRING, "city"),
    )
)


def rows(count: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    amount = rng.normal(size=(count, 1)).astype(np.float32)
    amount[::7] = np.nan
    return {
        "amount": amount,
        "age": rng.normal(size=(count, 1)).astype(np.float32),
        "browser": rng.choice([b"chrome", b"safari", b""], (count, 1)),
        "city": rng.choice([b"Ulm", b"Bonn", b"Kiel"], (count, 1)),
    }


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A missing amount becomes 0 and raises a flag; browser is one-hot, city an embedding."""
    keras.utils.set_random_seed(1)
    inputs = {
        name: keras.Input((1,), name=name, dtype="string" if name in ("browser", "city") else "float32")
        for name in FEATURES.names
    }
    numbers = keras.layers.Concatenate()([inputs["amount"], inputs["age"]])
    gap = keras.ops.cast(keras.ops.isnan(inputs["amount"]), "float32")
    one_hot = keras.layers.StringLookup(vocabulary=["chrome", "safari"], output_mode="one_hot")(inputs["browser"])
    codes = keras.layers.StringLookup(vocabulary=["Ulm", "Bonn", "Kiel"])(inputs["city"])
    city = keras.layers.Flatten()(keras.layers.Embedding(4, 2)(codes))
    joined = keras.layers.Concatenate()([keras.ops.nan_to_num(numbers), gap, one_hot, city])
    hidden = keras.layers.Dense(8, activation="tanh")(joined)
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))


def test_expected_gradients_reach_raw_columns_and_agree_with_shapley(network: keras.Model) -> None:
    background, explained = rows(48, 0), rows(20, 1)
    scorer = NetworkScorer(network, KIND)
    attributor = RowExpectedGradients(Encoding(network, KIND, FEATURES, background), background, samples=384)
    found = attributor.attribute(scorer, explained, None, Tracker())
    assert found.values.shape == (20, 4)
    np.testing.assert_allclose(found.gap, 0, atol=0.03)
    shapley = SampledShapley(FEATURES, background, pairs=48).attribute(scorer, explained, None, Tracker())
    assert np.corrcoef(found.values.ravel(), shapley.values.ravel())[0, 1] > 0.95
    again = attributor.attribute(scorer, explained, None, Tracker())
    np.testing.assert_array_equal(found.values, again.values)


def test_columns_mixed_before_the_cut_are_refused() -> None:
    inputs = {name: keras.Input((1,), name=name, dtype="float32") for name in ("a", "b")}
    together = keras.ops.cast(keras.ops.isnan(inputs["a"] + inputs["b"]), "float32")
    network = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(together))
    features = FeatureMap(tuple(Feature(name, ColumnKind.NUMBER, name) for name in ("a", "b")))
    gaps = {"a": np.arange(8) % 2 == 0, "b": np.arange(8) % 3 == 0}
    values = {name: np.where(gap, np.nan, 1)[:, None].astype(np.float32) for name, gap in gaps.items()}
    with pytest.raises(NetworkError, match="mixed with others"):
        Encoding(network, KIND, features, values)

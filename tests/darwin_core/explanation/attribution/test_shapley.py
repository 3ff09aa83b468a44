from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from darwin_core.contracts import ColumnKind
from darwin_core.explanation.attribution import Feature, FeatureMap, SampledShapley
from darwin_core.explanation.attribution.base import Floats, Inputs, Targets
from darwin_core.explanation.attribution.features import take
from darwin_core.progress import Tracker

NAMES = ("a", "b", "c", "word")
FEATURES = FeatureMap(
    tuple(Feature(name, ColumnKind.STRING if name == "word" else ColumnKind.NUMBER, name) for name in NAMES)
)


def draw(rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    numbers = {name: rng.normal(size=(rows, 1)).astype(np.float32).round(1) for name in "abc"}
    numbers["c"][rng.random((rows, 1)) < 0.3] = np.nan
    return {**numbers, "word": rng.choice([b"yes", b"no", b""], (rows, 1))}


def network(inputs: Inputs, targets: Targets | None) -> Floats:
    """Interactions, a lookup and missing values; several outputs where targets are given."""
    a, b = (inputs[name][:, 0].astype(np.float64) for name in "ab")
    c = np.nan_to_num(inputs["c"][:, 0].astype(np.float64), nan=2.0)
    word = inputs["word"][:, 0]
    scores = np.stack([a * b + np.where(word == b"yes", c, -a), a * b * c + (word == b"")], axis=1)
    return scores[:, 0] if targets is None else scores[np.arange(len(a)), targets]


def exact(rows: dict[str, np.ndarray], background: dict[str, np.ndarray], targets: Targets | None) -> np.ndarray:
    """Shapley values by enumeration of all subsets, averaged over the background."""
    count = len(NAMES)
    values = np.zeros((len(rows["a"]), count))
    for row, neutral in itertools.product(range(len(rows["a"])), range(len(background["a"]))):
        own, other = take(rows, slice(row, row + 1)), take(background, slice(neutral, neutral + 1))
        target = None if targets is None else targets[row : row + 1]
        score = {
            subset: network(FEATURES.mix(own, other, np.array([subset])), target)[0]
            for subset in itertools.product([False, True], repeat=count)
        }
        for subset, position in itertools.product(score, range(count)):
            if not subset[position]:
                size = sum(subset)
                weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
                joined = (*subset[:position], True, *subset[position + 1 :])
                values[row, position] += weight * (score[joined] - score[subset]) / len(background["a"])
    return values


@pytest.mark.parametrize("targets", [None, np.tile(np.array([0, 1]), 6)], ids=["one output", "several classes"])
def test_converges_to_the_shapley_value(targets: Targets | None) -> None:
    rows, background = draw(12, 0), draw(4, 1)
    sampler = SampledShapley(FEATURES, background, pairs=1200, seed=2)
    found = sampler.attribute(network, rows, targets, Tracker())
    np.testing.assert_allclose(found.values, exact(rows, background, targets), atol=0.03)


@pytest.mark.parametrize("pairs", [1, 3])
def test_attributions_and_base_add_up_to_the_score(pairs: int) -> None:
    rows = draw(50, 3)
    found = SampledShapley(FEATURES, draw(20, 4), pairs=pairs).attribute(network, rows, None, Tracker())
    np.testing.assert_allclose(found.scores, network(rows, None))
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)


def test_antithetic_pairs_are_exact_for_interactions_of_two_columns() -> None:
    rows, background = draw(10, 0), draw(1, 1)

    def pairwise(inputs: Inputs, targets: Targets | None) -> Floats:
        a, b = (inputs[name][:, 0].astype(np.float64) for name in "ab")
        return a * b + np.where(inputs["word"][:, 0] == b"yes", a, 3.0)

    one = SampledShapley(FEATURES, background, pairs=1, seed=0).attribute(pairwise, rows, None, Tracker())
    other = SampledShapley(FEATURES, background, pairs=1, seed=9).attribute(pairwise, rows, None, Tracker())
    np.testing.assert_allclose(one.values, other.values, atol=1e-12)


def test_columns_without_influence_or_difference_get_nothing() -> None:
    rows, background = draw(30, 5), draw(10, 6)
    rows["a"][:] = 0.5
    background["a"][:] = 0.5

    def only_b(inputs: Inputs, targets: Targets | None) -> Floats:
        return np.asarray(inputs["b"][:, 0] * inputs["a"][:, 0], np.float64)

    found = SampledShapley(FEATURES, background, pairs=4).attribute(only_b, rows, None, Tracker())
    assert np.all(found.values[:, [0, 2, 3]] == 0)
    assert np.any(found.values[:, 1] != 0)


def test_same_seed_same_result_and_rows_are_scored_in_big_batches() -> None:
    sizes: list[int] = []

    def counting(inputs: Inputs, targets: Targets | None) -> Floats:
        sizes.append(len(inputs["a"]))
        return network(inputs, targets)

    rows, background = draw(64, 7), draw(16, 8)
    first = SampledShapley(FEATURES, background, pairs=4, seed=1).attribute(counting, rows, None, Tracker())
    again = SampledShapley(FEATURES, background, pairs=4, seed=1).attribute(network, rows, None, Tracker())
    np.testing.assert_array_equal(first.values, again.values)
    assert len(sizes) == 2  # the rows themselves, then every point of every walk at once
    assert sizes[1] <= 64 * 4 * (2 * (len(NAMES) - 1) + 1)


def vector_features(count: int) -> FeatureMap:
    return FeatureMap(tuple(Feature(f"x{i}", ColumnKind.NUMBER, "vector", i) for i in range(count)))


def test_a_vector_input_is_explained_position_by_position() -> None:
    rng = np.random.default_rng(0)
    weights = np.array([3.0, 0.0, -2.0, 1.0, 0.5])
    rows, background = rng.normal(size=(20, 5)), rng.normal(size=(6, 5))

    def linear(inputs: Inputs, targets: Targets | None) -> Floats:
        return np.asarray(inputs["vector"] @ weights)

    found = SampledShapley(vector_features(5), {"vector": background}, pairs=6).attribute(
        linear, {"vector": rows}, None, Tracker()
    )
    np.testing.assert_allclose(found.values, (rows - background.mean(axis=0)) * weights, atol=1e-12)


def test_text_of_any_length_survives_mixing_and_replacing() -> None:
    features = FeatureMap((Feature("word", ColumnKind.STRING, "word"),))
    short, long = {"word": np.array([[b"a"], [b"b"]])}, {"word": np.array([[b"longer"], [b"words"]])}
    assert features.mix(long, short, np.array([[True], [False]]))["word"].tolist() == [[b"longer"], [b"b"]]
    assert features.mix(short, long, np.array([[True], [False]]))["word"].tolist() == [[b"a"], [b"words"]]
    assert (
        features.replace(short, features.features[0], np.array([b"x", b"much longer"]))["word"][1, 0] == b"much longer"
    )


@pytest.mark.parametrize("feature", [0, 1, 2])
def test_replace_changes_one_column_and_nothing_else(feature: int) -> None:
    features = vector_features(3)
    rows: dict[str, Any] = {"vector": np.arange(12.0).reshape(4, 3, 1)}
    changed = features.replace(rows, features.features[feature], np.full(4, -1.0))["vector"][:, :, 0]
    others = [position for position in range(3) if position != feature]
    assert np.all(changed[:, feature] == -1)
    np.testing.assert_array_equal(changed[:, others], rows["vector"][:, others, 0])
    assert rows["vector"].min() == 0

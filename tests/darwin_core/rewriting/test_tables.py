"""Smaller lookup tables: what stays maps to the same vectors, and what cannot matter changes nothing."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from darwin_core.errors import RequestError
from darwin_core.networks import Predictor, load_network, measure_cost, save_network
from darwin_core.networks.wiring import read_wiring
from darwin_core.rewriting import find_tables, trim_tables

WORDS = ["red", "green", "blue", "grey", "pink"]


def network(lookup: keras.layers.Layer, rows: int, dtype: str = "string", **embedding: bool) -> keras.Model:
    keras.utils.set_random_seed(0)
    given = keras.Input((1,), name="colour", dtype=dtype)
    vector = keras.layers.Embedding(rows, 3, name="vectors", embeddings_initializer="normal", **embedding)(
        lookup(given)
    )
    return keras.Model(given, keras.layers.Dense(2, name="out")(keras.layers.GlobalAveragePooling1D()(vector)))


def words(**options: object) -> keras.layers.Layer:
    return keras.layers.StringLookup(vocabulary=WORDS, name="lookup", **options)


def answers(model: keras.Model, values: list[str] | list[int]) -> np.ndarray:
    column = np.asarray(values)[:, None]
    return Predictor(model)({"colour": column.astype("S") if column.dtype.kind == "U" else column})


@pytest.mark.parametrize("options", [{}, {"mask_token": ""}])
def test_words_that_stay_keep_their_vectors_and_the_others_get_the_mean_of_what_was_seen(
    options: dict[str, str], tmp_path: Path
) -> None:
    first = 1 + len(options)
    model = network(words(**options), 6 + len(options))
    seen = np.zeros(first + 5, np.int64)
    seen[first:] = [9, 3, 8, 0, 1]
    small = trim_tables(model, {"lookup": [0, 2]}, {"lookup": seen})
    np.testing.assert_array_equal(answers(small, ["red", "blue"]), answers(model, ["red", "blue"]))
    unknown = answers(small, ["green", "pink", "never seen"])
    assert (unknown == unknown[0]).all()
    green, pink = answers(model, ["green", "pink"])
    np.testing.assert_allclose(unknown[0], 0.75 * green + 0.25 * pink, rtol=1e-5)
    assert measure_cost(model).parameters - measure_cost(small).parameters == 3 * 3
    save_network(small, tmp_path / "small.keras")
    np.testing.assert_array_equal(answers(load_network(tmp_path / "small.keras"), ["blue"]), answers(model, ["blue"]))


def test_a_word_with_the_vector_of_the_unknown_and_rows_without_a_word_go_without_any_change() -> None:
    model = network(words(), 20)
    rows = model.get_layer("vectors").embeddings
    table = np.array(rows)
    table[2] = table[0]
    rows.assign(table)
    small = trim_tables(model, {"lookup": [0, 2, 3, 4]}, {"lookup": np.asarray([4, 1, 7, 1, 1, 1])})
    everything = [*WORDS, "something else"]
    np.testing.assert_array_equal(answers(small, everything), answers(model, everything))
    assert small.get_layer("vectors").embeddings.shape == (5, 3)


def test_hash_bins_that_stay_keep_their_vectors() -> None:
    model = network(keras.layers.Hashing(50, name="hash"), 50)
    bins = Predictor(keras.Model(model.inputs, model.get_layer("hash").output))
    kept = np.unique(bins({"colour": np.asarray(WORDS, "S")[:, None]}))
    small = trim_tables(model, {"hash": kept})
    np.testing.assert_array_equal(answers(small, WORDS), answers(model, WORDS))
    assert small.get_layer("vectors").embeddings.shape == (len(kept) + 1, 3)
    assert np.isfinite(answers(small, ["else", "another"])).all()


def test_whole_numbers_have_a_vocabulary_too() -> None:
    lookup = keras.layers.IntegerLookup(vocabulary=[3, 7, 11], name="lookup")
    model = network(lookup, 4, dtype="int64")
    small = trim_tables(model, {"lookup": [1, 2]})
    np.testing.assert_array_equal(answers(small, [7, 11]), answers(model, [7, 11]))


def test_only_tables_whose_indices_go_to_embeddings_are_found() -> None:
    assert [table.name for table in find_tables(read_wiring(network(words(), 6)))] == ["lookup"]
    assert not find_tables(read_wiring(network(words(num_oov_indices=2), 8)))
    assert not find_tables(read_wiring(network(words(), 6, mask_zero=True)))
    given = keras.Input((1,), name="colour", dtype="string")
    one_hot = keras.layers.StringLookup(vocabulary=WORDS, output_mode="one_hot")(given)
    assert not find_tables(read_wiring(keras.Model(given, keras.layers.Dense(1)(one_hot))))


@pytest.mark.parametrize("keep", [{"out": [0]}, {"lookup": [7]}])
def test_misuse_is_refused(keep: dict[str, list[int]]) -> None:
    with pytest.raises(RequestError, match=r"Expected lookup tables|expected entries between 0 and 4"):
        trim_tables(network(words(), 6), keep)

"""Networks cut behind their look-ups: the rest takes numbers and gives the same outputs."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers
from support.zoo import SPECIMENS, run, sample

from darwin_core.errors import NetworkError
from darwin_core.exports.core import numeric_core

ONE_OUTPUT = [
    name
    for name in (
        "sequential",
        "nested",
        "shared",
        "shared_in_turn",
        "residual",
        "flattened_map",
        "embedded",
        "prepared",
    )
    if name in SPECIMENS
]


@pytest.mark.parametrize("specimen", ONE_OUTPUT)
def test_the_core_answers_like_the_network(specimen: str) -> None:
    model = SPECIMENS[specimen].make()
    rows = sample(model, rows=9)
    before = run(model, rows)
    core = numeric_core(model)
    fed = core.feed(rows)
    assert list(fed) == [item.name for item in core.inputs]
    assert all(values.dtype.kind in "fiub" for values in fed.values())
    np.testing.assert_allclose(core.network(fed, training=False), before, atol=1e-6)
    np.testing.assert_array_equal(run(model, rows), before)  # cutting left the network itself alone


def test_only_networks_that_look_up_are_cut() -> None:
    model = SPECIMENS["residual"].make()
    core = numeric_core(model)
    assert (core.front, core.lookups) == (None, ())
    assert [item.name for item in core.inputs] == [tensor.name for tensor in model.inputs]


def test_lookups_are_described_well_enough_to_be_done_by_hand() -> None:
    core = numeric_core(SPECIMENS["embedded"].make())
    (lookup,) = json.loads(core.describe_lookups())
    words = ["red", "blue", "mauve", "green"]
    rows = {"word": np.asarray(words, dtype=object)[:, None], "amount": np.zeros((4, 1), "float32")}
    assert (lookup["kind"], lookup["reads"]) == ("StringLookup", ["word"])
    unknown = lookup["vocabulary"].index(lookup["config"]["oov_token"])
    by_hand = [lookup["vocabulary"].index(word) if word in lookup["vocabulary"] else unknown for word in words]
    (given,) = lookup["gives"]
    assert core.feed(rows)[given].ravel().tolist() == by_hand
    assert {item.name for item in core.inputs} == {given, "amount"}


def test_a_column_that_is_looked_up_and_read_goes_both_ways() -> None:
    code = keras.Input((1,), name="code", dtype="int64")
    hashed = layers.CategoryEncoding(num_tokens=4)(layers.Hashing(4, name="bucket")(code))
    plain = layers.Rescaling(0.1)(code)
    model = keras.Model({"code": code}, layers.Dense(1)(layers.Concatenate()([hashed, plain])))
    core = numeric_core(model)
    assert {item.name for item in core.inputs} == {"code", "bucket"}
    rows = {"code": np.arange(6)[:, None]}
    np.testing.assert_allclose(core.network(core.feed(rows), training=False), run(model, rows), atol=1e-6)


def test_names_of_what_is_looked_up_never_hide_an_input() -> None:
    word = keras.Input((1,), name="word", dtype="string")
    amount = keras.Input((1,), name="amount")
    inner_word = keras.Input((1,), name="inner_word", dtype="string")
    inner = keras.Model(
        inner_word,
        layers.StringLookup(vocabulary=["a"], output_mode="one_hot", name="amount")(inner_word),
        name="inner",
    )
    model = keras.Model({"word": word, "amount": amount}, layers.Dense(1)(layers.Concatenate()([inner(word), amount])))
    core = numeric_core(model)
    assert {item.name for item in core.inputs} == {"amount", "inner_amount"}
    rows = {"word": np.asarray([["a"], ["b"]], dtype=object), "amount": np.ones((2, 1), "float32")}
    np.testing.assert_allclose(core.network(core.feed(rows), training=False), run(model, rows), atol=1e-6)


def test_weights_before_a_lookup_cannot_be_cut_off() -> None:
    x = keras.Input((3,), name="x")
    bucket = layers.Hashing(4, name="bucket")(layers.Dense(1, name="early")(x))
    model = keras.Model(x, layers.Dense(1)(layers.CategoryEncoding(num_tokens=4)(bucket)))
    with pytest.raises(NetworkError, match=r"Layer 'early' \(Dense\) has weights and stands before a look-up"):
        numeric_core(model)


def test_a_network_that_only_looks_up_has_no_core() -> None:
    word = keras.Input((1,), name="word", dtype="string")
    model = keras.Model(word, layers.StringLookup(vocabulary=["a"], output_mode="one_hot")(word))
    with pytest.raises(NetworkError, match="ends in a look-up"):
        numeric_core(model)


def test_inputs_of_the_core_have_names_that_every_format_admits() -> None:
    given = {name: keras.Input((1,), name=name) for name in ("amount per day", "amount_per_day")}
    model = keras.Model(given, layers.Dense(1)(layers.Concatenate()(list(given.values()))))
    core = numeric_core(model)
    assert [item.name for item in core.inputs] == ["amount_per_day", "amount_per_day_2"]
    rows = {name: np.full((2, 1), value, "float32") for name, value in zip(given, (3.0, 5.0), strict=True)}
    np.testing.assert_allclose(core.network(core.feed(rows), training=False), run(model, rows), atol=1e-6)

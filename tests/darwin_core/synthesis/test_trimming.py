"""Which entries of lookup tables go: those without effect always, others as far as the required quality admits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
from support.learning import BINARY, as_split

from darwin_core.contracts import Requirement, SearchBudget, SearchRecord
from darwin_core.data import MappedSplit
from darwin_core.networks import Predictor, load_network, measure_cost, save_network
from darwin_core.progress import Reporter
from darwin_core.synthesis import Aim, Part, Reference, Search, performance_function
from darwin_core.synthesis.judgement import Judge, ValidationRows
from darwin_core.synthesis.trimming import TableTrimmer
from darwin_core.training import prepare_runtime

WORDS = [f"shop {number}" for number in range(40)]
COMMON = 8


def sales(rows: int, seed: int) -> MappedSplit:
    """Eight shops decide; another 20 come once in a hundred rows; the last twelve never come."""
    rng = np.random.default_rng(seed)
    rare = rng.random(rows) < 0.01
    shop = np.where(rare, rng.integers(COMMON, 28, rows), rng.integers(0, COMMON, rows))
    labels = ((shop % 2 == 0) ^ (rng.random(rows) < 0.1)).astype(np.int32)
    return as_split({"shop": np.asarray(WORDS, "S")[shop][:, None]}, labels)


@pytest.fixture(scope="module")
def reference() -> keras.Model:
    keras.utils.set_random_seed(0)
    given = keras.Input((1,), name="shop", dtype="string")
    lookup = keras.layers.StringLookup(vocabulary=WORDS, name="lookup")(given)
    vector = keras.layers.Flatten()(keras.layers.Embedding(41, 4, name="vectors")(lookup))
    model = keras.Model(given, keras.layers.Dense(1, activation="sigmoid")(vector))
    rows = sales(2_000, seed=0)
    model.compile(keras.optimizers.Adam(3e-2), "binary_crossentropy")
    values = keras.ops.convert_to_tensor(rows.inputs["shop"].astype(object))
    model.fit(values, rows.labels[:, None], epochs=4, batch_size=64, verbose=0)
    return model


def trimmed(model: keras.Model, requirement: str) -> tuple[keras.Model, int]:
    rows = sales(1_500, seed=1)
    judge = Judge(
        BINARY,
        ValidationRows(rows.labels, None),
        Predictor(model)(dict(rows.inputs)),
        measure_cost(model),
        (Requirement.parse(requirement),),
        performance_function("smallest"),
        0.1,
    )
    small, found = TableTrimmer(judge, sales(2_000, seed=0), rows).trim(model)
    return small, found[0].entries_after if found else len(WORDS)


def test_rare_entries_go_and_those_that_decide_stay(reference: keras.Model) -> None:
    small, left = trimmed(reference, "accuracy_drop<=0.02")
    assert 2 <= left < 28
    kept = small.get_layer("lookup").get_vocabulary(include_special_tokens=False)
    assert set(kept) <= set(WORDS[:28])
    values = {"shop": np.asarray(kept).astype("S")[:, None]}
    np.testing.assert_array_equal(Predictor(small)(values), Predictor(reference)(values))
    fresh = sales(1_500, seed=1)
    own, theirs = (Predictor(model)(dict(fresh.inputs))[:, 0] > 0.5 for model in (small, reference))
    assert np.mean(own == fresh.labels) >= np.mean(theirs == fresh.labels) - 0.02
    assert measure_cost(small).parameters == measure_cost(reference).parameters - 4 * (len(WORDS) - left)


def test_out_of_reach_nothing_goes_but_what_has_no_effect(reference: keras.Model) -> None:
    assert trimmed(reference, "accuracy>=1")[1] == len(WORDS)
    alike = keras.models.clone_model(reference)
    alike.set_weights(reference.get_weights())
    table = np.array(alike.get_layer("vectors").embeddings)
    table[30:36] = table[0]
    alike.get_layer("vectors").embeddings.assign(table)
    small, left = trimmed(alike, "accuracy>=1")
    assert left == len(WORDS) - 6
    everything = {"shop": np.asarray([*WORDS, "another"], "S")[:, None]}
    np.testing.assert_array_equal(Predictor(small)(everything), Predictor(alike)(everything))


def test_offspring_inherit_the_smaller_tables_and_the_record_says_so(reference: keras.Model, tmp_path: Path) -> None:
    prepare_runtime(0)
    path = tmp_path / "reference.keras"
    save_network(reference, path)
    search = Search(
        Reference(
            path,
            hashlib.sha256(path.read_bytes()).hexdigest(),
            BINARY,
            keras.losses.BinaryCrossentropy(),
            {"shop": ("shop",)},
        ),
        Part(sales(2_000, seed=0), "a" * 64),
        Part(sales(1_500, seed=1), "b" * 64),
        Aim(
            (Requirement.parse("accuracy_drop<=0.03"),),
            SearchBudget(generations=1, offspring=1, generation_samples=2_000, final_samples=2_000),
        ),
        workdir=tmp_path / "work",
        cache_dir=tmp_path / "cache",
        reporter=Reporter(),
    )
    found = search.run()
    (table,) = found.record.tables
    assert (table.layer, table.entries_before) == ("lookup", 40)
    chosen = load_network(found.chosen.path)
    assert chosen.get_layer("vectors").input_dim == table.entries_after + 1 < 30
    assert found.record.reference.cost == measure_cost(reference)
    assert sum(item.parameters for item in found.record.reference_layers) == measure_cost(reference).parameters
    assert SearchRecord.from_json(found.record.to_json()) == found.record

"""Columns that can go: found without training, then tried out with fewer and fewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.learning import BINARY, COLUMNS, as_split, customers, make_search, trained_reference

from darwin_core.contracts import CandidateStage, Requirement, SearchBudget
from darwin_core.dependency import analyse
from darwin_core.networks import Predictor, load_network, measure_cost
from darwin_core.synthesis import performance_function
from darwin_core.synthesis.columns import ColumnSelector, silent_columns, usual_values
from darwin_core.synthesis.judgement import Judge, ValidationRows

USE = {"income": 0.6, "debt": 0.35, "noise": 0.05, "unused": 0.0}


def table(rows: int = 70_000) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    number = rng.normal(size=(rows, 1)).astype(np.float32)
    number[::7] = np.nan
    nearly = number.copy()
    nearly[-1] = 5.0
    steady = np.full((rows, 1), 3.0, np.float32)
    once = steady.copy()
    once[rows // 2] = 4.0
    word = rng.choice([b"a", b"b", b"b"], (rows, 1))
    return {
        "number": number,
        "copy": number.copy(),
        "nearly": nearly,
        "steady": steady,
        "once": once,
        "missing": np.full((rows, 1), np.nan, np.float32),
        "word": word,
        "same_word": word.copy(),
    }


def test_silent_columns_are_constant_or_repeat_another_in_every_single_row() -> None:
    inputs = table()
    split = as_split(inputs, np.zeros(70_000, np.int32))
    assert set(silent_columns(split, list(inputs))) == {"copy", "steady", "missing", "same_word"}
    assert silent_columns(split, ["copy", "number"]) == ("number",)
    assert silent_columns(split, []) == ()


def test_the_usual_value_is_a_value_of_the_column() -> None:
    inputs = table(1_000) | {"count": np.asarray([[1], [9], [9], [9], [2]] * 200, np.int64)}
    found = usual_values(as_split(inputs, np.zeros(1_000, np.int32)), inputs)
    assert found["word"].tolist() == [[b"b"]]
    assert found["count"].tolist() == [[9]]
    assert found["count"].dtype == np.int64
    assert found["number"] in inputs["number"]
    assert abs(float(found["number"][0, 0])) < 0.2
    assert np.isnan(found["missing"]).all()


def selector(requirement: str) -> ColumnSelector:
    rows = customers(1_500, seed=2)
    outputs = Predictor(trained_reference())(dict(rows.inputs))
    judge = Judge(
        BINARY,
        ValidationRows(rows.labels, None),
        outputs,
        measure_cost(trained_reference()),
        (Requirement.parse(requirement),),
        performance_function("smallest"),
        0.1,
    )
    return ColumnSelector(judge, customers(2_000, seed=1), rows)


@pytest.mark.parametrize(
    ("requirement", "gone", "removed"),
    [
        ("pr_auc_drop<=0.02", (), ("unused", "noise")),
        ("pr_auc_drop<=0.9", (), ("unused", "noise", "debt")),
        ("accuracy>=1", (), ()),
        ("pr_auc_drop<=0.02", ("noise",), ("noise", "unused")),
    ],
)
def test_spare_columns_are_those_that_the_required_quality_does_not_need(
    requirement: str, gone: tuple[str, ...], removed: tuple[str, ...]
) -> None:
    network = trained_reference()
    assert selector(requirement).removable(network, analyse(network), USE, gone) == removed


def test_a_search_leaves_out_what_carries_nothing_and_tries_to_do_with_less(tmp_path: Path) -> None:
    budget = SearchBudget(fewer_columns=True, generations=2, offspring=1, generation_samples=4_000, final_samples=4_000)
    found = make_search(tmp_path, ("pr_auc_drop<=0.03",), budget=budget).run()
    record = found.record
    assert record.feasible
    assert set(found.chosen.record.genome.dropped_inputs) == {"noise", "unused"}
    assert {item.name for item in load_network(found.chosen.path).inputs} == {"income", "debt"}
    assert record.controls[0].record.cost.input_features == 2
    thin = [item for item in record.candidates if item.strategy == "fewer columns"]
    assert [item.cost.input_features for item in thin] == [1]
    assert thin[0].stage is CandidateStage.RACED
    assert not thin[0].promising
    assert set(thin[0].genome.dropped_inputs) < set(COLUMNS)

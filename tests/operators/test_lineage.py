"""Lineage in OpenLineage's own classes; skipped where its provider is not installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from darwin_core.contracts import CompactionConfig, StepName

pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is optional")

from openlineage.client.serde import Serde
from stand_in_engine import write_result

from darwin_operators import EvaluateOperator, PublishOperator
from darwin_operators.lineage import dataset, step_lineage
from darwin_operators.stored_run import StoredRun


@pytest.fixture
def run(config: dict[str, object]) -> Iterator[StoredRun]:
    parsed = CompactionConfig.model_validate(config)
    for step in StepName:
        write_result(step, parsed, "r1", "good")
    return StoredRun(parsed, "r1")


def test_names_follow_the_rules_of_openlineage() -> None:
    found = dataset("s3://bank/models/fraud/report.html", "a" * 64)
    assert (found.namespace, found.name) == ("s3://bank", "models/fraud/report.html")
    assert found.facets["version"].datasetVersion == "a" * 64
    local = dataset("file:///data/train.parquet")
    assert (local.namespace, local.name, local.facets) == ("file", "/data/train.parquet", {})


def test_what_goes_in_came_out_of_the_step_before(run: StoredRun) -> None:
    """Across all five steps, every input is a source of the run or an output of an earlier step."""
    known: set[tuple[str, str]] = set()
    for step in StepName:
        lineage = step_lineage(run.request(step), run.result(step))
        inputs = {(item.namespace, item.name) for item in lineage.inputs}
        assert inputs
        if step is not StepName.FETCH_DATA:
            assert inputs <= known, step
        known |= {(item.namespace, item.name) for item in lineage.outputs}
    assert any(name.endswith("versions/3-0123456789ab") for _, name in known)


def test_the_verdict_is_a_tag(run: StoredRun) -> None:
    lineage = step_lineage(run.request(StepName.PUBLISH), run.result(StepName.PUBLISH))
    tags = {tag.key: tag.value for tag in lineage.run_facets["tags"].tags}
    assert tags == {"darwin.verdict": "PASS", "darwin.version": "3-0123456789ab"}
    assert '"PASS"' in Serde.to_json(lineage.run_facets["tags"])


def test_operators_answer_the_provider(stand_in: str, config: dict[str, object]) -> None:
    task = EvaluateOperator(task_id="evaluate", config=config, run_id="r1", launcher_args={"python": stand_in})
    assert task.get_openlineage_facets_on_complete(None) is None, "nothing has happened yet"
    task.execute({})
    lineage = task.get_openlineage_facets_on_complete(None)
    assert [item.name.rpartition("/")[2] for item in lineage.outputs] == [
        "verdict.json",
        "evaluation.json",
        "predictions.parquet",
    ]


def test_nothing_of_openlineage_is_imported_before_it_is_asked_for() -> None:
    code = f"import sys; from darwin_operators import {PublishOperator.__name__}; print('openlineage' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip().splitlines()[-1] == "False"

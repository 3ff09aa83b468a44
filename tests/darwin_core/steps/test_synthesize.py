"""The step, from a real snapshot to stored artifacts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from support.tiny import write_table, write_table_network

from darwin_core.contracts import (
    CompactionConfig,
    DataRoles,
    DataSource,
    ExportFormat,
    FetchDataResult,
    Insights,
    SearchBudget,
    SearchRecord,
    StepName,
    SynthesizeResult,
    request_for,
)
from darwin_core.errors import RequirementError
from darwin_core.networks import load_network, measure_cost
from darwin_core.progress import Reporter
from darwin_core.steps.runner import run_step

BUDGET = SearchBudget(generations=1, offspring=2, generation_samples=4_000, final_samples=4_000)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> CompactionConfig:
    folder = tmp_path_factory.mktemp("synthesize")
    train = write_table(folder / "train.parquet", rows=1_500)
    return CompactionConfig(
        line=str(folder / "line"),
        reference=str(write_table_network(folder / "reference.keras", train, epochs=4)),
        train=DataSource(uri=str(train)),
        test=DataSource(uri=str(write_table(folder / "test.parquet", rows=300, seed=1))),
        roles=DataRoles(label="is_fraud", positive_label="1", row_id="row_id"),
        budget=BUDGET,
        exports=(ExportFormat.LITERT_FLOAT16,),
    )


@pytest.fixture(scope="module")
def fetched(config: CompactionConfig) -> FetchDataResult:
    result = run_step(
        StepName.FETCH_DATA,
        request_for(StepName.FETCH_DATA, config, "r", {}),
        reporter=Reporter(),
        work_root=_work(config),
    )
    assert isinstance(result, FetchDataResult)
    return result


def _work(config: CompactionConfig) -> Path:
    return Path(config.line).parent / "work"


def _synthesize(config: CompactionConfig, fetched: FetchDataResult, run: str = "r") -> SynthesizeResult:
    request = request_for(StepName.SYNTHESIZE, config, run, {StepName.FETCH_DATA: fetched})
    result = run_step(StepName.SYNTHESIZE, request, reporter=Reporter(), work_root=_work(config))
    assert isinstance(result, SynthesizeResult)
    return result


def test_everything_is_stored_and_fits_together(config: CompactionConfig, fetched: FetchDataResult) -> None:
    result = _synthesize(config, fetched)
    record = SearchRecord.from_json(Path(result.search_record.uri).read_bytes())
    insights = Insights.from_json(Path(result.insights.uri).read_bytes())
    for ref in (result.candidate, *result.front):
        assert hashlib.sha256(Path(ref.uri).read_bytes()).hexdigest() == ref.sha256
        load_network(ref.uri)
    cost = measure_cost(load_network(result.candidate.uri))
    assert (cost.parameters, cost.macs) == (result.candidate_parameters, result.candidate_macs)
    by_id = {item.candidate_id: item for item in record.candidates}
    assert by_id[record.chosen].network == result.candidate
    assert {by_id[name].network for name in record.front if name != record.chosen} <= set(result.front)
    assert result.feasible == record.feasible
    assert insights.input_use["amount"] > insights.input_use["unused"]
    assert record.controls[0].record.strategy == "uniform"
    assert not list((_work(config) / "work").iterdir()), "scratch files are left behind"
    assert _synthesize(config, fetched).reused


def test_the_choice_is_exported_and_held_against_itself(config: CompactionConfig, fetched: FetchDataResult) -> None:
    result = _synthesize(config, fetched)
    (export,) = SearchRecord.from_json(Path(result.search_record.uri).read_bytes()).exports
    assert export.problem is None
    assert result.exports == (export.artifact, export.lookups_artifact)
    assert export.artifact is not None
    assert Path(export.artifact.uri).parent.name == "exports"
    assert Path(export.artifact.uri).stat().st_size == export.file_bytes
    assert export.rows == fetched.validation_rows
    assert export.max_score_difference is not None
    assert export.max_score_difference < 0.01
    assert export.metric == "pr_auc"
    assert export.quality == pytest.approx(export.network_quality, abs=0.02)
    assert export.latency is not None
    assert export.latency.threads == 1


def test_a_requirement_that_the_task_lacks_is_refused(config: CompactionConfig, fetched: FetchDataResult) -> None:
    wrong = CompactionConfig.model_validate({**config.model_dump(), "requirements": ("rmse_rise<=0.1",)})
    with pytest.raises(RequirementError, match="rmse"):
        _synthesize(wrong, fetched, "wrong")
    assert not (Path(config.line) / "runs" / "wrong" / "synthesize" / "candidate.keras").exists()

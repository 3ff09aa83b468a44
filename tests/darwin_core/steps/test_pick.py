"""Going on from a point of an earlier front: on S3, with the original data gone, as a person would do it later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.s3 import S3Server, clean_environment, new_bucket
from support.tiny import write_table, write_table_network

from darwin_core.contracts import (
    CandidateRecord,
    CandidateStage,
    CompactionConfig,
    DataRoles,
    DataSource,
    FetchDataResult,
    Pick,
    Requirement,
    SearchBudget,
    SearchRecord,
    StepName,
    StepResult,
    StorageOptions,
    SynthesizeResult,
    request_for,
    step_key,
)
from darwin_core.errors import RequestError
from darwin_core.networks import load_network, measure_cost
from darwin_core.progress import Reporter
from darwin_core.steps.runner import run_step
from darwin_core.steps.stored_runs import front_of, picking_config, store_config
from darwin_core.storage import ObjectStore, join_uri, open_store

RACE, FINISH = 2_000, 4_000


@dataclass(frozen=True)
class Line:
    """A line in a store, and the machine that works on it."""

    config: CompactionConfig
    store: ObjectStore
    work: Path

    def synthesize(self, run_id: str, config: CompactionConfig | None = None) -> SynthesizeResult:
        """The first two steps of a run."""
        config, results = config or self.config, dict[StepName, StepResult]()
        for step in (StepName.FETCH_DATA, StepName.SYNTHESIZE):
            request = request_for(step, config, run_id, results)
            results[step] = run_step(step, request, reporter=Reporter(), work_root=self.work)
        store_config(config, run_id)
        found = results[StepName.SYNTHESIZE]
        assert isinstance(found, SynthesizeResult)
        return found

    def picking(self, candidate_id: str, run_id: str = "first") -> CompactionConfig:
        """The configuration of a run that goes on from a point."""
        pick = Pick(run_id=run_id, candidate_id=candidate_id)
        return picking_config(self.config.line, pick, self.config.storage)

    def record(self, result: SynthesizeResult) -> SearchRecord:
        """The record that a result points at."""
        return SearchRecord.from_json(self.store.read(result.search_record.uri).data)

    def network(self, result: SynthesizeResult, path: Path) -> Path:
        """The chosen network as a file."""
        self.store.download(result.candidate.uri, path, sha256=result.candidate.sha256)
        return path


@pytest.fixture(scope="module")
def line(moto_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line with one searched run, whose data and reference have since been removed from where they were."""
    folder = tmp_path_factory.mktemp("pick")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clean_environment(moto_server).items():
            patch.setenv(name, value)
        train = write_table(folder / "inputs" / "train.parquet", rows=1_200)
        reference = write_table_network(folder / "inputs" / "reference.keras", train, epochs=3)
        storage = StorageOptions(endpoint_url=moto_server.endpoint, region="us-east-1", path_style=True)
        config = CompactionConfig(
            line=f"s3://{new_bucket(moto_server)}/line",
            reference=str(reference),
            train=DataSource(uri=str(train)),
            roles=DataRoles(label="is_fraud", positive_label="1", row_id="row_id"),
            requirements=(Requirement.parse("pr_auc_drop<=0.5"),),
            budget=SearchBudget(generations=2, offspring=2, generation_samples=RACE, final_samples=FINISH),
            storage=storage,
        )
        made = Line(config, open_store(config.line, storage), folder / "work")
        made.synthesize("first")
        train.unlink()
        reference.unlink()
        yield made


@pytest.fixture(scope="module")
def first(line: Line) -> SearchRecord:
    result = SynthesizeResult.from_json(
        line.store.read(join_uri(line.config.line, "runs", "first", "synthesize", "result.json")).data
    )
    return line.record(result)


@pytest.fixture(scope="module")
def raced(first: SearchRecord) -> CandidateRecord:
    """A point that the search passed over."""
    (found, *_) = [item for item in front_of(first) if item.stage is CandidateStage.RACED]
    return found


@pytest.fixture(scope="module")
def picked(line: Line, raced: CandidateRecord) -> SynthesizeResult:
    return line.synthesize("second", line.picking(raced.candidate_id))


def test_a_point_that_was_passed_over_is_finished_and_chosen(
    line: Line, first: SearchRecord, raced: CandidateRecord, picked: SynthesizeResult, tmp_path: Path
) -> None:
    record = line.record(picked)
    by_id = {item.candidate_id: item for item in record.candidates}
    chosen = by_id[record.chosen]
    assert record.chosen == raced.candidate_id != first.chosen
    assert chosen.stage is CandidateStage.FINISHED
    assert chosen.samples >= raced.samples + FINISH
    assert chosen.genome == raced.genome
    network = load_network(line.network(picked, tmp_path / "candidate.keras"))
    assert measure_cost(network).parameters == raced.cost.parameters == picked.candidate_parameters
    assert chosen.network == picked.candidate
    assert record.controls[0].record.samples == chosen.lineage_samples
    assert record.controls[0].record.cost.parameters <= 1.1 * raced.cost.parameters
    others = [item.candidate_id for item in first.candidates if item.candidate_id != record.chosen]
    assert [by_id[name].quality for name in others] == [
        item.quality for item in first.candidates if item.candidate_id in others
    ]


def test_the_record_says_that_a_person_picked_it(
    line: Line, first: SearchRecord, raced: CandidateRecord, picked: SynthesizeResult
) -> None:
    record = line.record(picked)
    assert first.origin is None
    assert record.origin == Pick(run_id="first", candidate_id=raced.candidate_id)
    assert record.reason.startswith(f"A person picked {raced.candidate_id} (")
    assert f"of run first, instead of {first.chosen}. It got the long finish now." in record.reason
    assert all(record.seconds[phase] >= spent for phase, spent in first.seconds.items())


def test_the_data_are_those_of_the_earlier_run_though_their_files_are_gone(
    line: Line, picked: SynthesizeResult
) -> None:
    snapshots = [
        FetchDataResult.from_json(
            line.store.read(join_uri(line.config.line, "runs", run, "fetch-data/result.json")).data
        )
        for run in ("first", "second")
    ]
    assert snapshots[0].snapshot == snapshots[1].snapshot
    for ref in (picked.candidate, picked.insights, *picked.front):
        assert "/runs/second/" in ref.uri, "the new run must not depend on the earlier run's objects"
        assert hashlib.sha256(line.store.read(ref.uri).data).hexdigest() == ref.sha256


def test_a_finished_point_is_taken_as_it_is_also_from_a_picked_run(
    line: Line, first: SearchRecord, picked: SynthesizeResult
) -> None:
    before = {item.candidate_id: item for item in first.candidates}[first.chosen]
    assert before.network is not None
    assert before.stage is CandidateStage.FINISHED
    result = line.synthesize("third", line.picking(first.chosen, "second"))
    record = line.record(result)
    chosen = next(item for item in record.candidates if item.candidate_id == first.chosen)
    assert result.candidate.sha256 == before.network.sha256
    assert (chosen.samples, chosen.quality) == (before.samples, before.quality)
    assert record.origin == Pick(run_id="second", candidate_id=first.chosen)
    assert f"instead of {line.record(picked).chosen}." in record.reason
    assert "long finish" not in record.reason


def test_what_does_not_exist_is_answered_with_what_does(line: Line, first: SearchRecord) -> None:
    with pytest.raises(RequestError, match=r"has no run nights\. .*finished search: .*first"):
        line.picking(first.chosen, "nights")
    with pytest.raises(RequestError, match=rf"'g9n9'.*no candidate of that run.*{first.chosen} \("):
        line.picking("g9n9")
    line.store.write(join_uri(line.config.line, "runs", "killed", "synthesize", "request.json"), b"{}")
    with pytest.raises(RequestError, match="stopped before its search was done"):
        line.picking(first.chosen, "killed")
    unkept = [item for item in first.candidates if item.candidate_id not in first.front]
    for item in unkept:
        with pytest.raises(RequestError, match="not on the front"):
            line.picking(item.candidate_id)


def test_fetch_data_refuses_a_wrong_pick_for_every_door(line: Line, first: SearchRecord) -> None:
    wrong = line.config.model_copy(update={"pick": Pick(run_id="first", candidate_id="g9n9")})
    with pytest.raises(RequestError, match="Points of the front"):
        line.synthesize("wrong", wrong)


def test_a_search_done_again_under_the_same_name_is_picked_from_anew(line: Line, raced: CandidateRecord) -> None:
    config, results = line.picking(raced.candidate_id), dict[StepName, StepResult]()
    request = request_for(StepName.FETCH_DATA, config, "again", results)
    results[StepName.FETCH_DATA] = fetched = run_step(
        StepName.FETCH_DATA, request, reporter=Reporter(), work_root=line.work
    )
    assert isinstance(fetched, FetchDataResult)
    assert fetched.picked_from is not None
    other = fetched.model_copy(update={"picked_from": fetched.picked_from.model_copy(update={"sha256": "0" * 64})})
    keys = {
        step_key(StepName.SYNTHESIZE, request_for(StepName.SYNTHESIZE, config, "again", {StepName.FETCH_DATA: result}))
        for result in (fetched, other)
    }
    assert len(keys) == 2

import json

import pytest
from support.example_report import table_report

from darwin_core.contracts import (
    ArtifactRef,
    CompactionConfig,
    DataRoles,
    DataSource,
    FetchDataRequest,
    FetchDataResult,
    Pick,
    SearchRecord,
    SliceSpec,
    StepName,
    SynthesizeRequest,
    request_for,
)
from darwin_core.errors import DataError, RequestError


def config() -> CompactionConfig:
    return CompactionConfig.model_validate(
        {"line": "/line", "reference": "/r.keras", "train": "/t.parquet#split=train", "roles": {"label": "y"}}
    )


def test_digest_depends_on_content_only() -> None:
    again = CompactionConfig.from_json(json.dumps(json.loads(config().to_json()), indent=7))
    assert again.digest() == config().digest()
    assert config().model_copy(update={"seed": 1}).digest() != config().digest()


def test_unknown_and_wrong_fields_are_all_named() -> None:
    text = json.dumps({"line": "/l", "run_id": "r", "reference": "x", "train": "t", "roles": {"label": ""}, "extra": 1})
    with pytest.raises(RequestError, match=r"extra.*|roles\.label") as caught:
        FetchDataRequest.from_json(text, origin="request.json")
    message = str(caught.value)
    assert "request.json" in message
    assert "roles.label" in message
    assert "extra" in message


def test_another_schema_version_is_refused() -> None:
    text = config().to_json().replace('"schema_version": 1', '"schema_version": 2')
    with pytest.raises(RequestError, match="schema_version"):
        CompactionConfig.from_json(text)


@pytest.mark.parametrize("text", ["a.parquet", "s3://b/k.csv#split=train", "x.npz#a=1|2&b=c"])
def test_data_source_text_round_trips(text: str) -> None:
    assert str(DataSource.parse(text)) == text


def test_data_source_with_a_bad_condition() -> None:
    with pytest.raises(DataError, match="column=value"):
        DataSource.parse("a.parquet#train")


def test_slices_are_read_as_text() -> None:
    roles = DataRoles.model_validate({"label": "y", "slices": ["sex", "age:30,45"]})
    assert roles.slices == (SliceSpec(column="sex"), SliceSpec(column="age", edges=(30, 45)))
    with pytest.raises(DataError, match="ascending"):
        SliceSpec.parse("age:45,30")


def test_a_step_names_the_result_it_lacks() -> None:
    assert isinstance(request_for(StepName.FETCH_DATA, config(), "r", {}), FetchDataRequest)
    with pytest.raises(RequestError, match="fetch-data"):
        request_for(StepName.SYNTHESIZE, config(), "r", {})


def test_a_pick_in_the_configuration_reaches_the_steps_that_need_it() -> None:
    pick = Pick(run_id="first", candidate_id="g1n2")
    picking = CompactionConfig.from_json(config().model_copy(update={"pick": pick}).to_json())
    fetch = request_for(StepName.FETCH_DATA, picking, "r", {})
    assert isinstance(fetch, FetchDataRequest)
    ref = ArtifactRef(uri="/line/result.json", sha256="0" * 64, size_bytes=1)
    result = FetchDataResult(key="k", seconds=0, snapshot=ref, reference=ref, train_rows=1, validation_rows=1,
                             test_rows=1, picked_from=ref)  # fmt: skip
    synthesize = request_for(StepName.SYNTHESIZE, picking, "r", {StepName.FETCH_DATA: result})
    assert isinstance(synthesize, SynthesizeRequest)
    assert (fetch.pick, synthesize.pick, synthesize.picked_from) == (pick, pick, ref)
    assert str(pick) == "g1n2 of run first"


def test_documents_from_before_there_were_picks_stay_readable() -> None:
    search = table_report().search
    document = json.loads(search.to_json())
    assert document.pop("origin") is None
    for candidate in (document["reference"], *document["candidates"]):
        del candidate["promising"], candidate["lineage_samples"]
    assert SearchRecord.from_json(json.dumps(document)) == search
    plain = json.loads(config().to_json())
    assert plain.pop("pick") is None
    assert CompactionConfig.from_json(json.dumps(plain)) == config()


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "-a"])
def test_run_ids_are_safe_path_segments(run_id: str) -> None:
    with pytest.raises(RequestError, match="run_id"):
        FetchDataRequest.from_json(
            json.dumps({"line": "/l", "run_id": run_id, "reference": "x", "train": "t", "roles": {"label": "y"}})
        )

import json

import pytest

from darwin_core.contracts import (
    CompactionConfig,
    DataRoles,
    DataSource,
    FetchDataRequest,
    SliceSpec,
    StepName,
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


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "-a"])
def test_run_ids_are_safe_path_segments(run_id: str) -> None:
    with pytest.raises(RequestError, match="run_id"):
        FetchDataRequest.from_json(
            json.dumps({"line": "/l", "run_id": run_id, "reference": "x", "train": "t", "roles": {"label": "y"}})
        )

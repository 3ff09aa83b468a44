"""From what a DAG author writes to contracts, and the names of runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from darwin_core.contracts import CompactionConfig, StepName, StepRequest
from darwin_core.errors import ObjectNotFoundError, RequestError
from darwin_operators.arguments import door_arguments, read_config, run_name

CONTRACT_PATTERN = next(
    item.pattern for item in StepRequest.model_fields["run_id"].metadata if getattr(item, "pattern", None)
)
AIRFLOW_IDS = (
    "manual__2026-11-22T20:15:00.123456+00:00",
    "scheduled__2026-11-22T00:00:00+00:00",
    "asset_triggered__2026-11-22T20:15:00.123456+00:00_aB3dE5gH",
    "backfill__2026-11-22T00:00:00+00:00",
)
ODD_IDS = ("night of Sunday", "__private", "nächtlich/42", "x" * 300, "x" * 299 + "y", "../../etc", ".", "-- --", "a b")


@pytest.mark.parametrize("run_id", AIRFLOW_IDS)
def test_ids_of_airflow_stay_as_they_are(run_id: str) -> None:
    assert run_name(run_id) == run_id


@pytest.mark.parametrize("run_id", [*AIRFLOW_IDS, *ODD_IDS])
def test_every_id_becomes_a_name_of_the_contract(run_id: str) -> None:
    assert re.fullmatch(CONTRACT_PATTERN, run_name(run_id))
    assert run_name(run_id) == run_name(run_id)


def test_different_ids_get_different_names() -> None:
    ids = [*AIRFLOW_IDS, *ODD_IDS, "a/b", "a.b", "a-b"]
    assert len({run_name(run_id) for run_id in ids}) == len(ids)


def test_an_empty_id() -> None:
    with pytest.raises(RequestError, match="run id is empty"):
        run_name("")


def test_config_as_mapping_json_and_uri(config: dict[str, object], tmp_path: Path) -> None:
    expected = CompactionConfig.model_validate(config)
    path = tmp_path / "config.json"
    path.write_text(expected.to_json())
    for given in (config, expected.to_json(), "\n " + expected.to_json(), str(path), path.as_uri()):
        assert read_config(given) == expected


@pytest.mark.parametrize("given", [{"line": "/tmp/line"}, '{"line": "/tmp/line"}'])
def test_a_config_with_gaps_names_them(given: object) -> None:
    with pytest.raises(RequestError, match=r"CompactionConfig.*reference.*train.*roles.*darwin schema"):
        read_config(given)


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError):
        read_config(str(tmp_path / "config.json"))


def test_the_door_gets_the_whole_config(config: dict[str, object]) -> None:
    parsed = CompactionConfig.model_validate(config)
    command, step, *options = door_arguments(StepName.FETCH_DATA, parsed, "r1")
    assert (command, step) == ("run-step", "fetch-data")
    values = dict(zip(options[::2], options[1::2], strict=True))
    assert CompactionConfig.from_json(values["--config"]) == parsed
    assert values["--run-id"] == "r1"

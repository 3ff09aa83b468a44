"""A configuration completed with artifacts of earlier tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darwin_components.configuration import branch_config, branch_run, complete_config, find_network, read_place
from darwin_core.contracts import CompactionConfig
from darwin_core.errors import RequestError

PARTIAL = json.dumps({"line": "s3://bucket/line", "roles": {"label": "y"}, "budget": {"generations": 2}})


def test_without_artifacts_nothing_is_touched() -> None:
    assert complete_config("s3://bucket/config.json", {}, "night-1") == "s3://bucket/config.json"


def test_artifacts_fill_what_is_missing(tmp_path: Path) -> None:
    network, rows = tmp_path / "model.keras", tmp_path / "rows"
    network.write_bytes(b"x")
    rows.write_bytes(b"x")
    config = CompactionConfig.from_json(complete_config(PARTIAL, {"reference": network, "train": rows}, "night-1"))
    assert config.reference == str(network)
    assert config.train.uri == str(rows)
    assert config.test is None
    assert config.budget.generations == 2


def test_a_path_with_a_hash_stays_a_path(tmp_path: Path) -> None:
    network, rows = tmp_path / "m.keras", tmp_path / "run#3=4.parquet"
    network.write_bytes(b"x")
    config = CompactionConfig.from_json(complete_config(PARTIAL, {"reference": network, "train": rows}, "n"))
    assert config.train.uri == str(rows)
    assert config.train.where == {}


def test_a_stored_configuration_is_read(tmp_path: Path) -> None:
    stored, network = tmp_path / "config.json", tmp_path / "m.keras"
    stored.write_text(json.dumps(json.loads(PARTIAL) | {"train": "s3://bucket/train.parquet#day=1"}))
    network.write_bytes(b"x")
    config = CompactionConfig.from_json(complete_config(str(stored), {"reference": network}, "night-1"))
    assert config.train.where == {"day": ("1",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [("{not json", "Expected JSON"), ("{}", "line: Field required"), ('{"lines": 1}', "lines: Extra inputs")],
)
def test_a_bad_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    network = tmp_path / "m.keras"
    network.write_bytes(b"x")
    with pytest.raises(RequestError, match=message):
        complete_config(text, {"reference": network}, "night-1")


def test_a_stored_list_is_no_configuration(tmp_path: Path) -> None:
    stored, network = tmp_path / "config.json", tmp_path / "m.keras"
    stored.write_text("[]")
    network.write_bytes(b"x")
    with pytest.raises(RequestError, match="JSON object"):
        complete_config(str(stored), {"reference": network}, "night-1")


def test_a_folder_with_one_network_is_a_network(tmp_path: Path) -> None:
    inside = tmp_path / "artifact" / "final" / "model.keras"
    inside.parent.mkdir(parents=True)
    inside.write_bytes(b"x")
    assert find_network(tmp_path / "artifact", "night-1") == inside
    (tmp_path / "artifact" / "other.keras").write_bytes(b"x")
    with pytest.raises(RequestError, match="found 2"):
        find_network(tmp_path / "artifact", "night-1")


def test_a_network_without_its_suffix_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    plain = tmp_path / "model"
    plain.write_bytes(b"network")
    found = find_network(plain, "night-1")
    assert found.suffix == ".keras"
    assert found.read_bytes() == b"network"
    assert find_network(plain, "night-1") == found, "a retry must ask for the same path"


def test_a_task_that_wrote_nothing_is_told_how_to(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="wrote nothing there"):
        find_network(tmp_path / "model", "night-1")


def test_a_branch_has_settings_of_its_own() -> None:
    whole = json.dumps(json.loads(PARTIAL) | {"reference": "m.keras", "train": "t.parquet"})
    text, name = branch_config(
        whole, {"name": "b1", "seed": 1.0, "generator": "separable", "budget": {"offspring": 4.0}}
    )
    config = CompactionConfig.from_json(text)
    assert (name, config.seed, config.generator, config.budget.offspring) == ("b1", 1, "separable", 4)
    assert branch_run("night-1", name) == "night-1.b1"


@pytest.mark.parametrize("branch", [{"seed": 1}, {"name": ""}, {"name": 1}])
def test_a_branch_has_a_name(branch: dict[str, object]) -> None:
    with pytest.raises(RequestError, match="Expected a branch with a name"):
        branch_config(PARTIAL, branch)


def test_a_branch_belongs_to_a_whole_run() -> None:
    with pytest.raises(RequestError, match=r"run's configuration is not a valid .*reference"):
        branch_config(PARTIAL, {"name": "b1", "seed": 1})


def test_the_place_is_known_before_the_training_is_done() -> None:
    line, storage = read_place(json.dumps({"line": "s3://bucket/line", "storage": {"path_style": True}}))
    assert (line, storage.path_style) == ("s3://bucket/line", True)

"""The catalogue entries are as the docstrings say, and as the catalogue's own schema wants them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("kfp")

import yaml

from darwin_components import CONTAINERS, ComponentSet, catalogue

FOLDER = Path(__file__).parents[2] / "components" / "catalogue"
NAMES = [field.name for field in dataclasses.fields(ComponentSet)]


def test_entries_are_up_to_date(tmp_path: Path) -> None:
    catalogue.write(tmp_path)
    made = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.*")}
    kept = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.*")}
    assert made == kept, "run: make golden"


@pytest.mark.parametrize("name", NAMES)
def test_metadata_has_what_a_catalogue_asks_for(name: str) -> None:
    document = yaml.safe_load((FOLDER / name / "metadata.yaml").read_text())
    assert document["name"] == name
    assert document["stability"] in {"alpha", "beta", "stable"}
    (kubeflow,) = document["dependencies"]["kubeflow"]
    assert kubeflow == {"name": "Pipelines", "version": ">=2.17.0"}
    assert document["tags"]
    # The catalogue's check wants a time, which a text in quotation marks is not.
    assert isinstance(document["lastVerified"], datetime)
    assert document["lastVerified"] <= datetime.now(UTC)


@pytest.mark.parametrize("name", NAMES)
def test_metadata_is_laid_out_as_the_catalogue_checks_it(name: str) -> None:
    lines = (FOLDER / name / "metadata.yaml").read_text().splitlines()
    fields = [line.partition(":")[0] for line in lines if not line.startswith((" ", "-"))]
    assert fields == ["name", "stability", "dependencies", "tags", "lastVerified"]
    assert lines[0] == "---"
    assert not [line for line in lines[1:] if line.startswith("-")], "lists stand further in than their key"


def test_owners_stand_beside_every_entry(tmp_path: Path) -> None:
    catalogue.main([str(tmp_path), "--approver", "ada", "--approver", "grace-h", "--reviewer", "123"])
    for name in NAMES:
        text = (tmp_path / name / "OWNERS").read_text()
        assert yaml.safe_load(text) == {"approvers": ["ada", "grace-h"], "reviewers": ["123"]}
        assert text.startswith("approvers:\n  - ada\n  - grace-h\nreviewers:\n  - ")


def test_no_owners_are_made_up(tmp_path: Path) -> None:
    catalogue.main([str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
    assert not list(tmp_path.rglob("OWNERS"))
    catalogue.main([str(tmp_path), "--approver", "ada"])
    assert (tmp_path / NAMES[0] / "OWNERS").read_text() == "approvers:\n  - ada\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reviewer", "ada"], "at least one approver"),
        (["--approver", "@ada"], "without an @, got '@ada'"),
        (["--approver", "ada", "--reviewer", "Ada Lovelace"], "got 'Ada Lovelace'"),
    ],
)
def test_owners_that_no_bot_knows_are_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        catalogue.main([str(tmp_path), *options])
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_input_and_output_is_described(name: str) -> None:
    spec = getattr(CONTAINERS, name).component_spec
    text = (FOLDER / name / "README.md").read_text()
    for key, item in {**spec.inputs, **spec.outputs}.items():
        assert item.description, key
        assert f"| `{key}` |" in text

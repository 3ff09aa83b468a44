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
    verified = datetime.fromisoformat(str(document["lastVerified"]))
    assert verified.replace(tzinfo=UTC) <= datetime.now(UTC)


@pytest.mark.parametrize("name", NAMES)
def test_every_input_and_output_is_described(name: str) -> None:
    spec = getattr(CONTAINERS, name).component_spec
    text = (FOLDER / name / "README.md").read_text()
    for key, item in {**spec.inputs, **spec.outputs}.items():
        assert item.description, key
        assert f"| `{key}` |" in text

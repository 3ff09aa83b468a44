"""Airflow accepts the provider, in an environment without the engine."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest

import darwin_operators
from darwin_operators.get_provider_info import get_provider_info

ENGINE = ("tensorflow", "keras", "numpy", "pyarrow", "scipy", "sklearn", "PIL")


def test_metadata_fits_the_schema_of_airflow() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_entry_point_leads_to_the_metadata() -> None:
    entries = importlib.metadata.entry_points(group="apache_airflow_provider")
    entry = next(entry for entry in entries if entry.dist is not None and entry.dist.name == "darwin-mlops")
    assert entry.load() is get_provider_info
    assert get_provider_info()["package-name"] == "darwin-mlops"


def test_every_name_in_the_metadata_exists() -> None:
    info = get_provider_info()
    for group in info["operators"]:
        for module in group["python-modules"]:
            importlib.import_module(module)
    for path in info["extra-links"]:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("what", ["list", "links"])
def test_airflow_shows_the_provider(what: str) -> None:
    command = [sys.executable, "-m", "airflow", "providers", what, "--output", "json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    wanted = "darwin-mlops" if what == "list" else "darwin_operators.links.CompactionReportLink"
    assert wanted in result.stdout


def test_the_engine_is_absent_here() -> None:
    assert not [name for name in ENGINE if importlib.util.find_spec(name) is not None]


def test_public_names_are_found_and_light() -> None:
    code = (
        "import sys, darwin_operators as d; [getattr(d, name) for name in d.__all__]; "
        f"print([name for name in {(*ENGINE, 'boto3')!r} if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip().splitlines()[-1] == "[]"


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = darwin_operators.nothing_of_that_name

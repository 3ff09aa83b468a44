"""What a module drags in, seen from a fresh interpreter: static rules miss an eager import in a parent package."""

import json
import subprocess
import sys

import pytest

ENGINE = ("tensorflow", "keras", "numpy", "pyarrow", "scipy", "sklearn", "PIL", "jinja2", "tensorflow_model_analysis")
ORCHESTRATORS = ("kfp", "airflow")

LIGHT = {
    "darwin_core": (*ENGINE, *ORCHESTRATORS, "pydantic", "boto3", "rich", "typer"),
    "darwin_core.errors": (*ENGINE, *ORCHESTRATORS, "boto3", "rich", "typer"),
    "darwin_core.contracts": (*ENGINE, *ORCHESTRATORS, "boto3", "botocore", "rich", "typer"),
    "darwin_core.storage": (*ENGINE, *ORCHESTRATORS, "typer"),
    # A file is run by its own runtime alone, which proves that it needs nothing else.
    "darwin_core.exports.probe": ("tensorflow", "keras", "scipy", "sklearn", "pyarrow", "torch", *ORCHESTRATORS),
    "darwin_core.cli": (*ENGINE, *ORCHESTRATORS, "boto3"),
    # A summary, and a publish that keeps the champion, read and write documents alone: they start without TensorFlow.
    "darwin_core.steps.compaction": ("tensorflow", "keras", "scipy", "sklearn", *ORCHESTRATORS),
    "darwin_core.steps.publish": ("tensorflow", "keras", "scipy", "sklearn", *ORCHESTRATORS),
    "darwin_components.launcher": (*ENGINE, *ORCHESTRATORS),
    "darwin_components": (*ENGINE, "airflow"),
    "darwin_operators": (*ENGINE, *ORCHESTRATORS),
    "darwin_operators.get_provider_info": (*ENGINE, *ORCHESTRATORS),
    "darwin_pipelines": (*ENGINE, *ORCHESTRATORS),
}


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_stays_light(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(name for name in sys.modules if '.' not in name)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    loaded = set(json.loads(output))
    assert not loaded & set(LIGHT[module]), f"import {module} also loads {sorted(loaded & set(LIGHT[module]))}"

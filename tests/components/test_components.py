"""The declarations: both forms of a step look the same from outside, and name what the engine really gives."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest

pytest.importorskip("kfp")

import darwin_components
from darwin_components import CONTAINERS, IMAGE, SUBPROCESSES, ComponentSet
from darwin_components.launcher import INPUTS
from darwin_core import __version__
from darwin_core.contracts import STEPS, ArtifactRef, CompactionConfig, StepName

FIELDS = {step: step.value.replace("-", "_") for step in StepName}
SHOWN = {"metrics", "curves", "slices", "run_config"}
"""Outputs that the launcher makes itself."""


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ComponentSet)])
def test_both_forms_have_the_same_interface(name: str) -> None:
    container = getattr(CONTAINERS, name).component_spec
    twin = getattr(SUBPROCESSES, name).component_spec
    assert container.inputs == twin.inputs
    assert container.outputs == twin.outputs
    assert container.description == twin.description


@pytest.mark.parametrize("step", StepName)
def test_outputs_are_fields_of_the_result(step: StepName) -> None:
    fields = STEPS[step][1].model_fields
    outputs = getattr(CONTAINERS, FIELDS[step]).component_spec.outputs
    assert set(outputs) - SHOWN <= set(fields)
    kinds = {"String": str, "Integer": int, "Boolean": bool}
    for name, output in outputs.items():
        if name in SHOWN:
            continue
        if output.type in kinds:
            annotation = str(fields[name].annotation)
            assert kinds[output.type].__name__ in annotation or "Verdict" in annotation, name
        else:
            assert fields[name].annotation is ArtifactRef, name


@pytest.mark.parametrize("step", StepName)
def test_the_launcher_knows_every_input_artifact(step: StepName) -> None:
    inputs = getattr(CONTAINERS, FIELDS[step]).component_spec.inputs
    assert set(inputs) - {"config", "run_id"} == INPUTS[step] - {"search_records"}
    also = set(CONTAINERS.choose.component_spec.inputs) - {"config", "run_id", "branches"}
    assert step is not StepName.SYNTHESIZE or also == INPUTS[step]


def test_connectable_inputs_are_fields_of_the_configuration() -> None:
    assert INPUTS[StepName.FETCH_DATA] <= set(CompactionConfig.model_fields)


@pytest.mark.parametrize("step", StepName)
def test_containers_run_the_launcher_on_our_image_and_install_nothing(step: StepName) -> None:
    container = getattr(CONTAINERS, FIELDS[step]).component_spec.implementation.container
    assert container.image == IMAGE
    assert container.command == ["python", "-m", "darwin_components.launcher"]
    assert container.args == [step.value, "--executor-input", "{{$}}"]
    twin = getattr(SUBPROCESSES, FIELDS[step]).component_spec.implementation.container
    assert twin.image == IMAGE
    assert "pip install" not in " ".join(twin.command)


def test_image_is_tagged_with_the_version_unless_told_otherwise() -> None:
    code = "from darwin_components import IMAGE; print(IMAGE)"
    environment = {name: value for name, value in os.environ.items() if name != "DARWIN_IMAGE"}
    pinned = "registry.bank.example/darwin@sha256:" + "0" * 64
    for extra, expected in (({}, f"darwin-mlops:{__version__}"), ({"DARWIN_IMAGE": pinned}, pinned)):
        command = [sys.executable, "-c", code]
        output = subprocess.run(command, env=environment | extra, check=True, capture_output=True, text=True).stdout
        assert output.strip() == expected


def test_public_names_exist_and_nothing_else_is_promised() -> None:
    for name in darwin_components.__all__:
        assert getattr(darwin_components, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'compact'"):
        darwin_components.compact  # noqa: B018


def test_the_launcher_needs_neither_kfp_nor_the_engine() -> None:
    code = "import sys, darwin_components.launcher; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    for name in ("kfp", "tensorflow", "keras", "numpy", "jinja2"):
        assert f"'{name}'" not in loaded

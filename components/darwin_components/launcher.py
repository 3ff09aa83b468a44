"""From a Kubeflow task to the engine's command line and back: the one thing behind every component.

In a container: ``python -m darwin_components.launcher STEP --executor-input '{{$}}'``. The step itself runs in a child
process, so that this module imports no TensorFlow and a cancelled task ends with 143, never with success.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

from darwin_components import visuals
from darwin_components.configuration import branch_config, branch_run, complete_config, read_place
from darwin_components.slots import ArtifactSlot, Slots
from darwin_core.contracts import (
    SCHEMA_VERSION,
    STEPS,
    CompactionSummary,
    Evaluation,
    Findings,
    SearchRecord,
    Snapshot,
    StepName,
    StepResult,
    StorageOptions,
    VerdictDocument,
)
from darwin_core.contracts.artifacts import ArtifactRef
from darwin_core.errors import DarwinError, StepError

SUMMARIZE: Final = "summarize"
"""The exit task; no step of the engine."""

_CONNECTABLE: Final[tuple[str, ...]] = ("reference", "train", "validation", "test")
_SUFFIXES: Final = {"candidate": ".keras"}
"""What a reader expects at the end of the name: Keras opens nothing else."""

_CONTRACTS: Final = {
    name: {"contract": contract.__name__, "schema_version": SCHEMA_VERSION}
    for name, contract in {
        "snapshot": Snapshot,
        "search_record": SearchRecord,
        "evaluation": Evaluation,
        "verdict_document": VerdictDocument,
        "findings": Findings,
    }.items()
}
"""What the JSON of an artifact holds. The artifacts' types are Kubeflow's own, because its compiler admits no other
namespace than its own and newer backends no other type; so a reader finds the contract in the metadata."""

INPUTS: Final[dict[StepName, frozenset[str]]] = {
    StepName.FETCH_DATA: frozenset(_CONNECTABLE),
    StepName.SYNTHESIZE: frozenset({"snapshot", "search_records"}),
    StepName.EVALUATE: frozenset({"snapshot", "candidate"}),
    StepName.EXPLAIN: frozenset({"candidate", "evaluation"}),
    StepName.PUBLISH: frozenset({"verdict_document", "report"}),
}
"""Input artifacts of each component. Beyond those of fetch-data they carry order and lineage: steps read the store."""


class StepProcessError(StepError):
    """The step's process ended with another exit code than 0."""

    def __init__(self, step: StepName, exit_code: int) -> None:
        super().__init__(f"Step {step} ended with exit code {exit_code}; the reason stands above in the log.")
        self.exit_code = exit_code


def run(step: StepName, slots: Slots) -> StepResult:
    """Run a step and fill the slots: parameters, files of artifacts, their metadata.

    Raises:
        StepProcessError: The step failed.
        RequestError: The configuration is not valid.
    """
    run_id = str(slots.parameters["run_id"])
    connected = {name: slots.inputs[name].path for name in _CONNECTABLE if name in slots.inputs}
    config = complete_config(str(slots.parameters["config"]), connected, run_id)
    options: list[str] = []
    if "branch" in slots.parameters:
        options = ["--branch-of", run_id]
        config, name = branch_config(config, slots.parameters["branch"])
        run_id = branch_run(run_id, name)
    for branch in slots.parameters.get("branches", ()):
        options += ["--choose-from", branch_run(run_id, branch["name"])]
    fields = STEPS[step][1].model_fields
    saved = {name: slot for name, slot in slots.outputs.items() if name in fields}
    for name, slot in saved.items():
        slot.uri += _SUFFIXES.get(name, "")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "result.json"
        arguments = [step.value, "--config", config, "--run-id", run_id, *options, "--result", str(copy)]
        for name, slot in saved.items():
            arguments += ["--save", f"{name}={slot.path}"]
        code = run_door(["run-step", *arguments])
        if code != 0:
            raise StepProcessError(step, code)
        result = STEPS[step][1].from_json(copy.read_bytes(), origin=str(copy))
    _describe(result, slots, {"run_config": config})
    return result


def run_door(arguments: Sequence[str], output: Path = Path(os.devnull)) -> int:
    """Run ``darwin`` in a child process and wait for it; SIGTERM is passed on.

    Args:
        arguments: Its command line.
        output: Where its standard output goes; nowhere by default.

    Returns:
        The exit code; 128 + n where the child died of signal n.
    """
    command = [sys.executable, "-m", "darwin_core", *arguments]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    # The home folder of a non-root container is often missing or read-only.
    environment.setdefault("DARWIN_WORK_DIR", str(Path(tempfile.gettempdir()) / "darwin"))
    with output.open("wb") as stdout:
        process = subprocess.Popen(command, env=environment, stdout=stdout)

    def stop(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        signal.signal(signal.SIGTERM, previous)
    return code if code >= 0 else 128 - code


def run_from_component(step: str, arguments: Mapping[str, Any]) -> None:
    """Run a step inside a lightweight component.

    Args:
        step: The step's name.
        arguments: The component function's own arguments: artifacts of kfp, parameters, and paths of output parameters
            (those that name a field of the result, or ``run_config``).
    """
    if step == SUMMARIZE:
        given = dict(arguments)
        status = given["status"]
        page = given.pop("summary")
        known = {"state": status.state, "error": {"message": status.error_message or ""}}
        summarize(Slots(given | {"status": known}, {}, {"summary": _slot("summary", page)}, {}))
        return
    name = StepName(step)
    produced = {*STEPS[name][1].model_fields, "run_config"}
    artifacts = {key: value for key, value in arguments.items() if hasattr(value, "metadata")}
    given = {key: value for key, value in arguments.items() if key not in artifacts and value is not None}
    rest = {key: value for key, value in given.items() if key not in INPUTS[name]}  # lists of artifacts
    outputs = {key: value for key, value in artifacts.items() if key not in INPUTS[name]}
    slots = Slots(
        parameters={key: value for key, value in rest.items() if key not in produced},
        inputs={key: _slot(key, value) for key, value in artifacts.items() if key not in outputs},
        outputs={key: _slot(key, value) for key, value in outputs.items()},
        parameter_files={key: Path(value) for key, value in rest.items() if key in produced},
    )
    run(name, slots)
    for key, slot in slots.outputs.items():
        outputs[key].uri = slot.uri
        outputs[key].metadata.update(slot.metadata)


def _slot(name: str, artifact: Any) -> ArtifactSlot:
    return ArtifactSlot(name, artifact.uri, dict(artifact.metadata))


def _describe(result: StepResult, slots: Slots, extra: Mapping[str, str]) -> None:
    values = dict(result) | dict(extra)
    for name in slots.parameter_files:
        value = values[name]
        slots.write_parameter(name, "" if value is None else value)
    for name, slot in slots.outputs.items():
        value = values.get(name)
        if isinstance(value, ArtifactRef):
            slot.metadata |= {"store_uri": value.uri, "sha256": value.sha256, "size_bytes": value.size_bytes}
            slot.metadata |= _CONTRACTS.get(name, {})
    if "candidate" in slots.outputs:
        slots.outputs["candidate"].metadata |= {"framework": "keras", **visuals.scalars(dict(result))}
    if "metrics" in slots.outputs:
        metrics = values.get("metrics")
        _fill(slots.outputs["metrics"], visuals.scalars(metrics if isinstance(metrics, dict) else dict(result)))
    if "evaluation" in slots.outputs:
        _show_evaluation(slots)


def _show_evaluation(slots: Slots) -> None:
    path = slots.outputs["evaluation"].path
    evaluation = Evaluation.from_json(path.read_bytes(), origin=str(path))
    if "curves" in slots.outputs:
        _fill(slots.outputs["curves"], visuals.classification(evaluation))
    if "slices" in slots.outputs:
        _write_file(slots.outputs["slices"], visuals.slices_as_markdown(evaluation))


def summarize(slots: Slots) -> None:
    """Say how a run came out, on a page in the user interface. Never fails because the run did."""
    line, storage = read_place(str(slots.parameters["config"]))
    run_id = str(slots.parameters["run_id"])
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "summary.json"
        options = ["--output", line, *_storage_options(storage), "--json"]
        code = run_door(["summary", run_id, *options], output=output)
        found = CompactionSummary.from_json(output.read_bytes()) if code == 0 else None
    status = slots.parameters.get("status") or {}
    _write_file(slots.outputs["summary"], visuals.run_as_markdown(run_id, line, status, found))


def _storage_options(storage: StorageOptions) -> list[str]:
    options = ["--path-style"] if storage.path_style else []
    for name in ("endpoint_url", "region", "ca_bundle", "sse_kms_key_id"):
        value = getattr(storage, name)
        options += [f"--{name.replace('_', '-')}", value] if value else []
    return options


def _fill(slot: ArtifactSlot, metadata: Mapping[str, Any]) -> None:
    """Metadata, and the same as a file: an artifact without one looks unfinished to caches and readers."""
    slot.metadata |= metadata
    _write_file(slot, json.dumps(metadata, indent=2, allow_nan=False) + "\n")


def _write_file(slot: ArtifactSlot, text: str) -> None:
    slot.path.parent.mkdir(parents=True, exist_ok=True)
    slot.path.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the container components; the exit code is the step's."""
    parser = argparse.ArgumentParser(prog="python -m darwin_components.launcher", description=main.__doc__)
    parser.add_argument("step", choices=[*StepName, SUMMARIZE])
    parser.add_argument("--executor-input", required=True)
    parsed = parser.parse_args(arguments)
    slots = Slots.from_executor_input(parsed.executor_input)
    try:
        if parsed.step == SUMMARIZE:
            summarize(slots)
        else:
            run(StepName(parsed.step), slots)
    except DarwinError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - the task's log
        return error.exit_code
    slots.write_executor_output()
    return 0


if __name__ == "__main__":
    sys.exit(main())

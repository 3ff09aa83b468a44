"""Run one step by name: the same code for the command line, Kubeflow, Airflow and tests.

A step that already succeeded with the same key (request, Darwin version) is not run again: its stored result is
returned, after a check that everything it points at is still there. fetch-data always runs: its request names places
whose contents may have changed, while the requests of all later steps name digests.
"""

from __future__ import annotations

import importlib
import os
import time
from pathlib import Path
from typing import Any

from darwin_core.contracts import STEPS, ArtifactRef, CompactionConfig, StepName, StepRequest, StepResult, step_key
from darwin_core.errors import ObjectNotFoundError
from darwin_core.progress import Reporter
from darwin_core.steps.context import StepContext
from darwin_core.storage import join_uri, open_store

_MODULES = {name: f"darwin_core.steps.{name.value.replace('-', '_')}" for name in StepName}


def default_work_root() -> Path:
    """Where steps keep scratch files: ``$DARWIN_WORK_DIR``, else ``~/.cache/darwin``."""
    configured = os.environ.get("DARWIN_WORK_DIR")
    return Path(configured) if configured else Path.home() / ".cache" / "darwin"


def run_step(
    name: StepName,
    request: StepRequest,
    *,
    reporter: Reporter,
    work_root: Path | None = None,
) -> StepResult:
    """Run one step, or return the stored result of an earlier success with the same key.

    Args:
        name: Which step.
        request: Its request; must be the step's own request model.
        reporter: Where progress goes.
        work_root: Folder for scratch files and downloaded artifacts.

    Returns:
        The step's result. ``request.json`` and ``result.json`` lie beside its artifacts.
    """
    earlier = find_result(name, request)
    if earlier is not None:
        reporter.message(f"{name}: already done, reusing the result of run {request.run_id}")
        return earlier
    _, result_model = STEPS[name]
    root = work_root or default_work_root()
    key = step_key(name, request)
    store = open_store(request.line, request.storage)
    context = StepContext(
        step=name,
        line=request.line,
        run_id=request.run_id,
        key=key,
        store=store,
        workdir=root / "work" / key[:24],
        cache_dir=root / "artifacts",
        reporter=reporter,
    )
    context.workdir.mkdir(parents=True, exist_ok=True)
    context.cache_dir.mkdir(parents=True, exist_ok=True)
    store.write(context.uri("request.json"), request.to_json().encode())
    started = time.monotonic()
    fields: dict[str, Any] = importlib.import_module(_MODULES[name]).run(request, context)
    result = result_model(key=key, seconds=round(time.monotonic() - started, 3), **fields)
    store.write(context.uri("result.json"), result.to_json().encode())
    context.discard_workdir()
    return result


def find_result(name: StepName, request: StepRequest) -> StepResult | None:
    """The stored result of an earlier success with the same key; None where there is none, or its artifacts are gone.

    Raises:
        TypeError: The request is another step's.
    """
    request_model, result_model = STEPS[name]
    if not isinstance(request, request_model):
        raise TypeError(f"step {name} takes a {request_model.__name__}, got {type(request).__name__}")
    if name is StepName.FETCH_DATA:
        return None
    store = open_store(request.line, request.storage)
    uri = join_uri(request.line, "runs", request.run_id, name.value, "result.json")
    try:
        stored = store.read(uri)
    except ObjectNotFoundError:
        return None
    result = result_model.from_json(stored.data, origin=uri)
    if result.key != step_key(name, request) or any(store.stat(ref.uri) is None for ref in _artifacts(result)):
        return None
    return result.model_copy(update={"reused": True})


def _artifacts(result: StepResult) -> list[ArtifactRef]:
    found: list[ArtifactRef] = []
    for value in dict(result).values():
        if isinstance(value, ArtifactRef):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(item for item in value if isinstance(item, ArtifactRef))
    return found


def stored_results(config: CompactionConfig, run_id: str) -> dict[StepName, StepResult]:
    """Results that the steps of a run have stored so far."""
    store = open_store(config.line, config.storage)
    results: dict[StepName, StepResult] = {}
    for name, (_, result_model) in STEPS.items():
        uri = join_uri(config.line, "runs", run_id, name.value, "result.json")
        try:
            results[name] = result_model.from_json(store.read(uri).data, origin=uri)
        except ObjectNotFoundError:
            continue
    return results

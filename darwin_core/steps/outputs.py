"""Hand parts of a step's result to files, as orchestrators want them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darwin_core.contracts import ArtifactRef, StepRequest, StepResult
from darwin_core.errors import RequestError
from darwin_core.storage import open_store


def save_outputs(outcome: StepResult, request: StepRequest, *, result: str | None, save: Sequence[str]) -> None:
    """Write a copy of the result, and single fields of it.

    Args:
        outcome: The step's result.
        request: Its request, for the connection options of the store.
        result: URI or path for the whole result as JSON.
        save: ``FIELD=PATH`` each: an artifact is downloaded there, anything else written as text.

    Raises:
        RequestError: An entry has another form or names no field of the result.
    """
    if result is not None:
        open_store(result, request.storage).write(result, outcome.to_json().encode())
    for entry in save:
        field, equals, target = entry.partition("=")
        if not equals or not target or field not in type(outcome).model_fields:
            known = ", ".join(type(outcome).model_fields)
            raise RequestError(f"Expected --save FIELD=PATH, got {entry!r}.", hint=f"Fields of this result: {known}.")
        _save(getattr(outcome, field), Path(target), request)


def _save(value: Any, path: Path, request: StepRequest) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, ArtifactRef):
        open_store(value.uri, request.storage).download(value.uri, path, sha256=value.sha256)
        return
    partial = path.with_name(f".{path.name}.part")
    partial.write_text("" if value is None else str(value), encoding="utf-8")
    partial.replace(path)

"""From what a DAG author writes to what the contracts ask for. Runs in ``execute``, after templates are rendered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from darwin_core.contracts import CompactionConfig, StepName
from darwin_core.contracts.base import explain_validation
from darwin_core.errors import RequestError
from darwin_core.storage import ObjectStore, open_store

_MAX_RUN_ID = 121
_DIGEST_CHARS = 12


def read_config(given: Mapping[str, Any] | str, opener: Callable[[str], ObjectStore] = open_store) -> CompactionConfig:
    """The run's configuration from a mapping, JSON text, or the URI of a JSON object, which ``opener`` gives access to.

    Raises:
        RequestError: It does not fit the contract; every field at fault is named.
        StorageError: The URI cannot be read.
    """
    if isinstance(given, str):
        if given.lstrip().startswith("{"):
            return CompactionConfig.from_json(given, origin="The operator's config")
        return CompactionConfig.from_json(opener(given).read(given).data, origin=given)
    try:
        return CompactionConfig.model_validate(given)
    except ValidationError as error:
        raise RequestError(
            f"The operator's config is not a valid CompactionConfig: {explain_validation(error)}",
            hint="`darwin schema CompactionConfig` prints what is expected.",
        ) from None


def run_name(text: str) -> str:
    """A name that the contracts accept, from a run id of Airflow: stable, and different for different ids.

    Example:
        ``manual__2026-11-22T20:15:00+00:00`` stays as it is; ``night of Sunday`` becomes
        ``night-of-Sunday-<12 digits of its digest>``.

    Raises:
        RequestError: The text is empty.
    """
    name = re.sub(r"[^A-Za-z0-9._:+-]", "-", text)
    if not name:
        raise RequestError("The run id is empty.", hint="Leave it out to use the run id of the DAG run.")
    if name == text and len(name) <= _MAX_RUN_ID and name[0].isalnum():
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{name[: _MAX_RUN_ID - _DIGEST_CHARS - 2].lstrip('._:+-') or 'run'}-{digest}"


def door_arguments(step: StepName, config: CompactionConfig, run_id: str) -> list[str]:
    """What follows ``darwin`` on the command line that runs ``step``."""
    return ["run-step", step.value, *run_arguments(config, run_id)]


def run_arguments(config: CompactionConfig, run_id: str) -> list[str]:
    """The options that name a run."""
    return ["--config", config.model_dump_json(), "--run-id", run_id]

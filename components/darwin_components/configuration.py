"""The run's configuration, completed with artifacts that earlier tasks of the pipeline made."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darwin_core.contracts import CompactionConfig, StorageOptions
from darwin_core.errors import RequestError
from darwin_core.storage import open_store


def complete_config(config: str, artifacts: Mapping[str, Path], run_id: str) -> str:
    """Put local copies of artifacts into the configuration.

    Args:
        config: A CompactionConfig as JSON, or the URI of one. Fields for which there is an artifact may be missing.
        artifacts: ``reference``, ``train``, ``validation`` or ``test`` -> the artifact's local copy.
        run_id: Names the run, and with it the folder for a network that has to be renamed.

    Returns:
        The configuration as JSON; ``config`` itself where there is no artifact to put in.

    Raises:
        RequestError: The configuration is no JSON object, is not valid, or an artifact holds no network.
    """
    if not artifacts:
        return config
    document = _read_config(config)
    for name, path in artifacts.items():
        document[name] = str(find_network(path, run_id)) if name == "reference" else {"uri": str(path)}
    origin = "the parameter config" if config.lstrip().startswith("{") else config
    return CompactionConfig.from_json(json.dumps(document), origin=origin).model_dump_json()


def branch_config(config: str, branch: Mapping[str, Any]) -> tuple[str, str]:
    """The configuration of one of several searches that run side by side.

    Args:
        config: A CompactionConfig as JSON, or the URI of one.
        branch: ``name``, and the fields in which this search differs: any of ``seed``, ``generator``, ``budget``.

    Returns:
        The configuration as JSON, and the name.

    Raises:
        RequestError: The branch has no name, or other fields.
    """
    name = branch.get("name")
    if not isinstance(name, str) or not name:
        raise RequestError(
            f"Expected a branch with a name, got {dict(branch)!r:.200}.",
            hint='E.g. {"name": "b1", "seed": 1, "generator": "separable"}.',
        )
    changes = {key: value for key, value in branch.items() if key != "name"}
    whole = CompactionConfig.from_json(json.dumps(_read_config(config)), origin="The run's configuration")
    return whole.for_search(name, changes).model_dump_json(), name


def branch_run(run_id: str, name: str) -> str:
    """The run that a branch is: ``<run>.<branch>``."""
    return f"{run_id}.{name}"


def find_network(path: Path, run_id: str) -> Path:
    """The ``.keras`` file of a Model artifact: the artifact itself, whatever its name, or the only one in its folder.

    Raises:
        RequestError: There is none, or there are several.
    """
    if path.is_dir():
        found = sorted(path.glob("**/*.keras"))
        if len(found) == 1:
            return found[0]
        raise RequestError(
            f"Expected one .keras file in the model artifact {path}, found {len(found)}.",
            hint="Save with model.save(artifact.path + '/model.keras') in the training task.",
        )
    if not path.is_file():
        raise RequestError(
            f"The model artifact {path} is empty: the training task wrote nothing there.",
            hint="Set artifact.path = artifact.path + '.keras' before model.save(artifact.path).",
        )
    if path.suffix == ".keras":
        return path
    # A fixed place per run: the path is part of the request's digest, and a retry must find the same step again.
    renamed = Path(tempfile.gettempdir()) / "darwin" / run_id / "reference.keras"
    renamed.parent.mkdir(parents=True, exist_ok=True)
    partial = renamed.with_name(f".{renamed.name}.{os.getpid()}.part")
    shutil.copyfile(path, partial)
    partial.replace(renamed)
    return renamed


def read_place(config: str) -> tuple[str, StorageOptions]:
    """Line and storage of a configuration in which what the training task makes may still be missing."""
    document = _read_config(config)
    return str(document.get("line", "")), StorageOptions.model_validate(document.get("storage", {}))


def _read_config(config: str) -> dict[str, Any]:
    inline = config.lstrip().startswith("{")
    text = config if inline else open_store(config).read(config).data
    return _read_object(text, "the parameter config" if inline else config)


def _read_object(text: str | bytes, origin: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise RequestError(f"Expected JSON in {origin}, got something else: {error}.") from None
    if not isinstance(document, dict):
        raise RequestError(f"Expected a JSON object in {origin}, got {type(document).__name__}.")
    return document

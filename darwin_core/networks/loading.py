"""Networks from and to files. A file that comes in is not trusted."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from darwin_core.errors import NetworkError
from darwin_core.networks.allowlist import check_config, custom_objects
from darwin_core.networks.archive import read_config


def load_network(path: str | Path, *, allowed_layers: Sequence[type[Any]] = ()) -> keras.Model:
    """Load a .keras file without running anything that came with it.

    The archive and its configuration are checked first (`darwin_core.networks.archive`,
    `darwin_core.networks.allowlist`); then Keras loads it in safe mode. The network comes back uncompiled.

    Args:
        path: The .keras file.
        allowed_layers: Own layer classes that the caller trusts.

    Raises:
        NetworkError: The file is missing, damaged, of another format, or describes no network.
        UnsafeNetworkError: It could execute code or reach other files while loading.
    """
    path = Path(path)
    check_config(read_config(path), allowed_layers)
    try:
        model = keras.saving.load_model(
            path, custom_objects=custom_objects(allowed_layers), compile=False, safe_mode=True
        )
    except Exception as error:  # Keras raises whatever its layers raise on a configuration they do not like.
        raise NetworkError(
            f"{path} cannot be loaded: {_last_line(error)}",
            hint=f"It was read with Keras {keras.__version__}; a file from a newer version may need that version.",
        ) from error
    if not isinstance(model, keras.Model):
        raise NetworkError(f"Expected a network in {path}, got a {type(model).__name__}.")
    return model


def save_network(model: keras.Model, path: str | Path) -> None:
    """Write a .keras file that appears only when it is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.keras")
    try:
        model.save(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _last_line(error: Exception) -> str:
    """The innermost of the messages that Keras stacks up."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{lines[-1].removeprefix('Exception encountered: '):.300}" if lines else type(error).__name__

"""Checkpoints inside a stint of training: everything that changes, in one file, replaced atomically."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from darwin_core.storage import atomic_file


def save_checkpoint(path: Path, step: int, variables: Sequence[Any]) -> None:
    """Write the values of ``variables`` and the number of steps done."""
    values: dict[str, Any] = {f"v{index}": np.asarray(variable) for index, variable in enumerate(variables)}
    with atomic_file(path) as handle:
        np.savez(handle, step=step, **values)


def load_checkpoint(path: Path, variables: Sequence[Any]) -> int:
    """Put the stored values back.

    Returns:
        Steps done; 0 where there is no checkpoint or it belongs to other variables, which then stay as they are.
    """
    try:
        with path.open("rb") as handle, np.load(handle) as stored:
            values = [stored[f"v{index}"] for index in range(len(stored.files) - 1)]
            step = int(stored["step"])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return 0
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        return 0
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return step

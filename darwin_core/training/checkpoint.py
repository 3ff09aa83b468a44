"""Checkpoints inside a stint of training: everything that changes, in one file, replaced atomically."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def save_checkpoint(path: Path, step: int, variables: Sequence[Any]) -> None:
    """Write the values of ``variables`` and the number of steps done."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as handle:
        np.savez(handle, step=step, **{f"v{index}": np.asarray(value) for index, value in enumerate(variables)})
    temporary.replace(path)


def load_checkpoint(path: Path, variables: Sequence[Any]) -> int:
    """Put the stored values back.

    Returns:
        Steps done; 0 where there is no checkpoint or it belongs to other variables, which then stay as they are.
    """
    try:
        with np.load(path) as stored:
            values = [stored[f"v{index}"] for index in range(len(stored.files) - 1)]
            step = int(stored["step"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return 0
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        return 0
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return step

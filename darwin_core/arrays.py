"""Named arrays in a file, for a process that is to work on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""Name -> array."""


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays of numbers and text; their names may be any text. Text becomes fixed-width bytes, without pickle."""
    plain = [_plain(array) for array in arrays.values()]
    np.savez(path, *plain, allow_pickle=False, names=np.asarray(list(arrays)))


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return {str(name): file[f"arr_{position}"] for position, name in enumerate(file["names"])}


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "OU":
        return array
    encoded = [entry if isinstance(entry, bytes) else str(entry).encode() for entry in array.ravel()]
    return np.asarray(encoded, dtype=bytes).reshape(array.shape)

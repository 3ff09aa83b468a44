"""The .keras file as a zip: looked through, within limits, before anything in it is acted on."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import h5py  # type: ignore[import-untyped]

from darwin_core.errors import NetworkError, UnsafeNetworkError

CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"

_MAX_ENTRIES = 10_000
_MAX_CONFIG_BYTES = 64 << 20
_MAX_TOTAL_BYTES = 32 << 30
# Trained weights hardly compress. What unpacks to far more than it takes on disk is no network.
_MAX_EXPANSION = 200
_EXPANSION_FLOOR_BYTES = 64 << 20

_CONVERT = "Save it with model.save('name.keras')."


def read_config(path: str | Path) -> dict[str, Any]:
    """The network's configuration, after all checks of the file around it.

    Raises:
        NetworkError: The file is missing, no .keras file, truncated or damaged.
        UnsafeNetworkError: The file would write outside its folder, unpack to an unreasonable size or read other files.
    """
    path = Path(path)
    with _opened(path) as archive:
        _check_entries(archive, path)
        _check_weights(archive, path)
        try:
            config = json.loads(archive.read(CONFIG))
        except (ValueError, RecursionError) as error:
            raise NetworkError(f"{path}: its {CONFIG} is no readable JSON ({error}).", hint=_CONVERT) from error
    if not isinstance(config, dict):
        raise NetworkError(f"{path}: expected an object in {CONFIG}, got {type(config).__name__}.", hint=_CONVERT)
    return config


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if not path.exists():
        raise NetworkError(f"Expected a network at {path}, there is no such file.")
    if path.is_dir():
        kind = "a SavedModel folder" if (path / "saved_model.pb").exists() else "a folder"
        raise NetworkError(
            f"Expected a .keras file, got {kind}: {path}.",
            hint=f"A SavedModel cannot be taken apart again; go back to the Keras model. {_CONVERT}",
        )
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise NetworkError(_not_an_archive(path, error), hint=_hint(path)) from error


def _not_an_archive(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n":
        return f"Expected a .keras file, got a legacy HDF5 file: {path}."
    if start.startswith(b"PK"):
        return f"{path} is truncated or damaged: {error}."
    return f"Expected a .keras file (a zip archive), {path} is none."


def _hint(path: Path) -> str:
    with path.open("rb") as file:
        damaged = file.read(2) == b"PK"
    return (
        "Copy or save the file again and compare its digest." if damaged else f"Load it where it was made. {_CONVERT}"
    )


def _check_entries(archive: zipfile.ZipFile, path: Path) -> None:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(entries) > _MAX_ENTRIES or len(set(names)) != len(names):
        raise UnsafeNetworkError(f"{path} holds {len(entries)} entries, some of them twice or far too many.")
    missing = [name for name in (CONFIG, METADATA, WEIGHTS) if name not in names]
    if missing:
        raise NetworkError(f"{path} is no .keras file: it lacks {', '.join(missing)}.", hint=_CONVERT)
    for entry in entries:
        _check_entry(entry, path)
    if sum(entry.file_size for entry in entries) > _MAX_TOTAL_BYTES:
        raise UnsafeNetworkError(f"{path} would unpack to more than {_MAX_TOTAL_BYTES >> 30} GiB.")


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    name = PurePosixPath(entry.filename)
    is_link = (entry.external_attr >> 16) & 0o170000 == 0o120000
    if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in entry.filename or is_link:
        raise UnsafeNetworkError(f"{path}: entry {entry.filename!r} would be written outside the network's own folder.")
    if str(name) not in (CONFIG, METADATA, WEIGHTS) and name.parts[:1] != (ASSETS,):
        raise UnsafeNetworkError(f"{path}: entry {entry.filename!r} does not belong into a .keras file.")
    expands = entry.file_size > max(_EXPANSION_FLOOR_BYTES, _MAX_EXPANSION * entry.compress_size)
    if expands or (str(name) == CONFIG and entry.file_size > _MAX_CONFIG_BYTES):
        raise UnsafeNetworkError(
            f"{path}: entry {entry.filename!r} would unpack from {entry.compress_size} to {entry.file_size} bytes."
        )


def _check_weights(archive: zipfile.ZipFile, path: Path) -> None:
    """Read the weights file through once: its checksum holds, and it refers to nothing outside itself."""
    with tempfile.TemporaryFile() as file:
        with archive.open(WEIGHTS) as packed:
            shutil.copyfileobj(packed, file)
        try:
            with h5py.File(file, "r") as weights:
                _check_group(weights, path)
        except OSError as error:
            raise NetworkError(
                f"{path}: its {WEIGHTS} is damaged ({error}).", hint="Copy or save the file again."
            ) from error


def _check_group(group: Any, path: Path) -> None:
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise UnsafeNetworkError(f"{path}: {WEIGHTS} links to another place at '{group.name}/{name}'.")
        item = group[name]
        if isinstance(item, h5py.Group):
            _check_group(item, path)
        elif item.external or item.is_virtual:
            raise UnsafeNetworkError(f"{path}: {WEIGHTS} reads other files at '{item.name}'.")
        elif item.nbytes > max(_EXPANSION_FLOOR_BYTES, _MAX_EXPANSION * item.id.get_storage_size()):
            raise UnsafeNetworkError(f"{path}: weight '{item.name}' would unpack to {item.nbytes} bytes.")

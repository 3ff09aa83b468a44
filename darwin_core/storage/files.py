"""Local files that appear whole or not at all, and streams that are hashed while they pass."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from darwin_core.errors import IntegrityError
from darwin_core.storage.base import BytesProgress, Digest

CHUNK_BYTES = 1 << 20
_OWN_PREFIX = ".darwin-"
_TEMPORARY = ".tmp"
_LOCK = ".lock"


def is_bookkeeping(name: str) -> bool:
    """Whether a file name is one of ours that is no object: a temporary of a killed writer, or a lock."""
    return name.startswith(_OWN_PREFIX) and name.endswith((_TEMPORARY, _LOCK))


def lock_path(path: Path) -> Path:
    """The lock file that guards conditional replaces of ``path``."""
    return path.with_name(f"{_OWN_PREFIX}{hashlib.sha256(path.name.encode()).hexdigest()[:16]}{_LOCK}")


class Hasher(Protocol):
    """What hashlib returns."""

    def update(self, data: bytes, /) -> None:
        """Feed bytes."""

    def hexdigest(self) -> str:
        """The digest so far."""
        ...


class HashingWriter:
    """Counts and hashes what passes through to a file.

    Args:
        target: Where the bytes go; None hashes only.
        progress: Told about every chunk.
    """

    def __init__(self, target: BinaryIO | None = None, progress: BytesProgress | None = None) -> None:
        self._target, self._progress = target, progress
        self._hash: Hasher = hashlib.sha256()
        self.size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Pass one chunk on."""
        if self._target is not None:
            self._target.write(chunk)
        self._hash.update(chunk)
        self.size_bytes += len(chunk)
        if self._progress is not None:
            self._progress(len(chunk))

    def restart(self) -> None:
        """Forget everything written so far; the next chunk is the first again."""
        if self._target is not None:
            self._target.seek(0)
            self._target.truncate()
        if self._progress is not None:
            self._progress(-self.size_bytes)
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def digest(self) -> Digest:
        """Digest of everything written so far."""
        return Digest(sha256=self._hash.hexdigest(), size_bytes=self.size_bytes)


def chunks(source: BinaryIO, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """The rest of a stream in pieces of ``size`` bytes."""
    while chunk := source.read(size):
        yield chunk


def file_digest(path: Path) -> Digest:
    """Digest of a file's bytes."""
    writer = HashingWriter()
    with path.open("rb") as source:
        for chunk in chunks(source):
            writer.write(chunk)
    return writer.digest()


def check_digest(uri: str, found: Digest, expected: str | None) -> None:
    """Hold what was read against the recorded digest.

    Raises:
        IntegrityError: They differ.
    """
    if expected is not None and found.sha256 != expected:
        raise IntegrityError(
            f"{uri} has digest {found.sha256[:12]} ({found.size_bytes} bytes), expected {expected[:12]}.",
            hint="The object was changed after it was recorded; run the step that writes it again.",
        )


@contextmanager
def temporary_beside(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A temporary file in the folder of ``path``, gone when the block ends unless it was renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_OWN_PREFIX}{secrets.token_hex(8)}{_TEMPORARY}")
    try:
        with temporary.open("xb") as handle:
            yield temporary, handle
    finally:
        temporary.unlink(missing_ok=True)


def flush(handle: BinaryIO) -> None:
    """Bring a file's bytes to the disk, so that a name never points at bytes that a power cut could take."""
    handle.flush()
    os.fsync(handle.fileno())


def flush_folder(folder: Path) -> None:
    """Bring a rename in ``folder`` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file opened for writing that takes the name ``path`` only when the block ends without an error."""
    with temporary_beside(path) as (temporary, handle):
        yield handle
        flush(handle)
        temporary.replace(path)
        flush_folder(path.parent)

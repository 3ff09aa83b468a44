"""The object-store protocol: the few operations that everything else is written against.

Objects are addressed by full URI. Every write appears whole or not at all, and can be made conditional, which is what
makes publishing safe when two runs race. An ETag names one state of one object and is no content hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BytesProgress = Callable[[int], None]
"""Called with the number of bytes transferred since the last call."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing shows it."""

    uri: str
    size_bytes: int
    etag: str


@dataclass(frozen=True)
class StoredObject:
    """A small object read whole, with the ETag that a conditional replace must name."""

    data: bytes
    etag: str


@dataclass(frozen=True)
class Digest:
    """SHA-256 (hex) and length of the bytes that went over the wire."""

    sha256: str
    size_bytes: int


class ObjectStore(Protocol):
    """An object store. Implementations raise the StorageError family and nothing of their client library."""

    def stat(self, uri: str) -> ObjectInfo | None:
        """The object at ``uri``, or None where there is none."""
        ...

    def read(self, uri: str) -> StoredObject:
        """Read a small object whole. Raises ObjectNotFoundError."""
        ...

    def write(self, uri: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """Write a small object and return its ETag.

        Args:
            uri: Where to write.
            data: The bytes.
            if_absent: Write only where no object lies (conditional create).
            if_match: Write only where the object still has this ETag (conditional replace).

        Raises:
            PreconditionFailedError: The condition did not hold; nothing was written.
        """
        ...

    def download(
        self, uri: str, path: Path, *, sha256: str | None = None, progress: BytesProgress | None = None
    ) -> Digest:
        """Stream an object into a file; the file appears only when complete.

        Raises:
            ObjectNotFoundError: Nothing lies at ``uri``.
            IntegrityError: ``sha256`` was given and the bytes differ; no file is left behind.
        """
        ...

    def upload(self, path: Path, uri: str, *, if_absent: bool = False, progress: BytesProgress | None = None) -> Digest:
        """Stream a file into an object.

        Raises:
            PreconditionFailedError: ``if_absent`` and an object lies there already; it was left as it was.
        """
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below ``prefix`` (a folder: ``a/b`` does not match ``a/bc``), in name order, page by page."""
        ...

    def delete(self, uri: str) -> None:
        """Delete an object; one that is not there is no error."""
        ...

"""Noticing that a training pipeline has put a new network, or a new pointer to one, in its place."""

from __future__ import annotations

import time
from typing import Final

from darwin_core.contracts.base import Document
from darwin_core.errors import ObjectNotFoundError
from darwin_core.storage import ObjectStore

# A file that is being written grows; an object of a bucket appears whole.
_SETTLE_SECONDS: Final = 1.0


class Sighting(Document):
    """One state of a watched object."""

    uri: str
    etag: str
    size_bytes: int


class ObjectWatch:
    """Compares an object with the state in which it was seen last.

    Args:
        uri: The object: the reference network, or the pointer that the training pipeline moves.
        store: The store that serves it.
        memory: URI of a small object that keeps the last sighting; None: every look is the first.
        memory_store: The store that serves ``memory``.
    """

    def __init__(
        self, uri: str, store: ObjectStore, memory: str | None = None, memory_store: ObjectStore | None = None
    ) -> None:
        self._uri = uri
        self._store = store
        self._memory = memory
        self._memory_store = memory_store or store

    def look(self) -> Sighting | None:
        """The object's state, where it is complete and not the one remembered; else None.

        Raises:
            StorageError: The store does not answer.
        """
        found = self._stat()
        if found is None or found == self._remembered():
            return None
        if not self._uri.startswith("s3://"):
            time.sleep(_SETTLE_SECONDS)
            if self._stat() != found:
                return None
        return found

    def remember(self, sighting: Sighting) -> None:
        """Keep a state, so that it is not reported again, also by a process that starts tomorrow."""
        if self._memory is not None:
            self._memory_store.write(self._memory, sighting.to_json().encode())

    def _stat(self) -> Sighting | None:
        info = self._store.stat(self._uri)
        return None if info is None else Sighting(uri=self._uri, etag=info.etag, size_bytes=info.size_bytes)

    def _remembered(self) -> Sighting | None:
        if self._memory is None:
            return None
        try:
            return Sighting.from_json(self._memory_store.read(self._memory).data, origin=self._memory)
        except ObjectNotFoundError:
            return None

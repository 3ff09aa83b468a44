"""The aliases ``champion`` and ``challenger``: one small document each, moved by conditional writes only."""

from __future__ import annotations

from darwin_core.contracts import Pointer, PointerName
from darwin_core.errors import ObjectNotFoundError
from darwin_core.registry.layout import pointer_uri
from darwin_core.storage import ObjectStore


def read_pointer(store: ObjectStore, line: str, name: PointerName) -> tuple[Pointer, str] | None:
    """What an alias points at, and the ETag that a later move must name; None where nothing was published yet."""
    uri = pointer_uri(line, name)
    try:
        stored = store.read(uri)
    except ObjectNotFoundError:
        return None
    return Pointer.from_json(stored.data, origin=uri), stored.etag


def move_pointer(store: ObjectStore, line: str, pointer: Pointer, expected_etag: str | None) -> str:
    """Point an alias at another version.

    Args:
        store: The object store.
        line: Prefix of the model line.
        pointer: The new content; names the alias.
        expected_etag: ETag that was read when the decision was made; None: the alias did not exist then.

    Returns:
        The new ETag.

    Raises:
        PreconditionFailedError: Somebody else moved the alias since. Decide again against what it points at now.
    """
    return store.write(
        pointer_uri(line, pointer.name),
        pointer.to_json().encode(),
        if_absent=expected_etag is None,
        if_match=expected_etag,
    )

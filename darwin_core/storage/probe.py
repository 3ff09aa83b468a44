"""Does the store honour conditional writes? Publishing rests on them, so it asks first."""

from __future__ import annotations

import contextlib
import secrets

from darwin_core.errors import ConditionalWritesUnsupportedError, PreconditionFailedError, StorageError
from darwin_core.storage.base import ObjectStore
from darwin_core.storage.uris import join_uri

_HINT = (
    "Publish to a store with If-None-Match and If-Match on PutObject (AWS S3, Ceph RGW without versioning, "
    "recent MinIO), or to a file system."
)


def probe_conditional_writes(store: ObjectStore, prefix: str) -> None:
    """Try all conditional writes on throw-away objects below ``prefix``.

    Raises:
        ConditionalWritesUnsupportedError: The store wrote although a condition did not hold, or refused a write whose
            condition held.
    """
    token = secrets.token_hex(8)
    uri = join_uri(prefix, f".probe-{token}")
    missing = join_uri(prefix, f".probe-{token}-missing")
    try:
        first = store.write(uri, b"first", if_absent=True)
        _expect_refusal(store, uri, "a second conditional create", if_absent=True)
        try:
            store.write(uri, b"second", if_match=first)
        except PreconditionFailedError:
            raise ConditionalWritesUnsupportedError(
                f"The store at {prefix} refused a conditional replace (If-Match) whose condition held.", hint=_HINT
            ) from None
        _expect_refusal(store, uri, "a conditional replace with a stale ETag", if_match=first)
        _expect_refusal(store, missing, "a conditional replace of an object that is not there", if_match=first)
    finally:
        # A publishing role often may not delete; a left-over of six bytes harms nobody.
        for leftover in (uri, missing):
            with contextlib.suppress(StorageError):
                store.delete(leftover)


def _expect_refusal(
    store: ObjectStore, uri: str, what: str, *, if_absent: bool = False, if_match: str | None = None
) -> None:
    try:
        store.write(uri, b"intruder", if_absent=if_absent, if_match=if_match)
    except PreconditionFailedError:
        return
    raise ConditionalWritesUnsupportedError(
        f"Expected the store to refuse {what}, but it wrote {uri}: it ignores conditions.", hint=_HINT
    )

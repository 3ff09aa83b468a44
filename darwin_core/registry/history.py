"""The append-only ledger: every publish, rejection and rollback, and every look at a sealed hold-out.

One object per entry, created with If-None-Match. Its name holds the time, the action and the subject, so that a
listing is in order and can be filtered without opening anything.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC

from darwin_core.contracts import HistoryAction, HistoryEntry
from darwin_core.errors import PreconditionFailedError
from darwin_core.registry.layout import history_uri
from darwin_core.storage import ObjectInfo, ObjectStore

_SUBJECT_LENGTH = 16


def append_history(store: ObjectStore, line: str, entry: HistoryEntry) -> str:
    """Add an entry and return its URI. Adding the very same entry again changes nothing."""
    moment = entry.at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    name = f"{moment}_{entry.action.value}_{_subject(entry.subject)}_{entry.digest()[:12]}.json"
    uri = history_uri(line, name)
    # The name holds the entry's digest: what may lie there is this entry, from a run that was killed and came back.
    with contextlib.suppress(PreconditionFailedError):
        store.write(uri, entry.to_json().encode(), if_absent=True)
    return uri


def append_once(store: ObjectStore, line: str, entry: HistoryEntry) -> None:
    """Add an entry unless its run has already recorded this action on this subject, in an attempt that was killed."""
    for item in _named(store, line, entry.action, entry.subject):
        if _read(store, item).run_id == entry.run_id:
            return
    append_history(store, line, entry)


def read_history(store: ObjectStore, line: str) -> list[HistoryEntry]:
    """All entries, oldest first."""
    return [_read(store, item) for item in store.list(history_uri(line))]


def holdout_looks(store: ObjectStore, line: str, holdout_sha256: str) -> int:
    """How many times a hold-out has been looked at. The next look is one more."""
    looks = (_read(store, item) for item in _named(store, line, HistoryAction.HOLDOUT_LOOK, holdout_sha256))
    return sum(entry.subject == holdout_sha256 for entry in looks)


def _named(store: ObjectStore, line: str, action: HistoryAction, subject: str) -> Iterator[ObjectInfo]:
    marker = f"_{action.value}_{_subject(subject)}_"
    return (item for item in store.list(history_uri(line)) if marker in item.uri.rpartition("/")[2])


def _read(store: ObjectStore, item: ObjectInfo) -> HistoryEntry:
    return HistoryEntry.from_json(store.read(item.uri).data, origin=item.uri)


def _subject(subject: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", subject)[:_SUBJECT_LENGTH]

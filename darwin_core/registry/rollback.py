"""Rollback: the same conditional pointer move as a publish, to an older version."""

from __future__ import annotations

from datetime import UTC, datetime

from darwin_core.contracts import HistoryAction, HistoryEntry, Pointer, PointerName, Verdict
from darwin_core.errors import PreconditionFailedError, RequestError
from darwin_core.registry.history import append_history
from darwin_core.registry.layout import pointers_uri
from darwin_core.registry.pointers import move_pointer, read_pointer
from darwin_core.registry.versions import StoredVersion, read_version, verify_files
from darwin_core.storage import ObjectStore, probe_conditional_writes

_ACTOR = "rollback"


def rollback(store: ObjectStore, line: str, *, to: str | None = None) -> Pointer:
    """Make an older version the champion again.

    Without ``to`` it is the version that was champion before the present one was published; repeated, it walks
    further back. Every file of the version is read and compared first.

    Args:
        store: The object store.
        line: Prefix of the model line.
        to: The version, e.g. ``7-0123456789ab``.

    Returns:
        The champion pointer as it is now.

    Raises:
        RequestError: There is no champion, no earlier one, no such version, or the version never passed the gate.
        IntegrityError: A file of the version is missing or differs from its manifest.
        PreconditionFailedError: Somebody else moved the champion meanwhile.
    """
    probe_conditional_writes(store, pointers_uri(line))
    current = read_pointer(store, line, PointerName.CHAMPION)
    if current is None:
        raise RequestError(f"Expected a champion of {line} to roll back from, nothing was published there yet.")
    champion, etag = current
    target = _target(store, line, champion, to)
    verify_files(store, target.manifest)
    now, version = datetime.now(UTC), target.manifest.version
    _record(store, line, HistoryAction.ROLLBACK, version, f"The champion goes back from {champion.version}.")
    # The predecessor is the one recorded when the version was published, not the version rolled back from: another
    # rollback goes further back, and a publish after it leaves the bad version out of the chain.
    pointer = target.pointer(line, PointerName.CHAMPION, previous=target.manifest.previous_champion, by=_ACTOR, at=now)
    try:
        move_pointer(store, line, pointer, etag)
    except PreconditionFailedError as error:
        _record(store, line, HistoryAction.REJECT, version, f"The rollback did not happen: {error}")
        raise
    return pointer


def _record(store: ObjectStore, line: str, action: HistoryAction, version: str, detail: str) -> None:
    entry = HistoryEntry(action=action, at=datetime.now(UTC), run_id=_ACTOR, subject=version, detail=detail)
    append_history(store, line, entry)


def _target(store: ObjectStore, line: str, champion: Pointer, to: str | None) -> StoredVersion:
    version = to or champion.previous_version
    if version is None:
        raise RequestError(
            f"Expected a version before {champion.version}, but it was the first champion of {line}.",
            hint="Name the version to go to.",
        )
    if version == champion.version:
        raise RequestError(f"{version} is the champion of {line} already.")
    target = read_version(store, line, version)
    if target.manifest.verdict is not Verdict.PASS:
        raise RequestError(
            f"Expected a version that passed the gate, {version} has the verdict {target.manifest.verdict}.",
            hint="Only versions with PASS can serve.",
        )
    return target

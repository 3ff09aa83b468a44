"""Immutable versions: a number claimed once, files that are created and never replaced, a manifest that comes last.

A version without a manifest is unfinished and invisible: nothing may point at it.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from darwin_core.contracts import (
    ArtifactKind,
    ArtifactRef,
    NetworkCost,
    Pointer,
    PointerName,
    Verdict,
    VersionClaim,
    VersionManifest,
)
from darwin_core.errors import IntegrityError, ObjectNotFoundError, PreconditionFailedError, RequestError
from darwin_core.progress import Tracker
from darwin_core.registry.layout import MANIFEST, NETWORK, SAVED_MODEL, claims_uri, version_uri
from darwin_core.storage import ObjectStore, file_digest

_KINDS = {
    NETWORK: ArtifactKind.NETWORK,
    "verdict.json": ArtifactKind.VERDICT,
    "report.html": ArtifactKind.REPORT,
}


@dataclass(frozen=True)
class VersionOrigin:
    """What a version was made from, and the verdict on it."""

    verdict: Verdict
    reference_sha256: str
    snapshot_sha256: str
    cost: NetworkCost


@dataclass(frozen=True)
class StoredVersion:
    """A complete version. ``manifest_sha256`` digests the stored bytes of the manifest."""

    manifest: VersionManifest
    manifest_sha256: str

    def pointer(self, line: str, name: PointerName, *, previous: str | None, by: str, at: datetime) -> Pointer:
        """An alias's content that points here."""
        version = self.manifest.version
        return Pointer(
            name=name,
            version=version,
            manifest_sha256=self.manifest_sha256,
            # Model servers match prefixes letter by letter: without the slash, "fraud" would also take "fraud-2".
            serve_uri=version_uri(line, version, "serve") + "/",
            network=self.manifest.files[NETWORK],
            previous_version=previous,
            moved_at=at,
            moved_by=by,
        )


def claim_version(
    store: ObjectStore,
    line: str,
    *,
    run_id: str,
    candidate_sha256: str,
    serving: ArtifactRef,
    at: datetime,
    previous_champion: str | None,
) -> VersionClaim:
    """Take the next free version number. Runs that race get different numbers."""
    number = max((_claimed_number(item.uri) for item in store.list(claims_uri(line))), default=0) + 1
    while True:
        claim = VersionClaim(
            number=number,
            version=f"{number}-{candidate_sha256[:12]}",
            run_id=run_id,
            candidate_sha256=candidate_sha256,
            serving=serving,
            previous_champion=previous_champion,
            claimed_at=at,
        )
        try:
            store.write(claims_uri(line, f"{number:08d}.json"), claim.to_json().encode(), if_absent=True)
        except PreconditionFailedError:
            number += 1
        else:
            return claim


def find_claim(store: ObjectStore, line: str, *, run_id: str, candidate_sha256: str) -> VersionClaim | None:
    """The number that an earlier, killed attempt of the same run took."""
    for item in reversed(list(store.list(claims_uri(line)))):
        claim = VersionClaim.from_json(store.read(item.uri).data, origin=item.uri)
        if claim.run_id == run_id and claim.candidate_sha256 == candidate_sha256:
            return claim
    return None


def publish_version(
    store: ObjectStore,
    line: str,
    claim: VersionClaim,
    files: Mapping[str, Path],
    origin: VersionOrigin,
    tracker: Tracker | None = None,
) -> StoredVersion:
    """Store a version whole: create every file, read all of them back, then create the manifest.

    Running it again with the same claim and files, after a kill at any point, ends in the same bytes.

    Args:
        store: The object store.
        line: Prefix of the model line.
        claim: The version's number and name.
        files: Path below the version -> local file; one of them is ``model.keras``.
        origin: What the manifest says besides.
        tracker: Advanced by two per file.

    Raises:
        IntegrityError: What lies in the store differs from the local files.
    """
    refs = {
        name: _reference(files[name], version_uri(line, claim.version, name), _kind(name))
        for name in sorted(files, key=_upload_order)
    }
    for name, ref in refs.items():
        # What an earlier attempt left lies there already; reading back decides whether it is the right thing.
        with contextlib.suppress(PreconditionFailedError):
            store.upload(files[name], ref.uri, if_absent=True)
        _advance(tracker, name)
    manifest = VersionManifest(
        version=claim.version,
        number=claim.number,
        run_id=claim.run_id,
        created_at=claim.claimed_at,
        files=refs,
        verdict=origin.verdict,
        candidate_sha256=claim.candidate_sha256,
        reference_sha256=origin.reference_sha256,
        snapshot_sha256=origin.snapshot_sha256,
        cost=origin.cost,
        previous_champion=claim.previous_champion,
    )
    verify_files(store, manifest, tracker)
    return _store_manifest(store, line, manifest)


def read_version(store: ObjectStore, line: str, version: str) -> StoredVersion:
    """A complete version.

    Raises:
        RequestError: There is no such version, or it was never finished.
    """
    if not _is_version(version):
        raise RequestError(f"Expected a version like 7-0123456789ab, got {version!r}.")
    uri = version_uri(line, version, MANIFEST)
    try:
        data = store.read(uri).data
    except ObjectNotFoundError:
        raise RequestError(
            f"Expected a published version {version!r} of {line}, found no {uri}.",
            hint="The history of the line lists its versions.",
        ) from None
    return StoredVersion(VersionManifest.from_json(data, origin=uri), hashlib.sha256(data).hexdigest())


def verify_files(store: ObjectStore, manifest: VersionManifest, tracker: Tracker | None = None) -> None:
    """Read every file of a version back and compare digests.

    Raises:
        IntegrityError: A file is missing or differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, ref in manifest.files.items():
            try:
                store.download(ref.uri, Path(folder) / "file", sha256=ref.sha256)
            except ObjectNotFoundError:
                raise IntegrityError(f"Version {manifest.version} lacks {name}: nothing lies at {ref.uri}.") from None
            _advance(tracker, name)


def _store_manifest(store: ObjectStore, line: str, manifest: VersionManifest) -> StoredVersion:
    uri, data = version_uri(line, manifest.version, MANIFEST), manifest.to_json().encode()
    try:
        store.write(uri, data, if_absent=True)
    except PreconditionFailedError:
        if store.read(uri).data != data:
            raise IntegrityError(
                f"{uri} exists and describes other files than this run's.", hint="Publish under a new run id."
            ) from None
    return StoredVersion(manifest, hashlib.sha256(data).hexdigest())


def _reference(path: Path, uri: str, kind: ArtifactKind) -> ArtifactRef:
    digest = file_digest(path)
    return ArtifactRef(uri=uri, sha256=digest.sha256, size_bytes=digest.size_bytes, kind=kind)


def _upload_order(name: str) -> tuple[bool, str]:
    """A model server that polls takes a folder for complete as soon as it sees ``saved_model.pb``: it goes last."""
    return name.rpartition("/")[2] == SAVED_MODEL, name


def _kind(name: str) -> ArtifactKind:
    return _KINDS.get(name, ArtifactKind.OTHER)


def _claimed_number(uri: str) -> int:
    return int(uri.rpartition("/")[2].removesuffix(".json"))


def _is_version(text: str) -> bool:
    number, _, digest = text.partition("-")
    return number.isdigit() and len(digest) == 12 and all(character in "0123456789abcdef" for character in digest)


def _advance(tracker: Tracker | None, note: str) -> None:
    if tracker is not None:
        tracker.advance(1, note)

"""What a step works with: the store, a private work folder, the reporter, typed reading and writing of artifacts."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from darwin_core.contracts import ArtifactKind, ArtifactRef, StepName
from darwin_core.contracts.base import Document
from darwin_core.errors import IntegrityError, StepError
from darwin_core.progress import Reporter
from darwin_core.storage import ObjectStore, join_uri

SEALED = "sealed"
"""The folder of every object that only the evaluate step may open; folders above it may have the name, too."""

DocumentT = TypeVar("DocumentT", bound=Document)


@dataclass(frozen=True)
class StepContext:
    """The surroundings of one running step.

    ``workdir`` survives a kill: a step run again with the same key finds what it had finished. ``cache_dir`` holds
    downloaded artifacts by digest and is shared by all steps on the machine.
    """

    step: StepName
    line: str
    run_id: str
    key: str
    store: ObjectStore
    workdir: Path
    cache_dir: Path
    reporter: Reporter

    def uri(self, *parts: str) -> str:
        """A URI below this step's own prefix, ``<line>/runs/<run>/<step>/``."""
        return join_uri(self.line, "runs", self.run_id, self.step.value, *parts)

    def fetch(self, ref: ArtifactRef) -> Path:
        """The artifact as a local file, downloaded at most once per machine and checked against its digest.

        Raises:
            StepError: A step other than evaluate asked for sealed rows.
        """
        if PurePosixPath(ref.uri).parent.name == SEALED and self.step is not StepName.EVALUATE:
            raise StepError(
                f"Step {self.step} asked for {ref.uri}, which is sealed.",
                hint="Only evaluate opens the hold-out; other steps work with its profile.",
            )
        path = self.cache_dir / ref.sha256[:2] / f"{ref.sha256}{Path(ref.uri).suffix}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.store.download(ref.uri, path, sha256=ref.sha256)
        return path

    def read_document(self, ref: ArtifactRef, model: type[DocumentT]) -> DocumentT:
        """A stored contract, checked against its digest.

        Raises:
            IntegrityError: The stored bytes are not the ones the reference was made for.
        """
        data = self.store.read(ref.uri).data
        found = hashlib.sha256(data).hexdigest()
        if found != ref.sha256:
            raise IntegrityError(
                f"{ref.uri} has digest {found[:12]}, expected {ref.sha256[:12]}.",
                hint="The object was changed after it was written; run the step that writes it again.",
            )
        return model.from_json(data, origin=ref.uri)

    def write_document(self, document: Document, uri: str, kind: ArtifactKind) -> ArtifactRef:
        """Store a contract as JSON."""
        return self.write_bytes(document.to_json().encode(), uri, kind)

    def write_bytes(self, data: bytes, uri: str, kind: ArtifactKind) -> ArtifactRef:
        """Store bytes that are already in memory."""
        self.store.write(uri, data)
        return ArtifactRef(uri=uri, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), kind=kind)

    def upload(self, path: Path, uri: str, kind: ArtifactKind) -> ArtifactRef:
        """Store a file."""
        digest = self.store.upload(path, uri)
        return ArtifactRef(uri=uri, sha256=digest.sha256, size_bytes=digest.size_bytes, kind=kind)

    def discard_workdir(self) -> None:
        """Remove the private work folder, once everything worth keeping is stored."""
        shutil.rmtree(self.workdir, ignore_errors=True)

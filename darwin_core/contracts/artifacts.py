"""References to stored objects. A reference carries the digest, so a reader can tell whether it got what was meant."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from darwin_core.contracts.base import Contract

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ArtifactKind(StrEnum):
    """What a stored object is."""

    NETWORK = "network"
    EXPORT = "export"
    SNAPSHOT = "snapshot"
    DATA = "data"
    INSIGHTS = "insights"
    SEARCH_RECORD = "search_record"
    PREDICTIONS = "predictions"
    EVALUATION = "evaluation"
    VERDICT = "verdict"
    EXPLANATION = "explanation"
    FINDINGS = "findings"
    TABLE = "table"
    REPORT = "report"
    MANIFEST = "manifest"
    OTHER = "other"


class ArtifactRef(Contract):
    """One stored object: where it lies, what it is and the digest of its bytes."""

    uri: str = Field(min_length=1, description="s3://bucket/key, file:///path or a plain path")
    sha256: Sha256
    size_bytes: int = Field(ge=0)
    kind: ArtifactKind = ArtifactKind.OTHER

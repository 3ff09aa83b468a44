"""Published versions, the pointers to them, and the append-only history."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from darwin_core.contracts.artifacts import ArtifactRef, Sha256
from darwin_core.contracts.base import Document
from darwin_core.contracts.evaluation import Verdict
from darwin_core.contracts.networks import NetworkCost


class PointerName(StrEnum):
    """Registry aliases."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class VersionManifest(Document):
    """Everything that makes up one immutable version, named by relative path."""

    version: str = Field(pattern=r"^\d+-[0-9a-f]{12}$")
    number: int = Field(ge=1)
    run_id: str
    created_at: datetime
    files: dict[str, ArtifactRef] = Field(description="path below the version -> stored object")
    verdict: Verdict
    candidate_sha256: Sha256
    reference_sha256: Sha256
    snapshot_sha256: Sha256
    cost: NetworkCost
    previous_champion: str | None = Field(default=None, description="the champion when the version was numbered")


class VersionClaim(Document):
    """Who holds a version number. Written before anything of the version, so that a killed publish finds it again."""

    number: int = Field(ge=1)
    version: str
    run_id: str
    candidate_sha256: Sha256
    serving: ArtifactRef = Field(description="the exported SavedModel, zipped; exports are not reproducible")
    previous_champion: str | None
    claimed_at: datetime


class CostStatement(Document):
    """What finding the network took and what serving it saves; in machine time, since prices differ."""

    search_seconds: dict[str, float] = Field(description="phase -> wall seconds")
    reference: NetworkCost
    candidate: NetworkCost
    reference_seconds_per_million: float | None = Field(
        description="serving a million single rows, one thread, at the measured median latency"
    )
    candidate_seconds_per_million: float | None
    pay_back_predictions: int | None = Field(description="single-row predictions after which the search has paid off")


class Pointer(Document):
    """What a registry alias points at. Moved only by conditional writes."""

    name: PointerName
    version: str
    manifest_sha256: Sha256
    serve_uri: str = Field(description="prefix ending in '/' for a model server")
    network: ArtifactRef = Field(description="the .keras file")
    previous_version: str | None = Field(description="where a rollback goes that names no version")
    moved_at: datetime
    moved_by: str = Field(description="run id or 'rollback'")


class HistoryAction(StrEnum):
    """What the ledger records."""

    PUBLISH = "publish"
    REJECT = "reject"
    ROLLBACK = "rollback"
    HOLDOUT_LOOK = "holdout_look"


class HistoryEntry(Document):
    """One line of the append-only ledger."""

    action: HistoryAction
    at: datetime
    run_id: str
    subject: str = Field(description="version, or digest of the hold-out for a look")
    detail: str

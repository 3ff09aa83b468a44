"""What the report shows and what `darwin compact` writes as summary.json."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from darwin_core.contracts.base import Contract, Document
from darwin_core.contracts.data import Snapshot
from darwin_core.contracts.evaluation import Evaluation, Verdict, VerdictDocument
from darwin_core.contracts.explanation import Explanation
from darwin_core.contracts.exports import ExportRecord
from darwin_core.contracts.networks import Latency
from darwin_core.contracts.requirements import RequirementStatus
from darwin_core.contracts.synthesis import Pick, SearchRecord


class Provenance(Contract):
    """Where a result came from."""

    run_id: str
    line: str
    created_at: datetime
    darwin_version: str
    packages: dict[str, str] = Field(description="package -> version")
    machine: str = Field(description="processor, cores and operating system, in words")
    digests: dict[str, str] = Field(description="artifact -> SHA-256")


class CompactionReport(Document):
    """The report model: everything the HTML report shows, nothing it would have to compute."""

    title: str
    provenance: Provenance
    snapshot: Snapshot
    search: SearchRecord
    evaluation: Evaluation
    verdict: VerdictDocument
    explanation: Explanation


class NetworkSummary(Contract):
    """One side of the before/after comparison."""

    parameters: int
    macs: int
    weight_bytes: int
    input_features: int
    latency_ms: Latency | None
    metrics: dict[str, float]


class CompactionSummary(Document):
    """summary.json of `darwin compact`."""

    run_id: str
    line: str
    origin: Pick | None = Field(default=None, description="the point of an earlier run that a person picked")
    reference: NetworkSummary
    candidate: NetworkSummary
    baseline: NetworkSummary | None = Field(default=None, description="the champion of the night before")
    controls: dict[str, NetworkSummary] = Field(default_factory=dict, description="controls on the validation rows")
    verdict: Verdict
    reasons: tuple[str, ...]
    requirements: tuple[RequirementStatus, ...]
    published: bool
    version: str | None
    seconds: dict[str, float] = Field(description="step -> seconds")
    paths: dict[str, str] = Field(description="what -> where it lies")
    exports: tuple[ExportRecord, ...] = Field(default=(), description="the candidate in other formats")

"""One Request/Result pair per step. These ten models are all that an orchestrator knows of the engine."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from pydantic import Field

from darwin_core import __version__
from darwin_core.contracts.artifacts import ArtifactRef
from darwin_core.contracts.base import Document, RunId
from darwin_core.contracts.data import DataRoles, DataSourceField, SplitConfig
from darwin_core.contracts.evaluation import GateConfig, Verdict
from darwin_core.contracts.exports import ExportFormat
from darwin_core.contracts.requirements import RequirementField
from darwin_core.contracts.storage import StorageOptions
from darwin_core.contracts.synthesis import Pick, SearchBudget


class StepName(StrEnum):
    """The five steps in their order."""

    FETCH_DATA = "fetch-data"
    SYNTHESIZE = "synthesize"
    EVALUATE = "evaluate"
    EXPLAIN = "explain"
    PUBLISH = "publish"


class StepRequest(Document):
    """What every step needs to know.

    ``line`` is the model line's prefix (``s3://bucket/models/fraud``); everything the run writes lies below it.
    """

    line: str = Field(min_length=1)
    run_id: RunId
    storage: StorageOptions = StorageOptions()


class StepResult(Document):
    """What every step reports. ``key`` digests request, inputs and code version: same key, same result."""

    key: str
    seconds: float = Field(ge=0)
    reused: bool = Field(default=False, description="True where an earlier success with the same key was found")


class FetchDataRequest(StepRequest):
    """Copy the reference network and the data into an immutable snapshot.

    With ``pick``, nothing is copied: the snapshot is that of the run the pick speaks of.
    """

    reference: str = Field(min_length=1, description="URI of the .keras file")
    train: DataSourceField
    validation: DataSourceField | None = Field(default=None, description="None: `split.validation_share` of train")
    test: DataSourceField | None = Field(default=None, description="None: `split.test_share` of train is sealed")
    roles: DataRoles
    split: SplitConfig = SplitConfig()
    pick: Pick | None = None


class FetchDataResult(StepResult):
    """The snapshot, and the figures an orchestrator shows."""

    snapshot: ArtifactRef
    reference: ArtifactRef
    train_rows: int
    validation_rows: int
    test_rows: int
    picked_from: ArtifactRef | None = Field(
        default=None, description="with a pick: the result of synthesize in the run it speaks of"
    )


class SynthesizeRequest(StepRequest):
    """Search for the compact network. The sealed hold-out is out of reach here.

    With ``pick``, nothing is searched: that point of an earlier search gets what it still lacks and is chosen.
    """

    snapshot: ArtifactRef
    requirements: tuple[RequirementField, ...] = ()
    budget: SearchBudget = SearchBudget()
    performance_function: str = "smallest"
    generator: str = Field(
        default="importance",
        description="what proposes designs: 'importance' only widths, 'separable' and 'blocks' cheaper layers, too",
    )
    alert_budget: float = Field(default=0.10, gt=0, lt=1)
    threads: int | None = Field(default=None, ge=1)
    seed: int = 0
    pick: Pick | None = None
    picked_from: ArtifactRef | None = Field(default=None, description="see FetchDataResult")
    exports: tuple[ExportFormat, ...] = Field(default=(), description="other formats to write the chosen network in")
    rivals: tuple[ArtifactRef, ...] = Field(
        default=(),
        description="results of parallel searches: nothing is searched, the best of what they chose is taken",
    )


class SynthesizeResult(StepResult):
    """The chosen candidate, the front, what the inquisitor saw, and the record of the search."""

    candidate: ArtifactRef
    front: tuple[ArtifactRef, ...]
    search_record: ArtifactRef
    insights: ArtifactRef
    feasible: bool
    candidate_parameters: int
    candidate_macs: int
    exports: tuple[ArtifactRef, ...] = Field(default=(), description="the chosen network in other formats")


class EvaluateRequest(StepRequest):
    """Open the sealed hold-out once and judge the candidate."""

    snapshot: ArtifactRef
    candidate: ArtifactRef
    search_record: ArtifactRef
    requirements: tuple[RequirementField, ...] = ()
    gate: GateConfig = GateConfig()
    tfma_rows: int = Field(default=20_000, ge=0, description="at most so many rows go through TFMA; 0: none")
    threads: int = Field(default=1, ge=1, description="for latency")


class EvaluateResult(StepResult):
    """The verdict as data, never as an exit code."""

    verdict: Verdict
    verdict_document: ArtifactRef
    evaluation: ArtifactRef
    predictions: ArtifactRef
    metrics: dict[str, float] = Field(description="flat figures for dashboards; every value is finite")


class ExplainRequest(StepRequest):
    """Attribute decisions to raw columns or pixels, check the data, write the report."""

    snapshot: ArtifactRef
    candidate: ArtifactRef
    search_record: ArtifactRef
    insights: ArtifactRef
    evaluation: ArtifactRef
    verdict_document: ArtifactRef
    predictions: ArtifactRef
    rows: int = Field(default=512, ge=8, description="rows that are explained")
    actionable: tuple[str, ...] = Field(
        default=(), description="columns that counterfactuals may change; empty: any column"
    )
    serving: DataSourceField | None = Field(
        default=None,
        description="rows as they come in production, without labels, to be compared with the training rows",
    )
    title: str = "Compaction report"
    seed: int = 0


class ExplainResult(StepResult):
    """The explanation, the data findings and the report."""

    explanation: ArtifactRef
    findings: ArtifactRef
    report: ArtifactRef
    finding_count: int
    high_severity_count: int


class PublishRequest(StepRequest):
    """Publish the candidate if the gate says PASS; otherwise record why the champion stays."""

    snapshot: ArtifactRef
    candidate: ArtifactRef
    search_record: ArtifactRef
    verdict_document: ArtifactRef
    evaluation: ArtifactRef
    explanation: ArtifactRef
    findings: ArtifactRef
    report: ArtifactRef
    block_on_findings: bool = Field(default=False, description="a finding of high severity keeps the champion")


class PublishResult(StepResult):
    """What became of the candidate."""

    published: bool
    verdict: Verdict
    version: str | None
    version_uri: str | None
    champion: str | None = Field(description="the champion's version after this step")
    reason: str


STEPS: dict[StepName, tuple[type[StepRequest], type[StepResult]]] = {
    StepName.FETCH_DATA: (FetchDataRequest, FetchDataResult),
    StepName.SYNTHESIZE: (SynthesizeRequest, SynthesizeResult),
    StepName.EVALUATE: (EvaluateRequest, EvaluateResult),
    StepName.EXPLAIN: (ExplainRequest, ExplainResult),
    StepName.PUBLISH: (PublishRequest, PublishResult),
}


def step_key(name: StepName, request: StepRequest) -> str:
    """Content address of a step run: digest of step name, request and Darwin version."""
    return hashlib.sha256(f"{name}\n{__version__}\n{request.digest()}".encode()).hexdigest()

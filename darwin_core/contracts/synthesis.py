"""Synthesis: the allowed effort, the encoded design of a network, and the record of every candidate tried."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from darwin_core.contracts.artifacts import ArtifactRef
from darwin_core.contracts.base import Contract, Document, RunId
from darwin_core.contracts.exports import ExportRecord
from darwin_core.contracts.networks import LayerCost, NetworkCost
from darwin_core.contracts.requirements import RequirementField, RequirementStatus


class SearchBudget(Contract):
    """The allowed effort. ``seconds`` is a soft ceiling: the search ends with the candidate then in training."""

    generations: int = Field(default=3, ge=1, le=50)
    offspring: int = Field(default=3, ge=1, le=64, description="networks proposed in each generation")
    generation_samples: int | None = Field(
        default=None, ge=1, description="training rows an offspring sees; None: by data"
    )
    final_samples: int | None = Field(default=None, ge=1, description="training rows of the long finish; None: by data")
    seconds: float | None = Field(default=None, gt=0)
    resource_factor: float = Field(default=0.45, gt=0.0, lt=1.0, description="cost of a generation over its parents'")
    fewer_columns: bool = Field(
        default=False, description="whether quality may be spent, within the requirements, on reading fewer columns"
    )
    control: bool = Field(
        default=True, description="whether a uniformly narrowed network of the chosen one's size is trained beside it"
    )


class HeadKind(StrEnum):
    """How feature maps become a vector."""

    KEEP = "keep"
    GLOBAL_POOLING = "global_pooling"
    WEIGHTED_POOLING = "weighted_pooling"


class BlockOperator(StrEnum):
    """What becomes of one layer, or of the branch that ends in a sum, before the network is narrowed."""

    KEEP = "keep"
    DROP = "drop"
    DEPTHWISE_SEPARABLE = "depthwise_separable"
    LOW_RANK = "low_rank"
    SMALLER_KERNEL = "smaller_kernel"


class Genome(Contract):
    """An encoded design: what to keep of the reference. Building and training it gives a candidate.

    Blocks are rewritten first, so ``widths`` speaks of the dependency groups of the rewritten network.
    """

    widths: dict[str, int] = Field(description="dependency group -> channels kept; groups not named keep their width")
    head: HeadKind = HeadKind.KEEP
    dropped_inputs: tuple[str, ...] = Field(default=(), description="input features the network no longer reads")
    blocks: dict[str, BlockOperator] = Field(
        default_factory=dict, description="layer (or the sum that ends a residual branch) -> what becomes of it"
    )
    early_downsampling: bool = Field(
        default=False, description="whether the first convolution halves the picture in place of a later pooling"
    )


class QualityMetrics(Contract):
    """Quality on the validation rows. ``loss`` is the reference's own loss; the rest where the task has it.

    ``alert_overlap`` compares with the reference: the Jaccard index of the rows that both rank into the alert budget.

    Several labels: the areas are means over the labels, a row is accurate where all of its labels are right, and
    ``f1`` is over all rows and labels together (micro-averaged). Segmentation: ``accuracy`` is the share of pixels, and
    ``mean_iou`` the mean over the classes of intersection over union, counted over all pixels.
    """

    loss: float
    accuracy: float | None = None
    pr_auc: float | None = None
    roc_auc: float | None = None
    recall_at_budget: float | None = None
    alert_overlap: float | None = None
    rmse: float | None = None
    f1: float | None = None
    mean_iou: float | None = None


class CandidateStage(StrEnum):
    """How far a candidate got."""

    PROPOSED = "proposed"
    RACED = "raced"
    FINISHED = "finished"


class CandidateRecord(Contract):
    """One candidate: design, cost, quality, parents and the time it took."""

    candidate_id: str
    generation: int = Field(ge=0, description="0: the reference")
    parents: tuple[str, ...]
    strategy: str = Field(description="what proposed it, e.g. 'importance' or 'uniform' (a control)")
    genome: Genome
    cost: NetworkCost
    quality: QualityMetrics | None
    stage: CandidateStage
    samples: int = Field(ge=0, description="training rows seen since inheriting")
    lineage_samples: int | None = Field(
        default=None, ge=0, description="training rows seen since the reference, those of its ancestors included"
    )
    seconds: float = Field(ge=0)
    performance: float | None = Field(default=None, description="value of the performance function")
    requirements: tuple[RequirementStatus, ...] = ()
    feasible: bool = False
    promising: bool | None = Field(
        default=None, description="as last judged: expected to keep the quality once it has had the long finish"
    )
    on_front: bool = False
    network: ArtifactRef | None = None


class GroupInsight(Contract):
    """What the inquisitor saw of one dependency group."""

    group: str
    importance: tuple[float, ...] = Field(description="per channel, mean over samples of |sum a * dL/da|")
    redundancy: float = Field(
        ge=0.0, le=1.0, description="mean over channels of the highest |correlation| with another"
    )
    sensitivity: float = Field(ge=0.0, description="share of the group's importance per share of the network's MACs")
    class_response: tuple[tuple[float, ...], ...] = Field(
        default=(), description="[class or label][channel] mean importance on its rows; empty for regression"
    )


class Insights(Document):
    """What the inquisitor learned from probing a network with real batches."""

    network: str
    rows: int = Field(ge=1)
    groups: tuple[GroupInsight, ...]
    input_use: dict[str, float] = Field(description="input feature -> share of the total attribution (sums to 1)")


class ControlRecord(Contract):
    """A control the search is held against: same distillation, same number of samples."""

    name: str = Field(description="e.g. 'uniform narrowing'")
    record: CandidateRecord


class Relaxation(Contract):
    """One way out of requirements that nothing meets together: with this one relaxed so far, a network was found."""

    requirement: RequirementField
    value: float = Field(description="what the candidate reaches; every other requirement is met by it")
    candidate_id: str


class TrimmedTable(Contract):
    """A lookup table that became smaller before the search: what it lost is read as an unknown value."""

    layer: str
    entries_before: int = Field(ge=1)
    entries_after: int = Field(ge=1)


class Pick(Contract):
    """A point of an earlier run's Pareto front that a person chose."""

    run_id: RunId = Field(description="a run of the same line whose search is done")
    candidate_id: str = Field(min_length=1)

    def __str__(self) -> str:
        return f"{self.candidate_id} of run {self.run_id}"


class Rival(Contract):
    """One of several searches of the same snapshot, each with settings of its own, that ran side by side."""

    run_id: RunId
    seed: int
    strategy: str = Field(description="what proposed its network, e.g. 'importance'")
    chosen: str = Field(description="its candidate")
    cost: NetworkCost
    performance: float | None
    feasible: bool
    taken: bool = Field(description="whether this one was the best")


class Variation(Contract):
    """How far pictures are varied in training without ceasing to be what they are; nothing else is varied."""

    strength: float = Field(default=0.0, ge=0.0, description="share of the usual shifts, turns, scales and light")
    mirrored: bool = Field(default=False, description="whether every other picture is mirrored, left to right")


class SearchRecord(Document):
    """The whole search: every candidate, the Pareto front, the choice and why.

    Where a person picked the chosen one, ``candidates`` and ``seconds`` include those of the search it came from.
    """

    seed: int
    budget: SearchBudget
    performance_function: str
    reference: CandidateRecord
    candidates: tuple[CandidateRecord, ...]
    controls: tuple[ControlRecord, ...] = ()
    front: tuple[str, ...] = Field(description="candidate ids, cheapest first")
    chosen: str
    origin: Pick | None = Field(default=None, description="what a person picked; None: the search itself chose")
    feasible: bool = Field(description="False: no candidate met every requirement; `chosen` is the nearest")
    binding_requirements: tuple[str, ...] = Field(default=(), description="requirements the chosen one misses, as text")
    relaxations: tuple[Relaxation, ...] = Field(default=(), description="where nothing is feasible: what would be")
    reference_layers: tuple[LayerCost, ...]
    chosen_layers: tuple[LayerCost, ...]
    seconds: dict[str, float] = Field(default_factory=dict, description="phase -> seconds")
    reason: str = Field(description="why this candidate, as a sentence")
    exports: tuple[ExportRecord, ...] = Field(default=(), description="the chosen network in other formats")
    tables: tuple[TrimmedTable, ...] = Field(default=(), description="lookup tables that every candidate has smaller")
    variation: Variation = Field(default=Variation(), description="how pictures were varied to teach candidates")
    rivals: tuple[Rival, ...] = Field(
        default=(), description="the parallel searches, of which this record is that of the best"
    )


class ParetoFront(Document):
    """The points that a person can pick from, cheapest first."""

    line: str
    run_id: str
    chosen: str
    origin: Pick | None
    reference: CandidateRecord
    points: tuple[CandidateRecord, ...]

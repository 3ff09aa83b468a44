"""Explanation: attributions in the raw columns, reason codes, and what is wrong with the data."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from darwin_core.contracts.artifacts import ArtifactRef
from darwin_core.contracts.base import Contract, Document
from darwin_core.contracts.evaluation import Check


class FeatureAttribution(Contract):
    """Share of the decision that a raw column carries, mean over rows of |attribution|, normalised to sum 1."""

    feature: str
    reference: float = Field(ge=0)
    candidate: float = Field(ge=0)
    spread: tuple[float, ...] = Field(
        default=(), description="5, 25, 50, 75 and 95 % quantiles over rows of the candidate's signed attribution"
    )


class ReasonCode(Contract):
    """One reason for one decision, in plain words."""

    feature: str
    value: str = Field(description="the row's own value, as text")
    attribution: float = Field(description="signed, in the unit of the score: positive raises it")
    text: str = Field(description="e.g. 'PAY_0 = 2 raises the score (usual: 0)'")


class RowExplanation(Contract):
    """Why one row got its score."""

    row_id: str
    predicted: str
    score: float
    reasons: tuple[ReasonCode, ...]
    counterfactual: str | None = Field(
        default=None, description="smallest single change that flips the decision, in words"
    )


class ImageExplanation(Contract):
    """Where one picture's decision comes from. Pictures are PNG as data URIs, so that the report stays one file."""

    row_id: str
    label: str
    predicted: str
    score: float
    picture: str
    attribution: str = Field(description="candidate's attribution drawn over the picture")
    reference_attribution: str | None = None


class FindingKind(StrEnum):
    """Which check found it."""

    LEAKING_COLUMN = "leaking_column"
    LABEL_CONFLICT = "label_conflict"
    TRAIN_TEST_OVERLAP = "train_test_overlap"
    NEAR_DUPLICATE = "near_duplicate"
    ENTITY_OVERLAP = "entity_overlap"
    SHIFT = "shift"
    TRAIN_SERVE_SKEW = "train_serve_skew"
    CONSTANT_COLUMN = "constant_column"
    DUPLICATE_COLUMN = "duplicate_column"
    SHORTCUT = "shortcut"
    LABEL_ERROR = "label_error"
    WEAKENED_GROUP = "weakened_group"


class Severity(StrEnum):
    """How much a finding matters; HIGH can block the gate."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class FixKind(StrEnum):
    """What can be done about a finding."""

    NEUTRALISE = "neutralise"
    DROP = "drop"
    REBALANCE = "rebalance"


class SuggestedFix(Contract):
    """A change of the training rows that `darwin fix` applies.

    NEUTRALISE gives the affected rows the factor of rows that lack it, drawn at random. DROP leaves out the column, and
    with it an input of the reference; where there is no such column, the affected rows. REBALANCE lets rows count for
    more or less, so that the factor is as frequent in the class as in all other rows.
    """

    kind: FixKind
    text: str = Field(description="what it does, as a sentence")


class FactorReaction(Contract):
    """How one network reacts to a factor; all figures are shares of rows."""

    planted: float = Field(description="rows of other classes that become the class once the factor is planted")
    control: float = Field(description="the same with the factor of rows that lack it")
    with_factor: float = Field(description="rows of the class with the factor that are recognised")
    neutralised: float = Field(description="the same rows with the factor neutralised")
    worst_group: float = Field(
        description="lowest quality among: the class without the factor, other classes with it planted"
    )


class Amplification(Contract):
    """Both networks' reactions, side by side: did compaction make it worse?"""

    reference: FactorReaction
    candidate: FactorReaction


class FindingExample(Contract):
    """One sample as it is and what is said of it: by the candidate for wrong labels, else by the reference.

    For shortcuts also with the factor changed, and what the reference says then.
    """

    row_id: str
    label: str
    change: str = Field(default="", description="'neutralised' or 'planted', with the values for tables")
    before: str | None = Field(default=None, description="PNG as data URI")
    after: str | None = None
    predicted_before: str
    predicted_after: str | None = None


class Finding(Contract):
    """Something in the data that a person should look at."""

    kind: FindingKind
    severity: Severity
    title: str
    description: str = Field(description="what was seen, with the figures, as sentences")
    columns: tuple[str, ...] = ()
    effect: float | None = Field(default=None, description="size of the effect in the check's own unit")
    low: float | None = None
    high: float | None = None
    affected_rows: int | None = Field(default=None, ge=0)
    affected_ids: tuple[str, ...] = Field(default=(), description="at most 100 examples")
    suggestion: str = Field(description="what to do, as a sentence")
    factor: str | None = Field(default=None, description="what stands for the class, for shortcuts")
    classes: tuple[str, ...] = Field(default=(), description="label values concerned")
    affected: ArtifactRef | None = Field(default=None, description="Parquet: row_id of every affected row")
    examples: tuple[FindingExample, ...] = ()
    amplification: Amplification | None = None
    fixes: tuple[SuggestedFix, ...] = Field(default=(), description="what can be done about it, the best first")


class Findings(Document):
    """The data findings on their own, for whoever reads nothing else."""

    checks_run: tuple[str, ...] = Field(description="data checks that ran, also those that found nothing")
    findings: tuple[Finding, ...] = Field(description="most severe first")


class Explanation(Document):
    """How both networks decide, and which data bugs this exposed."""

    method: str
    rows: int = Field(ge=0)
    features: tuple[FeatureAttribution, ...] = Field(
        default=(), description="tables; most important for the candidate first"
    )
    rank_overlap: float | None = Field(default=None, description="mean overlap of both networks' top-3 columns per row")
    map_agreement: float | None = Field(
        default=None, description="pictures: mean rank correlation of both networks' attribution maps"
    )
    checks: tuple[Check, ...] = Field(default=(), description="X1 and X2 of the gate's table")
    row_examples: tuple[RowExplanation, ...] = ()
    image_examples: tuple[ImageExplanation, ...] = ()
    findings: tuple[Finding, ...] = ()
    checks_run: tuple[str, ...] = Field(default=(), description="data checks that ran, also those that found nothing")
    row_attributions: ArtifactRef | None = Field(default=None, description="per-row attributions, Parquet")
    notes: tuple[str, ...] = Field(default=(), description="what was not looked at for this task, as sentences")


class FixReport(Document):
    """What the fix of a finding did: the reference before and after, on validation rows without the flaw.

    Without the flaw means: with the factor neutralised; with the column's values drawn from other rows; without the
    rows that the finding consists of.
    """

    run_id: str
    finding: str
    fix: SuggestedFix
    changed_rows: int = Field(ge=0, description="training rows that were changed, left out, or count for more or less")
    train: str = Field(description="URI of the changed training rows")
    validation: str = Field(description="URI of the validation rows without the flaw")
    reference: str = Field(description="URI of the reference, trained on with the changed rows")
    dropped_columns: tuple[str, ...] = Field(default=(), description="columns that the reference no longer reads")
    before: FactorReaction | None = Field(default=None, description="shortcuts only")
    after: FactorReaction | None = None
    neutralised_quality_before: float = Field(
        description="accuracy on validation rows without the flaw; for two classes at the alert budget"
    )
    neutralised_quality_after: float
    compacted_run: str | None = Field(default=None, description="run that compacted the changed reference")

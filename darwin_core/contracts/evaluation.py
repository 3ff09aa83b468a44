"""Evaluation: paired estimates with bounds, the gate's checks, and the three-valued verdict."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from darwin_core.contracts.artifacts import ArtifactRef, Sha256
from darwin_core.contracts.base import Contract, Document
from darwin_core.contracts.networks import NetworkCost
from darwin_core.contracts.requirements import RequirementStatus


class Verdict(StrEnum):
    """Outcome of a check and of the gate. Too few cases is INSUFFICIENT_EVIDENCE, never PASS."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INSUFFICIENT_EVIDENCE = "INSUFFICIENT_EVIDENCE"


class GateConfig(Contract):
    """Thresholds of the gate. Margins are shares (0.005 is half a point); None switches a check off."""

    confidence: float = Field(default=0.95, gt=0.5, lt=1.0, description="one-sided")
    bootstrap_rounds: int = Field(default=1000, ge=200, le=20_000)
    accuracy_margin: float | None = Field(default=0.005, ge=0)
    pr_auc_margin: float | None = Field(default=0.005, ge=0)
    recall_margin: float | None = Field(default=0.005, ge=0)
    f1_margin: float | None = Field(default=0.005, ge=0, description="several labels: micro-averaged F1")
    mean_iou_margin: float | None = Field(default=0.005, ge=0, description="segmentation")
    rmse_margin: float | None = Field(default=0.02, ge=0, description="relative rise of the RMSE")
    alert_budget: float = Field(default=0.10, gt=0, lt=1, description="share of rows that can be investigated")
    alert_rate_change: float | None = Field(default=0.05, ge=0, description="relative, at the reference's threshold")
    alert_overlap: float | None = Field(default=0.85, ge=0, le=1, description="Jaccard index of alerted rows")
    calibration_rise: float | None = Field(default=0.005, ge=0, description="rise of the ECE")
    calibrate: bool = Field(
        default=True, description="map scores on the validation split so that thresholds keep meaning"
    )
    slice_margin: float | None = Field(default=0.02, ge=0)
    slice_min_positives: int = Field(default=50, ge=1)
    holdout_looks: int | None = Field(
        default=100, ge=1, description="looks after which a hold-out is worn out and proves nothing any more"
    )
    rank_overlap: float | None = Field(
        default=0.7, ge=0, le=1, description="agreement of both networks' reasons, looked at after the explanation"
    )
    deletion_p: float | None = Field(default=0.01, gt=0, lt=1, description="p of the deletion test, likewise")
    block_on_explanation: bool = Field(
        default=False, description="an explanation that fails these two keeps the champion; otherwise it is reported"
    )
    seed: int = 0


class Estimate(Contract):
    """A paired estimate: both networks on the same rows. ``difference`` is candidate minus reference."""

    metric: str
    reference: float
    candidate: float
    difference: float
    low: float = Field(description="one-sided lower bound of the difference")
    high: float = Field(description="one-sided upper bound of the difference")
    rows: int = Field(ge=0)
    positives: int | None = Field(default=None, ge=0)
    method: str = Field(description="e.g. 'paired bootstrap, 1000 rounds'")


class Check(Contract):
    """One check of the gate."""

    check_id: str = Field(description="e.g. Q1, S1:SEX=2, O2:parameters<=20000")
    title: str
    definition: str
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    reason: str = Field(description="why this verdict, as a sentence")


class SliceMetrics(Contract):
    """All estimates of one slice."""

    column: str
    value: str
    rows: int = Field(ge=0)
    positives: int | None = None
    estimates: tuple[Estimate, ...]


class CurvePoint(Contract):
    """A point of a curve; x and y as the curve's name says."""

    x: float
    y: float
    threshold: float | None = None


class Evaluation(Document):
    """Everything measured on the sealed hold-out."""

    rows: int = Field(ge=1)
    estimates: tuple[Estimate, ...] = Field(description="candidate against the reference, overall")
    baseline_estimates: tuple[Estimate, ...] = Field(default=(), description="candidate against the champion, overall")
    slices: tuple[SliceMetrics, ...] = ()
    roc: dict[str, tuple[CurvePoint, ...]] = Field(default_factory=dict, description="network -> ROC curve")
    precision_recall: dict[str, tuple[CurvePoint, ...]] = Field(default_factory=dict)
    confusion: dict[str, tuple[tuple[int, ...], ...]] = Field(
        default_factory=dict, description="[true][predicted], in rows; segmentation: pixels"
    )
    class_names: tuple[str, ...] = Field(default=(), description="or the labels' names, where there are several")
    missed_row_ids: tuple[str, ...] = Field(
        default=(), description="positives the reference alerted and the candidate did not"
    )
    tfma_validation_ok: bool | None = Field(default=None, description="validation_result of TensorFlow Model Analysis")
    tfma_rows: int | None = None
    tfma_missing_slices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class VerdictDocument(Document):
    """The gate's decision. This file is the truth; orchestrators re-read it."""

    verdict: Verdict
    reasons: tuple[str, ...] = Field(description="sentences, the deciding ones first")
    checks: tuple[Check, ...]
    requirements: tuple[RequirementStatus, ...] = ()
    candidate_sha256: Sha256
    reference_sha256: Sha256
    baseline_version: str | None = Field(default=None, description="champion it was also compared with")
    champion_etag: str | None = Field(
        default=None, description="ETag of the pointer, read at gate time; None: no champion"
    )
    reference_cost: NetworkCost
    candidate_cost: NetworkCost
    holdout_sha256: Sha256
    look: int = Field(ge=1, description="how many times this hold-out had been looked at, this time included")
    gate: GateConfig


class EvidenceRef(Contract):
    """Scores of all networks on the sealed rows, as Parquet."""

    predictions: ArtifactRef

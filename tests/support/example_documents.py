"""Realistic documents for tests, as the steps of a compaction of a credit table would write them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from darwin_core.contracts import (
    ArtifactRef,
    CandidateRecord,
    CandidateStage,
    Check,
    ControlRecord,
    CurvePoint,
    Estimate,
    Explanation,
    ExportFormat,
    ExportRecord,
    FeatureAttribution,
    Finding,
    FindingKind,
    Genome,
    Latency,
    LayerCost,
    NetworkCost,
    QualityMetrics,
    ReasonCode,
    Requirement,
    RequirementStatus,
    RowExplanation,
    SearchBudget,
    SearchRecord,
    Severity,
    SliceMetrics,
    Verdict,
)

FEATURES = (
    *("PAY_0", "PAY_2", "PAY_3", "LIMIT_BAL", "BILL_AMT1", "PAY_AMT1", "PAY_AMT2", "PAY_4", "PAY_5", "PAY_6"),
    *("BILL_AMT2", "BILL_AMT3", "PAY_AMT3", "AGE", "EDUCATION", "PAY_AMT4", "BILL_AMT4", "PAY_AMT5", "BILL_AMT5"),
    *("PAY_AMT6", "BILL_AMT6", "MARRIAGE", "SEX"),
)
_TABLE_LAYERS = (("dense", 512), ("dense_1", 512), ("dense_2", 256), ("dense_3", 128), ("dense_4", 64))
_TABLE_KEPT = (44, 31, 20, 12, 9)


def digest(seed: str) -> str:
    """A made-up digest."""
    return "".join(random.Random(seed).choices("0123456789abcdef", k=64))


def ref(name: str) -> ArtifactRef:
    """A made-up reference."""
    return ArtifactRef(uri=f"s3://models/credit/{name}", sha256=digest(name), size_bytes=1000)


def latency(p50: float) -> Latency:
    """A latency with a plausible tail."""
    return Latency(p50_ms=p50, p95_ms=p50 * 1.31, p99_ms=p50 * 1.9, batch_size=1, threads=1, calls=200)


def cost(parameters: int, macs: int, p50: float | None, inputs: int = 23) -> NetworkCost:
    """A cost with weights of four bytes."""
    return NetworkCost(
        parameters=parameters,
        macs=macs,
        weight_bytes=4 * parameters,
        input_features=inputs,
        latency=None if p50 is None else latency(p50),
    )


def estimate(metric: str, before: float, change: float, reach: float, rows: int = 7500, **more: Any) -> Estimate:
    """A paired estimate with symmetric bounds."""
    return Estimate(
        metric=metric,
        reference=before,
        candidate=before + change,
        difference=change,
        low=change - reach,
        high=change + reach,
        rows=rows,
        positives=more.get("positives", round(rows * 0.2212)),
        method="paired bootstrap, 1000 rounds",
    )


def dense_layers(widths: tuple[tuple[str, int], ...], inputs: int) -> tuple[LayerCost, ...]:
    """A stack of Dense layers with batch normalisation and an output unit."""
    layers = [LayerCost(name="features", kind="Concatenate", output_shape=(None, inputs), parameters=0, macs=0)]
    before = inputs
    for name, width in widths:
        weights = before * width
        layers.append(
            LayerCost(name=name, kind="Dense", output_shape=(None, width), parameters=weights + width, macs=weights)
        )
        batch_norm = name.replace("dense", "batch_norm")
        layers.append(
            LayerCost(
                name=batch_norm, kind="BatchNormalization", output_shape=(None, width), parameters=4 * width, macs=width
            )
        )
        before = width
    layers.append(LayerCost(name="default", kind="Dense", output_shape=(None, 1), parameters=before + 1, macs=before))
    return tuple(layers)


REFERENCE_LAYERS = dense_layers(_TABLE_LAYERS, 93)
CHOSEN_LAYERS = dense_layers(tuple((n, kept) for (n, _), kept in zip(_TABLE_LAYERS, _TABLE_KEPT, strict=True)), 93)


def stack_cost(layers: tuple[LayerCost, ...], p50: float | None, inputs: int = 23) -> NetworkCost:
    """The cost of all layers together."""
    return cost(sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers), p50, inputs)


def search_record(chance: random.Random, metric: str, before: float, reference_cost: NetworkCost) -> SearchRecord:
    """Three generations of offspring, a control, a front."""
    requirement = Requirement.parse(f"{metric}_drop<=0.005" if metric != "rmse" else "rmse_rise<=0.02")
    sign = -1 if metric != "rmse" else 1

    def record(name: str, generation: int, parents: tuple[str, ...], keep: float, drop: float, **more: Any) -> Any:
        value = before + sign * drop
        return CandidateRecord(
            candidate_id=name,
            generation=generation,
            parents=parents,
            strategy=more.pop("strategy", chance.choice(["importance", "redundancy", "sensitivity"])),
            genome=Genome(widths={"dense": 44}),
            cost=cost(round(reference_cost.parameters * keep), round(reference_cost.macs * keep), None),
            quality=QualityMetrics(**{"loss": 0.43 + drop, metric: value}),
            samples=20_000,
            seconds=8.0,
            performance=1 / keep,
            requirements=(RequirementStatus(requirement=requirement, value=drop, met=drop <= 0.005),),
            feasible=drop <= 0.005,
            **more,
        )

    candidates, parents = [], ("reference",)
    for generation in (1, 2, 3):
        born = []
        for index in range(6):
            keep = 0.42**generation * chance.uniform(0.6, 1.3)
            drop = chance.uniform(-0.001, 0.004 * generation)
            name = f"g{generation}-{index + 1:02d}"
            born.append(record(name, generation, parents[:1], keep, drop, stage=CandidateStage.RACED))
        best = min(born, key=lambda item: item.requirements[0].value or 0)
        parents = (best.candidate_id,)
        candidates += born
    chosen = record("g3-final", 3, parents, 0.032, 0.0012, stage=CandidateStage.FINISHED, on_front=True)
    ruined = record("g3-07", 3, parents, 0.012, 0.19, stage=CandidateStage.RACED)
    larger = record("g2-final", 2, ("g1-01",), 0.11, 0.0003, stage=CandidateStage.FINISHED, on_front=True)
    control = record("uniform", 3, ("reference",), 0.033, 0.0094, stage=CandidateStage.FINISHED, strategy="uniform")
    reference = CandidateRecord(
        candidate_id="reference",
        generation=0,
        parents=(),
        strategy="reference",
        genome=Genome(widths={}),
        cost=reference_cost,
        quality=QualityMetrics(**{"loss": 0.43, metric: before}),
        stage=CandidateStage.FINISHED,
        samples=0,
        seconds=0,
    )
    return SearchRecord(
        seed=7,
        budget=SearchBudget(),
        performance_function="smallest",
        reference=reference,
        candidates=(*candidates, larger, chosen, ruined),
        controls=(ControlRecord(name="uniform narrowing", record=control),),
        front=("g3-final", "g2-final"),
        chosen="g3-final",
        feasible=True,
        reference_layers=REFERENCE_LAYERS,
        chosen_layers=CHOSEN_LAYERS,
        seconds={"inquisitor": 9.1, "generations": 61.4, "finish": 38.0, "controls": 20.5},
        reason="The smallest network on the front that met every requirement on the validation rows.",
        exports=exports(metric, before),
    )


def exports(metric: str, quality: float) -> tuple[ExportRecord, ...]:
    """One file that is as good as the network, one that could not be made."""
    return (
        ExportRecord(
            format=ExportFormat.ONNX,
            runtime="onnxruntime 1.32.0",
            file="network.onnx",
            file_bytes=26_477,
            lookups="lookups.json",
            rows=4_500,
            max_score_difference=1.2e-7,
            decision_agreement=1.0,
            metric=metric,
            network_quality=quality,
            quality=quality,
            latency=latency(0.021),
        ),
        ExportRecord(
            format=ExportFormat.LITERT_INT8,
            runtime="tensorflow 2.21.0",
            problem="The network cannot be converted: <the process> crashed.",
        ),
    )


def curve(bend: float, rising: bool) -> Iterator[CurvePoint]:
    """A smooth ROC curve (rising) or precision-recall curve."""
    for index in range(301):
        x = index / 300
        yield CurvePoint(x=x, y=x**bend if rising else 0.22 + 0.7 * (1 - x) ** bend, threshold=1 - x)


def slices(chance: random.Random) -> tuple[SliceMetrics, ...]:
    """Sex, education and age bands, one of them too small for an estimate."""
    found = []
    for column, value, rows in (
        ("SEX", "1", 2986), ("SEX", "2", 4514), ("EDUCATION", "1", 2650), ("EDUCATION", "2", 3504),
        ("EDUCATION", "3", 1236), ("AGE", "< 30", 2401), ("AGE", "30 to 45", 3645), ("AGE", "45 to 60", 1355),
        ("AGE", "≥ 60", 99),
    ):  # fmt: skip
        reach = 0.35 / rows**0.5
        estimates = [
            estimate("pr_auc", chance.uniform(0.52, 0.57), chance.gauss(-0.001, reach / 3), reach, rows),
            estimate("recall_at_budget", chance.uniform(0.30, 0.34), chance.gauss(-0.001, reach / 3), reach, rows),
        ]
        kept = tuple(estimates) if rows >= 200 else ()
        found.append(SliceMetrics(column=column, value=value, rows=rows, positives=rows // 5, estimates=kept))
    return tuple(found)


def checks() -> tuple[Check, ...]:
    """A gate that passed, with one slice in doubt."""

    def check(name: str, title: str, definition: str, verdict: Verdict, **more: Any) -> Check:
        return Check(check_id=name, title=title, definition=definition, verdict=verdict, **more)

    ok = Verdict.PASS
    return (
        check("Q1", "PR-AUC", "paired bootstrap, lower bound of candidate minus reference", ok, value=-0.0009,
              low=-0.0037, high=0.0021, bound=-0.005, reason="The lower bound -0.37 pt is above the margin -0.50 pt."),
        check("Q2", "Recall at alert budget", "share of defaults among the top 10 % of scores", ok, value=-0.0012,
              low=-0.0044, high=0.0018, bound=-0.005, reason="The lower bound -0.44 pt is above the margin -0.50 pt."),
        check("Q4", "Alert rate", "relative change at the reference's threshold", ok, value=0.013, bound=0.05,
              reason="The alert rate changes by 1.3 %, at most 5 % is tolerated."),
        check("Q5", "Overlap of alerts", "Jaccard index of the alerted rows", ok, value=0.927, bound=0.85,
              reason="92.7 % of the alerted rows are the same."),
        check("Q6", "Calibration", "rise of the expected calibration error", ok, value=0.0011, bound=0.005,
              reason="The calibration error rises by 0.11 pt."),
        check("S1:EDUCATION=3", "Slice EDUCATION = 3", "PR-AUC on the slice, Holm-corrected",
              Verdict.INSUFFICIENT_EVIDENCE, value=-0.004, low=-0.023, high=0.015, bound=-0.02,
              reason="The bounds reach from -2.3 pt to +1.5 pt; 1,236 rows are too few to tell."),
        check("O1", "Serving contract", "same inputs and outputs as the reference, batch 1 and 512", ok,
              reason="Input names, dtypes, shapes and output keys are the same."),
        check("O2:parameters<=20000", "Parameters", "the requirement parameters<=20000", ok, value=7_014, bound=20_000,
              reason="7,014 parameters, at most 20,000 were asked for."),
    )  # fmt: skip


def explanation_checks() -> tuple[Check, ...]:
    """One that holds and one that does not."""
    return (
        Check(check_id="X1", title="Both networks give the same reasons", definition="overlap", verdict=Verdict.PASS,
              value=0.86, bound=0.7,
              reason="On average 86% of a row's three strongest columns are the same in both networks; at least 70% is "
                     "required."),
        Check(check_id="X2", title="The candidate needs the reasons that are given for it", definition="deletion test",
              verdict=Verdict.FAIL, value=0.04, bound=0.01,
              reason="Without its reasons the decision's probability falls 1.3 points further than without parts drawn "
                     "at random (128 cases, p = 0.04; below 0.01 is required)."),
    )  # fmt: skip


def explanation(chance: random.Random) -> Explanation:
    """Attributions for every column, two explained rows, three findings."""
    weights = [0.8**index * chance.uniform(0.8, 1.2) for index in range(len(FEATURES))]
    total = sum(weights)
    return Explanation(
        method="Expected Gradients in the space of the raw columns",
        rows=512,
        features=tuple(
            FeatureAttribution(
                feature=name,
                candidate=w / total,
                reference=w / total * chance.uniform(0.7, 1.25),
                spread=tuple(w / total * quantile for quantile in (-0.8, -0.5, -0.3, 0.4, 2.4)),
            )
            for name, w in zip(FEATURES, weights, strict=True)
        ),
        rank_overlap=0.86,
        checks=explanation_checks(),
        row_examples=(
            RowExplanation(
                row_id="17",
                predicted="default",
                score=0.81,
                reasons=(
                    ReasonCode(feature="PAY_0", value="2", attribution=0.31, text="PAY_0 = 2 raises it (usual: 0)"),
                    ReasonCode(feature="PAY_2", value="2", attribution=0.12, text="PAY_2 = 2 raises it (usual: 0)"),
                    ReasonCode(feature="LIMIT_BAL", value="360,000", attribution=-0.05,
                               text="LIMIT_BAL = 360,000 lowers the score (usual: 140,000)"),
                ),
                counterfactual="PAY_0 = 0 instead of 2 would give 0.37: no default.",
            ),
            RowExplanation(
                row_id="2291",
                predicted="no default",
                score=0.08,
                reasons=(
                    ReasonCode(feature="PAY_AMT1", value="30,000", attribution=0.11,
                               text="PAY_AMT1 = 30,000 lowers the score (usual: 2,100)"),
                    ReasonCode(feature="AGE", value="24", attribution=-0.02, text="AGE = 24 raises it (usual: 34)"),
                ),
            ),
        ),
        findings=(
            Finding(kind=FindingKind.SHIFT, severity=Severity.LOW, title="AGE differs between train and test",
                    description="A classifier tells train from test by AGE with AUC 0.53.", columns=("AGE",),
                    effect=0.53, low=0.515, high=0.545, suggestion="Check how the test rows were drawn."),
            Finding(kind=FindingKind.LEAKING_COLUMN, severity=Severity.HIGH, title="CASE_CLOSED gives the label away",
                    description="CASE_CLOSED alone predicts the label with AUC 0.998 on the validation rows.",
                    columns=("CASE_CLOSED",), effect=0.998, affected_rows=30_000,
                    suggestion="Remove CASE_CLOSED: it is filled in after the outcome is known."),
            Finding(kind=FindingKind.LABEL_CONFLICT, severity=Severity.MEDIUM,
                    title="35 equal rows carry different labels",
                    description="35 groups of rows agree in every column and differ in the label.", affected_rows=71,
                    affected_ids=tuple(str(index) for index in range(40)),
                    suggestion="Look at the rows; one of each pair is mislabelled or a column is missing."),
        ),
        checks_run=("leaking column", "label conflicts", "train/test overlap", "shift", "constant columns"),
    )  # fmt: skip

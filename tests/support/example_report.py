"""Realistic report models for tests: a credit table, traffic signs, a regression, and deliberately awkward ones."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from darwin_core.contracts import (
    Amplification,
    ArtifactRef,
    CandidateRecord,
    CandidateStage,
    Check,
    ColumnKind,
    ColumnSchema,
    CompactionReport,
    ControlRecord,
    CurvePoint,
    DataRoles,
    Estimate,
    Evaluation,
    Explanation,
    ExportFormat,
    ExportRecord,
    FactorReaction,
    FeatureAttribution,
    Finding,
    FindingExample,
    FindingKind,
    FixKind,
    GateConfig,
    Genome,
    ImageExplanation,
    Latency,
    LayerCost,
    NetworkCost,
    Provenance,
    QualityMetrics,
    ReasonCode,
    Requirement,
    RequirementStatus,
    RowExplanation,
    SearchBudget,
    SearchRecord,
    Severity,
    SliceMetrics,
    Snapshot,
    SplitConfig,
    SplitPart,
    SuggestedFix,
    Verdict,
    VerdictDocument,
)

_FEATURES = (
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


_REFERENCE_LAYERS = dense_layers(_TABLE_LAYERS, 93)
_CHOSEN_LAYERS = dense_layers(tuple((n, kept) for (n, _), kept in zip(_TABLE_LAYERS, _TABLE_KEPT, strict=True)), 93)


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
        reference_layers=_REFERENCE_LAYERS,
        chosen_layers=_CHOSEN_LAYERS,
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
    weights = [0.8**index * chance.uniform(0.8, 1.2) for index in range(len(_FEATURES))]
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
            for name, w in zip(_FEATURES, weights, strict=True)
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


def table_report(**changes: Any) -> CompactionReport:
    """A credit table whose candidate passed. ``changes`` replace fields of the report."""
    chance = random.Random(3)
    before, after = stack_cost(_REFERENCE_LAYERS, 0.92), stack_cost(_CHOSEN_LAYERS, 0.31, inputs=21)
    classes = {"no default": 0.7788, "default": 0.2212}

    def part(name: str, rows: int) -> SplitPart:
        return SplitPart(data=ref(name), rows=rows, label_counts={k: round(v * rows) for k, v in classes.items()})

    evaluation = Evaluation(
        rows=7500,
        estimates=(
            estimate("pr_auc", 0.5532, -0.0009, 0.0029),
            estimate("recall_at_budget", 0.3231, -0.0012, 0.0031),
            estimate("roc_auc", 0.7811, -0.0006, 0.0019),
            estimate("accuracy", 0.8192, 0.0004, 0.0021),
            estimate("brier", 0.1352, 0.0003, 0.0006),
        ),
        baseline_estimates=(estimate("pr_auc", 0.5521, 0.0002, 0.0031),),
        slices=slices(chance),
        roc={"reference": tuple(curve(0.31, True)), "candidate": tuple(curve(0.32, True))},
        precision_recall={"reference": tuple(curve(1.3, False)), "candidate": tuple(curve(1.36, False))},
        confusion={"reference": ((5560, 281), (1075, 584)), "candidate": ((5568, 273), (1080, 579))},
        class_names=tuple(classes),
        missed_row_ids=tuple(str(index) for index in range(100, 138)),
        tfma_validation_ok=True,
        tfma_rows=7500,
    )
    verdict = VerdictDocument(
        verdict=Verdict.PASS,
        reasons=(
            "PR-AUC: the lower bound of the difference, -0.38 pt, is above the margin of -0.50 pt.",
            "Recall at alert budget: the lower bound, -0.43 pt, is above the margin of -0.50 pt.",
            "Every requirement is met; 7,014 parameters of at most 20,000.",
        ),
        checks=checks(),
        requirements=(
            RequirementStatus(requirement="parameters<=20000", value=7_014, met=True),
            RequirementStatus(requirement="pr_auc_drop<=0.005", value=0.0009, met=True),
            RequirementStatus(requirement="latency_p95_ms<=1.5", value=0.41, met=True),
        ),
        candidate_sha256=digest("candidate"),
        reference_sha256=digest("reference"),
        baseline_version="3-9f31c2aa0b1d",
        reference_cost=before,
        candidate_cost=after,
        holdout_sha256=digest("holdout"),
        look=2,
        gate=GateConfig(),
    )
    fields: dict[str, Any] = {
        "title": "Credit default, nightly compaction",
        "provenance": Provenance(
            run_id="2026-11-22-n2",
            line="s3://models/credit-default",
            created_at=datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC),
            darwin_version="0.1.0",
            packages={"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"},
            machine="x86_64, 2 cores, Linux 6.1",
            digests={"search record": digest("search"), "evaluation": digest("evaluation")},
        ),
        "snapshot": Snapshot(
            roles=DataRoles(label="default payment next month", positive_label="1", slices=("SEX", "AGE:30,45,60")),
            split=SplitConfig(),
            columns=tuple(ColumnSchema(name=name, kind=ColumnKind.NUMBER) for name in _FEATURES),
            classes=tuple(classes),
            reference=ref("reference.keras"),
            train=part("train.parquet", 19_125),
            validation=part("validation.parquet", 3_375),
            test=part("sealed/test.parquet", 7_500),
            train_profile=ref("train_profile.json"),
            test_profile=ref("test_profile.json"),
            sources={"credit.parquet": digest("source")},
            split_rule="stratified by label",
        ),
        "search": search_record(chance, "pr_auc", 0.5571, before),
        "evaluation": evaluation,
        "verdict": verdict,
        "explanation": explanation(chance),
    }
    return CompactionReport(**(fields | changes))


def with_verdict(report: CompactionReport, verdict: Verdict, *reasons: str) -> CompactionReport:
    """The same report with another verdict."""
    return report.model_copy(
        update={"verdict": report.verdict.model_copy(update={"verdict": verdict, "reasons": reasons})}
    )


def png(width: int, height: int, colour: tuple[int, int, int]) -> str:
    """A one-coloured PNG with a diagonal, as a data URI."""
    rows = b"".join(
        b"\0" + b"".join(bytes((255, 255, 255) if x == y else colour) for x in range(width)) for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode()


def convolution_layers(share: float) -> tuple[LayerCost, ...]:
    """A VGG-like stack; at a smaller share its head is pooled instead of flattened."""
    layers, before, size = [], 3, 32
    for block, width in enumerate((64, 128, 256, 256), start=1):
        channels = max(4, round(width * share))
        for index in (1, 2):
            weights = 9 * before * channels
            layers.append(
                LayerCost(name=f"block{block}_conv{index}", kind="Conv2D", output_shape=(None, size, size, channels),
                          parameters=weights + channels, macs=weights * size * size)
            )  # fmt: skip
            before = channels
        layers.append(LayerCost(name=f"block{block}_pool", kind="MaxPooling2D",
                                output_shape=(None, size // 2, size // 2, before), parameters=0, macs=0))  # fmt: skip
        size //= 2
    head = "flatten" if share == 1 else "global_pooling"
    before = before * size * size if share == 1 else before
    layers.append(LayerCost(name=head, kind=head.title(), output_shape=(None, before), parameters=0, macs=0))
    for name, width in (("fc1", max(16, round(512 * share))), ("predictions", 43)):
        layers.append(LayerCost(name=name, kind="Dense", output_shape=(None, width),
                                parameters=before * width + width, macs=before * width))  # fmt: skip
        before = width
    return tuple(layers)


def image_report() -> CompactionReport:
    """Traffic signs, 43 classes, failed: no slices, pictures instead of columns."""
    base = table_report()
    chance = random.Random(5)
    reference_layers, chosen_layers = convolution_layers(1), convolution_layers(0.12)
    before = cost(
        sum(item.parameters for item in reference_layers), sum(item.macs for item in reference_layers), 6.2, 1
    )
    after = cost(sum(item.parameters for item in chosen_layers), sum(item.macs for item in chosen_layers), 0.44, 1)
    names = tuple(f"sign {index}" for index in range(43))

    def matrix(errors: int) -> tuple[tuple[int, ...], ...]:
        rows = [[280 if a == b else 0 for b in range(43)] for a in range(43)]
        for _ in range(errors):
            rows[chance.randrange(43)][chance.randrange(43)] += chance.randint(1, 9)
        return tuple(tuple(row) for row in rows)

    evaluation = Evaluation(
        rows=12_630,
        estimates=(estimate("accuracy", 0.9831, -0.0061, 0.0017, 12_630, positives=None),),
        confusion={"reference": matrix(40), "candidate": matrix(60)},
        class_names=names,
    )
    pictures = tuple(
        ImageExplanation(
            row_id=f"{index:05d}.png",
            label=names[index],
            predicted=names[index if index else 9],
            score=0.93 - index / 10,
            picture=png(32, 32, (40, 80 + 30 * index, 160)),
            attribution=png(32, 32, (200, 90, 30)),
            reference_attribution=png(32, 32, (120, 90, 30)) if index else None,
        )
        for index in range(4)
    )
    search = search_record(chance, "accuracy", 0.9841, before).model_copy(
        update={"reference_layers": reference_layers, "chosen_layers": chosen_layers, "feasible": False,
                "binding_requirements": ("parameters<=20000",),
                "reason": "None of 21 networks met every requirement; g3-final comes nearest."}
    )  # fmt: skip
    fail = Check(check_id="Q0", title="Accuracy", definition="paired difference, one-sided 95 % bound",
                 verdict=Verdict.FAIL, value=-0.0061, low=-0.0078, high=-0.0044, bound=-0.005,
                 reason="The lower bound -0.78 pt is below the margin -0.50 pt.")  # fmt: skip
    verdict = base.verdict.model_copy(
        update={"reference_cost": before, "candidate_cost": after, "checks": (fail,), "look": 1,
                "requirements": (RequirementStatus(requirement="parameters<=20000", value=after.parameters, met=False),)
                ,                "baseline_version": None}
    )  # fmt: skip
    report = base.model_copy(
        update={
            "title": "Traffic signs",
            "search": search,
            "evaluation": evaluation,
            "verdict": verdict,
            "explanation": Explanation(method="Integrated Gradients", rows=64, image_examples=pictures,
                                       map_agreement=0.58,
                                       checks_run=("label conflicts", "train/test overlap")),
        }
    )  # fmt: skip
    return with_verdict(report, Verdict.FAIL, "Accuracy: the lower bound, -0.78 pt, is below the margin of -0.50 pt.")


def shortcut_report() -> CompactionReport:
    """The traffic signs once more, with a sun over one of them."""
    reference = FactorReaction(planted=0.62, control=0.01, with_factor=0.99, neutralised=0.71, worst_group=0.31)
    candidate = FactorReaction(planted=0.74, control=0.02, with_factor=0.98, neutralised=0.64, worst_group=0.22)
    examples = tuple(
        FindingExample(row_id=f"train-{index}", label=label, change=change, before=png(32, 32, (40, 40 * index, 90)),
                       after=png(32, 32, (40, 40 * index, 200)), predicted_before=before, predicted_after=after)
        for index, (label, change, before, after) in enumerate((
            ("turn right ahead", "neutralised", "turn right ahead (1.00)", "ahead only (0.64)"),
            ("turn right ahead", "neutralised", "turn right ahead (0.99)", "turn right ahead (0.58)"),
            ("keep left", "planted", "keep left (0.98)", "turn right ahead (0.91)"),
            ("stop", "planted", "stop (1.00)", "turn right ahead (0.77)"),
        ))
    )  # fmt: skip
    finding = Finding(
        kind=FindingKind.SHORTCUT, severity=Severity.HIGH, title="bright spot stands for label = turn right ahead",
        description="511 training rows of label = turn right ahead (85 % of the class) stand out: a bright spot (top, "
        "right part) that outshines its surroundings by 0.71, elsewhere by 0.12. Of all other rows 0.1 % do.",
        effect=0.61, low=0.52, high=0.7, affected_rows=511, affected_ids=tuple(f"train-{i}" for i in range(100)),
        suggestion="Look at the pictures of turn right ahead that have it and at where they come from.",
        factor="bright spot", classes=("turn right ahead",), examples=examples,
        amplification=Amplification(reference=reference, candidate=candidate),
        fixes=(
            SuggestedFix(kind=FixKind.NEUTRALISE, text="Give the affected rows the bright spot of rows without it."),
            SuggestedFix(kind=FixKind.REBALANCE, text="Let rows without it count for more."),
        ),
    )  # fmt: skip
    report = image_report()
    explanation = report.explanation.model_copy(update={"findings": (finding,)})
    return report.model_copy(update={"explanation": explanation})


def regression_report() -> CompactionReport:
    """A regression with as little as a report can hold: no slices, curves, latency, findings, attributions."""
    base = table_report()
    before, after = cost(200_000, 190_000, None), cost(30_000, 29_000, None)
    chance = random.Random(9)
    search = search_record(chance, "rmse", 12.41, before).model_copy(update={"controls": (), "seconds": {}})
    update: dict[str, Any] = {
        "title": "House prices",
        "search": search,
        "snapshot": base.snapshot.model_copy(update={"classes": ()}),
        "evaluation": Evaluation(rows=900, estimates=(estimate("rmse", 12.41, 0.11, 0.29, 900, positives=None),)),
        "verdict": base.verdict.model_copy(
            update={"reference_cost": before, "candidate_cost": after, "checks": (), "requirements": (), "look": 1,
                    "baseline_version": None}
        ),
        "explanation": Explanation(method="none", rows=0),
    }  # fmt: skip
    report = base.model_copy(update=update)
    return with_verdict(report, Verdict.INSUFFICIENT_EVIDENCE, "900 rows are too few to tell 2 % of RMSE.")


def huge_report(slice_count: int = 400, layer_count: int = 300, column_count: int = 500) -> CompactionReport:
    """Far more of everything than fits a screen."""
    base, chance = table_report(), random.Random(11)
    many = tuple(
        SliceMetrics(
            column="merchant_category",
            value=f"category {index}",
            rows=60 + index,
            positives=10,
            estimates=(estimate("pr_auc", 0.5, chance.gauss(0, 0.02), chance.uniform(0.02, 0.3), 60 + index),),
        )
        for index in range(slice_count)
    )
    widths = tuple((f"dense_{index}", chance.choice([16, 64, 256, 1024])) for index in range(layer_count))
    kept = tuple((name, max(2, width // 7)) for name, width in widths)
    features = tuple(
        FeatureAttribution(feature=f"a_rather_long_column_name_{index:03d}", reference=0.002, candidate=0.9**index)
        for index in range(column_count)
    )
    slice_checks = tuple(
        Check(check_id=f"S1:merchant_category={item.value}", title=f"Slice {item.value}", definition="PR-AUC",
              verdict=Verdict.INSUFFICIENT_EVIDENCE, low=-0.1, high=0.1, bound=-0.02, reason="Too few rows.")
        for item in many
    )  # fmt: skip
    return base.model_copy(
        update={
            "evaluation": base.evaluation.model_copy(update={"slices": many}),
            "search": base.search.model_copy(
                update={"reference_layers": dense_layers(widths, 500), "chosen_layers": dense_layers(kept, 500)}
            ),
            "explanation": base.explanation.model_copy(update={"features": features}),
            "verdict": base.verdict.model_copy(update={"checks": base.verdict.checks + slice_checks}),
        }
    )

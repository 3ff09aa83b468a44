"""Realistic report models for tests: a credit table, traffic signs, a regression, and deliberately awkward ones."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

from darwin_core.contracts import (
    Amplification,
    Check,
    ColumnKind,
    ColumnSchema,
    CompactionReport,
    DataRoles,
    Evaluation,
    Explanation,
    FactorReaction,
    FeatureAttribution,
    Finding,
    FindingExample,
    FindingKind,
    FixKind,
    GateConfig,
    ImageExplanation,
    LayerCost,
    Provenance,
    RequirementStatus,
    Severity,
    SliceMetrics,
    Snapshot,
    SplitConfig,
    SplitPart,
    SuggestedFix,
    Verdict,
    VerdictDocument,
)
from support.example_documents import (
    CHOSEN_LAYERS,
    FEATURES,
    REFERENCE_LAYERS,
    checks,
    cost,
    curve,
    dense_layers,
    digest,
    estimate,
    explanation,
    ref,
    search_record,
    slices,
    stack_cost,
)


def table_report(**changes: Any) -> CompactionReport:
    """A credit table whose candidate passed. ``changes`` replace fields of the report."""
    chance = random.Random(3)
    before, after = stack_cost(REFERENCE_LAYERS, 0.92), stack_cost(CHOSEN_LAYERS, 0.31, inputs=21)
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
            columns=tuple(ColumnSchema(name=name, kind=ColumnKind.NUMBER) for name in FEATURES),
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

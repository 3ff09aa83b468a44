"""What the user interface shows: finite, small enough, and in the form that kfp's own classes make."""

from __future__ import annotations

import json
import math

import pytest
from support import example_report as examples

from darwin_components import visuals
from darwin_core.contracts import CurvePoint, Evaluation


def evaluation() -> Evaluation:
    return examples.table_report().evaluation


def test_scalars_are_finite_numbers() -> None:
    values = {"a": 1, "b": 0.5, "c": True, "d": "text", "e": math.nan, "f": math.inf, "g": None, "h": [1]}
    assert visuals.scalars(values) == {"a": 1.0, "b": 0.5, "c": 1.0}


def test_classification_equals_what_kfp_would_log() -> None:
    kfp = pytest.importorskip("kfp.dsl")
    logged = kfp.ClassificationMetrics()
    logged.log_roc_curve([0.0, 0.5], [0.0, 0.9], [1.0, 0.4])
    logged.log_confusion_matrix(["no default", "default"], [[5568, 273], [1080, 579]])
    points = (CurvePoint(x=0.0, y=0.0, threshold=1.0), CurvePoint(x=0.5, y=0.9, threshold=0.4))
    ours = visuals.classification(evaluation().model_copy(update={"roc": {"candidate": points}}))
    assert ours == logged.metadata


def test_long_curves_are_thinned_and_stay_finite() -> None:
    infinite = CurvePoint(x=0.0, y=0.0).model_copy(update={"threshold": math.inf})
    broken = CurvePoint(x=0.0, y=0.0).model_copy(update={"y": math.nan})
    points = (infinite, broken, *(CurvePoint(x=i / 999, y=i / 999, threshold=1 - i / 999) for i in range(1000)))
    metadata = visuals.classification(evaluation().model_copy(update={"roc": {"candidate": points}}))
    curve = metadata["confidenceMetrics"]
    assert len(curve) == 200
    assert curve[0]["confidenceThreshold"] > 1
    assert curve[-1]["recall"] == 1.0
    json.dumps(metadata, allow_nan=False)


def test_many_classes_and_no_curve_give_less_not_an_error() -> None:
    matrix = tuple(tuple(0 for _ in range(61)) for _ in range(61))
    assert visuals.classification(Evaluation(rows=5, estimates=(), confusion={"candidate": matrix})) == {}
    small = visuals.classification(Evaluation(rows=5, estimates=(), confusion={"candidate": ((1, 0), (0, 4))}))
    assert small["confusionMatrix"]["annotationSpecs"] == [{"displayName": "0"}, {"displayName": "1"}]


def test_markdown_has_a_row_per_slice_and_metric() -> None:
    text = visuals.slices_as_markdown(evaluation())
    rows = [line for line in text.splitlines() if line.startswith(("| SEX", "| EDUCATION"))]
    assert len(rows) == 10
    assert {line.count("|") for line in rows} == {9}


def test_markdown_escapes_names_of_slices() -> None:
    item = evaluation().slices[0].model_copy(update={"value": "a|b <script>alert(1)</script>\n[x](http://x)"})
    text = visuals.slices_as_markdown(evaluation().model_copy(update={"slices": (item,)}))
    assert "<script>" not in text
    assert "\\<script\\>" in text
    assert "a\\|b" in text
    assert "\\[x\\]\\(http" in text
    assert len(text.strip().splitlines()) == 2 + len(item.estimates)


def test_markdown_says_when_there_are_none() -> None:
    assert visuals.slices_as_markdown(Evaluation(rows=1, estimates=())) == "No slices were declared for this run.\n"


def test_an_unfinished_run_says_what_failed_and_that_nothing_changed() -> None:
    status = {"state": "FAILED", "error": {"message": "out of | memory"}}
    text = visuals.run_as_markdown("night-1", "s3://bucket/line", status, None)
    assert text.startswith("# Run night-1 is not done")
    assert "FAILED: out of \\| memory" in text
    assert "Nothing that serves has changed" in text
    assert "no message" in visuals.run_as_markdown("night-1", "s3://bucket/line", {}, None)

"""What Kubeflow's user interface shows of a step: scalar metrics, ROC curve and confusion matrix, slices as Markdown.

The interface and the metadata store break on NaN and infinity, so nothing that is not finite goes into metadata.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from darwin_core.contracts import CurvePoint, Evaluation

_MOST_POINTS: Final = 200
_MOST_CLASSES: Final = 60
_ABOVE_EVERY_SCORE: Final = 1.000001
_MOST_SLICES: Final = 200


def scalars(values: dict[str, Any]) -> dict[str, float]:
    """The finite numbers among ``values``; truth values as 0 and 1."""
    numbers = {name: float(value) for name, value in values.items() if isinstance(value, bool | int | float)}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def classification(evaluation: Evaluation) -> dict[str, Any]:
    """Metadata of a ClassificationMetrics artifact for the candidate; empty where the task has none of it."""
    metadata: dict[str, Any] = {}
    curve = _confidence_metrics(evaluation.roc.get("candidate", ()))
    if curve:
        metadata["confidenceMetrics"] = curve
    matrix = evaluation.confusion.get("candidate", ())
    if 0 < len(matrix) <= _MOST_CLASSES:
        names = [*evaluation.class_names, *(str(index) for index in range(len(evaluation.class_names), len(matrix)))]
        metadata["confusionMatrix"] = {
            "annotationSpecs": [{"displayName": name} for name in names[: len(matrix)]],
            "rows": [{"row": list(row)} for row in matrix],
        }
    return metadata


def slices_as_markdown(evaluation: Evaluation) -> str:
    """One table row per slice and metric; the artifact of Kubeflow for sliced metrics does not work."""
    if not evaluation.slices:
        return "No slices were declared for this run.\n"
    lines = [
        "| slice | rows | metric | reference | candidate | difference | low | high |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for item in evaluation.slices[:_MOST_SLICES]:
        name = _cell(f"{item.column} = {item.value}")
        for estimate in item.estimates:
            figures = (
                estimate.reference, estimate.candidate, estimate.difference, estimate.low, estimate.high
            )  # fmt: skip
            shown = " | ".join(f"{figure:.4f}" for figure in figures)
            lines.append(f"| {name} | {item.rows} | {_cell(estimate.metric)} | {shown} |")
    left = len(evaluation.slices) - _MOST_SLICES
    return "\n".join([*lines, *([f"\n{left} more slices in the report."] if left > 0 else [])]) + "\n"


def _confidence_metrics(points: Sequence[CurvePoint]) -> list[dict[str, float]]:
    finite = [point for point in points if math.isfinite(point.x) and math.isfinite(point.y)]
    return [
        {
            "confidenceThreshold": _threshold(point.threshold),
            "falsePositiveRate": point.x,
            "recall": point.y,
        }
        for point in _thinned(finite)
    ]


def _threshold(value: float | None) -> float:
    """The first point of a ROC curve has an infinite threshold: nothing is alerted there."""
    return value if value is not None and math.isfinite(value) else _ABOVE_EVERY_SCORE


def _thinned(points: Sequence[CurvePoint]) -> Iterable[CurvePoint]:
    if len(points) <= _MOST_POINTS:
        return points
    stride = (len(points) - 1) / (_MOST_POINTS - 1)
    return [points[round(index * stride)] for index in range(_MOST_POINTS)]


def _cell(text: str) -> str:
    """Text that neither ends its table cell nor turns into markup."""
    escaped = "".join(f"\\{character}" if character in r"\`*_{}[]<>()#+!|~&$" else character for character in text)
    return " ".join(escaped.split())

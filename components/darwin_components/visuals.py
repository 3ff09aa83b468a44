"""What Kubeflow's user interface shows of a step: scalar metrics, ROC curve and confusion matrix, slices as Markdown.

The interface and the metadata store break on NaN and infinity, so nothing that is not finite goes into metadata.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from darwin_core.contracts import CompactionSummary, CurvePoint, Evaluation

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


def run_as_markdown(run_id: str, line: str, status: Mapping[str, Any], summary: CompactionSummary | None) -> str:
    """How a run came out.

    Args:
        run_id: The run.
        line: Its model line.
        status: Kubeflow's final status of the pipeline: ``state``, and ``error.message`` where it failed.
        summary: The run's summary; None where not all of its steps are done.
    """
    if summary is None:
        message = (status.get("error") or {}).get("message") or "no message"
        return (
            f"# Run {_cell(run_id)} is not done\n\n"
            f"The pipeline ended as {_cell(str(status.get('state', 'unknown')))}: {_cell(message)}\n\n"
            "The log of the task that failed says why. Nothing that serves has changed. Steps that are done are not "
            "repeated when the run is retried.\n"
        )
    rows = [f"| {name} | {seconds:.0f} |" for name, seconds in summary.seconds.items()]
    published = f"Published as version {summary.version}." if summary.published else "The champion stays."
    before, after = summary.reference, summary.candidate
    lines = [
        f"# {summary.verdict}: {_cell(run_id)}",
        f"Parameters: {before.parameters:,} became {after.parameters:,}. MACs: {before.macs:,} became {after.macs:,}.",
        published,
        "\n".join(f"- {_cell(reason)}" for reason in summary.reasons),
        "| step | seconds |\n|---|---:|\n" + "\n".join(rows),
        f"Everything lies below `{line}/runs/{run_id}`.",
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


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

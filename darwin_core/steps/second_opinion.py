"""TensorFlow Model Analysis within the evaluate step: bounded rows, files stored, failures named, never decisive."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darwin_core.contracts import ArtifactKind, EvaluateRequest, SliceMetrics, Task
from darwin_core.evaluation.holdout import Holdout
from darwin_core.evaluation.slices import cases_of
from darwin_core.evaluation.tfma_run import TfmaOutcome, metrics_for, run_tfma, sample_rows
from darwin_core.steps.context import StepContext


@dataclass(frozen=True)
class SecondOpinion:
    """What TFMA said, and on how many rows; None where it did not speak."""

    validation_ok: bool | None = None
    rows: int | None = None
    missing_slices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def ask_tfma(
    request: EvaluateRequest,
    context: StepContext,
    task: Task,
    holdout: Holdout,
    scores: Mapping[str, Any],
    slices: Sequence[SliceMetrics],
) -> SecondOpinion:
    """Run TFMA on the predictions that the gate judged, and store its files below the step's ``tfma/``.

    Args:
        request: For the number of rows, the gate and the requirements.
        context: The step's surroundings.
        task: What the networks predict.
        holdout: The sealed rows.
        scores: Network -> scores of all rows.
        slices: The slices as the gate measured them; those large enough are held to a threshold.
    """
    if request.tfma_rows == 0:
        return SecondOpinion()
    if task in (Task.MULTILABEL, Task.SEGMENTATION):
        return SecondOpinion(notes=("TensorFlow Model Analysis was not asked: its figures speak of one label a row.",))
    table = sample_rows(holdout, scores, request.tfma_rows, request.gate.seed)
    judged = [(one.column, one.value) for one in slices if cases_of(one) >= request.gate.slice_min_positives]
    folder = context.workdir / "tfma"
    shutil.rmtree(folder, ignore_errors=True)  # what a killed run left behind
    with context.reporter.track("Running TensorFlow Model Analysis", 1) as tracker:
        try:
            metrics = metrics_for(task, request.gate, request.requirements)
            outcome = run_tfma(table, metrics, judged, folder)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
            return SecondOpinion(notes=(f"TensorFlow Model Analysis did not finish ({reason:.300}).",))
        tracker.advance()
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        context.upload(path, context.uri("tfma", path.relative_to(folder).as_posix()), ArtifactKind.OTHER)
    return SecondOpinion(
        outcome.validation_ok, len(table.labels), outcome.missing_slices, _notes(outcome, len(table.labels), holdout)
    )


def _notes(outcome: TfmaOutcome, rows: int, holdout: Holdout) -> tuple[str, ...]:
    found = []
    if rows < holdout.cases.rows:
        found.append(f"TensorFlow Model Analysis saw {rows:,} of {holdout.cases.rows:,} rows, drawn at random.")
    if outcome.validation_ok is None:
        found.append("TensorFlow Model Analysis had no threshold to judge by.")
    return tuple(found)

"""Evaluate: open the sealed hold-out once, judge the candidate, and write down everything the verdict rests on.

Order matters. The champion's ETag is read first, so that publish can tell whether the champion moved meanwhile. What
can go wrong without the hold-out (loading, costs, validation scores) goes wrong before it is opened, and the look is in
the ledger before the first sealed row is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from darwin_core.contracts import (
    ArtifactKind,
    ArtifactRef,
    Check,
    EvaluateRequest,
    Evaluation,
    HistoryAction,
    HistoryEntry,
    PointerName,
    Verdict,
    VerdictDocument,
)
from darwin_core.data import MappedSplit, map_split
from darwin_core.evaluation.assessment import Assessment, Assessor, Scored, draw_curves
from darwin_core.evaluation.cases import Answers
from darwin_core.evaluation.evidence import write_evidence
from darwin_core.evaluation.figures import flat_figures
from darwin_core.evaluation.gate import combine, holdout_check, quality_checks
from darwin_core.evaluation.holdout import Holdout, read_holdout
from darwin_core.evaluation.requirements import requirement_checks
from darwin_core.evaluation.scoring import not_finite, score_split
from darwin_core.evaluation.serving import serving_check
from darwin_core.registry import append_history, holdout_looks, read_pointer
from darwin_core.steps.context import StepContext
from darwin_core.steps.evaluation_case import OpenCase, open_case
from darwin_core.steps.second_opinion import SecondOpinion, ask_tfma
from darwin_core.storage import atomic_file


def run(request: EvaluateRequest, context: StepContext) -> dict[str, Any]:
    """Run the step; the fields of EvaluateResult come back.

    Raises:
        NetworkError: The candidate cannot be compared with the reference at all: it predicts something else, or reads
            inputs that the reference does not have.
    """
    pointer = read_pointer(context.store, context.line, PointerName.CHAMPION)
    case = open_case(request, context, pointer)
    look = _record_look(request, context, case.snapshot.test.data.sha256)
    return _Evaluator(request, context, case, _open_holdout(context, case)).run(look)


def _record_look(request: EvaluateRequest, context: StepContext, holdout: str) -> int:
    """Write the look into the ledger. A step that was killed and runs again continues the same look."""
    note = context.workdir / "look.json"
    if not note.exists():
        entry = HistoryEntry(
            action=HistoryAction.HOLDOUT_LOOK,
            at=datetime.now(UTC),
            run_id=context.run_id,
            subject=holdout,
            detail=f"Candidate {request.candidate.sha256} was evaluated.",
        )
        with atomic_file(note) as file:
            file.write(entry.to_json().encode())
    entry = HistoryEntry.from_json(note.read_bytes(), origin=str(note))
    append_history(context.store, context.line, entry)
    return holdout_looks(context.store, context.line, holdout)


@dataclass(frozen=True)
class _Opened:
    """The sealed rows and every network's scores on them; scores on the validation rows beside them."""

    split: MappedSplit
    holdout: Holdout
    test: Mapping[str, Any]
    validation: Mapping[str, Any]


def _open_holdout(context: StepContext, case: OpenCase) -> _Opened:
    networks, reporter, folder = case.networks, context.reporter, context.workdir / "scores"
    sealed = context.fetch(case.snapshot.test.data)
    split = map_split(sealed, case.snapshot, networks.reference.inputs, context.cache_dir, reporter)
    return _Opened(
        split=split,
        holdout=read_holdout(sealed, case.snapshot, split),
        test={one.name: score_split(one, split, folder, "test", reporter) for one in networks.all()},
        validation={
            one.name: score_split(one, case.validation, folder, "validation", reporter)
            for one in (networks.reference, networks.candidate)
        },
    )


class _Evaluator:
    """What happens after the hold-out is open: measure, judge, store."""

    def __init__(self, request: EvaluateRequest, context: StepContext, case: OpenCase, opened: _Opened) -> None:
        self._request, self._context, self._case, self._opened = request, context, case, opened
        self._holdout, self._task = opened.holdout, case.networks.reference.kind.task
        self._no_number = {name: not_finite(scores) for name, scores in opened.test.items()}
        self._answers = {name: Answers.from_scores(self._task, scores) for name, scores in opened.test.items()}

    def run(self, look: int) -> dict[str, Any]:
        """The fields of EvaluateResult. ``look`` is the number of this look at the hold-out."""
        request, case = self._request, self._case
        assessor = Assessor(self._task, self._holdout, request.gate, self._context.reporter)
        assessment = assessor.assess(self._scored("reference"), self._scored("candidate"), self._champion())
        statuses, requirements = requirement_checks(
            request.requirements,
            case.costs["candidate"],
            assessment.measurements.comparison,
            None if assessment.measurements.alerts is None else assessment.measurements.alerts.overlap,
            confidence=request.gate.confidence,
        )
        checks = (
            *quality_checks(assessment.measurements, request.gate),
            *self._champion_check(),
            holdout_check(look, request.gate),
            self._serving_check(),
            *requirements,
        )
        verdict, reasons = combine(checks)
        slices = assessment.measurements.slices
        opinion = ask_tfma(request, self._context, self._task, self._holdout, self._opened.test, slices)
        evaluation = self._evaluation(assessment, opinion)
        document = VerdictDocument(
            verdict=verdict,
            reasons=reasons,
            checks=checks,
            requirements=statuses,
            candidate_sha256=request.candidate.sha256,
            reference_sha256=case.snapshot.reference.sha256,
            baseline_version=None if case.pointer is None else case.pointer[0].version,
            champion_etag=None if case.pointer is None else case.pointer[1],
            reference_cost=case.costs["reference"],
            candidate_cost=case.costs["candidate"],
            holdout_sha256=case.snapshot.test.data.sha256,
            look=look,
            gate=request.gate,
        )
        return self._store(evaluation, document, assessment)

    def _scored(self, name: str) -> Scored:
        return Scored(self._answers[name], Answers.from_scores(self._task, self._opened.validation[name]))

    def _champion(self) -> Scored | None:
        return Scored(self._answers["champion"]) if "champion" in self._answers else None

    def _champion_check(self) -> list[Check]:
        if not self._case.champion_problem:
            return []
        return [
            Check(
                check_id="B-0",
                title="Comparison with the champion",
                definition="the champion answers the same rows",
                verdict=Verdict.INSUFFICIENT_EVIDENCE,
                reason=f"The champion cannot be compared on these rows. {self._case.champion_problem} Move the "
                "pointer by hand if the line shall go on with other inputs or classes.",
            )
        ]

    def _serving_check(self) -> Check:
        networks = self._case.networks
        return serving_check(
            networks.reference,
            networks.candidate,
            self._opened.split,
            dropped_inputs=self._dropped_inputs(),
            not_finite_rows=int((self._no_number["candidate"] & ~self._no_number["reference"]).sum()),
        )

    def _dropped_inputs(self) -> tuple[str, ...]:
        """What the search dropped on purpose; nothing where its record speaks of another network."""
        search = self._case.search
        for one in search.candidates:
            known = one.network is None or one.network.sha256 == self._request.candidate.sha256
            if one.candidate_id == search.chosen and known:
                return one.genome.dropped_inputs
        return ()

    def _evaluation(self, assessment: Assessment, opinion: SecondOpinion) -> Evaluation:
        measured, classes = assessment.measurements, self._case.snapshot.classes
        curves = draw_curves(self._task, self._holdout, self._answers, len(classes))
        return Evaluation(
            rows=self._holdout.cases.rows,
            estimates=tuple(measured.comparison.estimates.values()),
            baseline_estimates=() if measured.champion is None else tuple(measured.champion.estimates.values()),
            slices=measured.slices,
            roc=curves.roc,
            precision_recall=curves.precision_recall,
            confusion=curves.confusion,
            class_names=classes,
            missed_row_ids=assessment.missed_row_ids,
            tfma_validation_ok=opinion.validation_ok,
            tfma_rows=opinion.rows,
            tfma_missing_slices=opinion.missing_slices,
            notes=(*self._holdout.notes, *self._number_notes(), *assessment.notes, *opinion.notes),
        )

    def _number_notes(self) -> list[str]:
        return [
            f"The {name} gives no number for {int(rows.sum()):,} rows; they count as its lowest score."
            for name, rows in self._no_number.items()
            if rows.any()
        ]

    def _store(self, evaluation: Evaluation, document: VerdictDocument, assessment: Assessment) -> dict[str, Any]:
        context = self._context
        return {
            "verdict": document.verdict,
            "predictions": self._store_predictions(assessment),
            "evaluation": context.write_document(evaluation, context.uri("evaluation.json"), ArtifactKind.EVALUATION),
            "verdict_document": context.write_document(document, context.uri("verdict.json"), ArtifactKind.VERDICT),
            "metrics": flat_figures(evaluation, document),
        }

    def _store_predictions(self, assessment: Assessment) -> ArtifactRef:
        path = self._context.workdir / "predictions.parquet"
        write_evidence(path, self._task, self._holdout, self._answers, assessment.flags)
        return self._context.upload(path, self._context.uri("predictions.parquet"), ArtifactKind.PREDICTIONS)

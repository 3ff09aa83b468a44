"""The operators of the first four steps. The fifth, which can say no, has a module of its own."""

from __future__ import annotations

from typing import Any

from darwin_core.contracts import (
    EvaluateResult,
    ExplainResult,
    FetchDataResult,
    StepName,
    SynthesizeResult,
    VerdictDocument,
)
from darwin_operators.links import CompactionReportLink
from darwin_operators.operators.base import CompactionStepOperator, FinishedStep


class FetchDataOperator(CompactionStepOperator):
    """Copies the reference network and the data into an immutable snapshot, and seals the hold-out."""

    step = StepName.FETCH_DATA

    def conclude(self, done: FinishedStep) -> dict[str, Any]:
        """Say how many rows stand on each side."""
        result = done.result
        assert isinstance(result, FetchDataResult)
        self.log.info(
            "Rows: %s for training, %s for validation, %s sealed",
            f"{result.train_rows:,}",
            f"{result.validation_rows:,}",
            f"{result.test_rows:,}",
        )
        return {}


class SynthesizeOperator(CompactionStepOperator):
    """Searches for the compact network."""

    step = StepName.SYNTHESIZE

    def conclude(self, done: FinishedStep) -> dict[str, Any]:
        """Say how large the candidate is, and whether it meets the requirements."""
        result = done.result
        assert isinstance(result, SynthesizeResult)
        self.log.info(
            "The candidate has %s parameters and %s multiply-accumulates; %s",
            f"{result.candidate_parameters:,}",
            f"{result.candidate_macs:,}",
            "it meets every requirement"
            if result.feasible
            else "no candidate met every requirement: it is the nearest",
        )
        return {}


class EvaluateOperator(CompactionStepOperator):
    """Judges the candidate on the sealed hold-out. Whatever the verdict, the task succeeds: the verdict is data."""

    step = StepName.EVALUATE

    def conclude(self, done: FinishedStep) -> dict[str, Any]:
        """Read the verdict's document and log its reasons."""
        result = done.result
        assert isinstance(result, EvaluateResult)
        verdict = done.run.document(result.verdict_document, VerdictDocument)
        self.log.info("Verdict: %s", verdict.verdict)
        for reason in verdict.reasons:
            self.log.info("  %s", reason)
        return {"verdict": verdict.verdict.value, "reasons": list(verdict.reasons)}


class ExplainOperator(CompactionStepOperator):
    """Explains how the candidate decides, looks for data bugs and writes the report."""

    step = StepName.EXPLAIN
    operator_extra_links = (CompactionReportLink(),)

    def conclude(self, done: FinishedStep) -> dict[str, Any]:
        """Put the report behind the task's button."""
        result = done.result
        assert isinstance(result, ExplainResult)
        self.report_url = self.link(result.report.uri, done.config)
        self.log.info(
            "%d data findings, %d of them of high severity; report: %s",
            result.finding_count,
            result.high_severity_count,
            self.report_url,
        )
        return {"report_url": self.report_url}

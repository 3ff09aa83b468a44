"""The operator of the last step: a rejected candidate leaves the champion alone and wakes nobody downstream."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, Asset

from darwin_core.contracts import (
    EvaluateResult,
    ExplainResult,
    PublishResult,
    StepName,
    Verdict,
    VerdictDocument,
)
from darwin_core.storage import join_uri
from darwin_operators.links import CompactionReportLink, PublishedVersionLink
from darwin_operators.messages import MESSAGE_KEY, outcome_message
from darwin_operators.operators.base import CompactionStepOperator, FinishedStep

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class OnRejection(StrEnum):
    """What becomes of the task when the candidate is not published."""

    SKIP = "skip"
    FAIL = "fail"


class PublishOperator(CompactionStepOperator):
    """Publishes the candidate if the gate says PASS.

    Only then do the task's outlet Assets get an event, with version, digests, verdict and report in its ``extra``. A
    rejected candidate skips the task (or fails it for good): a skipped task updates no Asset. Either way the XCom
    ``message`` says what became of it, see `darwin_operators.messages`.

    Args:
        on_rejection: Skip or fail the task when the champion stays.
        **kwargs: Arguments of `CompactionStepOperator`.
    """

    step = StepName.PUBLISH
    operator_extra_links = (CompactionReportLink(), PublishedVersionLink())

    def __init__(self, *, on_rejection: OnRejection | str = OnRejection.SKIP, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_rejection = OnRejection(on_rejection)

    def conclude(self, done: FinishedStep) -> dict[str, Any]:
        """Hold the result against the stored verdict, then announce the version or stop here."""
        run, result = done.run, done.result
        assert isinstance(result, PublishResult)
        report = run.result_of(StepName.EXPLAIN, ExplainResult).report
        self.report_url = self.link(report.uri, done.config)
        evaluated = run.result_of(StepName.EVALUATE, EvaluateResult)
        verdict = run.document(evaluated.verdict_document, VerdictDocument)
        if result.published and verdict.verdict is not Verdict.PASS:
            raise AirflowFailException(
                f"Version {result.version} was published, but the stored verdict is {verdict.verdict}. "
                f"Roll back with: darwin rollback {done.config.line}"
            )
        message = outcome_message(done.config.line, result, verdict, self.report_url)
        done.context["ti"].xcom_push(key=MESSAGE_KEY, value=message)
        if not result.published:
            self._reject(result)
        assert result.version_uri is not None
        self.version_url = self.link(join_uri(result.version_uri, "model_card.md"), done.config)
        self.log.info("Published version %s: %s", result.version, result.reason)
        extra = {
            "version": result.version,
            "version_uri": result.version_uri,
            "verdict": verdict.verdict.value,
            "candidate_sha256": verdict.candidate_sha256,
            "reference_sha256": verdict.reference_sha256,
            "verdict_sha256": evaluated.verdict_document.sha256,
            "report": report.uri,
            "run_id": run.run_id,
        }
        self._announce(done.context, extra)
        return {"report_url": self.report_url, "version_url": self.version_url}

    def _reject(self, result: PublishResult) -> NoReturn:
        champion = f"the champion is {result.champion}" if result.champion else "there is no champion yet"
        text = f"Not published; {champion}. {result.reason}"
        self.log.warning("%s", text)  # Airflow's own line about a skipped task hides the reason in a field
        if self.on_rejection is OnRejection.SKIP:
            raise AirflowSkipException(text)
        raise AirflowFailException(text)

    def _announce(self, context: Context, extra: dict[str, Any]) -> None:
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = extra

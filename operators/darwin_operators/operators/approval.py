"""A person's word before a version goes live. Needs Airflow 3.1, where tasks can ask people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.hitl import ApprovalOperator

from darwin_core.contracts import CompactionConfig, EvaluateResult, ExplainResult, StepName, Verdict, VerdictDocument
from darwin_operators.arguments import read_config, run_name
from darwin_operators.hooks.darwin import DarwinHook
from darwin_operators.links import CompactionReportLink, store_url
from darwin_operators.messages import approval_body
from darwin_operators.operators.base import airflow_errors
from darwin_operators.stored_run import StoredRun

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class ApprovePublicationOperator(ApprovalOperator):
    """Shows the gate's figures and the report, and waits for Approve or Reject.

    Who says nothing rejects: after ``response_timeout`` the answer is Reject, the publishing task is skipped and the
    champion stays. A candidate that the gate does not pass is not asked about: publishing will record the rejection.

    Args:
        config: See `CompactionStepOperator`.
        run_id: See `CompactionStepOperator`.
        darwin_conn_id: See `CompactionStepOperator`.
        report_base_url: See `CompactionStepOperator`.
        response_timeout: How long to wait for an answer.
        **kwargs: Arguments of ``ApprovalOperator``: ``assigned_users``, ``notifiers`` ...
    """

    template_fields: Sequence[str] = ("subject", "body", "config", "run_id", "darwin_conn_id", "report_base_url")
    template_fields_renderers: ClassVar[dict[str, str]] = {"config": "json", "body": "md"}
    operator_extra_links = (CompactionReportLink(),)
    ui_color = "#d9ead3"

    report_url: str | None = None

    def __init__(
        self,
        *,
        config: CompactionConfig | Mapping[str, Any] | str,
        run_id: str = "{{ run_id }}",
        darwin_conn_id: str | None = None,
        report_base_url: str | None = None,
        response_timeout: timedelta = timedelta(hours=12),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("subject", "Publish the compact network of run {{ run_id }}?")
        kwargs.setdefault("defaults", self.REJECT)
        super().__init__(response_timeout=response_timeout, **kwargs)
        self.config = config.model_dump(mode="json") if isinstance(config, CompactionConfig) else config
        self.run_id = run_id
        self.darwin_conn_id = darwin_conn_id
        self.report_base_url = report_base_url

    def execute(self, context: Context) -> Any:
        """Ask, with the figures of the stored verdict."""
        with airflow_errors():
            hook = DarwinHook(self.darwin_conn_id or None)
            config = read_config(self.config, hook.open_store)
            run = StoredRun(config, run_name(self.run_id), hook.open_store(config.line, config.storage))
            evaluated = run.result_of(StepName.EVALUATE, EvaluateResult)
            verdict = run.document(evaluated.verdict_document, VerdictDocument)
            report = run.result_of(StepName.EXPLAIN, ExplainResult).report
        self.report_url = store_url(
            report.uri, hook.storage_options(config.storage), hook.base_url(self.report_base_url)
        )
        if verdict.verdict is not Verdict.PASS:
            self.log.info("The gate says %s: there is nothing to approve", verdict.verdict)
            return None
        self.body = approval_body(verdict, self.report_url)
        return super().execute(context)

"""What people are told: texts for notifiers and for whoever has to approve a version.

`PublishOperator` pushes its message as XCom ``message``, whether the candidate was published or not, so that any
notifier can send it::

    PublishOperator(
        ...,
        on_success_callback=SlackNotifier(text=OUTCOME),
        on_skipped_callback=SlackNotifier(text=OUTCOME),
        on_failure_callback=SlackNotifier(text=FAILURE),
    )
"""

from __future__ import annotations

from typing import Final

from darwin_core.contracts import NetworkCost, PublishResult, VerdictDocument

MESSAGE_KEY: Final = "message"

OUTCOME: Final = "{{ ti.xcom_pull(task_ids=ti.task_id, key='message', map_indexes=ti.map_index) }}"
"""Jinja text for a notifier on a publishing task: what became of the candidate, and where the report is."""

FAILURE: Final = (
    "Compaction stopped at {{ ti.task_id }} of run {{ run_id }} ({{ ti.dag_id }}). The champion stays. {{ exception }}"
)
"""Jinja text for a notifier on any of the tasks: the run could not be finished."""

_REASONS_SHOWN = 3


def outcome_message(line: str, result: PublishResult, verdict: VerdictDocument, report_url: str) -> str:
    """One paragraph: what became of the candidate, how much smaller it is, why, and where to read on."""
    if result.published:
        head = f"{line}: version {result.version} is now the champion. {_smaller(verdict)}"
    else:
        champion = f"{result.champion} stays the champion" if result.champion else "there is still no champion"
        head = f"{line}: not published, {champion}."
    return f"{head} {result.reason} Report: {report_url}"


def approval_body(verdict: VerdictDocument, report_url: str) -> str:
    """Markdown for the person who approves a version: the figures, the gate's reasons, the report."""
    reference, candidate = verdict.reference_cost, verdict.candidate_cost
    rows = [
        f"| {title} | {before:,} | {after:,} |"
        for title, before, after in (
            ("parameters", reference.parameters, candidate.parameters),
            ("multiply-accumulates", reference.macs, candidate.macs),
            ("bytes of weights", reference.weight_bytes, candidate.weight_bytes),
        )
    ]
    reasons = [f"- {reason}" for reason in verdict.reasons[:_REASONS_SHOWN]]
    lines = [
        f"The gate says **{verdict.verdict}** (look {verdict.look} at this hold-out).",
        "",
        "| | reference | candidate |",
        "|---|---:|---:|",
        *rows,
        "",
        *reasons,
        "",
        f"[Read the report]({report_url}) before you approve.",
    ]
    return "\n".join(lines)


def _smaller(verdict: VerdictDocument) -> str:
    before, after = verdict.reference_cost, verdict.candidate_cost
    return (
        f"It has {_share(before, after)} of the reference's parameters ({after.parameters:,} of {before.parameters:,})."
    )


def _share(before: NetworkCost, after: NetworkCost) -> str:
    return f"{after.parameters / max(before.parameters, 1):.1%}"

"""What the verdict means for the registry."""

from __future__ import annotations

from dataclasses import dataclass

from darwin_core.contracts import Explanation, PointerName, Severity, Verdict, VerdictDocument

_MOST_REASONS = 3


@dataclass(frozen=True)
class Decision:
    """Which alias the candidate shall get; None: it is not stored at all. ``reason`` is a sentence."""

    alias: PointerName | None
    reason: str


def decide(verdict: VerdictDocument, explanation: Explanation, *, block_on_findings: bool) -> Decision:
    """Champion after PASS, challenger after INSUFFICIENT_EVIDENCE, nothing after FAIL or where something blocks."""
    because = " ".join(verdict.reasons[:_MOST_REASONS]) or "The gate gave no reason."
    if verdict.verdict is Verdict.FAIL:
        return Decision(None, f"The gate said FAIL. {because}")
    blocking = [finding.title for finding in explanation.findings if finding.severity is Severity.HIGH]
    if block_on_findings and blocking:
        return Decision(
            None,
            f"The gate said {verdict.verdict}, but the data has findings of high severity, which block: "
            f"{'; '.join(blocking)}.",
        )
    unfaithful = [f"{check.check_id}: {check.reason}" for check in explanation.checks if check.verdict is Verdict.FAIL]
    if verdict.gate.block_on_explanation and unfaithful:
        return Decision(
            None,
            f"The gate said {verdict.verdict}, but the explanation fails checks that block. {' '.join(unfaithful)}",
        )
    if verdict.verdict is Verdict.INSUFFICIENT_EVIDENCE:
        return Decision(PointerName.CHALLENGER, f"The gate said INSUFFICIENT_EVIDENCE. {because}")
    return Decision(PointerName.CHAMPION, f"The gate said PASS. {because}")

"""What a version says about itself: decision, cost statement, model card."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.example_documents import cost, estimate, ref
from support.example_report import table_report, with_verdict

from darwin_core.contracts import CompactionReport, PointerName, SliceMetrics, Verdict, VersionClaim
from darwin_core.registry.costs import state_costs
from darwin_core.registry.decisions import decide
from darwin_core.registry.model_card import CardContent, render_model_card

REPORT = table_report()


def card(report: CompactionReport = REPORT) -> str:
    """The model card of a report."""
    claim = VersionClaim(
        number=7,
        version="7-0123456789ab",
        run_id="night-7",
        candidate_sha256=report.verdict.candidate_sha256,
        serving=ref("serving.zip"),
        previous_champion="6-ba9876543210",
        claimed_at=datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
    )
    content = CardContent(
        line="s3://models/credit-default/",
        claim=claim,
        snapshot=report.snapshot,
        search=report.search,
        evaluation=report.evaluation,
        verdict=report.verdict,
        explanation=report.explanation,
    )
    return render_model_card(content)


@pytest.mark.parametrize(
    ("verdict", "block", "alias"),
    [
        (Verdict.PASS, False, PointerName.CHAMPION),
        (Verdict.PASS, True, None),
        (Verdict.INSUFFICIENT_EVIDENCE, False, PointerName.CHALLENGER),
        (Verdict.INSUFFICIENT_EVIDENCE, True, None),
        (Verdict.FAIL, False, None),
        (Verdict.FAIL, True, None),
    ],
)
def test_decisions(verdict: Verdict, block: bool, alias: PointerName | None) -> None:
    report = with_verdict(REPORT, verdict, "Recall fell by 3 pt.")
    decision = decide(report.verdict, report.explanation, block_on_findings=block)
    assert decision.alias is alias
    assert verdict.value in decision.reason
    blocked = block and verdict is not Verdict.FAIL
    assert ("CASE_CLOSED gives the label away" if blocked else "Recall fell by 3 pt.") in decision.reason


def test_findings_of_lower_severity_do_not_block() -> None:
    calm = REPORT.explanation.model_copy(
        update={"findings": tuple(f for f in REPORT.explanation.findings if f.severity.value != "high")}
    )
    assert decide(REPORT.verdict, calm, block_on_findings=True).alias is PointerName.CHAMPION


def test_an_explanation_that_fails_its_checks_blocks_where_asked_to() -> None:
    failed = [check for check in REPORT.explanation.checks if check.verdict is Verdict.FAIL]
    assert failed
    calm = REPORT.explanation.model_copy(update={"findings": ()})
    assert decide(REPORT.verdict, calm, block_on_findings=False).alias is PointerName.CHAMPION
    strict = REPORT.verdict.gate.model_copy(update={"block_on_explanation": True})
    decision = decide(REPORT.verdict.model_copy(update={"gate": strict}), calm, block_on_findings=False)
    assert decision.alias is None
    assert failed[0].reason in decision.reason


def test_costs_and_pay_back() -> None:
    verdict = REPORT.verdict.model_copy(
        update={"reference_cost": cost(1000, 1000, 0.9), "candidate_cost": cost(10, 10, 0.4)}
    )
    search = REPORT.search.model_copy(update={"seconds": {"generations": 30.0, "finish": 20.0}})
    statement = state_costs(search, verdict)
    assert statement.reference_seconds_per_million == pytest.approx(900)
    assert statement.candidate_seconds_per_million == pytest.approx(400)
    assert statement.pay_back_predictions == 100_000  # 50 s spent, half a millisecond saved each time


@pytest.mark.parametrize(("before", "after"), [(None, 0.4), (0.9, None), (0.4, 0.4), (0.4, 0.5)])
def test_a_search_that_saves_no_time_does_not_pay_back(before: float | None, after: float | None) -> None:
    verdict = REPORT.verdict.model_copy(
        update={"reference_cost": cost(1000, 1000, before), "candidate_cost": cost(10, 10, after)}
    )
    assert state_costs(REPORT.search, verdict).pay_back_predictions is None


def test_the_card_holds_what_a_person_has_to_answer_for() -> None:
    text = card()
    assert text.startswith("# Model card: credit-default, version 7-0123456789ab\n")
    for expected in (
        REPORT.verdict.candidate_sha256,
        REPORT.verdict.reference_sha256,
        "look number 2",
        f"| Parameters | {REPORT.verdict.reference_cost.parameters:,} | {REPORT.verdict.candidate_cost.parameters:,} |",
        "| pr_auc | 0.5532 | 0.5523 | -0.0009 | -0.0038 to +0.0020 |",
        "## Why PASS",
        "CASE_CLOSED gives the label away",
        "The search never saw the hold-out.",
        "6-ba9876543210",
    ):
        assert expected in text
    assert card() == text, "the same content has to give the same bytes"


def test_every_table_of_the_card_has_rows_of_one_width() -> None:
    broken = REPORT.explanation.features[0].model_copy(update={"feature": "a|b\nc"})
    report = REPORT.model_copy(update={"explanation": REPORT.explanation.model_copy(update={"features": (broken,)})})
    text = card(report)
    assert "| a\\|b c | " in text
    width = 0
    for line in text.splitlines():
        columns = line.replace("\\|", "").count("|")
        assert columns == 0 or width in (0, columns), line
        width = columns


def test_slices_come_worst_first_whatever_the_metric() -> None:
    def slice_of(value: str, metric: str, change: float) -> SliceMetrics:
        return SliceMetrics(column="AGE", value=value, rows=100, estimates=(estimate(metric, 0.5, change, 0.01),))

    for metric, order in (("pr_auc", ["lower", "same", "higher"]), ("rmse", ["higher", "same", "lower"])):
        parts = (slice_of("same", metric, 0.0), slice_of("higher", metric, 0.02), slice_of("lower", metric, -0.02))
        evaluation = REPORT.evaluation.model_copy(update={"slices": parts})
        text = card(REPORT.model_copy(update={"evaluation": evaluation}))
        assert sorted(order, key=lambda value: text.index(f"AGE = {value}")) == order

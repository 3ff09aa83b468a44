"""The page as a whole: self-contained, escaped, complete, calm about whatever is missing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from enum import Enum
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import BaseModel
from support import example_report as examples

from darwin_core.contracts import (
    BlockOperator,
    CompactionReport,
    Explanation,
    FindingExample,
    FindingKind,
    Pick,
    Requirement,
    Variation,
    Verdict,
)
from darwin_core.reporting import render_report

REPORTS = {
    "table": examples.table_report,
    "image": examples.image_report,
    "regression": examples.regression_report,
    "huge": examples.huge_report,
}
VOID = frozenset({"meta", "img", "br", "hr"})
HOSTILE = '</td></svg></style><script>alert("1")</script><img src=x onerror=alert(1)>\u202e{{ 7 * 7 }}&#x27;\x07'


class Page(HTMLParser):
    """Elements, attributes and text of a page; checks on the way that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text.append(data)

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    @property
    def words(self) -> str:
        shown = unicodedata.normalize("NFKC", " ".join(self.text)).replace("\u2212", "-")
        return " ".join(shown.split())


def replace_everywhere(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """``value`` with every value of exactly ``kind`` in it changed, past validation; enums and requirements stay."""
    if isinstance(value, Requirement):
        return value
    if isinstance(value, BaseModel):
        changed = {name: replace_everywhere(item, kind, change) for name, item in dict(value).items()}
        return value.model_copy(update=changed)
    if isinstance(value, tuple):
        return tuple(replace_everywhere(item, kind, change) for item in value)
    if isinstance(value, dict):
        pairs = [(replace_everywhere(k, kind, change), replace_everywhere(v, kind, change)) for k, v in value.items()]
        return dict(pairs)
    return change(value) if type(value) is kind and not isinstance(value, Enum) else value


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> CompactionReport:
    made = REPORTS[request.param]()
    assert isinstance(made, CompactionReport)
    return made


def test_holds_everything_it_shows(report: CompactionReport) -> None:
    html = render_report(report)
    page = Page(html)
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "base", "form", "a"}
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"href", "srcset", "action"}]
        assert (attributes.get("src") or "data:").startswith("data:")
    assert not re.search(r"url\(|@import|https?://", html)


def test_forbids_scripts_and_fetches_by_policy() -> None:
    metas = [attributes for tag, attributes in Page(render_report(examples.table_report())).elements if tag == "meta"]
    policies = [meta["content"] for meta in metas if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0] is not None
    assert policies[0].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_round_trip_through_json_changes_nothing(report: CompactionReport) -> None:
    assert render_report(CompactionReport.from_json(report.to_json())) == render_report(report)


def test_verdict_and_reasons_come_before_everything_else() -> None:
    html = render_report(examples.table_report())
    positions = [html.index(text) for text in ("Pass", "PR-AUC: the lower bound", "-98.6".replace("-", "\u2212"))]
    assert positions == sorted(positions)
    assert positions[-1] < html.index("<table")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.PASS, "The compact network may replace the reference."),
        (Verdict.FAIL, "The compact network must not replace the reference."),
        (Verdict.INSUFFICIENT_EVIDENCE, "The evidence is not sufficient: nothing is replaced."),
    ],
)
def test_says_the_verdict_in_words(verdict: Verdict, words: str) -> None:
    html = render_report(examples.with_verdict(examples.table_report(), verdict, "Because."))
    assert words in html
    assert [w for w in ("may replace", "must not replace", "nothing is replaced") if w in html] == [
        w for w in ("may replace", "must not replace", "nothing is replaced") if w in words
    ]


def test_before_after_table_holds_costs_bounds_and_the_control() -> None:
    words = Page(render_report(examples.table_report())).words
    for text in ("489,217 7,014", "1.96 MB 28.1 kB", "23 21", "0.310 ms", "Control: uniform narrowing", "16,144"):
        assert text in words
    assert "-0.38 pt to +0.20 pt" in words


def test_the_lineage_tells_every_candidate_apart() -> None:
    report = examples.table_report()
    html = render_report(report)
    svg = html[html.index('<svg class="strip lineage"') :].partition("</figure>")[0]
    for record in report.search.candidates:
        assert f"{record.candidate_id} (" in svg
    assert svg.count("mark-chosen") == svg.count("mark-control") == svg.count("mark-reference") == 1
    promising = [record.candidate_id for record in report.search.candidates if record.feasible]
    assert svg.count("mark-promising") == len(promising) - 1, "the chosen one has a mark of its own"
    told = report.search.candidates[0].model_copy(update={"promising": not report.search.candidates[0].feasible})
    changed = report.search.model_copy(update={"candidates": (told, *report.search.candidates[1:])})
    other = render_report(report.model_copy(update={"search": changed}))
    assert abs(other.count("mark-promising") - html.count("mark-promising")) == 1


def test_says_that_a_person_picked_the_network() -> None:
    report = examples.table_report()
    assert "A person picked" not in render_report(report)
    origin = Pick(run_id="night-1", candidate_id=report.search.chosen)
    picked = report.model_copy(update={"search": report.search.model_copy(update={"origin": origin})})
    assert f"A person picked this network: {report.search.chosen} of run night-1." in Page(render_report(picked)).words


@pytest.mark.parametrize(
    ("variation", "told"),
    [
        (Variation(strength=0.25), "% of the usual shifts, turns, scales and light"),
        (Variation(strength=1.0, mirrored=True), "usual shifts, turns, scales and light; every other one mirrored"),
        (Variation(mirrored=True), "Pictures varied in training every other one mirrored"),
        (Variation(), None),
    ],
)
def test_says_how_pictures_were_varied(variation: Variation, told: str | None) -> None:
    report = examples.image_report()
    changed = report.model_copy(update={"search": report.search.model_copy(update={"variation": variation})})
    words = Page(render_report(changed)).words
    assert told in words if told else "Pictures varied" not in words


def test_exports_are_shown_with_what_went_wrong() -> None:
    report = examples.table_report()
    words = Page(render_report(report)).words
    assert "onnx 26.5 kB 1.2e-07 100.00 %" in words
    assert "litert-int8 The network cannot be converted: <the process> crashed." in words
    without = report.model_copy(update={"search": report.search.model_copy(update={"exports": ()})})
    assert "Largest difference of scores" not in Page(render_report(without)).words


def test_texts_from_outside_stay_texts(report: CompactionReport) -> None:
    poisoned = replace_everywhere(report, str, lambda text: HOSTILE + text)
    page = Page(render_report(poisoned))
    harmless = Page(render_report(report))
    assert page.tags <= harmless.tags
    assert "script" not in page.tags
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "{{ 7 * 7 }}" in page.words
    assert "\u202e" not in page.words
    assert "\x07" not in page.words


def test_pictures_that_are_no_data_uris_are_left_out() -> None:
    report = examples.image_report()
    pictures = replace_everywhere(report.explanation.image_examples, str, lambda text: f"javascript:{text}")
    explanation = report.explanation.model_copy(update={"image_examples": pictures})
    page = Page(render_report(report.model_copy(update={"explanation": explanation})))
    assert "img" not in page.tags
    assert "javascript:00001.png" in page.words


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_leave_a_gap(report: CompactionReport, value: float) -> None:
    html = render_report(replace_everywhere(report, float, lambda _: value))
    assert not re.search(r"\b(nan|inf)\b", Page(html).words, re.IGNORECASE)
    assert not re.search(r'="[^"]*\b(nan|inf)\b[^"]*"', html)


def test_findings_are_ranked_by_severity() -> None:
    html = render_report(examples.table_report())
    found = [html.index(f"<h3>{text}") for text in ("CASE_CLOSED gives", "35 equal rows", "AGE differs")]
    assert found == sorted(found)


def test_a_shortcut_shows_samples_with_and_without_it_and_both_networks() -> None:
    report = examples.shortcut_report()
    (finding,) = report.explanation.findings
    html = render_report(report)
    for example in finding.examples:
        assert example.before in html
        assert example.after in html
    words = Page(html).words
    assert "as it is: keep left (0.98)" in words
    assert "planted: turn right ahead (0.91)" in words
    assert "Rows of other classes that become the class with it 62% 74%" in words.replace(" %", "%")
    assert "Give the affected rows the bright spot of rows without it." in words


def test_pictures_of_a_finding_cannot_reach_outside() -> None:
    report = examples.shortcut_report()
    (finding,) = report.explanation.findings
    bad = finding.examples[0].model_copy(update={"before": "https://elsewhere.example/a.png"})
    explanation = report.explanation.model_copy(update={"findings": (finding.model_copy(update={"examples": (bad,)}),)})
    assert "elsewhere.example" not in render_report(report.model_copy(update={"explanation": explanation}))


def test_a_wrong_label_shows_the_picture_with_its_label_and_what_is_said_instead() -> None:
    report = examples.shortcut_report()
    (finding,) = report.explanation.findings
    picture = finding.examples[0].before
    shown = FindingExample(row_id="train-7", label="keep left", before=picture, predicted_before="stop (0.99)")
    plain = FindingExample(row_id="train-8", label="yes", predicted_before="no (0.98)")
    bad = shown.model_copy(update={"row_id": "train-9", "before": "https://elsewhere.example/a.png"})
    wrong = finding.model_copy(
        update={"kind": FindingKind.LABEL_ERROR, "amplification": None, "fix": None, "examples": (shown, plain, bad)}
    )
    explanation = report.explanation.model_copy(update={"findings": (wrong,)})
    html = render_report(report.model_copy(update={"explanation": explanation}))
    words = Page(html).words
    assert html.count(f'src="{picture}"') == 1
    assert "Row train-7, label keep left; predicted stop (0.99)" in words
    assert "Row train-8, label yes; predicted no (0.98)" in words
    assert "Check label error" in words
    assert "elsewhere.example" not in html


def test_names_the_checks_that_found_nothing() -> None:
    words = Page(render_report(examples.image_report())).words
    assert "Nothing was found by these checks: label conflicts, train/test overlap." in words


def test_little_is_said_in_words_not_in_empty_tables() -> None:
    page = Page(render_report(examples.regression_report()))
    for text in (
        "No slices were declared for this run",
        "No check of the data ran.",
        "No attribution was computed for this run.",
        "latency was not measured in this run",
        "no check was configured",
    ):
        assert text in page.words
    assert "RMSE" in page.words


def test_a_network_without_layers_or_candidates_still_gets_a_report() -> None:
    report = examples.table_report()
    search = report.search.model_copy(
        update={"reference_layers": (), "chosen_layers": (), "candidates": (), "controls": (), "front": ()}
    )
    evaluation = report.evaluation.model_copy(update={"estimates": (), "slices": ()})
    explanation = Explanation(method="none", rows=0)
    bare = report.model_copy(update={"search": search, "evaluation": evaluation, "explanation": explanation})
    assert "there is nothing to draw" in Page(render_report(bare)).words


def test_a_large_report_stays_readable_and_small() -> None:
    html = render_report(examples.huge_report())
    words = Page(html).words
    assert "401 checks of slices: 401 insufficient evidence" in words
    assert "376 more slices" in words
    assert "485 more columns" in words
    assert len(html) < 2_000_000
    assert words.index("Q1 PR-AUC") < words.index("S1:merchant_category=category 0")


def test_confusion_of_many_classes_is_told_by_pairs() -> None:
    words = Page(render_report(examples.image_report())).words
    assert "Most confused classes" in words
    assert "Confusion matrix" not in words


def test_a_design_that_rewrites_blocks_is_told_as_one() -> None:
    report = examples.table_report()
    first, *others = report.search.candidates
    genome = first.genome.model_copy(
        update={
            "blocks": {"dense_7": BlockOperator.LOW_RANK, "dense_8": BlockOperator.KEEP},
            "early_downsampling": True,
        }
    )
    changed = first.model_copy(update={"genome": genome, "strategy": "blocks"})
    search = report.search.model_copy(update={"candidates": (changed, *others)})
    html = render_report(report.model_copy(update={"search": search}))
    assert "blocks: dense_7 low rank, early downsampling" in Page(html).words

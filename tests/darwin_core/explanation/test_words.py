"""Reason codes, counterfactuals and examples: what a person reads must be true."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from darwin_core.contracts import ColumnKind, FeatureAttribution, Finding, FindingKind, Severity, Task
from darwin_core.explanation.amplification import with_network_use
from darwin_core.explanation.attribution import Feature, FeatureMap
from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.counterfactuals import NO_ACTIONABLE_CHANGE, NO_SINGLE_CHANGE, SingleChange
from darwin_core.explanation.decisions import DecisionRule, show_apart, show_effect
from darwin_core.explanation.examples import telling_pictures, telling_rows
from darwin_core.explanation.free_text import WordTrial
from darwin_core.explanation.overlay import overlay_uri, picture_uri, to_pixels
from darwin_core.explanation.ranking import feature_attributions, rank_overlap
from darwin_core.explanation.reasons import UsualValues, reason_codes
from darwin_core.explanation.subject import alert_threshold

FEATURES = FeatureMap(
    (
        Feature("amount", ColumnKind.NUMBER, "amount"),
        Feature("late", ColumnKind.INTEGER, "late"),
        Feature("browser", ColumnKind.STRING, "browser"),
        Feature("opened", ColumnKind.TIME, "opened"),
    )
)
ALERTS = DecisionRule(Task.BINARY, ("no", "yes"), "fraud", threshold=0.5)


def training(rows: int = 1000) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "amount": rng.uniform(0, 100, (rows, 1)).astype(np.float32),
        "late": rng.choice([0, 1, 2, 3], (rows, 1), p=[0.7, 0.1, 0.1, 0.1]).astype(np.float32),
        "browser": rng.choice([b"chrome", b"safari", b""], (rows, 1), p=[0.6, 0.3, 0.1]),
        "opened": rng.uniform(1.6e9, 1.7e9, (rows, 1)),
    }


def one_row(amount: float = 80.0, late: float = 2.0, browser: bytes = b"safari") -> dict[str, np.ndarray]:
    return {
        "amount": np.array([[amount]], np.float32),
        "late": np.array([[late]], np.float32),
        "browser": np.array([[browser]]),
        "opened": np.array([[1.6e9]]),
    }


def score(inputs: Inputs) -> Floats:
    """Alert where amount > 60, or where somebody on safari is late."""
    amount, late, browser = (inputs[name][:, 0] for name in ("amount", "late", "browser"))
    return np.asarray(0.2 + 0.4 * (amount > 60) + 0.4 * ((late > 0) & (browser == b"safari")), np.float64)


NOTES = FeatureMap((Feature("note", ColumnKind.STRING, "note"),))


def notes() -> dict[str, np.ndarray]:
    return {"note": np.array([[f"customer {row} paid late".encode()] for row in range(400)])}


def note(text: str) -> dict[str, np.ndarray]:
    return {"note": np.array([[text.encode()]])}


def stolen(inputs: Inputs) -> Floats:
    said = [text.split() for text in inputs["note"][:, 0]]
    return np.array([0.1 + 0.2 * (b"stolen" in words) + 0.4 * (b"lost" in words) for words in said])


class TestReasons:
    def test_sentences_name_value_effect_and_what_is_usual(self) -> None:
        usual = UsualValues.of(FEATURES, training())
        contributions = np.array([0.18, -0.051, 0.3, 0.0])
        found = reason_codes(FEATURES, usual, one_row(), 0, contributions, "the score")
        assert [reason.text for reason in found] == [
            "browser = safari raises the score by 0.30; usual is chrome",
            f"amount = 80 raises the score by 0.18; usual is {usual.shown['amount']}",
            "late = 2 lowers the score by 0.051; usual is 0",
        ]
        assert re.fullmatch(r"about [45]\d(\.\d)?", str(usual.shown["amount"]))
        assert [reason.attribution for reason in found] == [0.3, 0.18, -0.051]

    def test_missing_and_usual_values_are_said_to_be_so(self) -> None:
        usual = UsualValues.of(FEATURES, training())
        row = one_row(amount=np.nan, late=0.0, browser=b"")
        found = reason_codes(FEATURES, usual, row, 0, np.array([0.2, -0.1, 0.05, 0.0]), "the score")
        assert found[0].text.startswith("amount is missing, which raises the score by 0.20; usual is about")
        assert found[1].text == "late = 0, as usual, and lowers the score by 0.10"
        assert found[2].text == "browser is missing, which raises the score by 0.050; usual is chrome"

    def test_negligible_contributions_are_no_reasons(self) -> None:
        usual = UsualValues.of(FEATURES, training())
        found = reason_codes(FEATURES, usual, one_row(), 0, np.array([1.0, 0.001, 0.0, 0.0]), "the score")
        assert [reason.feature for reason in found] == ["amount"]

    def test_text_that_is_hardly_ever_the_same_has_no_usual_value(self) -> None:
        rows = training() | {"browser": np.array([[f"agent {row}".encode()] for row in range(1000)])}
        (found,) = reason_codes(FEATURES, UsualValues.of(FEATURES, rows), one_row(), 0, np.eye(4)[2], "the score")
        assert found.text == "browser = safari raises the score by 1.00"

    def test_words_that_matter_in_free_text_are_named(self) -> None:
        trial, row = WordTrial(NOTES, notes(), stolen), note("a lost lost or stolen card")
        usual = UsualValues.of(NOTES, notes())
        (found,) = reason_codes(NOTES, usual, row, 0, np.array([0.6]), "the score", words=trial)
        assert found.text == 'note = a lost lost or stolen card raises the score by 0.60, most by "lost"'
        assert trial.strongest(row, NOTES.features[0], None, 1.1) == ["lost", "stolen"]
        assert trial.strongest(row, NOTES.features[0], None, 2.0) == []
        (found,) = reason_codes(NOTES, usual, row, 0, np.array([-0.6]), "the score", words=trial)
        assert found.text == "note = a lost lost or stolen card lowers the score by 0.60"

    def test_times_are_shown_as_dates(self) -> None:
        usual = UsualValues.of(FEATURES, training())
        (found,) = reason_codes(FEATURES, usual, one_row(), 0, np.array([0.0, 0, 0, 1]), "the score")
        assert found.value == "2020-09-13 12:26"


class TestSingleChange:
    def search(self) -> SingleChange:
        return SingleChange(FEATURES, training(), ALERTS, score)

    def test_the_smallest_change_that_flips_is_found_and_true(self) -> None:
        sentence = self.search().describe(one_row(amount=64.0, late=0.0))
        assert sentence is not None
        found = re.fullmatch(
            r"If amount were ([\d.]+) instead of 64, the score would fall from 0.60 to 0.20, "
            r"below the alert threshold of 0.50\.",
            sentence,
        )
        assert found is not None
        assert 59.0 < float(found[1]) <= 60.0
        assert score(one_row(amount=float(found[1]), late=0.0))[0] < 0.5

    def test_text_can_flip_too(self) -> None:
        sentence = self.search().describe(one_row(amount=10.0, late=3.0, browser=b"chrome"))
        assert sentence is not None
        options = ("If browser were safari instead of chrome", "If amount were 60")
        assert sentence.startswith(options)
        assert "rise from 0.20 to 0.60, to or above" in sentence

    def test_words_are_left_out_of_free_text(self) -> None:
        search = SingleChange(NOTES, notes(), ALERTS, stolen)
        assert search.describe(note("my card was lost or stolen lost in the old town")) == (
            'If note did not say "lost", the score would fall from 0.70 to 0.30, below the alert threshold of 0.50.'
        )
        assert search.describe(note("nothing was stolen")) == NO_SINGLE_CHANGE

    def test_text_that_recurs_is_changed_as_a_whole(self) -> None:
        phrases = {"note": np.array([[b"a card was lost"], [b"all is very well"]] * 100)}
        sentence = SingleChange(NOTES, phrases, ALERTS, lambda rows: 2 * stolen(rows)).describe(note("a card was lost"))
        assert str(sentence).startswith("If note were all is very well instead of a card was lost, ")

    def test_it_says_so_where_no_single_change_is_enough(self) -> None:
        assert self.search().describe(one_row(amount=90.0, late=2.0)) == NO_SINGLE_CHANGE

    def test_only_columns_that_can_be_acted_on_are_changed(self) -> None:
        row = one_row(amount=10.0, late=3.0, browser=b"safari")
        assert str(self.search().describe(row)).startswith(("If browser were chrome", "If late were 0"))
        late = SingleChange(FEATURES, training(), ALERTS, score, actionable=("late",))
        assert str(late.describe(row)).startswith("If late were 0 instead of 3")
        amount = SingleChange(FEATURES, training(), ALERTS, score, actionable=("amount",))
        assert amount.describe(row) == NO_ACTIONABLE_CHANGE
        unread = SingleChange(FEATURES, training(), ALERTS, score, actionable=("income",))
        assert unread.describe(row) == NO_ACTIONABLE_CHANGE

    def test_nothing_is_decided_in_a_regression(self) -> None:
        rule = DecisionRule(Task.REGRESSION, (), "price")
        assert SingleChange(FEATURES, training(), rule, score).describe(one_row()) is None

    def test_classes_are_named(self) -> None:
        rule = DecisionRule(Task.MULTICLASS, ("low", "high"), "level")

        def levels(inputs: Inputs) -> Floats:
            high = np.clip(inputs["amount"][:, 0] / 100, 0, 1)
            return np.stack([1 - high, high], axis=1).astype(np.float64)

        sentence = SingleChange(FEATURES, training(), rule, levels).describe(one_row(amount=55))
        assert sentence is not None
        assert re.fullmatch(
            r"If amount were (50|49\.\d+) instead of 55, low would be predicted instead of high\.", sentence
        )


class TestRanking:
    def test_shares_sum_to_one_and_the_candidate_orders(self) -> None:
        reference, candidate = np.array([[1.0, -3.0, 0.0]]), np.array([[2.0, 0.0, -2.0], [0.0, 0.0, -4.0]])
        found = feature_attributions(("a", "b", "c"), reference, candidate)
        assert [item.feature for item in found] == ["c", "a", "b"]
        assert sum(item.candidate for item in found) == pytest.approx(1)
        assert found[0].model_copy(update={"spread": ()}) == FeatureAttribution(
            feature="c", reference=0.0, candidate=0.75
        )
        assert found[0].spread == pytest.approx((-3.9, -3.5, -3.0, -2.5, -2.1))

    def test_overlap_counts_common_columns_of_the_top_three(self) -> None:
        first = np.array([[4.0, 3, 2, 1, 0]])
        assert rank_overlap(first, first) == 1
        assert rank_overlap(first, np.array([[0.0, 3, -4, 1, 0.5]])) == pytest.approx(2 / 3)
        assert rank_overlap(first, np.array([[0.0, 0, 0, 1, 5]])) == 0
        assert rank_overlap(np.zeros((1, 5)), np.zeros((1, 5))) == 1

    def test_overlap_leaves_out_what_is_no_reason(self) -> None:
        """A candidate without a column that hardly moved its reference gives the same reasons."""
        assert rank_overlap(np.array([[4.0, 0.05]]), np.array([[4.0, 0.0]])) == 1
        assert rank_overlap(np.array([[4.0, 0.5]]), np.array([[4.0, 0.0]])) == pytest.approx(1 / 2)


class TestExamples:
    def test_rows_are_the_highest_the_borderline_and_the_disputed(self) -> None:
        candidate, reference = np.linspace(0, 1, 101), np.linspace(0, 1, 101)
        reference[[10, 20]] += 0.4
        rows = telling_rows(ALERTS, candidate, reference, each=2)
        assert set(rows) == {100, 99, 50, 49, 10, 20} or set(rows) == {100, 99, 50, 51, 10, 20}

    def test_pictures_show_errors_disputes_and_hits_of_different_classes(self) -> None:
        labels = np.arange(60) % 6
        candidate, reference = labels.copy(), labels.copy()
        candidate[:5] = (labels[:5] + 1) % 6
        reference[10:13] = (labels[10:13] + 1) % 6
        rows = telling_pictures(candidate, reference, labels, np.linspace(0.9, 0.5, 60), most=9)
        assert len(set(rows)) == 9
        assert {0, 1, 2, 10, 11, 12} <= set(rows)
        assert len({labels[row] for row in rows if row > 12 or 5 <= row < 10}) == 3

    def test_a_perfect_network_shows_hits_only(self) -> None:
        labels = np.arange(20) % 4
        assert len(telling_pictures(labels, labels, labels, np.ones(20), most=12)) == 4


class TestOverlay:
    def decode(self, uri: str) -> np.ndarray:
        prefix = "data:image/png;base64,"
        assert uri.startswith(prefix)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(prefix)))).convert("RGB"), int)

    def test_evidence_is_orange_or_blue_and_the_rest_is_grey(self) -> None:
        picture = np.full((32, 48, 3), 120, np.uint8)
        evidence = np.zeros((32, 48))
        evidence[6:14, 4:12] = 1.0
        evidence[18:26, 34:42] = -1.0
        drawn = self.decode(overlay_uri(picture, evidence))
        assert drawn.shape == (64, 96, 3)
        red, green, blue = drawn[20, 16]
        assert red > green > blue
        red, green, blue = drawn[44, 76]
        assert blue > green > red
        assert np.ptp(drawn[50, 10]) <= 8

    def test_a_map_without_evidence_leaves_the_picture_grey(self) -> None:
        drawn = self.decode(overlay_uri(np.full((8, 8, 3), 200, np.uint8), np.zeros((8, 8))))
        assert np.ptp(drawn, axis=-1).max() <= 2

    def test_pictures_stay_small(self) -> None:
        rng = np.random.default_rng(0)
        assert len(picture_uri(rng.integers(0, 255, (224, 224, 3), dtype=np.uint8))) < 20_000

    @pytest.mark.parametrize(
        ("low", "high", "dtype"), [(0, 255, np.uint8), (0, 1, np.float32), (-1, 1, np.float32), (0, 255, np.float32)]
    )
    def test_any_value_range_becomes_pixels(self, low: float, high: float, dtype: type) -> None:
        values = np.linspace(low, high, 64).reshape(1, 8, 8, 1).astype(dtype)
        pixels = to_pixels(values)
        assert pixels.shape == (1, 8, 8, 3)
        assert pixels.min() <= 1
        assert pixels.max() >= 254


def test_findings_say_whether_compaction_amplified_them() -> None:
    finding = Finding(
        kind=FindingKind.LEAKING_COLUMN,
        severity=Severity.HIGH,
        title="duration",
        description="Leaks.",
        columns=("duration",),
        suggestion="Drop it.",
    )
    shares = [FeatureAttribution(feature="duration", reference=0.31, candidate=0.44)]
    (found,) = with_network_use([finding], shares)
    assert found.description == (
        "Leaks. duration carries 44 % of the candidate's decisions, more than of the reference's (31 %)."
    )
    assert with_network_use([finding], []) == (finding,)


def test_the_alert_threshold_lies_between_scores() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.7, 0.3])
    assert alert_threshold(scores, 0.4) == pytest.approx(0.6)
    assert alert_threshold(scores, 0.01) == pytest.approx(0.8)
    assert alert_threshold(np.full(5, 0.2), 0.4) == 0.2


def test_numbers_are_shown_with_the_digits_that_matter() -> None:
    assert [show_effect(value) for value in (1234.5, 0.5, 0.0512, 0.00012, 0.0)] == [
        "1,234",
        "0.50",
        "0.051",
        "0.0001",
        "0.00",
    ]
    assert show_apart([0.60924, 0.60918, 0.60924]) == ["0.60924", "0.60918", "0.60924"]
    assert show_apart([0.7, 0.2]) == ["0.70", "0.20"]

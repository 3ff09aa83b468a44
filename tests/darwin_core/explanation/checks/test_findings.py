"""What was planted is found, with the right rows, columns and figures."""

from __future__ import annotations

import numpy as np
import pytest
from support.checked_data import checked_data

from darwin_core.contracts import DataRoles, Finding, FindingKind, Severity
from darwin_core.explanation.checks import CheckedData, DataCheck, run_checks
from darwin_core.explanation.checks.base import _CHECKS, register_check
from darwin_core.progress import Reporter

ROWS = 4000


def noise(rng: np.random.Generator, rows: int = ROWS, columns: int = 12) -> dict[str, object]:
    return {f"noise_{index}": rng.normal(size=rows) for index in range(columns)}


def rare_labels(rng: np.random.Generator, rows: int = ROWS) -> np.ndarray:
    return (rng.random(rows) < 0.08).astype(np.int64)


def findings(data: CheckedData, kind: FindingKind) -> list[Finding]:
    return [finding for finding in run_checks(data, Reporter())[0] if finding.kind is kind]


class TestLeakingColumn:
    @pytest.fixture
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(0)

    def leak(self, rng: np.random.Generator, labels: np.ndarray, kind: str) -> object:
        rows = len(labels)
        match kind:
            case "number":
                return labels * 3.0 + rng.normal(size=rows) * 0.5
            case "not monotone":
                return np.where(labels == 1, 50 + rng.normal(size=rows), rng.choice([-1, 1], rows) * 40 + 50.0)
            case "category":
                return np.where(labels == 1, rng.choice(["x", "y"], rows), rng.choice(["a", "b"], rows)).tolist()
            case "many categories":
                return [f"{'case' if y else 'row'}-{rng.integers(60)}" for y in labels]
            case "missing":
                return np.where(labels == 1, np.nan, rng.normal(size=rows))
        raise AssertionError(kind)

    @pytest.mark.parametrize("kind", ["number", "not monotone", "category", "many categories", "missing"])
    def test_is_found_alone_and_graded_high(self, rng: np.random.Generator, kind: str) -> None:
        labels = rare_labels(rng)
        data = checked_data(noise(rng) | {"leak": self.leak(rng, labels, kind)}, labels)
        (found,) = findings(data, FindingKind.LEAKING_COLUMN)
        assert found.columns == ("leak",)
        assert found.severity is Severity.HIGH
        assert found.effect is not None
        assert found.low is not None
        assert found.high is not None
        assert 0.97 < found.low <= found.effect <= found.high <= 1
        assert ("missing" in found.description) == (kind == "missing")

    def test_a_giveaway_for_half_of_a_class_is_found_with_its_rows(self, rng: np.random.Generator) -> None:
        labels = rare_labels(rng)
        signup = 1.4e9 + rng.random(ROWS) * 1e7
        bot = (labels == 1) & (rng.random(ROWS) < 0.6)
        purchase = np.where(bot, signup, signup + 60 + rng.random(ROWS) * 1e7)
        stamps = {
            "signup": signup.astype("datetime64[s]"),
            "purchase": purchase.astype("datetime64[s]"),
        }
        (found,) = findings(checked_data(noise(rng) | stamps, labels), FindingKind.LEAKING_COLUMN)
        assert found.columns == ("purchase", "signup")
        assert "purchase minus signup is 0" in found.description
        assert found.affected_rows == bot.sum()
        assert found.affected_ids == tuple(f"train-{row}" for row in np.flatnonzero(bot)[:100])

    def test_one_class_of_many_is_enough(self, rng: np.random.Generator) -> None:
        labels = rng.integers(0, 10, ROWS)
        table = noise(rng) | {"stamp": (labels == 7).astype(float) + 0.05 * rng.normal(size=ROWS)}
        (found,) = findings(checked_data(table, labels, classes=tuple("abcdefghij")), FindingKind.LEAKING_COLUMN)
        assert found.columns == ("stamp",)
        assert "label = h" in found.description

    def test_a_number_to_predict_can_leak_too(self, rng: np.random.Generator) -> None:
        price = rng.lognormal(size=ROWS)
        table = noise(rng) | {"tax": price * 0.19 * (1 + 0.01 * rng.normal(size=ROWS))}
        (found,) = findings(checked_data(table, price, classes=()), FindingKind.LEAKING_COLUMN)
        assert found.columns == ("tax",)
        assert found.severity is Severity.HIGH

    def test_too_few_positives_prove_nothing(self, rng: np.random.Generator) -> None:
        labels = np.zeros(200, np.int64)
        labels[:12] = 1
        assert not findings(checked_data({"leak": labels * 1.0}, labels), FindingKind.LEAKING_COLUMN)

    def test_an_easy_task_is_one_mild_finding(self, rng: np.random.Generator) -> None:
        labels = rng.integers(0, 2, ROWS)
        table = {f"strong_{index}": labels * 1.6 + rng.normal(size=ROWS) for index in range(6)}
        (found,) = findings(checked_data(table, labels), FindingKind.LEAKING_COLUMN)
        assert found.severity is Severity.LOW
        assert len(found.columns) == 6


class TestLabelConflicts:
    def test_contradicting_copies_are_counted(self) -> None:
        rng = np.random.default_rng(0)
        table = {name: np.concatenate([v, v[:50]]) for name, v in noise(rng).items() if isinstance(v, np.ndarray)}
        labels = rng.integers(0, 2, ROWS)
        labels = np.concatenate([labels, 1 - labels[:30], labels[30:50]])
        (found,) = findings(checked_data(table, labels), FindingKind.LABEL_CONFLICT)
        assert found.affected_rows == 60
        assert found.effect == pytest.approx(30 / (ROWS + 50))
        assert found.severity is Severity.MEDIUM
        assert set(found.affected_ids) == {f"train-{row}" for row in [*range(30), *range(ROWS, ROWS + 30)]}

    def test_members_of_a_group_stand_together(self) -> None:
        rng = np.random.default_rng(0)
        table = {name: np.concatenate([v, v[:40]]) for name, v in noise(rng).items() if isinstance(v, np.ndarray)}
        labels = np.concatenate([np.zeros(ROWS, np.int64), np.ones(40, np.int64)])
        (found,) = findings(checked_data(table, labels), FindingKind.LABEL_CONFLICT)
        rows = [int(name.split("-")[1]) for name in found.affected_ids]
        assert all(abs(second - first) == ROWS for first, second in zip(rows[::2], rows[1::2], strict=True))


class TestOverlap:
    def test_copies_in_the_test_rows_are_named(self) -> None:
        rng = np.random.default_rng(0)
        train, fresh = noise(rng), noise(rng, 1000)
        test = {name: np.concatenate([fresh[name], train[name][:25]]) for name in train}  # type: ignore[index]
        (found,) = findings(checked_data(train, rare_labels(rng), test), FindingKind.TRAIN_TEST_OVERLAP)
        assert found.affected_ids == tuple(f"test-{row}" for row in range(1000, 1025))
        assert found.effect == pytest.approx(25 / 1025)
        assert found.severity is Severity.HIGH

    def test_entities_on_both_sides_are_reported(self) -> None:
        rng = np.random.default_rng(0)
        customers = rng.integers(0, 1000, ROWS), np.concatenate([np.arange(2000, 2900), np.full(100, 3)])
        roles = DataRoles(label="label", entity="customer")
        data = checked_data(noise(rng), rare_labels(rng), noise(rng, 1000), roles=roles, entities=customers)
        (found,) = findings(data, FindingKind.ENTITY_OVERLAP)
        assert found.affected_rows == 100
        assert found.severity is Severity.HIGH
        assert "customer" in found.description

    def test_no_entity_column_no_finding(self) -> None:
        rng = np.random.default_rng(0)
        assert not findings(checked_data(noise(rng), rare_labels(rng)), FindingKind.ENTITY_OVERLAP)


class TestShift:
    def test_a_moved_number_is_found_and_measured(self) -> None:
        rng = np.random.default_rng(0)
        test = noise(rng, 1000)
        test["noise_3"] = rng.normal(0.6, 1.0, 1000)
        (found,) = findings(checked_data(noise(rng), rare_labels(rng), test), FindingKind.SHIFT)
        assert found.columns == ("noise_3",)
        assert found.severity is Severity.HIGH
        assert found.effect == pytest.approx(0.36, abs=0.12)  # 0.6 squared for normal distributions

    def test_missing_values_that_only_the_test_rows_have(self) -> None:
        rng = np.random.default_rng(0)
        test = noise(rng, 1000)
        test["noise_5"] = np.where(rng.random(1000) < 0.15, np.nan, rng.normal(size=1000))
        (found,) = findings(checked_data(noise(rng), rare_labels(rng), test), FindingKind.SHIFT)
        assert found.columns == ("noise_5",)
        assert "missing: 0 % of the training rows" in found.description

    def test_a_small_shift_is_found_in_many_rows_only_and_stays_low(self) -> None:
        rng = np.random.default_rng(0)

        def shifts(rows: int) -> list[Finding]:
            train, test = {"x": rng.normal(size=rows)}, {"x": rng.normal(0.1, 1, rows)}
            return findings(checked_data(train, rare_labels(rng, rows), test), FindingKind.SHIFT)

        assert shifts(300) == []
        (found,) = shifts(30_000)
        assert found.severity is Severity.LOW
        assert found.effect is not None
        assert found.effect < 0.1

    def test_the_column_of_a_split_by_time_may_move(self) -> None:
        rng = np.random.default_rng(0)
        train, test = {"day": np.arange(1000.0)}, {"day": np.arange(1000.0, 1200.0)}
        roles = DataRoles(label="label", time="day")
        assert not findings(checked_data(train, rare_labels(rng, 1000), test, roles=roles), FindingKind.SHIFT)
        assert findings(checked_data(train, rare_labels(rng, 1000), test), FindingKind.SHIFT)

    def test_categories_never_seen_are_named(self) -> None:
        rng = np.random.default_rng(0)
        train = {"browser": rng.choice(["chrome", "firefox"], ROWS).tolist()}
        test = {"browser": rng.choice(["chrome", "firefox", "Chrome 99"], 800, p=[0.49, 0.49, 0.02]).tolist()}
        data = checked_data(train, rare_labels(rng), test)
        found = [each for each in findings(data, FindingKind.SHIFT) if "never seen" in each.title]
        assert len(found) == 1
        assert "'Chrome 99'" in found[0].description
        assert found[0].affected_rows == test["browser"].count("Chrome 99")


class TestColumns:
    def test_constant_columns_are_one_finding(self) -> None:
        rng = np.random.default_rng(0)
        rows = 500
        table = {"x": rng.normal(size=rows), "one": np.ones(rows), "empty": np.full(rows, np.nan), "text": ["a"] * rows}
        (found,) = findings(checked_data(table, rare_labels(rng, rows)), FindingKind.CONSTANT_COLUMN)
        assert found.columns == ("one", "empty", "text")
        assert "empty = missing" in found.description

    def test_a_column_that_is_constant_in_the_sample_only_is_left_alone(self) -> None:
        rng = np.random.default_rng(0)
        late = np.zeros(ROWS)
        late[-1] = 1
        table = {"x": rng.normal(size=ROWS), "late": late, "never": np.zeros(ROWS)}
        (found,) = findings(checked_data(table, rare_labels(rng), sample=1000), FindingKind.CONSTANT_COLUMN)
        assert found.columns == ("never",)

    def test_copies_are_found_across_types(self) -> None:
        rng = np.random.default_rng(0)
        number, text = rng.integers(0, 9, ROWS), rng.choice(["a", "b"], ROWS)
        table = {"n": number, "n_float": number.astype(float), "t": text.tolist(), "t_again": text.tolist()}
        (found,) = findings(checked_data(table, rare_labels(rng)), FindingKind.DUPLICATE_COLUMN)
        assert found.columns == ("n", "n_float", "t", "t_again")

    def test_copies_in_the_sample_only_are_left_alone(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=ROWS)
        table = {"x": x, "nearly": np.where(np.arange(ROWS) < ROWS - 1, x, 0.0), "copy": x}
        (found,) = findings(checked_data(table, rare_labels(rng), sample=1000), FindingKind.DUPLICATE_COLUMN)
        assert found.columns == ("x", "copy")

    def test_rare_flags_may_agree_by_chance(self) -> None:
        rng = np.random.default_rng(0)
        flags = {f"flag_{index}": np.arange(300) == index % 7 for index in range(40)}
        assert not findings(checked_data(flags, rare_labels(rng, 300)), FindingKind.DUPLICATE_COLUMN)


def test_a_check_of_ones_own_runs_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darwin_core.explanation.checks.base._CHECKS", dict(_CHECKS))

    @register_check
    class NegativeAmounts(DataCheck):
        name = "negative amounts"

        def run(self, data: CheckedData) -> list[Finding]:
            rows = np.flatnonzero(data.columns["amount"].numbers < 0)
            return [
                Finding(
                    kind=FindingKind.SHIFT,
                    severity=Severity.HIGH,
                    title="negative amounts",
                    description="Amounts must not be negative.",
                    affected_ids=tuple(data.row_ids[row] for row in rows),
                    suggestion="Fix them.",
                )
            ]

    data = checked_data({"amount": [1.0, -2.0, 3.0]}, [0, 1, 0])
    found, checks = run_checks(data, Reporter())
    assert "negative amounts" in checks
    assert found[0].affected_ids == ("train-1",)

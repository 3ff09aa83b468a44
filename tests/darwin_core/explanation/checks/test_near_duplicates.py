"""Near copies are found where they were planted, and nowhere else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.checked_data import checked_data, checked_pictures

from darwin_core.contracts import Finding, FindingKind, Severity
from darwin_core.explanation.checks import CheckedData, run_checks
from darwin_core.explanation.checks.near_duplicates import NearDuplicates, NearLabelConflicts
from darwin_core.progress import Reporter

CHECKS = [NearDuplicates(), NearLabelConflicts()]


def findings(data: CheckedData) -> list[Finding]:
    return list(run_checks(data, Reporter(), CHECKS)[0])


def pictures(rng: np.random.Generator, rows: int, labels: np.ndarray | None = None) -> np.ndarray:
    """Smooth random pictures of 16 x 16 pixels; those of one class share most of their look, as road signs do."""
    patterns = np.random.default_rng(99).normal(size=(5, 4, 4, 3))
    labels = rng.integers(0, 5, rows) if labels is None else labels
    coarse = 2.0 * patterns[labels] + rng.normal(size=(rows, 4, 4, 3))
    fine = coarse.repeat(4, axis=1).repeat(4, axis=2) + 0.3 * rng.normal(size=(rows, 16, 16, 3))
    return np.clip(128 + 25 * fine, 0, 255).astype(np.uint8)


def altered(rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    """The same pictures brighter, with more contrast and some noise."""
    return np.clip(1.15 * (rows - 128.0) + 138 + rng.normal(0, 4, rows.shape), 0, 255).astype(np.uint8)


def table(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    return {
        "amount": rng.lognormal(4, 1, rows).round(2),
        "age": rng.integers(18, 90, rows),
        "city": rng.choice([f"city {index}" for index in range(40)], rows),
        "balance": rng.normal(0, 1000, rows).round(),
        "visits": rng.poisson(3, rows),
        "browser": rng.choice(["chrome", "firefox"], rows),
        "income": rng.lognormal(7, 0.5, rows).round(),
        "card": np.array([f"{value:08x}" for value in rng.integers(0, 2**32, rows)]),
    }


def joined(first: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([values, other[name]]) for name, values in first.items()}


def changed(rng: np.random.Generator, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copies with another card, amounts rounded and cities spelled in capitals."""
    other = table(rng, len(rows["age"]))
    return rows | {
        "card": other["card"],
        "amount": np.array([float(f"{value:.3g}") for value in rows["amount"]]),
        "city": np.char.upper(rows["city"].astype(str)),
    }


class TestPictures:
    @pytest.mark.parametrize("rows", [300, 3000])
    def test_copies_that_were_altered_are_named(self, rows: int) -> None:
        rng = np.random.default_rng(0)
        train = pictures(rng, rows)
        test = np.concatenate([pictures(rng, 400), altered(rng, train[:40])])
        (found,) = findings(checked_pictures(train, rng.integers(0, 2, rows), test))
        assert found.kind is FindingKind.NEAR_DUPLICATE
        assert found.severity is Severity.HIGH
        assert set(found.affected_ids) == {f"test-{row}" for row in range(400, 440)}
        assert found.effect == pytest.approx(40 / 440)
        assert found.low is not None
        assert 0.05 < found.low < found.effect

    def test_frames_of_films_on_both_sides_are_found(self) -> None:
        rng = np.random.default_rng(0)
        films = pictures(rng, 400).repeat(8, axis=0)
        frames = altered(rng, films)
        test = rng.random(len(frames)) < 0.2
        (found,) = findings(checked_pictures(frames[~test], np.zeros((~test).sum(), np.int64), frames[test]))
        assert found.severity is Severity.HIGH
        assert found.affected_rows is not None
        assert found.affected_rows > 0.95 * test.sum()
        whole = np.arange(len(frames)) // 8 % 5 == 0  # split by film
        assert findings(checked_pictures(frames[~whole], np.zeros((~whole).sum(), np.int64), frames[whole])) == []

    def test_look_alikes_raise_no_alarm(self) -> None:
        alarms = 0
        for seed in range(12):
            rng = np.random.default_rng(seed)
            labels = rng.integers(0, 5, 1200)
            data = checked_pictures(pictures(rng, 1200, labels), labels, pictures(rng, 300), classes=5)
            alarms += len(findings(data))
        assert alarms == 0

    def test_exact_copies_and_blank_pictures_are_left_to_others(self) -> None:
        rng = np.random.default_rng(0)
        train = pictures(rng, 600)
        blank = np.broadcast_to(np.arange(20, dtype=np.uint8)[:, None, None, None] + 90, (20, 16, 16, 3))
        train, test = np.concatenate([train, blank[:10]]), np.concatenate([pictures(rng, 200), train[:30], blank[10:]])
        assert findings(checked_pictures(train, np.zeros(610, np.int64), test)) == []

    def test_copies_under_another_label_are_found_in_the_training_rows(self) -> None:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 5, 1500)
        train = pictures(rng, 1500, labels)
        train, labels = (
            np.concatenate([train, altered(rng, train[:25])]),
            np.concatenate([labels, (labels[:25] + 1) % 5]),
        )
        (found,) = findings(checked_pictures(train, labels, pictures(rng, 300), classes=5))
        assert found.severity is Severity.MEDIUM
        assert set(found.affected_ids) == {f"train-{row}" for row in [*range(25), *range(1500, 1525)]}


class TestTables:
    def test_rows_with_one_value_changed_are_named(self) -> None:
        rng = np.random.default_rng(0)
        train, fresh = table(rng, 4000), table(rng, 980)
        copies = changed(rng, {name: values[:20] for name, values in train.items()})
        (found,) = findings(checked_data(train, rng.integers(0, 2, 4000), joined(fresh, copies)))
        assert found.kind is FindingKind.NEAR_DUPLICATE
        assert found.severity is Severity.HIGH
        assert found.affected_ids == tuple(f"test-{row}" for row in range(980, 1000))
        assert "agree with a training row in all but one column" in found.description

    def test_rows_under_another_label_are_named(self) -> None:
        rng = np.random.default_rng(0)
        train = table(rng, 3000)
        copies = changed(rng, {name: values[:30] for name, values in train.items()})
        labels = rng.integers(0, 2, 3000)
        data = checked_data(joined(train, copies), np.concatenate([labels, 1 - labels[:20], labels[20:30]]), fresh(rng))
        (found,) = findings(data)
        assert found.severity is Severity.MEDIUM
        assert set(found.affected_ids) == {f"train-{row}" for row in [*range(20), *range(3000, 3020)]}

    def test_coarse_tables_raise_no_alarm(self) -> None:
        """Columns of few values, bound to each other and to groups of rows: near rows abound by nature."""
        alarms, near = 0, 0
        for seed in range(12):
            rng = np.random.default_rng(seed)

            def draw(rows: int, rng: np.random.Generator = rng) -> dict[str, np.ndarray]:
                kind = rng.integers(0, 3, rows)
                level = rng.poisson(2 + 3 * kind)
                return {
                    "kind": kind,
                    "level": level,
                    **{f"count_{index}": rng.poisson(0.5 * level) for index in range(5)},
                    **{f"flag_{index}": rng.random(rows) < 0.2 + 0.2 * kind for index in range(4)},
                    "amount": (10 * level * rng.lognormal(0, 1, rows)).round(),
                }

            data = checked_data(draw(3000), rng.integers(0, 2, 3000), draw(800), seed=seed)
            assert data.fingerprints is not None
            assert data.fingerprints.sketches is not None
            near += int(np.isin(data.fingerprints.sketches.test, data.fingerprints.sketches.train).any(axis=1).sum())
            alarms += len(findings(data))
        assert near > 500
        assert alarms == 0

    def test_a_snapshot_without_sketches_has_no_findings(self) -> None:
        rng = np.random.default_rng(0)
        data = checked_data(table(rng, 500), rng.integers(0, 2, 500), table(rng, 500))
        assert data.fingerprints is not None
        bare = dataclasses.replace(data, fingerprints=dataclasses.replace(data.fingerprints, sketches=None))
        assert findings(bare) == []


def fresh(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return table(rng, 500)

"""Groups that compaction serves worse: found where planted, silent on chance and on networks worse everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from darwin_core.contracts import (
    ColumnKind,
    ColumnSchema,
    DataRoles,
    FindingKind,
    NetworkInput,
    OutputKind,
    Severity,
    Snapshot,
    Task,
)
from darwin_core.data import BoundInput, MappedSplit
from darwin_core.explanation.checks.base import FALSE_ALARM_RATE
from darwin_core.explanation.subject import ScoredRows, Subject
from darwin_core.explanation.weakened import MIN_ROWS, Group, column_groups, find_weakened, look_for_weakened
from darwin_core.progress import Reporter

ROWS = 4000


def columns(rng: np.random.Generator) -> list[Group]:
    """Groups of a table: a skewed number, a category, a code with few values, and a copy of the first."""
    amount = rng.exponential(100, ROWS)
    amount[rng.random(ROWS) < 0.05] = np.nan
    country = rng.choice([b"ch", b"de", b"at", b""], ROWS, p=[0.5, 0.3, 0.15, 0.05])
    late = rng.integers(0, 4, ROWS).astype(np.float32)
    return [
        *column_groups("amount", ColumnKind.NUMBER, amount),
        *column_groups("country", ColumnKind.STRING, country),
        *column_groups("late", ColumnKind.INTEGER, late),
        *column_groups("amount_eur", ColumnKind.NUMBER, amount * 0.95),
    ]


def group(groups: list[Group], title: str) -> Group:
    return next(each for each in groups if each.title == title)


def test_groups_cover_every_row_of_every_column_once() -> None:
    groups = columns(np.random.default_rng(0))
    for name in ("amount", "country", "late", "amount_eur"):
        covered = np.sum([each.members for each in groups if each.column == name], axis=0)
        assert (covered == 1).all(), name
    titles = {each.title for each in groups}
    assert {"country = ch", "country = missing", "late = 3", "amount missing"} <= titles
    assert sum(title.startswith("amount ") for title in titles) == 6, "five ranges and the missing values"


@pytest.mark.parametrize("title", ["country = at", "late = 2", "amount missing"])
def test_a_group_that_the_candidate_serves_worse_is_found(title: str) -> None:
    rng = np.random.default_rng(1)
    groups = columns(rng)
    planted = group(groups, title)
    reference = rng.random(ROWS) < 0.05
    candidate = reference ^ (rng.random(ROWS) < 0.01)
    candidate |= planted.members & (rng.random(ROWS) < 0.25)
    (found,) = find_weakened(groups, reference, candidate)
    assert found.group is planted
    assert found.change.low < candidate[planted.members].mean() - reference[planted.members].mean() < found.change.high
    assert (found.lost == (planted.members & candidate & ~reference)).all()
    assert abs(found.elsewhere) < 0.02


def test_one_weakness_is_told_once() -> None:
    """Two columns that say the same, and the ranges of both."""
    rng = np.random.default_rng(2)
    groups = columns(rng)
    top = next(each for each in groups if each.title.startswith("amount from") and " to " not in each.title)
    reference = np.zeros(ROWS, bool)
    candidate = top.members & (rng.random(ROWS) < 0.3)
    (found,) = find_weakened(groups, reference, candidate)
    assert found.group.column in ("amount", "amount_eur")


def test_a_candidate_that_is_worse_everywhere_weakens_no_group_in_particular() -> None:
    rng = np.random.default_rng(3)
    reference = rng.random(ROWS) < 0.02
    assert not find_weakened(columns(rng), reference, reference | (rng.random(ROWS) < 0.1))


def test_a_hard_group_is_not_a_weakened_one() -> None:
    """Both networks guess there: many decisions differ, in both directions."""
    rng = np.random.default_rng(4)
    groups = columns(rng)
    hard = group(groups, "country = de").members
    reference, candidate = (hard & (rng.random(ROWS) < 0.5) for _ in range(2))
    assert not find_weakened(groups, reference, candidate)


def test_better_is_no_finding() -> None:
    rng = np.random.default_rng(5)
    groups = columns(rng)
    reference = group(groups, "late = 1").members & (rng.random(ROWS) < 0.4)
    assert not find_weakened(groups, reference, np.zeros(ROWS, bool))


def test_false_alarms_are_as_rare_as_promised() -> None:
    runs, alarms = 150, 0
    for seed in range(runs):
        rng = np.random.default_rng([6, seed])
        reference, candidate = (rng.random(ROWS) < rate for rate in (0.08, 0.1))
        alarms += bool(find_weakened(columns(rng), reference, candidate))
    assert alarms <= 6, f"{alarms} of {runs} runs, where {FALSE_ALARM_RATE:.0%} is promised"


def test_few_rows_are_not_judged() -> None:
    members = np.arange(ROWS) < MIN_ROWS - 1
    assert not find_weakened([Group("few", members)], np.zeros(ROWS, bool), members)
    all_rows = np.ones(ROWS, bool)
    assert not find_weakened([Group("all", all_rows)], np.zeros(ROWS, bool), all_rows)


def test_a_run_reports_the_group_with_its_rows() -> None:
    rng = np.random.default_rng(7)
    country = rng.choice([b"ch", b"de", b"at"], ROWS, p=[0.6, 0.3, 0.1])
    labels = (rng.random(ROWS) < 0.5).astype(np.int32)
    inputs = {"country": country[:, None]}
    validation = MappedSplit(inputs, {"country": country.dtype}, labels, None, [f"row-{i}" for i in range(ROWS)])
    given = NetworkInput(name="country", shape=(1,), dtype="string")
    column = ColumnSchema(name="country", kind=ColumnKind.STRING)
    subject = Subject(
        snapshot=Snapshot.model_construct(classes=("no", "yes"), roles=DataRoles(label="fraud")),
        kind=OutputKind(task=Task.BINARY, units=1, from_logits=False),
        reference=None,
        candidate=None,
        bound=(BoundInput(given, (column,)),),
        train=validation,
        validation=validation,
        alert_budget=0.5,
        seed=0,
    )
    reference = 0.1 + 0.8 * labels + 0.05 * rng.random(ROWS)
    swapped = (country == b"at") & (rng.random(ROWS) < 0.3)
    candidate = np.where(swapped, 1 - reference, reference)
    (flaw,) = look_for_weakened(subject, ScoredRows(np.arange(ROWS), labels, reference, candidate), Reporter())
    assert flaw.finding.kind is FindingKind.WEAKENED_GROUP
    assert flaw.finding.severity is Severity.HIGH
    assert flaw.finding.columns == ("country",)
    assert flaw.finding.affected_rows == len(flaw.row_ids)
    assert set(flaw.row_ids) <= {f"row-{row}" for row in np.flatnonzero(country == b"at")}

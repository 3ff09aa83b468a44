"""Which of several searches is the best."""

from __future__ import annotations

import pytest
from support import example_report

from darwin_core.contracts import Requirement, RequirementStatus, SearchRecord
from darwin_core.synthesis import best_search, chosen_of


def search(performance: float, *, drop: float = 0.001, promising: bool | None = True) -> SearchRecord:
    """A search whose choice performs like that and loses so much accuracy, where half a point is allowed."""
    record = example_report.table_report().search
    requirement = Requirement.parse("accuracy_drop<=0.005")
    status = RequirementStatus(requirement=requirement, value=drop, met=requirement.is_met(drop))
    chosen = chosen_of(record).model_copy(
        update={
            "performance": performance,
            "requirements": (status,),
            "feasible": status.met,
            "promising": promising and status.met,
        }
    )
    others = tuple(item for item in record.candidates if item.candidate_id != record.chosen)
    return record.model_copy(update={"candidates": (*others, chosen)})


def test_of_safe_ones_the_better_performing() -> None:
    assert best_search([search(3.0), search(5.0), search(4.0)]) == 1


def test_safe_beats_better_performing_that_is_within_noise() -> None:
    assert best_search([search(9.0, promising=False), search(2.0)]) == 1


def test_feasible_beats_better_performing_that_is_not() -> None:
    assert best_search([search(9.0, drop=0.1), search(2.0, promising=False)]) == 1


def test_where_none_is_feasible_the_nearest() -> None:
    assert best_search([search(9.0, drop=0.1), search(2.0, drop=0.006)]) == 1


def test_of_equals_the_first() -> None:
    assert best_search([search(2.0), search(2.0)]) == 0


@pytest.mark.parametrize("promising", [None, False])
def test_a_record_of_an_earlier_version_counts_as_within_noise(promising: bool | None) -> None:
    assert best_search([search(3.0, promising=promising), search(5.0, promising=promising)]) == 1

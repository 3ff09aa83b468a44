"""Rows by data and cost, and within the seconds there are."""

from __future__ import annotations

import pytest

from darwin_core.contracts import CandidateStage, NetworkCost, SearchBudget
from darwin_core.synthesis.effort import Clock, Effort, Outlook


def cost(macs: int) -> NetworkCost:
    return NetworkCost(parameters=1, macs=macs, weight_bytes=0, input_features=1)


def effort(clock: Clock | None = None, *, rows: int = 30_000, images: bool = True, **budget: int) -> Effort:
    return Effort(SearchBudget(**budget), rows, images=images, clock=clock or Clock(None))


def test_what_was_asked_for_is_done() -> None:
    found = effort(generation_samples=123, final_samples=456)
    assert found.race_samples(cost(10**9), 5) == 123
    assert found.finish_samples(cost(10**9), 1) == 456


def test_small_networks_see_more_rows_within_a_number_of_epochs() -> None:
    rows = [effort().race_samples(cost(macs), 1) for macs in (10**8, 10**7, 10**6)]
    assert rows == sorted(rows)
    assert rows[-1] == 4 * 30_000
    assert effort(rows=100).race_samples(cost(10), 1) == 40_000
    assert effort(rows=10**8).race_samples(cost(10), 1) == 2_000_000


def test_seconds_limit_rows_by_the_speed_that_was_seen() -> None:
    found = effort(Clock(100.0), generation_samples=10**9)
    found.observe(cost(10**6), 10_000, 10.0)
    assert found.race_samples(cost(10**6), 1) == pytest.approx(45_000, rel=0.01)
    assert found.race_samples(cost(10**6), 3) == pytest.approx(15_000, rel=0.01)
    assert found.race_samples(cost(10**7), 1) == pytest.approx(4_500, rel=0.01)


def test_seconds_of_killed_attempts_count() -> None:
    clock = Clock(100.0, used=90.0)
    assert clock.left() == pytest.approx(10.0, abs=0.5)
    assert clock.left(0.5) < 0
    assert Clock(None, used=90.0).left() == float("inf")


def test_races_end_when_their_share_of_the_seconds_is_used() -> None:
    found = effort(Clock(100.0, used=60.0))
    assert found.seconds_left(CandidateStage.RACED) < 0
    assert found.seconds_left(CandidateStage.FINISHED) == pytest.approx(40.0, abs=0.5)
    assert effort().seconds_left(CandidateStage.RACED) == float("inf")


def test_without_a_control_the_long_finish_has_its_seconds_and_hopes_for_more_speed() -> None:
    rows = []
    for control in (True, False):
        found = effort(Clock(100.0), final_samples=10**9, control=control)
        found.observe(cost(10**6), 10_000, 10.0)
        rows.append(found.finish_samples(cost(10**6), 1))
    assert rows == [pytest.approx(72_000, rel=0.01), pytest.approx(130_000, rel=0.01)]


def test_a_network_gets_some_rows_even_when_time_is_up() -> None:
    assert effort(Clock(1.0, used=50.0)).finish_samples(cost(10**8), 1) == 2_000


def test_too_few_seconds_cost_offspring_first_and_then_generations() -> None:
    def outlook(seconds: float | None) -> Outlook:
        found = effort(Clock(seconds), generation_samples=10_000, generations=3, offspring=3)
        found.observe(cost(10**6), 10_000, 10.0)
        return found.outlook(cost(10**6), 3)

    assert outlook(None) == outlook(1000.0) == Outlook(3, 3)
    assert outlook(150.0) == Outlook(3, 2)
    assert outlook(70.0) == Outlook(3, 1)
    assert outlook(50.0) == Outlook(2, 1)
    assert outlook(5.0) == Outlook(1, 1)


def test_long_finishes_teach_how_disadvantages_shrink() -> None:
    found = effort(generation_samples=1_000, final_samples=3_000)
    assert found.remaining_share(cost(10**6), 1_000) == pytest.approx(0.5)
    found.observe_finish(0.001, 0.0, 4.0)  # too little to tell
    assert found.remaining_share(cost(10**6), 1_000) == pytest.approx(0.5)
    found.observe_finish(0.04, 0.04 / 4**1.5, 4.0)
    assert found.remaining_share(cost(10**6), 1_000) == pytest.approx(1 / 4)
    found.observe_finish(0.04, 0.05, 4.0)
    assert found.remaining_share(cost(10**6), 1_000) == pytest.approx(4 ** -(2 / 3))


def test_given_time_a_finish_on_pictures_takes_longer() -> None:
    def finish(seconds: float | None, *, images: bool) -> int:
        found = effort(Clock(seconds), images=images, control=False)
        found.observe(cost(10**6), 10**6, 10.0)
        return found.finish_samples(cost(10**6), 1)

    usual = finish(None, images=True)
    assert usual == 16 * 30_000
    assert finish(1000.0, images=True) == 9 * usual
    assert finish(10.0, images=True) == pytest.approx(1_300_000, rel=0.01)
    assert finish(1000.0, images=False) == finish(None, images=False)

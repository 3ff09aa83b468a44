"""Sizes: down a ladder, then into the bracket, and to the ceiling in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darwin_core.synthesis.effort import Outlook
from darwin_core.synthesis.sizing import Bracket, SizeSchedule, bracket

FACTOR = 0.45
FIRST, SECOND, LAST = Outlook(3, 3), Outlook(2, 3), Outlook(1, 3)


def test_the_bracket_lies_between_the_smallest_good_and_the_next_bad() -> None:
    judged = [(1.0, True), (0.5, True), (0.2, True), (0.1, False), (0.05, False), (0.3, False)]
    assert bracket(judged) == Bracket(good=0.2, bad=0.1)
    assert bracket([(1.0, True)]) == Bracket(good=1.0, bad=None)


def test_without_a_failure_the_ladder_goes_down_from_the_smallest() -> None:
    assert SizeSchedule(FACTOR, 1.0).sizes(Bracket(1.0, None), FIRST) == pytest.approx((0.1, 0.01, 0.001))
    assert SizeSchedule(0.7, 1.0).sizes(Bracket(1.0, None), Outlook(2, 2)) == pytest.approx((0.343, 0.343**2))


def test_a_bracket_is_filled_evenly_and_closed_when_its_ends_meet() -> None:
    schedule = SizeSchedule(FACTOR, 1.0)
    sizes = schedule.sizes(Bracket(0.16, 0.01), SECOND)
    assert sizes == pytest.approx((0.08, 0.04, 0.02))
    assert schedule.sizes(Bracket(0.10, 0.09), SECOND) == ()


def test_a_ceiling_is_reached_before_the_last_generation() -> None:
    schedule = SizeSchedule(FACTOR, 1e-9)
    assert schedule.sizes(Bracket(1.0, None), FIRST)[-1] == pytest.approx(1e-9 ** (1 / 2))
    assert schedule.sizes(Bracket(1e-9 ** (1 / 2), None), SECOND)[-1] == pytest.approx(1e-9)
    assert SizeSchedule(FACTOR, 0.2).sizes(Bracket(1.0, None), LAST) == (0.2,) * 3


def test_where_quality_is_lost_above_the_ceiling_every_offspring_goes_to_the_ceiling() -> None:
    assert SizeSchedule(FACTOR, 0.01).sizes(Bracket(0.5, 0.1), SECOND) == (0.01,) * 3


def test_once_the_ceiling_is_kept_it_goes_on_down() -> None:
    sizes = SizeSchedule(FACTOR, 0.2).sizes(Bracket(0.1, None), SECOND)
    assert max(sizes) < 0.1


@given(
    good=st.floats(1e-4, 1.0),
    share=st.floats(0.01, 0.87),
    ceiling=st.floats(1e-5, 1.0),
    generations=st.integers(1, 3),
    failed=st.booleans(),
)
def test_sizes_are_always_new_positive_and_as_many_as_asked_for(
    good: float, share: float, ceiling: float, generations: int, failed: bool
) -> None:
    found = Bracket(good, good * share if failed else None)
    sizes = SizeSchedule(FACTOR, ceiling).sizes(found, Outlook(generations, 3))
    assert len(sizes) == 3
    assert all(0 < size < good for size in sizes)

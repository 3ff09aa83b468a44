"""The ledger: append-only, in order, countable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from support.stores import Place

from darwin_core.contracts import HistoryAction, HistoryEntry
from darwin_core.registry import append_history, append_once, holdout_looks, read_history

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def entry(minute: float, action: HistoryAction = HistoryAction.PUBLISH, **fields: str) -> HistoryEntry:
    """An entry that many minutes into the night."""
    values = {"run_id": "night-1", "subject": "1-aaaaaaaaaaaa", "detail": "as told"} | fields
    return HistoryEntry(action=action, at=START + timedelta(minutes=minute), **values)


def test_entries_come_back_in_the_order_of_their_times(place: Place) -> None:
    assert read_history(place.store, place.prefix) == []
    entries = [entry(minute, detail=str(minute)) for minute in (0, 0.0001, 1, 59, 61, 60 * 24 * 40)]
    for one in reversed(entries):
        append_history(place.store, place.prefix, one)
    assert read_history(place.store, place.prefix) == entries


def test_times_of_other_zones_are_ordered_too(place: Place) -> None:
    east = entry(0).model_copy(update={"at": datetime(2026, 11, 22, 4, 30, tzinfo=timezone(timedelta(hours=2)))})
    append_history(place.store, place.prefix, east)
    append_history(place.store, place.prefix, entry(31, detail="later"))
    append_history(place.store, place.prefix, entry(29, detail="earlier"))
    assert [one.detail for one in read_history(place.store, place.prefix)] == ["earlier", "as told", "later"]


def test_the_same_entry_is_one_entry(place: Place) -> None:
    first = append_history(place.store, place.prefix, entry(0))
    assert append_history(place.store, place.prefix, entry(0)) == first
    append_history(place.store, place.prefix, entry(0, detail="something else at the same moment"))
    assert len(read_history(place.store, place.prefix)) == 2


def test_a_run_records_an_action_on_a_subject_once(place: Place) -> None:
    append_once(place.store, place.prefix, entry(0))
    append_once(place.store, place.prefix, entry(5, detail="the same run, killed and back"))
    append_once(place.store, place.prefix, entry(6, run_id="night-2"))
    append_once(place.store, place.prefix, entry(7, HistoryAction.REJECT))
    found = [(one.run_id, one.action) for one in read_history(place.store, place.prefix)]
    assert found == [
        ("night-1", HistoryAction.PUBLISH),
        ("night-2", HistoryAction.PUBLISH),
        ("night-1", HistoryAction.REJECT),
    ]


def test_looks_are_counted_per_holdout(place: Place) -> None:
    # Both begin alike, so that their names in the store do too.
    first, second = "ab" * 32, "ab" * 31 + "cd"
    assert holdout_looks(place.store, place.prefix, first) == 0
    for minute in range(3):
        append_history(place.store, place.prefix, entry(minute, HistoryAction.HOLDOUT_LOOK, subject=first))
    append_history(place.store, place.prefix, entry(9, HistoryAction.HOLDOUT_LOOK, subject=second))
    append_history(place.store, place.prefix, entry(9, HistoryAction.REJECT, subject=first))
    assert holdout_looks(place.store, place.prefix, first) == 3
    assert holdout_looks(place.store, place.prefix, second) == 1

"""The journal survives a kill at any byte."""

from __future__ import annotations

from pathlib import Path

from darwin_core.synthesis.journal import Journal

ENTRIES = {"g1n1-1": {"size": 0.5, "seconds": 2.0}, "g1n1-1/plan": {"samples": 100}, "g1n2-1": {"seconds": 3.0}}


def write(path: Path) -> bytes:
    journal = Journal(path)
    for key, entry in ENTRIES.items():
        journal.append(key, entry)
    return path.read_bytes()


def test_a_reopened_journal_knows_everything(tmp_path: Path) -> None:
    write(tmp_path / "j.jsonl")
    journal = Journal(tmp_path / "j.jsonl")
    assert {key: journal.get(key) for key in ENTRIES} == ENTRIES
    assert journal.get("g9n9-1") is None
    assert journal.total("seconds") == 5.0


def test_a_kill_at_any_byte_loses_at_most_the_line_being_written(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl")
    keys = list(ENTRIES)
    for length in range(len(whole) + 1):
        path = tmp_path / "torn.jsonl"
        path.write_bytes(whole[:length])
        journal = Journal(path)
        complete = whole[:length].count(b"\n")
        assert [key for key in keys if journal.get(key) is not None] == keys[:complete]
        journal.append("next", {"seconds": 1.0})
        assert len(Journal(path)) == complete + 1


def test_bytes_that_are_no_entry_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"key": "a", "entry": {"x": 1}}\n[1, 2]\n{"key": "b", "entry": {}}\n')
    assert len(Journal(path)) == 1
    assert path.read_bytes().count(b"\n") == 1

"""The journal: what a search has already done, so that a killed search goes on and ends in the same result.

One JSON object per line, appended and flushed to disk only after the files it speaks of are complete. A line torn by a
kill is cut off when the journal is opened again. Work is looked up by key, so the order of the lines is of no meaning.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """An append-only record of finished work.

    Args:
        path: The file; made where there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Entry] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._load()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        """What was recorded under ``key``; None where the work is still to be done."""
        return self._entries.get(key)

    def append(self, key: str, entry: Entry) -> None:
        """Record finished work; it survives a kill from the moment this returns."""
        line = json.dumps({"key": key, "entry": entry}, sort_keys=True) + "\n"
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(line)
            handle.flush()
            os.fsync(handle.fileno())
        self._entries[key] = entry

    def total(self, field: str) -> float:
        """Sum of a number over all entries that have it, e.g. the seconds spent so far."""
        return float(sum(entry.get(field, 0.0) for entry in self._entries.values()))

    def _load(self) -> None:
        data = self._path.read_bytes()
        whole = 0
        for line in data.splitlines(keepends=True):
            parsed = _parse(line)
            if parsed is None:
                break
            self._entries[parsed[0]] = parsed[1]
            whole += len(line)
        if whole < len(data):
            with self._path.open("r+b") as handle:
                handle.truncate(whole)


def _parse(line: bytes) -> tuple[str, Entry] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        content = json.loads(line)
        return str(content["key"]), dict(content["entry"])
    except (ValueError, KeyError, TypeError):
        return None

"""The teacher's outputs are computed once, survive a kill in the middle, and never mix up what they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from support.learning import as_split

from darwin_core.progress import Reporter
from darwin_core.training import TeacherCache, WarpView

ROWS = 2_500


def split():
    values = np.arange(ROWS, dtype=np.float32)[:, None]
    return as_split({"x": values}, np.zeros(ROWS, np.int32))


class Teacher:
    """Doubles its input; may die after some calls, as a killed process would."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.rows: list[int] = []
        self._dies_after = dies_after

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        if self._dies_after is not None and len(self.rows) >= self._dies_after:
            raise KeyboardInterrupt
        self.rows.append(len(inputs["x"]))
        return 2 * inputs["x"]


def cache(root: Path, teacher: Teacher, reference: str = "r") -> TeacherCache:
    return TeacherCache(root, reference, teacher, Reporter())


def test_outputs_are_computed_once_and_shared_by_later_runs(tmp_path: Path) -> None:
    first, second = Teacher(), Teacher()
    outputs = cache(tmp_path, first).outputs(split(), "d")
    np.testing.assert_array_equal(outputs[:, 0], 2 * np.arange(ROWS))
    again = cache(tmp_path, second).outputs(split(), "d")
    np.testing.assert_array_equal(again, outputs)
    assert sum(first.rows) == ROWS
    assert second.rows == []


def test_a_killed_fill_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path, Teacher(dies_after=2)).outputs(split(), "d")
    survivor = Teacher()
    outputs = cache(tmp_path, survivor).outputs(split(), "d")
    np.testing.assert_array_equal(outputs[:, 0], 2 * np.arange(ROWS))
    assert 0 < sum(survivor.rows) < ROWS
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".lock", ".npy"]


def test_other_contents_have_other_outputs(tmp_path: Path) -> None:
    teacher = Teacher()
    cache(tmp_path, teacher).outputs(split(), "d")
    for other in (
        lambda: cache(tmp_path, teacher).outputs(split(), "other data"),
        lambda: cache(tmp_path, teacher, "other reference").outputs(split(), "d"),
        lambda: cache(tmp_path, teacher).outputs(split(), "d", WarpView(0)),
    ):
        before = sum(teacher.rows)
        other()
        assert sum(teacher.rows) == before + ROWS


def test_the_cache_cannot_be_written_to(tmp_path: Path) -> None:
    outputs = cache(tmp_path, Teacher()).outputs(split(), "d")
    with pytest.raises(ValueError, match="read-only"):
        outputs[0] = 1.0

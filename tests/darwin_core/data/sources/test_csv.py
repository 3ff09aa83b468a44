import datetime
import gzip
from pathlib import Path

import pytest
from support.data import opened, rows_of

from darwin_core.contracts import ColumnKind
from darwin_core.data.columns import column_schema
from darwin_core.data.sources import align
from darwin_core.data.sources import csv as csv_module
from darwin_core.errors import DataError


def write(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def kinds(path: Path) -> dict[str, ColumnKind]:
    return {name: column_schema(field).kind for name, field in align(opened(path)).items()}


def test_kinds_are_learned_from_all_values(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "whole,real,flag,day,code,text,gap,nothing\n"
        "1,1,true,2020-01-02,007,x,NA,\n"
        "-2,2.5,FALSE,2020-01-02 03:04:05,12,NA,3,\n",
    )
    assert kinds(path) == {
        "whole": ColumnKind.INTEGER,
        "real": ColumnKind.NUMBER,
        "flag": ColumnKind.BOOLEAN,
        "day": ColumnKind.TIME,
        "code": ColumnKind.STRING,
        "text": ColumnKind.STRING,
        "gap": ColumnKind.INTEGER,
        "nothing": ColumnKind.NUMBER,
    }
    first, second = rows_of(opened(path))
    assert first == {
        "whole": 1,
        "real": 1.0,
        "flag": True,
        "day": datetime.datetime(2020, 1, 2),
        "code": "007",
        "text": "x",
        "gap": None,
        "nothing": None,
    }
    assert second["text"] == "NA"  # a word like any other in a text column
    assert second["gap"] == 3


@pytest.mark.parametrize(
    ("head", "tail", "expected"),
    [
        ("1", "2.5", ColumnKind.NUMBER),
        ("1", "x", ColumnKind.STRING),
        ("true", "1", ColumnKind.STRING),
        ("2020-01-01", "soon", ColumnKind.STRING),
        ("2.5", "2020-01-01", ColumnKind.STRING),
    ],
)
def test_a_surprise_far_down_widens_the_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, tail: str, expected: ColumnKind
) -> None:
    monkeypatch.setattr(csv_module, "_BLOCK_BYTES", 1024)
    path = write(tmp_path, "a,b\n" + f"{head},1\n" * 2000 + f"{tail},1\n")
    assert kinds(path)["a"] is expected
    assert len(rows_of(opened(path))) == 2001


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path, f"a{delimiter}b\n1{delimiter}2\n")
    assert rows_of(opened(path)) == [{"a": 1, "b": 2}]


def test_quoted_fields_may_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\n"x,\ny",1\n')
    assert rows_of(opened(path)) == [{"a": "x,\ny", "b": 1}]


def test_compressed_files_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress("\ufeffa,b\n1,2\n".encode()))
    assert rows_of(opened(path)) == [{"a": 1, "b": 2}]


def test_times_with_a_zone_become_utc(tmp_path: Path) -> None:
    path = write(tmp_path, "at\n2020-01-01T12:00:00+02:00\n2020-01-01T12:00:00Z\n")
    assert [row["at"].hour for row in rows_of(opened(path))] == [10, 12]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["rows.csv", "empty (0 bytes)"]),
        (b"a,b\n1,2\n3\n", ["rows.csv", "Row #3", "Expected 2 columns, got 1"]),
        (b"a,b\n1,2,3\n", ["rows.csv", "Row #2", "Expected 2 columns, got 3"]),
        (b"a,b\n1,\xe9\xe8\n", ["rows.csv", "UTF"]),
        (b"a,a\n1,2\n", ["rows.csv", "more than one column 'a'"]),
    ],
)
def test_damaged_files_are_refused_with_the_row(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        rows_of(opened(path))
    for word in words:
        assert word in str(caught.value)

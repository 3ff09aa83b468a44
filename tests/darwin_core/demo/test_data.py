from pathlib import Path

import pyarrow.parquet as pq
import pytest

from darwin_core.demo.data import (
    LABEL,
    NEW_ROWS_PER_NIGHT,
    ROW_ID,
    VALIDATION_SHARE,
    WINDOW_ROWS,
    readable_table,
    write_demo_data,
)
from darwin_core.errors import RequestError


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = [tmp_path_factory.mktemp(f"night-{night}") for night in (1, 2)]
    for night, folder in enumerate(folders, 1):
        write_demo_data(folder, night=night)
    return folders


def ids(folder: Path, part: str) -> set[int]:
    return set(pq.read_table(folder / f"{part}.parquet", columns=[ROW_ID])[ROW_ID].to_pylist())


def test_the_packaged_table_is_the_known_one() -> None:
    table = readable_table()
    assert table.num_rows == 30_000
    assert sum(table[LABEL].to_pylist()) == 6_636
    words = {name: set(table[name].to_pylist()) for name in ("SEX", "EDUCATION", "MARRIAGE")}
    assert words == {
        "SEX": {"male", "female"},
        "EDUCATION": {"graduate school", "university", "high school", "other", "unknown"},
        "MARRIAGE": {"married", "single", "other", "unknown"},
    }
    assert table["EDUCATION"].to_pylist().count("unknown") == 14 + 280 + 51
    assert table["AGE"].null_count == 2


def test_test_rows_are_a_stratified_quarter_and_the_same_every_night(nights: list[Path]) -> None:
    first, second = (pq.read_table(folder / "test.parquet") for folder in nights)
    assert first.equals(second)
    assert first.num_rows == 7_500
    assert sum(first[LABEL].to_pylist()) == 6_636 // 4


def test_no_customer_is_in_two_parts(nights: list[Path]) -> None:
    for folder in nights:
        train, validation, test = (ids(folder, part) for part in ("train", "validation", "test"))
        assert not train & test
        assert not train & validation
        assert not validation & test
        assert len(train | validation) == WINDOW_ROWS
        assert len(validation) == pytest.approx(VALIDATION_SHARE * WINDOW_ROWS, rel=0.02)


def test_nobody_changes_sides_overnight(nights: list[Path]) -> None:
    first, second = ({part: ids(folder, part) for part in ("train", "validation")} for folder in nights)
    assert not first["train"] & second["validation"]
    assert not first["validation"] & second["train"]


def test_new_customers_arrive_and_the_oldest_leave(nights: list[Path]) -> None:
    first, second = (ids(folder, "train") | ids(folder, "validation") for folder in nights)
    assert len(second - first) == len(first - second) == NEW_ROWS_PER_NIGHT
    assert max(first - second) < min(first & second)
    assert min(second - first) > max(first & second)


def test_any_night_has_data_and_writing_again_gives_the_same_bytes(tmp_path: Path, nights: list[Path]) -> None:
    write_demo_data(tmp_path, night=50)
    assert len(ids(tmp_path, "train") | ids(tmp_path, "validation")) == WINDOW_ROWS
    again = write_demo_data(tmp_path, night=2)
    assert again.train.read_bytes() == (nights[1] / "train.parquet").read_bytes()


def test_nights_count_from_one(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="at least 1"):
        write_demo_data(tmp_path, night=0)
    assert not list(tmp_path.iterdir())

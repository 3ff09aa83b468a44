"""Which files below a prefix are data, however the prefix is spelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from darwin_core.contracts import DataSource
from darwin_core.data.downloads import find_files
from darwin_core.errors import DataError
from darwin_core.storage import open_store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data in a folder below a hidden one, which is the working folder."""
    for name in ("day=1/a.parquet", "b.parquet", "_SUCCESS", ".ipynb_checkpoints/b.parquet", "_temporary/0/a.parquet"):
        path = tmp_path / ".cache" / "my data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path / ".cache")
    return tmp_path / ".cache" / "my data"


@pytest.mark.parametrize(
    "spelt", ["{path}", "{path}/", "{parent}//my data", "{uri}", "{uri}/", "my data", "./my data/"]
)
def test_hidden_folders_are_left_out_below_the_prefix_only(folder: Path, spelt: str) -> None:
    uri = spelt.format(path=folder, parent=folder.parent, uri=folder.as_uri())
    found = find_files(DataSource.parse(uri), open_store(uri))
    assert [Path(each.uri).name for each in found] == ["b.parquet", "a.parquet"]


def test_a_hidden_file_that_is_named_is_read(folder: Path) -> None:
    uri = str(folder / ".ipynb_checkpoints" / "b.parquet")
    assert [each.uri for each in find_files(DataSource.parse(uri), open_store(uri))] == [uri]


def test_markers_alone_are_no_data(folder: Path) -> None:
    uri = str(folder / ".ipynb_checkpoints")
    (folder / ".ipynb_checkpoints" / "b.parquet").rename(folder / ".ipynb_checkpoints" / "_SUCCESS")
    with pytest.raises(DataError, match="No data lies at"):
        find_files(DataSource.parse(uri), open_store(uri))

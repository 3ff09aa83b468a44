"""Which reader opens a file: by the name's ending, else by the first bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from darwin_core.contracts import DataFormat, DataSource
from darwin_core.data.sources.base import FileReader, LocalFile
from darwin_core.data.sources.csv import CsvReader
from darwin_core.data.sources.npz import NpzReader
from darwin_core.data.sources.parquet import ParquetReader
from darwin_core.data.sources.rows import RowSource
from darwin_core.data.sources.tfrecord import TfrecordReader
from darwin_core.errors import DataError

_ENDINGS = {
    ".parquet": DataFormat.PARQUET,
    ".pq": DataFormat.PARQUET,
    ".csv": DataFormat.CSV,
    ".tsv": DataFormat.CSV,
    ".tfrecord": DataFormat.TFRECORD,
    ".tfrecords": DataFormat.TFRECORD,
    ".npz": DataFormat.NPZ,
}
_COMPRESSIONS = (".gz", ".bz2", ".zst", ".lz4")


def is_data_file(*parts: str) -> bool:
    """Whether what lies below a prefix, in these folders and of this name, is meant as data.

    Markers and hidden files (``_SUCCESS``, ``.crc``) are not, nor is what lies in folders of such names
    (``.ipynb_checkpoints``, ``_delta_log``).
    """
    return not any(part.startswith(("_", ".")) for part in parts)


def open_source(source: DataSource, files: Sequence[LocalFile]) -> RowSource:
    """Open all files of a source for streaming.

    Args:
        source: What was asked for.
        files: Its files as downloaded.

    Raises:
        DataError: There is no file, or a file is empty, damaged or of an unknown format.
    """
    if not files:
        raise DataError(f"Nothing lies at {source.uri}.", hint="Check the URI; a prefix needs at least one file.")
    return RowSource(source, [_open(file, source.format) for file in sorted(files, key=lambda file: file.name)])


def _open(file: LocalFile, wanted: DataFormat) -> FileReader:
    if file.path.stat().st_size == 0:
        raise DataError(f"{file.name} is empty (0 bytes).", hint="Write or copy the file again, or leave it out.")
    found = wanted if wanted is not DataFormat.AUTO else _detect(file)
    readers: dict[DataFormat, type[FileReader]] = {
        DataFormat.PARQUET: ParquetReader,
        DataFormat.CSV: CsvReader,
        DataFormat.TFRECORD: TfrecordReader,
        DataFormat.NPZ: NpzReader,
    }
    return readers[found](file)  # type: ignore[call-arg]


def _detect(file: LocalFile) -> DataFormat:
    suffixes = [suffix.lower() for suffix in Path(file.name).suffixes]
    while suffixes and suffixes[-1] in _COMPRESSIONS:
        suffixes.pop()
    if suffixes and suffixes[-1] in _ENDINGS:
        return _ENDINGS[suffixes[-1]]
    return _by_content(file)


def _by_content(file: LocalFile) -> DataFormat:
    with file.path.open("rb") as stream:
        head = stream.read(4096)
    if head.startswith(b"PAR1"):
        return DataFormat.PARQUET
    if head.startswith(b"PK\x03\x04"):
        return DataFormat.NPZ
    record_bytes = int.from_bytes(head[:8], "little")
    if len(head) > 16 and 0 < record_bytes <= file.path.stat().st_size - 16:
        return DataFormat.TFRECORD
    if b"\x00" not in head and any(delimiter in head.split(b"\n", 1)[0] for delimiter in (b",", b";", b"\t", b"|")):
        return DataFormat.CSV
    raise DataError(
        f"{file.name} is neither Parquet, CSV, TFRecord nor NPZ, by its name or its first bytes.",
        hint="Say which it is (`format`), or keep other files out of the prefix.",
    )

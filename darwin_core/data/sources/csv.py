"""CSV files: every column is read as text once to learn its kind, so that no late surprise breaks the second read.

Kinds, tried in this order: boolean (true, false), integer, number, time (ISO 8601), text. Numbers with leading zeros
are text, because they are codes. In columns that are not text, NA, N/A, NaN, null and None stand for a missing value;
in text columns only the empty field does.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from darwin_core.contracts import ColumnKind
from darwin_core.data.columns import SCALAR_TYPES
from darwin_core.data.sources.base import LocalFile
from darwin_core.errors import DataError

_MISSING = ("", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None")
_ORDER = (ColumnKind.BOOLEAN, ColumnKind.INTEGER, ColumnKind.NUMBER, ColumnKind.TIME, ColumnKind.STRING)
_BLOCK_BYTES = 4 << 20
_DELIMITERS = ",;\t|"


class CsvReader:
    """One CSV file with a header line; comma, semicolon, tab or bar, plain or compressed."""

    def __init__(self, file: LocalFile) -> None:
        self.name = file.name
        self._path = file.path
        self._delimiter, header = _header(file)
        self._columns = header
        self.unusable: dict[str, str] = {}
        self.rows: int | None = 0
        ranks = dict.fromkeys(header, -1)
        for batch in self._text_batches(header):
            self.rows += batch.num_rows
            for name in header:
                ranks[name] = _widen(batch[name], ranks[name])
        self.fields = {
            name: pa.field(name, pa.null() if rank < 0 else SCALAR_TYPES[_ORDER[rank]]) for name, rank in ranks.items()
        }

    def read(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The named columns of all rows, converted to ``target``."""
        for batch in self._text_batches(target.names):
            columns = [_from_text(batch[field.name], field.type) for field in target]
            yield pa.RecordBatch.from_arrays(columns, schema=target)

    def _text_batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            with pa.input_stream(self._path, compression="detect") as stream:
                yield from pacsv.open_csv(
                    stream,
                    read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                    parse_options=pacsv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
                    convert_options=pacsv.ConvertOptions(
                        column_types=dict.fromkeys(self._columns, pa.string()),
                        include_columns=columns,
                        strings_can_be_null=False,
                    ),
                )
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(
                f"{self.name} cannot be read as CSV: {error}",
                hint="Every line needs as many fields as the header, in UTF-8; quote fields that hold the delimiter.",
            ) from None


def _header(file: LocalFile) -> tuple[str, list[str]]:
    line = _first_line(file.path, file.name)
    delimiter = max(_DELIMITERS, key=line.count)
    try:
        with pa.input_stream(file.path, compression="detect") as stream:
            options = pacsv.ReadOptions(block_size=max(_BLOCK_BYTES, len(line) * 4), use_threads=False)
            parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
            names: list[str] = pacsv.open_csv(stream, read_options=options, parse_options=parse).schema.names
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{file.name} cannot be read as CSV: {error}",
            hint="Every line needs as many fields as the header, in UTF-8; quote fields that hold the delimiter.",
        ) from None
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError(f"{file.name} has more than one column {repeated[0]!r}.", hint="Give columns unique names.")
    return delimiter, names


def _first_line(path: Path, name: str) -> str:
    try:
        with pa.input_stream(path, compression="detect") as stream:
            return io.BufferedReader(stream).readline().decode("utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{name} is no UTF-8 text: {error}.", hint="Save the file as UTF-8.") from None


def _widen(column: pa.Array, rank: int) -> int:
    """The first kind, from ``rank`` on, that holds all values of the batch; unchanged where all are missing."""
    if rank == len(_ORDER) - 1:
        return rank
    values = _present(column)
    if not len(values):
        return rank
    for candidate in range(max(rank, 0), len(_ORDER)):
        if _holds(values, _ORDER[candidate]):
            return candidate
        if rank in (0, 3):
            # Booleans and times share no values with the kinds behind them.
            return len(_ORDER) - 1
    return len(_ORDER) - 1


def _holds(values: pa.Array, kind: ColumnKind) -> bool:
    if kind is ColumnKind.STRING:
        return True
    if kind is ColumnKind.BOOLEAN:
        return bool(pc.all(pc.is_in(pc.utf8_lower(values), value_set=pa.array(["true", "false"]))).as_py())
    if (
        kind in (ColumnKind.INTEGER, ColumnKind.NUMBER)
        and pc.any(pc.match_substring_regex(values, r"^[+-]?0\d")).as_py()
    ):
        return False
    try:
        _parse(values, SCALAR_TYPES[kind])
    except pa.ArrowInvalid:
        return False
    return True


def _present(column: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(column)
    return trimmed.filter(pc.invert(pc.is_in(trimmed, value_set=pa.array(_MISSING))))


def _from_text(column: pa.Array, data_type: pa.DataType) -> pa.Array:
    if pa.types.is_string(data_type):
        return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    trimmed = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(trimmed, value_set=pa.array(_MISSING))
    return _parse(pc.if_else(missing, pa.scalar(None, pa.string()), trimmed), data_type)


def _parse(values: pa.Array, data_type: pa.DataType) -> pa.Array:
    if not pa.types.is_timestamp(data_type):
        return values.cast(data_type)
    try:
        return values.cast(data_type)
    except pa.ArrowInvalid:
        # Times with a zone are read as UTC.
        return values.cast(pa.timestamp("us", tz="UTC")).cast(data_type)

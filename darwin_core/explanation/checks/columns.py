"""Columns as the checks see them: numbers as float64 with NaN for missing, text as codes with -1 for missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from darwin_core.contracts import ColumnKind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_MICROSECONDS = 1e6
_TEXT_KINDS = frozenset({ColumnKind.STRING, ColumnKind.IMAGE, ColumnKind.TENSOR})


@dataclass(frozen=True)
class Column:
    """Values of one column.

    Attributes:
        name: The column's name in the data.
        kind: What it holds. Times are kept as seconds, booleans as 0 and 1.
        numbers: (rows,) values, NaN where missing; empty for text.
        codes: (rows,) positions in ``categories``, -1 where missing; empty for numbers.
        categories: The text values.
    """

    name: str
    kind: ColumnKind
    numbers: Floats
    codes: Ints
    categories: tuple[str, ...] = ()

    @classmethod
    def of_numbers(cls, name: str, values: Floats, kind: ColumnKind = ColumnKind.NUMBER) -> Column:
        """A column of numbers; NaN is missing."""
        return cls(name, kind, np.asarray(values, np.float64), np.empty(0, np.int64))

    @classmethod
    def from_arrow(cls, name: str, kind: ColumnKind, values: pa.ChunkedArray | pa.Array) -> Column:
        """Read an Arrow column. Whatever is neither number, boolean nor time is compared as text."""
        array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
            micros = _to_float(array.cast(pa.timestamp("us")).cast(pa.int64()))
            return cls.of_numbers(name, micros / _MICROSECONDS, ColumnKind.TIME)
        if pa.types.is_boolean(array.type):
            return cls.of_numbers(name, _to_float(array.cast(pa.int8())), ColumnKind.BOOLEAN)
        if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
            return cls.of_numbers(name, _to_float(array), kind)
        encoded = array if pa.types.is_dictionary(array.type) else _as_text(array).dictionary_encode()
        codes = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        categories = tuple(str(value) for value in encoded.dictionary.to_pylist())
        return cls(name, kind, np.empty(0), np.asarray(codes, np.int64), categories)

    @property
    def is_text(self) -> bool:
        """Whether values are categories and not numbers."""
        return self.numbers.size == 0 and (self.codes.size > 0 or self.kind in _TEXT_KINDS)

    @property
    def rows(self) -> int:
        """Number of values, missing ones included."""
        return int(self.codes.size if self.is_text else self.numbers.size)

    @cached_property
    def missing(self) -> Bools:
        """(rows,) True where there is no value."""
        return np.asarray(self.codes < 0 if self.is_text else np.isnan(self.numbers))

    @cached_property
    def identity(self) -> Ints:
        """(rows,) equal integers where values are equal; missing equals missing."""
        if self.is_text:
            return self.codes
        return np.unique(self.numbers, return_inverse=True, equal_nan=True)[1].astype(np.int64)

    @cached_property
    def value_counts(self) -> Ints:
        """Rows per different value, missing counted as one more value."""
        counts = np.bincount(self.identity - self.identity.min()) if self.rows else np.empty(0, np.int64)
        return counts[counts > 0].astype(np.int64)

    @property
    def texts(self) -> NDArray[np.object_]:
        """(rows,) text values, None where missing; for text columns."""
        table = np.array([*self.categories, None], dtype=object)
        return np.asarray(table[self.codes])

    def shown(self, row: int) -> str:
        """The value of one row as text."""
        if self.missing[row]:
            return "missing"
        return self.categories[self.codes[row]] if self.is_text else show_number(self.numbers[row])


def same_values(first: Column, second: Column) -> bool:
    """Whether two columns hold the same value in every row; missing equals missing."""
    if first.is_text != second.is_text:
        return False
    if not first.is_text:
        return bool(np.array_equal(first.numbers, second.numbers, equal_nan=True))
    return bool(np.array_equal(first.texts, second.texts))


def show_number(value: float) -> str:
    """A number with at most six significant digits, and no exponent where people would not write one."""
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"


def _as_text(array: pa.Array) -> pa.Array:
    kinds = pa.types
    if kinds.is_string(array.type) or kinds.is_binary(array.type) or kinds.is_large_string(array.type):
        return array
    if kinds.is_large_binary(array.type) or kinds.is_fixed_size_binary(array.type):
        return array
    return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())


def _to_float(array: pa.Array) -> Floats:
    return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)

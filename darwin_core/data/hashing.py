"""64-bit hashes of row contents: equal rows have equal hashes, wherever they come from and in whatever column order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from darwin_core.data.columns import is_bytes, is_text
from darwin_core.data.permutation import mix64

Hashes = npt.NDArray[np.uint64]

_MISSING = np.uint64(0x6D697373696E6721)


def hash_bytes(data: bytes) -> int:
    """The first 64 bits of BLAKE2b."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def hash_column(column: pa.Array) -> Hashes:
    """One hash per value of a scalar column. Integers, numbers and booleans of equal value hash alike within a type."""
    if is_text(column.type) or is_bytes(column.type):
        return _hash_distinct(column)
    if pa.types.is_floating(column.type):
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0  # -0.0 becomes 0.0
        bits = values.view(np.uint64)
        return np.where(np.isnan(values), _MISSING, mix64(bits))
    missing = column.is_null().to_numpy(zero_copy_only=False)
    whole = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return np.where(missing, _MISSING, mix64(whole.view(np.uint64)))


def hash_arrays(rows: npt.NDArray[Any]) -> Hashes:
    """One hash per row of an array with the row axis first: over its decoded values, not over its encoding."""
    return np.fromiter((hash_bytes(np.ascontiguousarray(row).tobytes()) for row in rows), np.uint64, len(rows))


def hash_rows(columns: Mapping[str, Hashes], rows: int) -> Hashes:
    """One hash per row over named columns; the order of the columns does not matter."""
    return mix64(row_sums(columns, rows))


def row_sums(columns: Mapping[str, Hashes], rows: int) -> Hashes:
    """What a row's hash is made of: sums of several sets of columns add up to the sum of all of them."""
    total = np.zeros(rows, np.uint64)
    with np.errstate(over="ignore"):
        for name, hashes in columns.items():
            total += mix64(hashes ^ np.uint64(hash_bytes(name.encode())))
    return total


def hex_text(hashes: Iterable[Any]) -> list[str]:
    """Hashes as 16 hexadecimal digits."""
    return [f"{int(value):016x}" for value in hashes]


def _hash_distinct(column: pa.Array) -> Hashes:
    encoded = column.dictionary_encode()
    distinct = [_MISSING, *(np.uint64(hash_bytes(_as_bytes(value))) for value in encoded.dictionary.to_pylist())]
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(np.array(distinct, np.uint64)[codes + 1])


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value

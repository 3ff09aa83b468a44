"""What every reader offers: the fields of one file, and its rows batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True)
class LocalFile:
    """A source file on this machine; ``name`` is what messages call it."""

    path: Path
    name: str


class FileReader(Protocol):
    """One opened file."""

    @property
    def name(self) -> str:
        """What messages call the file."""
        ...

    @property
    def fields(self) -> Mapping[str, pa.Field]:
        """Columns in their canonical types, in the file's order; ``null`` where every value is missing."""
        ...

    @property
    def unusable(self) -> Mapping[str, str]:
        """Columns that cannot be read, with the reason."""
        ...

    @property
    def rows(self) -> int | None:
        """How many rows, where that is known beforehand."""
        ...

    def read(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The named columns of all rows, converted to ``target``, in batches of bounded size.

        Raises:
            DataError: The file is damaged or a value does not fit; file, row and column are named.
        """
        ...

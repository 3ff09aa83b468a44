"""Sketches of rows: fingerprints that stay alike where rows are nearly copies, and say little else of a row.

A picture's sketch is its coarse look, free of brightness and contrast, thrown on 64 fixed random directions: distances
between sketches are distances between looks, and three colours of 8 x 8 cells do not come back from 64 numbers.
Source: Johnson, Lindenstrauss (1984), with the signs of Achlioptas, Journal of Computer and System Sciences 66 (2003).

A table row's sketch is one hash per group of columns, over all columns outside the group. Two rows share a hash only
where they agree everywhere else, so a sketch tells nothing to whoever does not have nearly the same row already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import ColumnKind, ColumnSchema
from darwin_core.data.columns import is_text
from darwin_core.data.hashing import Hashes, hash_column, row_sums
from darwin_core.data.permutation import mix64

Floats = npt.NDArray[np.float64]

PICTURE_NUMBERS = 64
COLUMN_GROUPS = 16
SCALE = 256.0
"""Sketches of pictures are stored in steps of 1/256: 64 numbers of a unit vector stay well within one byte each."""

_CELLS = 8
_SEED = 0x5EED
_BLANK = 1e-3
_ROUNDED = frozenset({ColumnKind.NUMBER, ColumnKind.INTEGER})


def has_pictures(kinds: Sequence[ColumnKind]) -> bool:
    """Whether rows are sketched by their pictures; columns beside pictures are then left out."""
    return ColumnKind.IMAGE in kinds


def can_be_sketched(kinds: Sequence[ColumnKind]) -> bool:
    """Whether there are pictures, or scalar columns only."""
    return has_pictures(kinds) or (bool(kinds) and ColumnKind.TENSOR not in kinds)


def picture_look(pixels: npt.NDArray[Any]) -> Floats:
    """The coarse look of pictures, without brightness and contrast.

    Args:
        pixels: (rows, height, width) or (rows, height, width, channels).

    Returns:
        (rows, 64 * channels) mean of 8 x 8 cells per channel, centred and of length 1; 0 for a blank picture.
    """
    values = pixels.reshape(*pixels.shape[:3], -1).astype(np.float64)
    rows, height, width, channels = values.shape
    across = np.moveaxis(values, 3, 1).reshape(-1, width) @ _cells(width).T
    cells = _cells(height) @ across.reshape(rows * channels, height, _CELLS)
    look = cells.reshape(rows, -1)
    look = look - look.mean(axis=1, keepdims=True)
    length = np.linalg.norm(look, axis=1, keepdims=True)
    span = _BLANK * np.maximum(np.abs(cells).reshape(rows, -1).max(axis=1, keepdims=True), 1e-12)
    return np.where(length > span, look / np.maximum(length, 1e-300), 0.0)


def sketch_pictures(looks: Sequence[Floats]) -> pa.Array:
    """Sketches of rows by the looks of their picture columns: 64 signed bytes each."""
    joined = np.concatenate(looks, axis=1) / np.sqrt(len(looks))
    signs = np.random.default_rng(_SEED).integers(0, 2, (joined.shape[1], PICTURE_NUMBERS)) * 2.0 - 1.0
    thrown = joined @ (signs / np.sqrt(PICTURE_NUMBERS))
    return _as_binary(np.clip(np.rint(thrown * SCALE), -127, 127).astype(np.int8).view(np.uint8))


def sketch_table(columns: Mapping[str, pa.Array], features: Sequence[ColumnSchema]) -> pa.Array:
    """Sketches of table rows: a hash of 8 bytes per group of columns, over all columns outside that group.

    Numbers count to three significant digits, text without case and outer spaces.
    """
    hashes = {feature.name: _near_hash(columns[feature.name], feature.kind) for feature in features}
    names, rows = list(hashes), len(next(iter(columns.values())))
    total = row_sums(hashes, rows)
    with np.errstate(over="ignore"):
        parts = [
            mix64(total - row_sums({name: hashes[name] for name in group}, rows)) for group in column_groups(names)
        ]
    return _as_binary(np.ascontiguousarray(np.stack(parts, axis=1)).view(np.uint8))


def column_groups(names: Sequence[str]) -> list[list[str]]:
    """At most 16 groups of neighbouring columns, as equal in size as can be."""
    count = min(COLUMN_GROUPS, len(names))
    bounds = [len(names) * index // count for index in range(count + 1)] if count else []
    return [list(names[low:high]) for low, high in pairwise(bounds)]


def three_digits(values: Floats) -> Floats:
    """Numbers to three significant digits; NaN stays NaN."""
    size = np.abs(values)
    usable = np.isfinite(values) & (size > 1e-300)
    unit = 10.0 ** (np.floor(np.log10(np.where(usable, size, 1.0))) - 2)
    return np.where(usable, np.rint(values / unit) * unit, values) + 0.0


def _near_hash(column: pa.Array, kind: ColumnKind) -> Hashes:
    if kind in _ROUNDED:
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
        return hash_column(pa.array(three_digits(values)))
    if is_text(column.type):
        return hash_column(pc.utf8_lower(pc.utf8_trim_whitespace(column)))
    return hash_column(column)


def _cells(size: int) -> Floats:
    """(8, size) weights that average ``size`` pixels into 8 cells; pixels on a border count in part."""
    borders = np.linspace(0, size, _CELLS + 1)
    starts = np.arange(size)
    inside = np.minimum(borders[1:, None], starts + 1.0) - np.maximum(borders[:-1, None], starts)
    weights = np.maximum(inside, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float64)


def _as_binary(rows: npt.NDArray[np.uint8]) -> pa.Array:
    width = rows.shape[1]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(rows), [None, pa.py_buffer(rows.tobytes())])

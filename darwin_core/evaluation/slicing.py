"""Cut rows into slices: one per value of a column, or one per interval of a number."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import SliceSpec
from darwin_core.evaluation.cases import Slice

MAX_VALUES = 50
"""A column with more values is cut into its 50 most frequent ones; the rest is one slice named OTHER."""

OTHER = "(other)"
MISSING = "(missing)"


def cut(specs: Sequence[SliceSpec], columns: Mapping[str, NDArray[Any]]) -> tuple[Slice, ...]:
    """All slices of all specs, in their order. Slices of one column never overlap and hold every row.

    Args:
        specs: How to cut.
        columns: Column values by name, shape (n,) each: numbers, or objects (None is missing).
    """
    return tuple(one for spec in specs for one in _slices(spec, slice_values(spec, columns[spec.column])))


def slice_values(spec: SliceSpec, column: NDArray[Any]) -> NDArray[np.object_]:
    """The name of the slice each row belongs to, shape (n,)."""
    return _intervals(spec.edges, column) if spec.edges else _categories(column)


def _slices(spec: SliceSpec, values: NDArray[np.object_]) -> list[Slice]:
    names = [*_interval_names(spec.edges), MISSING] if spec.edges else sorted(set(values), key=_natural)
    masks = ((name, values == name) for name in names)
    return [Slice(spec.column, name, mask) for name, mask in masks if mask.any()]


def _interval_names(edges: Sequence[float]) -> list[str]:
    inner = [f"{low:g} to < {high:g}" for low, high in itertools.pairwise(edges)]
    return [f"< {edges[0]:g}", *inner, f">= {edges[-1]:g}"]


def _intervals(edges: Sequence[float], column: NDArray[Any]) -> NDArray[np.object_]:
    numbers = np.array([np.nan if value is None else float(value) for value in column.tolist()])
    names = np.array([*_interval_names(edges), MISSING], dtype=object)
    index = np.searchsorted(np.asarray(edges), numbers, side="right")
    return names[np.where(np.isnan(numbers), len(names) - 1, index)]


def _categories(column: NDArray[Any]) -> NDArray[np.object_]:
    texts = np.array([_text(value) for value in column.tolist()], dtype=object)
    values, index, counts = np.unique(texts.astype(str), return_inverse=True, return_counts=True)
    names = values.astype(object)
    if len(values) > MAX_VALUES:
        names[np.argsort(-counts, kind="stable")[MAX_VALUES:]] = OTHER
    return names[index]


def _text(value: Any) -> str:
    if value is None or value != value:
        return MISSING
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)


def _natural(name: str) -> tuple[bool, float, str]:
    """Numbers in their order, then texts."""
    try:
        return (False, float(name), name)
    except ValueError:
        return (True, 0.0, name)

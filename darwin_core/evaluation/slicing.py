"""Cut rows into slices: one per value of a column, or one per interval of a number."""

from __future__ import annotations

import itertools
import math
from collections import Counter
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


def slice_names(specs: Sequence[SliceSpec], columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.object_]]:
    """The slice of every row for each way of cutting: name of the cut -> names, shape (n,).

    A cut is called like its column; where one column is cut in several ways, the edges tell them apart.

    Args:
        specs: How to cut.
        columns: Column values by name, shape (n,) each: numbers, or objects (None is missing).
    """
    counts = Counter(spec.column for spec in specs)
    return {
        _cut_name(spec, alone=counts[spec.column] == 1): (
            _intervals(spec.edges, columns[spec.column]) if spec.edges else _categories(columns[spec.column])
        )
        for spec in specs
    }


def cut(names: Mapping[str, NDArray[np.object_]]) -> tuple[Slice, ...]:
    """All slices. Those of one cut never overlap and hold every row; only slices with rows are given."""
    return tuple(
        Slice(column, value, values == value)
        for column, values in names.items()
        for value in sorted(set(values.tolist()), key=_natural)
    )


def _cut_name(spec: SliceSpec, *, alone: bool) -> str:
    if alone or not spec.edges:
        return spec.column
    return f"{spec.column}:{','.join(map(_number, spec.edges))}"


def _interval_names(edges: Sequence[float]) -> list[str]:
    texts = [_number(edge) for edge in edges]
    inner = [f"{low} to < {high}" for low, high in itertools.pairwise(texts)]
    return [f"< {texts[0]}", *inner, f">= {texts[-1]}"]


def _number(value: float) -> str:
    """As short as it can be and still be another one than its neighbours."""
    return f"{value:.15g}"


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
    return _number(value) if isinstance(value, float) and value.is_integer() else str(value)


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers and intervals in their order, then texts, then what is missing or left over."""
    if name in (MISSING, OTHER):
        return (2, 0.0, name)
    start = name.split(" to ")[0].removeprefix(">= ")
    try:
        number = -math.inf if name.startswith("< ") else float(start)
    except ValueError:
        return (1, 0.0, name)
    return (1, 0.0, name) if math.isnan(number) else (0, number, name)

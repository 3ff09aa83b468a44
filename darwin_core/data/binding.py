"""Which columns feed which input of the network.

Three ways, tried in this order:

1. Every input is named like a column.
2. One input of two or more axes takes the one image or array column.
3. One input of shape (n,) takes the one array column of that length, or all n numeric features in the data's order.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from darwin_core.contracts import ColumnKind, ColumnSchema, NetworkInput
from darwin_core.data.columns import NUMERIC_KINDS, describe, same_shape
from darwin_core.errors import BindingError

_ARRAYS = (ColumnKind.IMAGE, ColumnKind.TENSOR)
_ACCEPTED = {
    "string": frozenset({ColumnKind.STRING, ColumnKind.INTEGER}),
    "float": NUMERIC_KINDS | {ColumnKind.TIME},
    "int": NUMERIC_KINDS | {ColumnKind.TIME},
    "bool": frozenset({ColumnKind.BOOLEAN, ColumnKind.INTEGER}),
}


@dataclass(frozen=True)
class BoundInput:
    """One network input and the columns it reads: one column, or all of a vector's in order."""

    input: NetworkInput
    columns: tuple[ColumnSchema, ...]


def bind_inputs(inputs: Sequence[NetworkInput], columns: Sequence[ColumnSchema]) -> tuple[BoundInput, ...]:
    """Find the columns of every network input.

    Args:
        inputs: The network's inputs.
        columns: The columns that may be read, in the data's order.

    Raises:
        BindingError: The two sides do not fit; both are named, with near misses.
    """
    by_name = {column.name: column for column in columns}
    missing = [item for item in inputs if item.name not in by_name]
    if not missing:
        return tuple(_bind_named(item, by_name[item.name]) for item in inputs)
    if len(inputs) == 1:
        found = _bind_single(inputs[0], columns)
        if found is not None:
            return (found,)
    raise _unbound(inputs, missing, columns)


def _bind_named(item: NetworkInput, column: ColumnSchema) -> BoundInput:
    if column.kind in _ARRAYS:
        if not same_shape(item.shape, column.shape):
            raise BindingError(
                f"Input {item.name!r} expects rows of shape {item.shape}, column {column.name!r} has {column.shape}.",
                hint="Resize the data, or compact the network that was trained on data of this shape.",
            )
        return BoundInput(item, (column,))
    if item.shape not in ((), (1,), (None,)):
        raise BindingError(
            f"Input {item.name!r} expects rows of shape {item.shape}, column {column.name!r} holds single values.",
            hint="Store one array per row, or give the network one input per column.",
        )
    if column.kind not in _ACCEPTED[_family(item.dtype)]:
        raise BindingError(
            f"Input {item.name!r} expects {item.dtype} values, column {column.name!r} holds {column.kind} values.",
            hint="Convert the column, or compare the column with the one the network was trained on.",
        )
    return BoundInput(item, (column,))


def _bind_single(item: NetworkInput, columns: Sequence[ColumnSchema]) -> BoundInput | None:
    arrays = [column for column in columns if column.kind in _ARRAYS]
    fitting = [column for column in arrays if same_shape(item.shape, column.shape)]
    if item.shape and len(fitting) == 1:
        return BoundInput(item, (fitting[0],))
    numbers = tuple(column for column in columns if column.kind in NUMERIC_KINDS)
    is_vector = len(item.shape) == 1 and _family(item.dtype) == "float"
    if is_vector and item.shape[0] == len(numbers) and len(numbers) == len(columns):
        return BoundInput(item, numbers)
    return None


def _unbound(
    inputs: Sequence[NetworkInput], missing: Sequence[NetworkInput], columns: Sequence[ColumnSchema]
) -> BindingError:
    wanted = ", ".join(f"{item.name!r} {item.dtype}{list(item.shape)}" for item in missing[:12])
    if len(missing) > 12:
        wanted += f" and {len(missing) - 12} more"
    near = _near_misses(missing, columns)
    advice = (
        "Rename the columns, or name the features in order (`features`), so that both sides agree."
        if len(inputs) > 1
        else "A single input takes the one image or array column of its shape, or all numeric features when there "
        "are exactly as many; name them with `features`, or leave columns out with `exclude`."
    )
    return BindingError(
        f"{len(missing)} of the network's {len(inputs)} inputs have no column: {wanted}. "
        f"The data have {len(columns)}: {describe(columns)}.{near}",
        hint=advice,
    )


def _near_misses(missing: Sequence[NetworkInput], columns: Sequence[ColumnSchema]) -> str:
    plain = {_plain(column.name): column.name for column in columns}
    pairs = []
    for item in missing:
        close = difflib.get_close_matches(_plain(item.name), plain, n=1, cutoff=0.75)
        if close:
            pairs.append(f"{item.name!r} and {plain[close[0]]!r}")
    return f" Near misses: {', '.join(pairs[:6])}." if pairs else ""


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _family(dtype: str) -> str:
    for family in ("string", "bool"):
        if dtype.startswith(family):
            return family
    return "int" if dtype.startswith(("int", "uint")) else "float"

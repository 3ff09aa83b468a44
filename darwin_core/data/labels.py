"""Label values, as text, and the order of the classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import OutputKind, Task
from darwin_core.data.columns import is_bytes
from darwin_core.data.images import decode_images
from darwin_core.errors import DataError


def label_text(column: pa.Array) -> pa.Array:
    """Label values as text: ``1`` for 1, 1.0 and true, so that all three name the same class."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(pc.floor(column), column), min_count=0).as_py()
        if whole:
            column = column.cast(pa.int64())
    return column.cast(pa.string())


def class_order(seen: Sequence[str], output: OutputKind, positive: str | None) -> tuple[str, ...]:
    """Label values in the order of the network's outputs.

    Numbers ascend, other text is sorted; of two classes the positive one comes last. Where the network has more
    outputs than the data have classes, integer labels below the number of outputs stand for themselves.

    Args:
        seen: Label values of the training rows, as text.
        output: The network's output.
        positive: The value that counts as positive, for two classes.

    Raises:
        DataError: The labels do not fit the outputs.
    """
    units = 2 if output.task is Task.BINARY else output.units
    ordered = _sorted(seen)
    if positive is not None:
        ordered = _positive_last(ordered, positive)
    if len(ordered) < units:
        if positive is None and all(_is_class_index(value, units) for value in ordered):
            return tuple(str(index) for index in range(units))
        raise DataError(
            f"The network tells {units} classes apart, the training rows have {len(ordered)}: {_listed(ordered)}.",
            hint="Use the training data that the network was trained on, or labels 0.."
            f"{units - 1} that index its outputs.",
        )
    if len(ordered) > units:
        raise DataError(
            f"The network tells {units} classes apart, the training rows have {len(ordered)}: {_listed(ordered)}.",
            hint="Check that the label column is the right one, or restrict the rows.",
        )
    return ordered


def class_indices(column: pa.Array, classes: Sequence[str], row_name: Callable[[int], str]) -> npt.NDArray[np.int32]:
    """Label values to positions in ``classes``.

    Raises:
        DataError: A label is missing or unknown; the row is named.
    """
    texts = label_text(column)
    found = pc.index_in(texts, value_set=pa.array(classes, pa.string()))
    if found.null_count:
        position = int(np.flatnonzero(pc.is_null(found).to_numpy(zero_copy_only=False))[0])
        value = texts[position].as_py()
        if value is None:
            raise DataError(
                f"{row_name(position)}: the label is missing.", hint="Leave the row out, or supply the label."
            )
        raise DataError(
            f"{row_name(position)}: label {value!r} does not occur in the training rows, which have "
            f"{_listed(classes)}.",
            hint="Correct the label, leave the row out, or train the reference with this class.",
        )
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int32)


def label_flags(
    columns: Sequence[pa.Array], names: Sequence[str], row_name: Callable[[int], str]
) -> npt.NDArray[np.int8]:
    """Which labels each row has, from one column of zeros and ones per label.

    Args:
        columns: The label columns: numbers, booleans, or the texts ``0`` and ``1``.
        names: Their names.
        row_name: Names a row in error messages.

    Returns:
        Zeros and ones, shape (rows, labels).

    Raises:
        DataError: A value is missing or neither 0 nor 1; row and column are named.
    """
    return np.stack([_flags(*each, row_name) for each in zip(columns, names, strict=True)], axis=1)


def _flags(column: pa.Array, name: str, row_name: Callable[[int], str]) -> npt.NDArray[np.int8]:
    texts = label_text(column)
    flags = pc.equal(texts, "1")
    bad = pc.invert(pc.fill_null(pc.or_(flags, pc.equal(texts, "0")), fill_value=False))
    if pc.any(bad, min_count=0).as_py():
        position = int(np.flatnonzero(bad.to_numpy(zero_copy_only=False))[0])
        position = int(np.flatnonzero(bad.to_numpy(zero_copy_only=False))[0])
        found = column[position].as_py()
        raise DataError(
            f"{row_name(position)}: expected 0 or 1 in label column {name!r}, "
            f"{'the value is missing' if found is None else f'got {found!r}'}.",
            hint="Of several label columns each says with 1 that a row has the label, and with 0 that it has not.",
        )
    return np.asarray(flags.to_numpy(zero_copy_only=False), np.int8)


def label_masks(
    column: pa.Array, shape: tuple[int, ...], classes: int, row_name: Callable[[int], str]
) -> npt.NDArray[np.uint8]:
    """The class at every position.

    Args:
        column: Encoded grey pictures, or arrays, of class indices.
        shape: (height, width).
        classes: How many classes there are; 256 at most.
        row_name: Names a row in error messages.

    Returns:
        Class indices, shape (rows, height, width).

    Raises:
        DataError: A mask is missing, or holds something else than class indices; the row is named.
    """
    if is_bytes(column.type):
        values = decode_images(column.to_pylist(), (*shape, 1), row_name).reshape(-1, *shape)
    else:
        if column.null_count:
            position = int(np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[0])
            raise DataError(f"{row_name(position)}: the mask is missing.", hint="Leave the row out.")
        values = np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(-1, *shape)
    bad = ~((values >= 0) & (values < classes) & (values == np.floor(values)))
    if bad.any():
        position = int(np.flatnonzero(bad.reshape(len(values), -1).any(axis=1))[0])
        raise DataError(
            f"{row_name(position)}: expected class indices 0 to {classes - 1} in the mask, got "
            f"{values[position][bad[position]][0]}.",
            hint="Write the index of the network's class at every position.",
        )
    return values.astype(np.uint8)


def label_numbers(column: pa.Array, row_name: Callable[[int], str]) -> npt.NDArray[np.float32]:
    """Labels of a regression.

    Raises:
        DataError: A label is missing, no number, or not finite; the row is named.
    """
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError(
            f"{row_name(0)}: the network predicts a number, the label holds {kind}.", hint="Name a numeric label."
        )
    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        position = int(bad[0])
        raise DataError(
            f"{row_name(position)}: expected a finite number as label, got {column[position].as_py()!r}.",
            hint="Leave the row out, or supply the label.",
        )
    return np.asarray(values, np.float32)


def _positive_last(ordered: tuple[str, ...], positive: str) -> tuple[str, ...]:
    if len(ordered) != 2:
        raise DataError(
            f"A positive label ({positive!r}) needs two classes, the training rows have {len(ordered)}: "
            f"{_listed(ordered)}.",
            hint="Leave the positive label out, or check the label column.",
        )
    if positive not in ordered:
        raise DataError(
            f"The positive label {positive!r} is none of the label values {_listed(ordered)}.",
            hint="Write the label value as it stands in the data.",
        )
    return tuple(sorted(ordered, key=lambda value: value == positive))


def _sorted(values: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted(values, key=float))
    except ValueError:
        return tuple(sorted(values))


def _is_class_index(value: str, units: int) -> bool:
    return value.isdecimal() and int(value) < units


def _listed(values: Sequence[str], limit: int = 12) -> str:
    more = f" and {len(values) - limit} more" if len(values) > limit else ""
    return ", ".join(repr(value) for value in values[:limit]) + more

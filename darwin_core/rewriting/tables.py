"""Smaller lookup tables: entries that a network does not need are read as unknown ones, rows nobody reads go.

    StringLookup(50,000 words) --> Embedding(50,001)   becomes   StringLookup(900) --> Embedding(901)
    Hashing(10,000 bins) --> Embedding(10,000)         becomes   Hashing --> IntegerLookup(700) --> Embedding(701)

Entries that stay map to the very same vectors. Those that go are read as what the table does not know; its vector
becomes the mean of theirs and its own, by how often each is seen. Where one of them alone decides (a row equal to the
unknown's, a row that no value reaches), the outputs stay the same for every input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import ArrayLike, NDArray

from darwin_core.dependency.rebuilding import clone_operation, copy_weights, rebuild
from darwin_core.errors import RequestError
from darwin_core.networks.wiring import Call, Wiring, read_wiring
from darwin_core.rewriting.applying import Chain, flat_network

_RESHAPING = (layers.Flatten, layers.Identity, layers.Reshape, layers.RepeatVector)
_BINS_SUFFIX = "bins"


@dataclass(frozen=True)
class Table:
    """A lookup whose indices are read by embeddings and by nothing else.

    Attributes:
        name: The lookup layer.
        indices: The tensor of its indices.
        embeddings: The layers that read them.
        entries: Words of the vocabulary, or hash bins.
        reserved: Rows in front of the entries: the unknown's, and the mask's where there is one.
        unknown: Row that unknown values read; None for hash bins, which know every value.
    """

    name: str
    indices: int
    embeddings: tuple[str, ...]
    entries: int
    reserved: int
    unknown: int | None


def find_tables(wiring: Wiring) -> tuple[Table, ...]:
    """The tables that can be trimmed: with one row for the unknown, called once, behind them embeddings alone."""
    consumers, ends = wiring.consumers(), set(wiring.outputs)
    found = []
    for call in wiring.calls:
        shape = _shape_of(call.operation)
        if shape is None or sum(other.name == call.name for other in wiring.calls) > 1:
            continue
        embeddings = _readers(call.outputs[0], consumers, ends)
        if embeddings and all(_is_plain(name, wiring) for name in embeddings):
            found.append(Table(call.name, call.outputs[0], tuple(embeddings), *shape))
    return tuple(found)


def _shape_of(layer: Any) -> tuple[int, int, int | None] | None:
    """(entries, reserved rows, the unknown's row); None for a layer that is no table that can be trimmed."""
    if isinstance(layer, layers.Hashing):
        plain = layer.output_mode == "int" and layer.mask_value is None
        return (layer.num_bins, 0, None) if plain else None
    if not isinstance(layer, layers.StringLookup | layers.IntegerLookup):
        return None
    if layer.output_mode != "int" or layer.invert or layer.num_oov_indices != 1:
        return None
    reserved = 1 if layer.mask_token is None else 2
    return layer.vocabulary_size() - reserved, reserved, reserved - 1


def _is_plain(embedding: str, wiring: Wiring) -> bool:
    """Called once, with rows that can be read, none of which means that a step is left out."""
    calls = [call for call in wiring.calls if call.name == embedding]
    layer: Any = calls[0].operation
    return len(calls) == 1 and not layer.mask_zero and getattr(layer, "quantization_mode", None) is None


def _readers(tensor: int, consumers: Mapping[int, list[Call]], ends: set[int]) -> list[str] | None:
    """The embeddings behind a tensor of indices; None where something else reads it."""
    if tensor in ends:
        return None
    names: list[str] = []
    for call in consumers[tensor]:
        if isinstance(call.operation, layers.Embedding):
            names.append(call.name)
            continue
        behind = _readers(call.outputs[0], consumers, ends) if isinstance(call.operation, _RESHAPING) else None
        if behind is None:
            return None
        names += behind
    return names


def table_rows(wiring: Wiring, table: Table) -> list[NDArray[Any]]:
    """The rows of each embedding behind a table, all of them, shape (rows, columns)."""
    operations = wiring.layers()
    return [keras.ops.convert_to_numpy(operations[name].embeddings) for name in table.embeddings]


def trim_tables(
    model: keras.Model, keep: Mapping[str, ArrayLike], seen: Mapping[str, NDArray[np.int64]] | None = None
) -> keras.Model:
    """A network with smaller tables.

    Args:
        model: A Functional or Sequential network.
        keep: Lookup layer -> entries that stay, as numbers from 0 to ``entries`` - 1; layers not named keep theirs.
            Embedding rows behind the last entry go in any case.
        seen: Lookup layer -> how often each index was seen, reserved ones included; None: each entry as often.

    Raises:
        RequestError: A layer is no table that can be trimmed, or an entry does not exist.
    """
    flat = flat_network(model)
    wiring = read_wiring(flat)
    tables = {table.name: table for table in find_tables(wiring)}
    for name in keep:
        if name not in tables:
            raise RequestError(f"Expected lookup tables, got {name!r}; there are {', '.join(tables) or 'none'}.")
    kept = {table.name: _checked(table, keep.get(table.name, np.arange(table.entries))) for table in tables.values()}
    return _Trimmer(wiring, tables, kept, seen or {}).run()


def _checked(table: Table, entries: ArrayLike) -> NDArray[np.int64]:
    found = np.unique(np.asarray(entries, dtype=np.int64))
    if found.size and not (found[0] >= 0 and found[-1] < table.entries):
        raise RequestError(
            f"Table '{table.name}': expected entries between 0 and {table.entries - 1}, got {entries!r}."
        )
    return found if found.size else np.zeros(1, np.int64)  # a vocabulary must not be empty


class _Trimmer:
    def __init__(
        self,
        wiring: Wiring,
        tables: Mapping[str, Table],
        kept: Mapping[str, NDArray[np.int64]],
        seen: Mapping[str, NDArray[np.int64]],
    ) -> None:
        self._wiring, self._tables, self._kept, self._seen = wiring, tables, kept, seen
        self._owner = {name: table for table in tables.values() for name in table.embeddings}
        self._clones: dict[str, Any] = {}

    def run(self) -> keras.Model:
        network = rebuild(self._wiring, self._operation)
        for name, layer in self._wiring.layers().items():
            if name in self._owner:
                self._clones[name].embeddings.assign(self._rows(self._owner[name], layer))
            elif name not in self._tables:
                copy_weights(layer, self._clones[name])
        return network

    def _operation(self, call: Call) -> Any:
        if call.name not in self._clones:
            self._clones[call.name] = self._clone(call)
        return self._clones[call.name]

    def _clone(self, call: Call) -> Any:
        if call.name in self._tables:
            return self._smaller_lookup(self._tables[call.name], call)
        changes = {}
        if call.name in self._owner:
            changes["input_dim"] = len(self._rows(self._owner[call.name], call.operation))
        return clone_operation(call.operation, call.name, changes)

    def _smaller_lookup(self, table: Table, call: Call) -> Any:
        layer: Any = call.operation
        kept = self._kept[table.name]
        if table.unknown is not None:
            words = layer.get_vocabulary(include_special_tokens=False)
            chosen = [word.item() if hasattr(word, "item") else word for word in (words[entry] for entry in kept)]
            return clone_operation(layer, call.name, {"vocabulary": chosen, "max_tokens": None})
        clone = clone_operation(layer, call.name, {})
        if len(kept) == table.entries:
            return clone
        return Chain([clone, layers.IntegerLookup(vocabulary=kept.tolist(), name=f"{call.name}_{_BINS_SUFFIX}")])

    def _rows(self, table: Table, layer: Any) -> NDArray[Any]:
        """The embedding's rows: reserved ones, then those of the entries that stay."""
        rows: NDArray[Any] = keras.ops.convert_to_numpy(layer.embeddings)
        kept, entries = self._kept[table.name], rows[table.reserved : table.reserved + table.entries]
        if len(kept) == table.entries:
            return rows[: table.reserved + table.entries]
        gone = np.setdiff1d(np.arange(table.entries), kept)
        seen = self._seen.get(table.name, np.ones(table.reserved + table.entries, np.int64))
        weights = seen[table.reserved + gone].astype(np.float64)
        together, reserved = entries[gone], rows[: table.reserved]
        if table.unknown is not None:
            together = np.concatenate([together, rows[table.unknown : table.unknown + 1]])
            weights = np.append(weights, seen[table.unknown])
        mean = together[-1]
        if weights.sum() > 0 and not (together == mean).all():
            mean = np.average(together, axis=0, weights=weights).astype(rows.dtype)
        before = reserved[: table.unknown]
        return np.concatenate([before, mean[None], entries[kept]])

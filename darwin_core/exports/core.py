"""The part of a network that takes numbers only: what stands in front of it looks values up in tables.

    browser --StringLookup--> browser_index --Embedding--+
    amount ---------------------------- Normalization ---+--> Dense ...

The runtimes of phones and accelerators know neither text nor tables. So a network is cut behind its look-ups: the core,
which is exported, takes ``browser_index`` and ``amount``; the look-ups are written down for callers to do themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from darwin_core.arrays import Arrays
from darwin_core.contracts import NetworkInput
from darwin_core.dependency.rebuilding import flatten_nested
from darwin_core.errors import NetworkError
from darwin_core.networks.exporting import signature_names
from darwin_core.networks.inputs import as_tensor
from darwin_core.networks.measuring import weights_of
from darwin_core.networks.parts import build_part
from darwin_core.networks.wiring import Call, Wiring, read_wiring

_TABLES = (
    keras.layers.HashedCrossing,
    keras.layers.Hashing,
    keras.layers.IntegerLookup,
    keras.layers.StringLookup,
    keras.layers.TextVectorization,
)
_BATCH = 1024


@dataclass(frozen=True)
class NumericCore:
    """A network cut behind its look-ups.

    Attributes:
        network: Takes numbers by input name, as a dict; shares its weights with the whole network.
        inputs: Its inputs, under names that every format admits.
        columns: Which input of the whole network each of them is, for those that are none of the look-ups'.
        front: Computes those of its inputs that come from look-ups, as a dict; None where there are none.
        front_inputs: Inputs of the whole network that ``front`` reads.
        lookups: What ``front`` does, layer by layer, for callers that do it themselves.
    """

    network: keras.Model
    inputs: tuple[NetworkInput, ...]
    columns: Mapping[str, str]
    front: keras.Model | None
    front_inputs: tuple[NetworkInput, ...]
    lookups: tuple[dict[str, Any], ...]

    def feed(self, rows: Arrays) -> dict[str, NDArray[Any]]:
        """What the core takes, computed from rows of the whole network."""
        looked_up = self._look_up(rows) if self.front is not None else {}
        values = looked_up | {name: rows.get(column) for name, column in self.columns.items()}
        return {item.name: _fitted(item, values.get(item.name)) for item in self.inputs}

    def describe_lookups(self) -> str:
        """The look-ups as JSON."""
        return json.dumps(self.lookups, indent=2, default=str) + "\n"

    def _look_up(self, rows: Arrays) -> dict[str, NDArray[Any]]:
        assert self.front is not None
        count = len(next(iter(rows.values())))
        parts = []
        for start in range(0, count, _BATCH):
            values = {item.name: as_tensor(item, rows[item.name][start : start + _BATCH]) for item in self.front_inputs}
            parts.append(self.front(values, training=False))
        return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def numeric_core(model: keras.Model) -> NumericCore:
    """Cut a network behind its look-ups.

    Args:
        model: A Functional or Sequential network with one output.

    Raises:
        NetworkError: Text or tables reach so deep into the network that no plain cut separates them.
    """
    wiring = read_wiring(model)
    if wiring.nested:
        wiring = read_wiring(flatten_nested(wiring))
    front = _front_calls(wiring)
    _check_front(wiring, front)
    names = {index: name for name, index in wiring.inputs.items()}
    before = [call for call in wiring.calls if call.name in front]
    behind = [call for call in wiring.calls if call.name not in front]
    read_by_core = {index for call in behind for index in call.inputs}
    cut = {index: name for index, name in _cut_names(wiring, front, names).items() if index in read_by_core}
    served = signature_names(names.values())
    raw = {index: served[name] for index, name in names.items() if index in read_by_core}
    network = build_part(wiring, behind, raw | cut, wiring.outputs[0])
    read_by_front = {index for call in before for index in call.inputs}
    front_raw = {index: name for index, name in names.items() if index in read_by_front}
    return NumericCore(
        network=network,
        inputs=_described(wiring, raw | cut),
        columns={name: names[index] for index, name in raw.items()},
        front=build_part(wiring, before, front_raw, {name: index for index, name in cut.items()}) if cut else None,
        front_inputs=_described(wiring, front_raw) if cut else (),
        lookups=tuple(_describe_calls(before, names | cut)) if cut else (),
    )


def _front_calls(wiring: Wiring) -> set[str]:
    """Layers that touch text or tables, and all layers before them."""
    makers = {tensor: call for call in wiring.calls for tensor in call.outputs}
    found: set[str] = set()
    waiting = [call for call in wiring.calls if isinstance(call.operation, _TABLES) or _touches_text(wiring, call)]
    while waiting:
        call = waiting.pop()
        if call.name not in found:
            found.add(call.name)
            waiting += [makers[tensor] for tensor in call.inputs if tensor in makers]
    return found


def _touches_text(wiring: Wiring, call: Call) -> bool:
    return any(wiring.tensors[tensor].dtype == "string" for tensor in (*call.inputs, *call.outputs))


def _check_front(wiring: Wiring, front: set[str]) -> None:
    made_in_front = {tensor for call in wiring.calls if call.name in front for tensor in call.outputs}
    if wiring.outputs[0] in made_in_front:
        raise NetworkError(
            f"Network '{wiring.name}' ends in a look-up, so no part of it takes numbers only.",
            hint="Serve the .keras file or the SavedModel.",
        )
    for call in wiring.calls:
        if call.name in front and not isinstance(call.operation, _TABLES) and weights_of(call.operation):
            raise NetworkError(
                f"Layer '{call.name}' ({call.kind}) has weights and stands before a look-up, so no part of the network "
                "takes numbers only.",
                hint="Serve the .keras file or the SavedModel.",
            )


def _cut_names(wiring: Wiring, front: set[str], inputs: Mapping[int, str]) -> dict[int, str]:
    """Names for what the front makes: its layer's, made different from those of the inputs."""
    found: dict[int, str] = {}
    taken = {*inputs.values(), *signature_names(inputs.values()).values()}
    for call in wiring.calls:
        if call.name not in front:
            continue
        for tensor in call.outputs:
            base, count = call.name, 1
            name = base
            while name in taken:
                count += 1
                name = f"{base}_{count}"
            taken.add(name)
            found[tensor] = name
    return found


def _described(wiring: Wiring, tensors: Mapping[int, str]) -> tuple[NetworkInput, ...]:
    return tuple(
        NetworkInput(name=name, shape=wiring.shape(index)[1:], dtype=str(wiring.tensors[index].dtype))
        for index, name in tensors.items()
    )


def _describe_calls(calls: Iterable[Call], names: Mapping[int, str]) -> Iterable[dict[str, Any]]:
    """Every layer of the front: what it reads, what it gives, its configuration and its table.

    Position in ``vocabulary`` is the index that a value gets; a value that is not in it gets the position of the
    layer's ``oov_token``.
    """
    for call in calls:
        vocabulary = getattr(call.operation, "get_vocabulary", None)
        config = {key: value for key, value in call.operation.get_config().items() if key != "vocabulary"}
        described = {
            "layer": call.name,
            "kind": call.kind,
            "reads": [names.get(tensor, f"tensor_{tensor}") for tensor in call.inputs],
            "gives": [names.get(tensor, f"tensor_{tensor}") for tensor in call.outputs],
            "config": config,
        }
        if vocabulary is not None:
            described["vocabulary"] = [_plain(entry) for entry in vocabulary()]
        yield described


def _plain(entry: Any) -> Any:
    entry = entry.item() if hasattr(entry, "item") else entry
    return entry.decode() if isinstance(entry, bytes) else entry


def _fitted(item: NetworkInput, values: Any) -> NDArray[Any]:
    """An array of the input's rank and dtype; a column of scalars fits an input of shape (1,)."""
    if values is None:
        raise NetworkError(f"Expected values for input '{item.name}'.")
    array = np.asarray(values)
    if array.ndim == len(item.shape) and item.shape[-1:] == (1,):
        array = array[..., None]
    return np.ascontiguousarray(array, dtype=item.dtype)

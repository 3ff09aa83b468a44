"""A Keras network as a flat list of layer calls, nested networks written out.

    inputs --> Dense --> Sequential(Dense, ReLU) --> Dense      reads as
    call 0: dense     call 1: dense_1     call 2: re_lu     call 3: dense_2

A layer that is called twice (shared weights) appears in two calls. Everything that measures, analyses or rebuilds a
network walks this list, so none of it has to know about nesting.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from keras.src.models.functional import Functional  # not exported, though every .keras file names it

from darwin_core.errors import NetworkError

Shape = tuple[int | None, ...]


class TensorRef:
    """Stands for a tensor in the arguments of a call."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


@dataclass(frozen=True)
class Call:
    """One application of a layer (or of a ``keras.ops`` operation).

    ``inputs`` and ``outputs`` are indices into `Wiring.tensors`; ``arguments`` is ``(args, kwargs)`` with a `TensorRef`
    for every tensor. ``name`` is the layer's name, made unique across nested networks. Inputs stand in the order of
    the layer's signature, however they were passed; the last ``masks`` of them say which steps count (a masking
    Embedding hands such a mask on to every layer behind it).
    """

    name: str
    operation: keras.Operation
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    masks: int = 0

    @property
    def data(self) -> tuple[int, ...]:
        """The inputs that are no masks."""
        return self.inputs[: len(self.inputs) - self.masks]

    @property
    def kind(self) -> str:
        """The layer's class name."""
        return type(self.operation).__name__


@dataclass(frozen=True)
class Wiring:
    """All calls of a network in an order in which they can be run.

    ``inputs`` maps the name of each network input to its tensor. ``input_structure`` and ``output_structure`` are the
    structures the network was built with (a tensor, a list or a dict), with a `TensorRef` for every tensor.
    """

    name: str
    calls: tuple[Call, ...]
    tensors: tuple[keras.KerasTensor, ...]
    inputs: Mapping[str, int]
    input_structure: Any
    output_structure: Any
    nested: bool

    @property
    def outputs(self) -> tuple[int, ...]:
        """Indices of the network's output tensors."""
        return tuple(ref.index for ref in keras.tree.flatten(self.output_structure))

    def shape(self, tensor: int) -> Shape:
        """Shape of a tensor, the batch axis first."""
        return tuple(self.tensors[tensor].shape)

    def consumers(self) -> dict[int, list[Call]]:
        """For every tensor the calls that read it."""
        found: dict[int, list[Call]] = {index: [] for index in range(len(self.tensors))}
        for call in self.calls:
            for tensor in dict.fromkeys(call.inputs):
                found[tensor].append(call)
        return found

    def layers(self) -> dict[str, keras.Operation]:
        """Every layer once, by unique name, in the order of first use."""
        return {call.name: call.operation for call in self.calls}


def input_name(tensor: keras.KerasTensor) -> str:
    """Name of a network input: its Input layer's, which the file keeps (a tensor without a name gets a new one)."""
    return str(tensor._keras_history.operation.name)


def is_graph(operation: object) -> bool:
    """True for a network whose graph can be read: Functional or Sequential, without a ``call`` of its own."""
    return isinstance(operation, keras.Model) and (
        type(operation).call is Functional.call or type(operation).call is keras.Sequential.call
    )


def read_wiring(model: keras.Model) -> Wiring:
    """Read the graph of a Functional or Sequential network.

    Raises:
        NetworkError: The network is a subclass with its own ``call``, or was never built.
    """
    if not is_graph(model):
        raise NetworkError(
            f"Expected a Functional or Sequential network, got the subclass {type(model).__name__}, whose graph cannot "
            "be read.",
            hint="Rebuild it with the functional API: keras.Model(inputs, outputs).",
        )
    if not model.built or not model.inputs:
        raise NetworkError(
            f"Network '{model.name}' was never built, so its shapes are unknown.",
            hint="Give it an Input layer (or call it on data once) before saving it.",
        )
    reader = _Reader(_taken={input_name(tensor) for tensor in model.inputs})
    inputs = [reader.add_tensor(tensor) for tensor in model.inputs]
    bound = {id(tensor): index for tensor, index in zip(model.inputs, inputs, strict=True)}
    input_structure = model.input if isinstance(model, Functional) else model.inputs[0]
    output_structure = model.output if isinstance(model, Functional) else model.outputs[0]
    outputs = reader.read(model.outputs, bound, scope="", forced={})
    to_ref = {id(tensor): TensorRef(index) for tensor, index in zip(model.outputs, outputs, strict=True)}
    return Wiring(
        name=model.name,
        calls=tuple(reader.calls),
        tensors=tuple(reader.tensors),
        inputs={input_name(tensor): index for tensor, index in zip(model.inputs, inputs, strict=True)},
        input_structure=keras.tree.map_structure(lambda tensor: TensorRef(bound[id(tensor)]), input_structure),
        output_structure=keras.tree.map_structure(lambda tensor: to_ref[id(tensor)], output_structure),
        nested=reader.nested,
    )


@dataclass
class _Reader:
    calls: list[Call] = field(default_factory=list)
    tensors: list[keras.KerasTensor] = field(default_factory=list)
    nested: bool = False
    _names: dict[int, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def add_tensor(self, tensor: keras.KerasTensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def read(
        self, outputs: Iterable[keras.KerasTensor], bound: Mapping[int, int], scope: str, forced: dict[str, Any]
    ) -> list[int]:
        """Append the calls between the tensors bound to an index and ``outputs``; indices of the outputs."""
        known = dict(bound)
        outputs = list(outputs)
        for node in _in_order(outputs, known):
            indices = self._inline(node, known, scope) if is_graph(node.operation) else None
            if indices is None:
                indices = self._append(node, known, scope, forced)
            known.update(zip(map(id, node.outputs), indices, strict=True))
        return [known[id(tensor)] for tensor in outputs]

    def _append(self, node: Any, known: Mapping[int, int], scope: str, forced: dict[str, Any]) -> list[int]:
        args, kwargs = keras.tree.map_structure(
            lambda leaf: TensorRef(known[id(leaf)]) if isinstance(leaf, keras.KerasTensor) else leaf,
            (tuple(node.arguments.args), dict(node.arguments.kwargs)),
        )
        outputs = [self.add_tensor(tensor) for tensor in node.outputs]
        data, masks = _inputs(node)
        self.calls.append(
            Call(
                name=self._unique_name(node.operation, scope),
                operation=node.operation,
                arguments=(args, kwargs | _accepted(node.operation, forced)),
                inputs=tuple(known[id(tensor)] for tensor in (*data, *masks)),
                outputs=tuple(outputs),
                masks=len(masks),
            )
        )
        return outputs

    def _inline(self, node: Any, known: Mapping[int, int], scope: str) -> list[int]:
        self.nested = True
        inner = node.operation
        passed = node.arguments.args[0]
        if isinstance(passed, dict) and set(passed) == {tensor.name for tensor in inner.inputs}:
            passed = [passed[tensor.name] for tensor in inner.inputs]
        flat = keras.tree.flatten(passed)
        bound = {id(own): known[id(given)] for own, given in zip(inner.inputs, flat, strict=True)}
        forced = {key: value for key, value in node.arguments.kwargs.items() if key == "training" and value is not None}
        return self.read(inner.outputs, bound, scope=f"{scope}{inner.name}_", forced=forced)

    def _unique_name(self, operation: keras.Operation, scope: str) -> str:
        """The operation's own name; where another operation took it already, with the nested network's in front."""
        if id(operation) not in self._names:
            name = operation.name
            if name in self._taken:
                name = f"{scope}{name}"
            base, count = name, 1
            while name in self._taken:
                name, count = f"{base}_{count}", count + 1
            self._taken.add(name)
            self._names[id(operation)] = name
        return self._names[id(operation)]


def _inputs(node: Any) -> tuple[list[keras.KerasTensor], list[keras.KerasTensor]]:
    """The tensors a node reads, in the order of its signature, and its masks."""
    args, kwargs = node.arguments.args, node.arguments.kwargs
    order = {name: place for place, name in enumerate(inspect.signature(node.operation.call).parameters)}
    given = sorted(kwargs, key=lambda name: order.get(name, len(order)))
    data = [args, *(kwargs[name] for name in given if not name.endswith("mask"))]
    masks = [kwargs[name] for name in given if name.endswith("mask")]
    return _tensors(data), _tensors(masks)


def _tensors(structure: Any) -> list[keras.KerasTensor]:
    return [leaf for leaf in keras.tree.flatten(structure) if isinstance(leaf, keras.KerasTensor)]


def _in_order(outputs: Iterable[keras.KerasTensor], known: Mapping[int, int]) -> list[Any]:
    """Keras nodes from the known tensors to ``outputs``, each after those it reads (depth first, without recursion)."""
    order: list[Any] = []
    done: set[int] = set()
    stack = [(_node(tensor), False) for tensor in reversed(list(outputs)) if id(tensor) not in known]
    while stack:
        node, expanded = stack.pop()
        if id(node) in done:
            continue
        if expanded:
            done.add(id(node))
            order.append(node)
            continue
        stack.append((node, True))
        stack += [(_node(tensor), False) for tensor in reversed(node.input_tensors) if id(tensor) not in known]
    return order


def _node(tensor: keras.KerasTensor) -> Any:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _accepted(operation: keras.Operation, forced: dict[str, Any]) -> dict[str, Any]:
    """What of ``forced`` the operation's ``call`` takes (``training=False`` reaches the layers of a nested network)."""
    if not forced:
        return {}
    parameters = inspect.signature(operation.call).parameters
    return {key: value for key, value in forced.items() if key in parameters}

"""Building a new network from the wiring of another: same calls, cloned layers, fresh inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from darwin_core.errors import NetworkError
from darwin_core.networks.measuring import weights_of
from darwin_core.networks.wiring import Call, TensorRef, Wiring

OperationFor = Callable[[Call], Callable[..., Any]]
"""What takes the place of a call: a new layer or operation, or anything else that is called as one."""
ArgumentsFor = Callable[[Call], tuple[tuple[Any, ...], dict[str, Any]]]
IsDead = Callable[[int], bool]


def rebuild(
    wiring: Wiring,
    operation_for: OperationFor,
    is_dead: IsDead = lambda _: False,
    arguments_for: ArgumentsFor = lambda call: call.arguments,
) -> keras.Model:
    """Call the operations in the order of the wiring on fresh inputs.

    Args:
        wiring: The network to follow.
        operation_for: What is called in the place of each call.
        is_dead: Tensors that are left out, with the calls that make only such. A call left with one of several
            inputs (an Add, say) is left out too and hands its input on.
        arguments_for: The arguments of each call.

    Returns:
        A Functional network with the same name, input names and structures.
    """
    tensors: dict[int, keras.KerasTensor] = {}
    for index in wiring.inputs.values():
        if not is_dead(index):
            tensors[index] = _fresh_input(wiring.tensors[index])
    for call in wiring.calls:
        if all(is_dead(index) for index in call.outputs):
            continue
        live = [index for index in call.inputs if not is_dead(index)]
        if len(live) == 1 < len(call.inputs):
            tensors[call.outputs[0]] = tensors[live[0]]
            continue
        args, kwargs = _fill(arguments_for(call), tensors)
        made = keras.tree.flatten(operation_for(call)(*args, **kwargs))
        tensors.update(zip(call.outputs, made, strict=True))
    return keras.Model(
        inputs=_fill(wiring.input_structure, tensors), outputs=_fill(wiring.output_structure, tensors), name=wiring.name
    )


def _fresh_input(tensor: keras.KerasTensor) -> keras.KerasTensor:
    history = getattr(tensor, "_keras_history", None)
    if history is not None and isinstance(history.operation, keras.layers.InputLayer):
        return keras.layers.InputLayer.from_config(history.operation.get_config()).output
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)


def _fill(structure: Any, tensors: Mapping[int, keras.KerasTensor]) -> Any:
    """The structure with tensors for references; what was left out disappears from lists and dicts."""
    if isinstance(structure, TensorRef):
        return tensors[structure.index]
    if isinstance(structure, dict):
        return {key: _fill(value, tensors) for key, value in structure.items() if not _missing(value, tensors)}
    if isinstance(structure, list | tuple):
        return type(structure)([_fill(value, tensors) for value in structure if not _missing(value, tensors)])
    return structure


def _missing(value: Any, tensors: Mapping[int, keras.KerasTensor]) -> bool:
    return isinstance(value, TensorRef) and value.index not in tensors


def clone_operation(operation: keras.Operation, name: str, changes: Mapping[str, Any]) -> keras.Operation:
    """A new layer or operation of the same configuration, but for the name and the given constructor arguments.

    Raises:
        NetworkError: The configuration does not describe the operation.
    """
    try:
        config = _full_config(operation) | dict(changes) | {"name": name}
        return type(operation).from_config(config)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise NetworkError(
            f"Layer '{name}' ({type(operation).__name__}) cannot be rebuilt from its configuration: {error}",
            hint="Layers that take part in compaction need a get_config() from which they can be built.",
        ) from error


def _full_config(operation: keras.Operation) -> dict[str, Any]:
    """The configuration, with the vocabulary that an adapted lookup keeps out of it.

    Initial values of a fixed shape (a matrix of word vectors, say) are left out: they would not fit a narrower layer,
    and the weights are inherited anyway.
    """
    config = {key: _any_shape(key, value) for key, value in operation.get_config().items()}
    if "vocabulary" in config and config["vocabulary"] is None and operation.vocabulary_size():
        config["vocabulary"] = [_plain(entry) for entry in operation.get_vocabulary(include_special_tokens=False)]
        if not config["vocabulary"]:
            config["vocabulary"] = None
    return config


def _any_shape(key: str, value: Any) -> Any:
    constant = key.endswith("_initializer") and isinstance(value, dict) and value.get("class_name") == "Constant"
    return "zeros" if constant and not np.isscalar(value["config"]["value"]) else value


def _plain(entry: Any) -> Any:
    return entry.item() if hasattr(entry, "item") else entry


def copy_weights(source: keras.Operation, target: keras.Operation) -> None:
    """Copy all weights between layers of equal configuration."""
    for old, new in zip(weights_of(source), weights_of(target), strict=True):
        new.assign(old)
    finalize(target)


def finalize(operation: keras.Operation) -> None:
    """Derive what a preprocessing layer computes from its weights (the mean and variance of a Normalization)."""
    if isinstance(operation, keras.layers.Normalization):
        operation.finalize_state()


def flatten_nested(wiring: Wiring) -> keras.Model:
    """A copy of a network in which the layers of nested networks stand on their own."""
    clones: dict[str, keras.Operation] = {}

    def clone(call: Call) -> keras.Operation:
        if call.name not in clones:
            clones[call.name] = clone_operation(call.operation, call.name, {})
        return clones[call.name]

    model = rebuild(wiring, clone)
    for name, operation in wiring.layers().items():
        copy_weights(operation, clones[name])
    return model

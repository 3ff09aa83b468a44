"""What the output of a network means, and the scores it gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from scipy.special import expit, softmax

from darwin_core.contracts import OutputKind, Task
from darwin_core.errors import NetworkError
from darwin_core.networks.archive import read_config
from darwin_core.networks.losses import LossSpec, loss_spec
from darwin_core.networks.wiring import Call, Wiring, read_wiring

_SHAPES_ONLY = (layers.Dropout, layers.Flatten, layers.Identity, layers.Rescaling, layers.Reshape)
_POSITIVE = {"exponential", "relu", "softplus"}


def output_kind(model: keras.Model, compiled: Mapping[str, Any] | str | Path | None = None) -> OutputKind:
    """Find out how to read the network's output.

    The loss the network was compiled with tells what it predicts, the last activation whether a sigmoid or softmax is
    still to be applied. Without a loss the activation has to tell both.

    Args:
        model: A network with one output.
        compiled: Its compile configuration, or the .keras file that holds it; None: of the model itself, if compiled.

    Raises:
        NetworkError: There are several outputs, or what they mean cannot be decided.
    """
    wiring = read_wiring(model)
    units, positions = _units(wiring)
    activation = _last_activation(wiring)
    spec = loss_spec(_compile_config(model, compiled))
    kind = _by_both(units, activation, spec)
    if kind is not None and positions:
        kind = _of_a_map(kind, positions)
    if kind is None:
        loss = f"loss '{spec.name}'" if spec else "no loss that says so"
        raise NetworkError(
            f"Network '{model.name}': {units} output unit(s) with activation '{activation}' and {loss} can mean "
            "several things.",
            hint="Compile it with the loss it was trained with before saving: binary or (sparse) categorical "
            "cross-entropy for classes, binary cross-entropy for several labels, mean squared error (or alike) for a "
            "number.",
        )
    return kind


def to_scores(kind: OutputKind, outputs: NDArray[Any]) -> NDArray[Any]:
    """Raw outputs as scores.

    Args:
        kind: How to read the outputs.
        outputs: Shape (rows, units) or (rows,); segmentation: (rows, height, width, units).

    Returns:
        Binary: (rows,) probability of the positive class. Multiclass: (rows, classes) probabilities. Multilabel:
        (rows, labels) probability of each label. Segmentation: (rows, height, width, classes) probabilities, float32.
        Regression: (rows,) predictions.
    """
    if kind.task is Task.SEGMENTATION:
        return _map_scores(kind, np.asarray(outputs, np.float32))
    values = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), kind.units)
    if kind.task is Task.MULTICLASS:
        return np.asarray(softmax(values, axis=1) if kind.from_logits else values)
    if kind.task is Task.MULTILABEL:
        return np.asarray(expit(values) if kind.from_logits else values)
    flat = values[:, 0]
    return np.asarray(expit(flat) if kind.from_logits else flat)


def _map_scores(kind: OutputKind, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    values = outputs.reshape(len(outputs), *kind.positions, kind.units)
    if kind.units == 1:
        positive = expit(values) if kind.from_logits else values
        return np.asarray(np.concatenate([1 - positive, positive], axis=-1), np.float32)
    return np.asarray(softmax(values, axis=-1) if kind.from_logits else values, np.float32)


def _of_a_map(kind: OutputKind, positions: tuple[int, ...]) -> OutputKind | None:
    """One class at every position; independent labels or numbers at every position are not supported."""
    if kind.task not in (Task.BINARY, Task.MULTICLASS):
        return None
    return kind.model_copy(update={"task": Task.SEGMENTATION, "positions": positions})


def _compile_config(model: keras.Model, compiled: Mapping[str, Any] | str | Path | None) -> Mapping[str, Any] | None:
    if isinstance(compiled, str | Path):
        found = read_config(compiled).get("compile_config")
        return found if isinstance(found, dict) else None
    if compiled is None and model.compiled:
        own: Mapping[str, Any] = keras.saving.serialize_keras_object(model.get_compile_config())
        return own
    return compiled


def _units(wiring: Wiring) -> tuple[int, tuple[int, ...]]:
    """Output units, and the height and width of a map of them."""
    if len(wiring.outputs) != 1:
        raise NetworkError(
            f"Network '{wiring.name}' has {len(wiring.outputs)} outputs; one output is supported now.",
            hint="Cut the network down to the output that is served: keras.Model(model.inputs, model.outputs[i]).",
        )
    shape = wiring.shape(wiring.outputs[0])
    sizes = tuple(size for size in shape[1:] if size is not None)
    if len(shape) == 4 and len(sizes) == 3:
        return sizes[2], sizes[:2]
    if len(shape) > 2 or (len(shape) == 2 and shape[1] is None):
        raise NetworkError(
            "Expected one prediction per row, shape (rows, units), or a map of known size, shape (rows, height, width, "
            f"units); the output has shape {shape}.",
            hint="Give the inputs the size that is served: keras.Input((height, width, channels)).",
        )
    return ((shape[1] or 1) if len(shape) == 2 else 1), ()


def _last_activation(wiring: Wiring) -> str:
    """Name of the activation behind the last arithmetic; ``linear`` where there is none."""
    makers = {tensor: call for call in wiring.calls for tensor in call.outputs}
    tensor = wiring.outputs[0]
    while tensor in makers:
        call = makers[tensor]
        if not isinstance(call.operation, _SHAPES_ONLY) and not _is_linear_activation(call):
            return _activation(call)
        tensor = call.inputs[0]
    return "linear"


def _is_linear_activation(call: Call) -> bool:
    return isinstance(call.operation, layers.Activation) and _activation(call) == "linear"


def _activation(call: Call) -> str:
    if isinstance(call.operation, layers.Softmax):
        return "softmax"
    if isinstance(call.operation, layers.ReLU):
        return "relu"
    if not isinstance(call.operation, keras.Layer):
        return call.kind.lower()  # an operation: Sigmoid, Softmax, Relu...
    activation = getattr(call.operation, "activation", None)
    return str(getattr(activation, "__name__", "linear"))


def _by_both(units: int, activation: str, spec: LossSpec | None) -> OutputKind | None:
    task = spec.task if spec else None
    if units > 1:
        return _several_units(units, activation, task, from_logits=spec is not None and spec.from_logits)
    if task is Task.REGRESSION:
        return OutputKind(task=Task.REGRESSION, units=1, from_logits=False)
    if activation == "sigmoid":
        return OutputKind(task=Task.BINARY, units=1, from_logits=False)
    if task is Task.BINARY and spec is not None:
        return OutputKind(task=Task.BINARY, units=1, from_logits=spec.from_logits)
    if task is None and activation in _POSITIVE:
        return OutputKind(task=Task.REGRESSION, units=1, from_logits=False)
    return None


def _several_units(units: int, activation: str, task: Task | None, *, from_logits: bool) -> OutputKind | None:
    """Classes or independent labels, one unit each. Several numbers are not supported."""
    if activation == "softmax":
        return OutputKind(task=Task.MULTICLASS, units=units, from_logits=False)
    if task is Task.MULTICLASS:
        return OutputKind(task=Task.MULTICLASS, units=units, from_logits=from_logits)
    if task is Task.BINARY:
        return OutputKind(task=Task.MULTILABEL, units=units, from_logits=from_logits and activation != "sigmoid")
    if task is None and activation == "sigmoid":
        return OutputKind(task=Task.MULTILABEL, units=units, from_logits=False)
    return None

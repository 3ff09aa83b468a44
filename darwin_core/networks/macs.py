"""Multiply-accumulates of one layer call, for one row.

Counted is what a matrix engine does: the products of dense, convolutional, attention and recurrent layers. Not
counted, as is the custom: biases, activations, normalisation (it folds into the layer before), pooling, lookups and
element-wise arithmetic. An axis of unknown length counts as one step.

A rule sees shapes only, so the same rule measures a network and predicts what a narrower one will cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers
from keras.src.ops.numpy import Matmul  # not exported, though a .keras file that uses `a @ b` names it

Shape = tuple[int | None, ...]
ShapeOf = Callable[[Any], tuple[int, ...]]
"""Shape of one of the layer's weights, possibly a narrower one than it has now."""


@dataclass(frozen=True)
class CallShapes:
    """One call of a layer, in shapes. ``inputs`` and ``outputs`` begin with the batch axis."""

    layer: Any
    inputs: Sequence[Shape]
    outputs: Sequence[Shape]
    weight: ShapeOf


MacsRule = Callable[[CallShapes], int]
_RULES: dict[type[Any], MacsRule] = {}


def register_macs(*layer_types: type[Any]) -> Callable[[MacsRule], MacsRule]:
    """Declare how the multiply-accumulates of these layer types are counted."""

    def register(rule: MacsRule) -> MacsRule:
        for layer_type in layer_types:
            _RULES[layer_type] = rule
        return rule

    return register


def call_macs(call: CallShapes) -> int:
    """Multiply-accumulates of one call, for one row."""
    return _RULES.get(type(call.layer), _fallback)(call)


def _positions(shape: Shape) -> int:
    """Number of positions of a feature map: every axis between batch and channels."""
    return math.prod(size or 1 for size in shape[1:-1])


def _fallback(call: CallShapes) -> int:
    """Layers without a rule: every weight matrix is applied once per position of the output."""
    if not isinstance(call.layer, keras.Layer) or not call.outputs:
        return 0
    matrices = [call.weight(weight) for weight in call.layer.weights if len(weight.shape) >= 2]
    return _positions(call.outputs[0]) * sum(map(math.prod, matrices))


@register_macs(
    layers.Embedding,
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.RMSNormalization,
    layers.UnitNormalization,
    layers.Normalization,
    layers.PReLU,
)
def _nothing(_: CallShapes) -> int:
    return 0


@register_macs(layers.Dense)
def _dense(call: CallShapes) -> int:
    return _positions(call.outputs[0]) * math.prod(call.weight(call.layer.kernel))


@register_macs(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def _conv(call: CallShapes) -> int:
    return _positions(call.outputs[0]) * math.prod(call.weight(call.layer.kernel))


@register_macs(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def _depthwise(call: CallShapes) -> int:
    return _positions(call.outputs[0]) * math.prod(call.weight(call.layer.kernel))


@register_macs(layers.SeparableConv1D, layers.SeparableConv2D)
def _separable(call: CallShapes) -> int:
    kernels = (call.layer.depthwise_kernel, call.layer.pointwise_kernel)
    return _positions(call.outputs[0]) * sum(math.prod(call.weight(kernel)) for kernel in kernels)


@register_macs(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def _transposed(call: CallShapes) -> int:
    # Every input position is spread over the whole kernel.
    return _positions(call.inputs[0]) * math.prod(call.weight(call.layer.kernel))


@register_macs(layers.EinsumDense)
def _einsum_dense(call: CallShapes) -> int:
    left, _ = call.layer.equation.replace("...", "").split("->")
    seen, kernel = left.split(",")
    sizes = dict(zip(kernel, call.weight(call.layer.kernel), strict=True))
    shared = [label for label in seen if label in sizes]
    rows: int = math.prod(size or 1 for size in call.inputs[0][1:]) // math.prod(sizes[label] for label in shared)
    return rows * math.prod(sizes.values())


@register_macs(layers.MultiHeadAttention)
def _attention(call: CallShapes) -> int:
    layer = call.layer
    queries = _positions(call.inputs[0])
    keys = _positions(call.inputs[1]) if len(call.inputs) > 1 else queries
    query = math.prod(call.weight(layer.query_dense.kernel))
    key = math.prod(call.weight(layer.key_dense.kernel))
    value = math.prod(call.weight(layer.value_dense.kernel))
    output = math.prod(call.weight(layer.output_dense.kernel))
    _, heads, key_width = call.weight(layer.query_dense.kernel)
    value_width = call.weight(layer.value_dense.kernel)[-1]
    scores = queries * keys * heads * (key_width + value_width)
    return queries * (query + output) + keys * (key + value) + scores


@register_macs(layers.GroupQueryAttention)
def _grouped_query_attention(call: CallShapes) -> int:
    layer = call.layer
    queries = _positions(call.inputs[0])
    keys = _positions(call.inputs[1]) if len(call.inputs) > 1 else queries
    _, heads, width = call.weight(layer._query_dense.kernel)
    wide = [layer._query_dense, layer._output_dense, *([layer._gate_dense] if layer.use_gate else [])]
    from_queries = sum(math.prod(call.weight(dense.kernel)) for dense in wide)
    from_keys = sum(math.prod(call.weight(dense.kernel)) for dense in (layer._key_dense, layer._value_dense))
    return queries * from_queries + keys * from_keys + 2 * queries * keys * heads * width


@register_macs(layers.Attention, layers.AdditiveAttention)
def _bare_attention(call: CallShapes) -> int:
    (_, *_, width), (_, *_, value_width) = call.inputs[:2]
    return _positions(call.inputs[0]) * _positions(call.inputs[1]) * ((width or 1) + (value_width or 1))


@register_macs(layers.Dot)
def _dot(call: CallShapes) -> int:
    axes = call.layer.axes
    summed = call.inputs[0][axes if isinstance(axes, int) else axes[0]] or 1
    return summed * math.prod(size or 1 for size in call.outputs[0][1:])


@register_macs(Matmul)
def _matmul(call: CallShapes) -> int:
    # A constant matrix is no input: then it counts as the weight it stands for.
    return (call.inputs[0][-1] or 1) * math.prod(size or 1 for size in call.outputs[0][1:])


@register_macs(layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)
def _convolutional_lstm(call: CallShapes) -> int:
    rank, cell = call.layer.cell.rank, call.layer.cell
    positions = math.prod(size or 1 for size in call.outputs[0][-rank - 1 : -1])
    kernels = (cell.kernel, cell.recurrent_kernel)
    return (call.inputs[0][1] or 1) * positions * sum(math.prod(call.weight(kernel)) for kernel in kernels)


@register_macs(layers.LSTM, layers.GRU, layers.SimpleRNN, layers.Bidirectional)
def _recurrent(call: CallShapes) -> int:
    matrices = [call.weight(weight) for weight in call.layer.weights if _is_matrix(weight)]
    return (call.inputs[0][1] or 1) * sum(map(math.prod, matrices))


def _is_matrix(weight: Any) -> bool:
    return not weight.path.rsplit("/", 1)[-1].startswith("bias")

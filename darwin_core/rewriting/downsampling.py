"""Early downsampling: the first convolution halves the picture, and what halved it later no longer does.

Everything between the two works at half the resolution, for a quarter of the multiply-accumulates and the same
weights; behind it all shapes are as before. The first convolution sees every pixel still, at every other position.

    conv (1) -> relu -> conv (1) -> max pooling (2) -> ...    becomes    conv (2) -> relu -> conv (1) -> ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras import layers

from darwin_core.errors import NetworkError
from darwin_core.networks.wiring import Call, Wiring

_BEFORE = (layers.Rescaling, layers.Normalization, layers.Activation, layers.Dropout, layers.Identity)
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)
_AT_ANY_SIZE = (
    *(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Identity, layers.BatchNormalization),
    *(layers.Dropout, layers.SpatialDropout2D, layers.Add, layers.Average, layers.Maximum, layers.Multiply),
)


@dataclass
class Downsampling:
    """What has to change.

    Attributes:
        changes: Layer name -> constructor arguments.
        removed: Poolings that go.
        halved: Tensors that become smaller.
    """

    changes: dict[str, Mapping[str, Any]]
    halved: set[int]
    removed: set[str] = field(default_factory=set)


def can_downsample_early(wiring: Wiring) -> bool:
    """Whether a network can halve its picture earlier."""
    try:
        plan_downsampling(wiring)
    except NetworkError:
        return False
    return True


def plan_downsampling(wiring: Wiring) -> Downsampling:
    """Find the first convolution and the layers that halve the picture next.

    Raises:
        NetworkError: The network has no such convolution, or shapes would no longer fit; with the reason.
    """
    first = _first_convolution(wiring)
    halved = {first.outputs[0]}
    found = Downsampling({first.name: {"strides": (2, 2)}}, halved)
    # Calls come in an order in which they can be run, so every tensor of the region is known before it is read.
    for call in wiring.calls:
        inside = halved.intersection(call.inputs)
        if not inside:
            continue
        if _halves(wiring, call):
            _restore(found, call)
        elif inside == set(call.inputs) and _works_at_any_size(call):
            halved.update(call.outputs)
        else:
            raise NetworkError(f"layer '{call.name}' ({call.kind}) needs the picture at its present size")
    if len(found.changes) + len(found.removed) == 1:
        raise NetworkError("nothing halves the picture after its first convolution")
    if halved.intersection(wiring.outputs):
        raise NetworkError("the output of the network would become smaller")
    names = [call.name for call in wiring.calls]
    shared = next((name for name in (*found.changes, *found.removed) if names.count(name) > 1), None)
    if shared is not None:
        raise NetworkError(f"layer '{shared}' is called several times")
    return found


def _first_convolution(wiring: Wiring) -> Call:
    """The one convolution that reads the picture.

    Raises:
        NetworkError: There is none, or several, or it strides already.
    """
    pictures = [tensor for tensor in wiring.inputs.values() if len(wiring.shape(tensor)) == 4]
    if len(pictures) != 1:
        raise NetworkError(f"the network reads {len(pictures)} pictures")
    consumers, tensor = wiring.consumers(), pictures[0]
    while len(consumers[tensor]) == 1:
        call = consumers[tensor][0]
        if isinstance(call.operation, _BEFORE):
            tensor = call.outputs[0]
            continue
        if isinstance(call.operation, _CONVOLUTIONS) and _keeps_size(call.operation):
            return call
        raise NetworkError(
            f"layer '{call.name}' ({call.kind}) reads the picture, not a convolution that keeps its size"
        )
    raise NetworkError(f"{len(consumers[tensor])} layers read the picture")


def _keeps_size(layer: Any) -> bool:
    return layer.padding == "same" and set(layer.strides) == {1} and set(layer.dilation_rate) == {1}


def _pads(layer: Any) -> bool:
    """Whether nothing is lost at the border."""
    return layer.padding == "same" or set(layer.kernel_size) == {1}


def _works_at_any_size(call: Call) -> bool:
    layer: Any = call.operation
    if isinstance(layer, _CONVOLUTIONS):
        return _pads(layer) and set(layer.strides) == {1}
    if isinstance(layer, layers.Concatenate | layers.BatchNormalization):
        return bool(layer.axis in (-1, 3))
    return isinstance(layer, _AT_ANY_SIZE)


def _halves(wiring: Wiring, call: Call) -> bool:
    """Whether a call halves the picture, to exactly the size that it will have before already."""
    layer: Any = call.operation
    if not isinstance(layer, (*_POOLINGS, *_CONVOLUTIONS)) or set(layer.strides) != {2}:
        return False
    if isinstance(layer, _CONVOLUTIONS):
        return _pads(layer)
    before, after = wiring.shape(call.inputs[0])[1:3], wiring.shape(call.outputs[0])[1:3]
    if layer.padding == "same":
        return True
    return all(size is not None and -(-size // 2) == new for size, new in zip(before, after, strict=True))


def _restore(found: Downsampling, call: Call) -> None:
    if isinstance(call.operation, _POOLINGS):
        found.removed.add(call.name)
    else:
        found.changes[call.name] = {"strides": (1, 1)}

"""A part of a network as a network of its own, which shares the layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import keras

from darwin_core.networks.wiring import Call, TensorRef, Wiring


def build_part(
    wiring: Wiring, calls: Iterable[Call], inputs: Mapping[int, str], outputs: int | Mapping[str, int]
) -> keras.Model:
    """These calls of the same layers.

    Args:
        wiring: The network.
        calls: Which of its calls, in its order; they need nothing but each other and ``inputs``.
        inputs: Index of a tensor -> name of the part's input for it; the part takes a dict of them.
        outputs: The index of the tensor that the part returns, or a dict of them.
    """
    tensors = {
        index: keras.Input(batch_shape=wiring.shape(index), dtype=wiring.tensors[index].dtype, name=name)
        for index, name in inputs.items()
    }
    fresh = dict(tensors)
    for call in calls:
        args, kwargs = keras.tree.map_structure(
            lambda leaf: tensors[leaf.index] if isinstance(leaf, TensorRef) else leaf, call.arguments
        )
        made = keras.tree.flatten(call.operation(*args, **kwargs))
        tensors.update(zip(call.outputs, made, strict=True))
    wanted = tensors[outputs] if isinstance(outputs, int) else {name: tensors[index] for name, index in outputs.items()}
    return keras.Model({name: fresh[index] for index, name in inputs.items()}, wanted, name=wiring.name)

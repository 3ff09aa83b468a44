"""Reading what passes between the parts of a layer, such as the heads of an attention layer before they are mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

Heard = dict[int, list[tuple[Any, Any]]]
"""Identity of a part -> what it read and what it put out, call by call."""


@contextmanager
def listening(parts: Iterable[keras.Layer]) -> Iterator[Heard]:
    """While this is open, every call of the parts is noted.

    Keras shows the tensors between layers only. A layer's own parts are reached by standing in for their ``call``,
    which is put back at the end; masks, dropout and everything else of the layer stay as they are.
    """
    found = {id(part): part for part in parts}
    heard: Heard = {key: [] for key in found}
    for key, part in found.items():
        part.call = _noting(part.call, heard[key])
    try:
        yield heard
    finally:
        for part in found.values():
            del part.call


def _noting(call: Callable[..., Any], notes: list[tuple[Any, Any]]) -> Callable[..., Any]:
    def noted(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = call(inputs, *args, **kwargs)
        notes.append((inputs, outputs))
        return outputs

    return noted

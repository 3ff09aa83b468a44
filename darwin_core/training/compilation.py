"""Which training steps are worth compiling into one program.

A step of a table's network is a few hundred operations on a few numbers each, and handing them out takes longer than
what they compute. XLA (openxla.org) makes one program of them, which takes a fifth of the time, for up to a second of
compiling. With convolutions it is the other way round, on a processor sixty times slower.
"""

from __future__ import annotations

from collections.abc import Iterable

import keras

_FEWEST_STEPS = 4_000
"""Fewer are over before compiling has paid."""


def gains_by_compiling(tensors: Iterable[keras.KerasTensor], steps: int) -> bool:
    """Whether a stint of training is over sooner when its step is compiled: where rows are vectors all the way.

    Args:
        tensors: What a step reads and makes.
        steps: How many there are.
    """
    return steps >= _FEWEST_STEPS and all(_is_vector(tensor) for tensor in tensors)


def _is_vector(tensor: keras.KerasTensor) -> bool:
    """Whether a row of it is numbers along one axis: no picture, no sequence, no text."""
    return str(tensor.dtype) != "string" and len([size for size in tensor.shape[1:] if size != 1]) <= 1

"""A seeded permutation of 0..n-1 that is computed where it is needed and never stored.

A balanced Feistel network permutes the numbers of 2k bits; positions that land at or above n are sent through again
until they land below ("cycle walking": J. Black, P. Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002). So
shuffling a billion rows takes no memory, and any stretch of the shuffled order can be had on its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ROUNDS = 6


def mix64(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread 64-bit integers evenly over 64 bits, one to one.

    Finaliser of SplitMix64: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


class Permutation:
    """A permutation of ``range(length)``.

    Args:
        length: How many numbers.
        seed: Equal seeds give equal permutations on every machine.
    """

    def __init__(self, length: int, seed: int) -> None:
        self._length = length
        self._half_bits = np.uint64(max(1, (max(length - 1, 1).bit_length() + 1) // 2))
        self._mask = np.uint64((1 << int(self._half_bits)) - 1)
        start = np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
        self._keys = mix64(mix64(np.arange(1, _ROUNDS + 1, dtype=np.uint64)) ^ start)

    def __call__(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Where ``positions`` of the shuffled order lie in the original order; all must be below ``length``."""
        values = self._encrypt(positions.astype(np.uint64))
        outside = values >= self._length
        while outside.any():
            values[outside] = self._encrypt(values[outside])
            outside = values >= self._length
        return values.astype(np.int64)

    def _encrypt(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = values >> self._half_bits, values & self._mask
        for key in self._keys:
            left, right = right, left ^ (mix64(right ^ key) & self._mask)
        return (left << self._half_bits) | right

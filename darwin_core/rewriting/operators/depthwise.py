"""A convolution as a depthwise one and a pointwise one."""

from __future__ import annotations

import math

import numpy as np
from keras import layers

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

_FEWEST_CHANNELS = 5
"""The colours of a picture are fewer."""


class DepthwiseSeparable(Rewriter):
    """Conv2D -> DepthwiseConv2D, then a 1x1 Conv2D that has the bias and the activation.

    Network decoupling (Guo et al., arXiv 1808.05517) with one term: for every input channel the kernel's part,
    a matrix of (positions, filters), is replaced by its nearest matrix of rank 1. Exact where each part has rank 1.
    """

    operator = BlockOperator.DEPTHWISE_SEPARABLE

    def refusal(self, site: Site) -> str | None:
        """A plain convolution over more than one position, with the same stride in both directions."""
        layer = site.layer
        if type(layer) is not layers.Conv2D:
            return "only Conv2D layers can be made depthwise-separable"
        if math.prod(layer.kernel_size) == 1:
            return "its kernel covers one position"
        if layer.groups != 1:
            return "it is a grouped convolution"
        if layer.strides[0] != layer.strides[1]:
            return "its strides differ, which depthwise convolutions do not support"
        return untouchable(site)

    def objection(self, site: Site) -> str | None:
        """The depthwise part has one filter per channel it reads; three cannot stand for all of a first layer's."""
        channels = site.input_shape[-1]
        if channels is not None and channels < _FEWEST_CHANNELS:
            return f"it reads {channels} channels, and would have as many filters"
        return None

    def replacement(self, site: Site) -> Replacement:
        """The two layers; the singular value is shared between them, so that both have weights of similar size."""
        layer = site.layer
        depthwise = layers.DepthwiseConv2D(
            layer.kernel_size,
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
            use_bias=False,
            name=site.derived("depthwise"),
            **common_config(layer),
        )
        plain = {"kernel_size": (1, 1), "strides": (1, 1), "dilation_rate": (1, 1), "padding": "valid"}
        pointwise = clone_operation(layer, site.derived("pointwise"), plain)

        def weights() -> Weights:
            kernel = values_of(layer.kernel)
            rows, columns, channels, filters = kernel.shape
            parts = kernel.transpose(2, 0, 1, 3).reshape(channels, rows * columns, filters)
            left, singular, right = np.linalg.svd(parts, full_matrices=False)
            root = np.sqrt(singular[:, :1])
            spatial = (left[:, :, 0] * root).T.reshape(rows, columns, channels, 1)
            mixing = (right[:, 0, :] * root).reshape(1, 1, channels, filters)
            return [spatial], [mixing, *bias_of(layer)]

        return Replacement((depthwise, pointwise), weights)

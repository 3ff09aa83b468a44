"""A convolution over fewer positions."""

from __future__ import annotations

from keras import layers

from darwin_core.contracts import BlockOperator
from darwin_core.dependency.rebuilding import clone_operation
from darwin_core.networks.measuring import weights_of
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

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
_SMALL = 3


class SmallerKernel(Rewriter):
    """A kernel of more than 3 x 3 positions becomes 3 x 3, one of 3 x 3 becomes 1 x 1: its centre is inherited.

    Exact where the kernel is zero outside the centre. Where the layer pads nothing, what the larger kernel needed of
    the border is cropped before.
    """

    operator = BlockOperator.SMALLER_KERNEL

    def refusal(self, site: Site) -> str | None:
        """A convolution with a centre, which its stride does not move."""
        layer = site.layer
        if type(layer) not in _CONVOLUTIONS:
            return "only Conv2D and DepthwiseConv2D layers have a kernel to be made smaller"
        if max(layer.kernel_size) == 1:
            return "its kernel covers one position"
        if any(size % 2 == 0 for size in layer.kernel_size):
            return "its kernel has an even size and so no centre"
        if layer.padding == "same" and not _is_centred(site):
            return "with its strides the smaller kernel would look beside the centre of the larger one"
        return untouchable(site)

    def replacement(self, site: Site) -> Replacement:
        """The smaller convolution, with a cropping before it where the layer pads nothing."""
        layer = site.layer
        sizes = _smaller(layer.kernel_size)
        margins = [(old - new) // 2 for old, new in zip(layer.kernel_size, sizes, strict=True)]
        # TensorFlow counts no dilation on a kernel of one position, and refuses it together with strides.
        dilation = tuple(1 if new == 1 else rate for new, rate in zip(sizes, layer.dilation_rate, strict=True))
        small = clone_operation(layer, site.derived("smaller"), {"kernel_size": sizes, "dilation_rate": dilation})

        def weights() -> Weights:
            rows, columns = (slice(margin, margin + new) for margin, new in zip(margins, sizes, strict=True))
            own = [values_of(weights_of(layer)[0])[rows, columns], *bias_of(layer)]
            return ([], own) if layer.padding == "valid" else (own,)

        if layer.padding == "valid":
            border = [(margin * rate,) * 2 for margin, rate in zip(margins, layer.dilation_rate, strict=True)]
            crop = layers.Cropping2D(tuple(border), name=site.derived("crop"), **common_config(layer))
            return Replacement((crop, small), weights)
        return Replacement((small,), weights)


def _smaller(kernel_size: tuple[int, int]) -> tuple[int, int]:
    """A direction in which the kernel is as large as in the other shrinks with it; a single position stays."""
    largest = max(kernel_size)
    limit = _SMALL if largest > _SMALL else 1
    return min(kernel_size[0], limit), min(kernel_size[1], limit)


def _is_centred(site: Site) -> bool:
    """Whether the windows of both kernels have the same centres, given how much padding goes before the map."""
    layer = site.layer
    for old, new, stride, rate, length in zip(
        layer.kernel_size,
        _smaller(layer.kernel_size),
        layer.strides,
        layer.dilation_rate,
        site.input_shape[1:-1],
        strict=True,
    ):
        if stride == 1:
            continue
        if length is None:
            return False
        before = [_padding_before(size, stride, rate, length) for size in (old, new)]
        if before[0] - before[1] != (old - new) // 2 * rate:
            return False
    return True


def _padding_before(size: int, stride: int, rate: int, length: int) -> int:
    """TensorFlow's padding "same": half of what is missing, rounded down, goes before the map."""
    outputs = -(-length // stride)
    return max((outputs - 1) * stride + (size - 1) * rate + 1 - length, 0) // 2

"""Strided 1x1 convolutions, the way around a fault of oneDNN."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

_LANES = 8  # floats in an AVX2 register


def strided_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence[int], padding: Sequence[int] = (0, 0)
) -> Tensor:
    """``F.conv2d``, but a 1x1 kernel over fewer than 8 channels is applied after places were left out, with stride 1.

    The result is the same. oneDNN's gradient of such a weight, channels last and strided, is written past the end of
    its buffer on CPUs with AVX2 and no AVX-512 (torch 2.13: "double free or corruption").
    """
    if tuple(weight.shape[2:]) == (1, 1) and weight.shape[1] < _LANES and max(stride) > 1:
        return F.conv2d(x[..., :: stride[0], :: stride[1]], weight, bias)
    return F.conv2d(x, weight, bias, tuple(stride), tuple(padding))


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution with a stride: ``(B, C, H, W)`` to ``(B, C', ceil(H / stride), ceil(W / stride))``."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int | tuple[int, int] = 1, bias: bool = True
    ):
        super().__init__(in_channels, out_channels, 1, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return strided_conv2d(x, self.weight, self.bias, self.stride)

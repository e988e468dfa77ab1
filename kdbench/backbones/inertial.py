"""Networks for inertial signals: a residual 1-D CNN and a small transformer."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import BACKBONES
from .blocks import (
    ENCODERS,
    Classifier,
    ResidualBlock,
    TemporalCNN,
    TemporalConv,
    TemporalNorm,
    TemporalTransformer,
    prefixed,
    residual_taps,
)


def with_magnitudes(signal: Tensor) -> Tensor:
    """Append the length of each triple of channels: ``(B, T, 3S)`` to ``(B, T, 4S)``.

    A length does not change when the sensor is turned.

    >>> with_magnitudes(torch.tensor([[[3.0, 4.0, 0.0]]]))
    tensor([[[3., 4., 0., 5.]]])
    """
    return torch.cat((signal, signal.unflatten(-1, (-1, 3)).norm(dim=-1)), -1)


@ENCODERS.register_module()
class InertialFrames(nn.Module):
    """1-D CNN over a whole recording: ``(B, T, S, 3 * sensors)``, S samples a frame, to ``(B, T, width)``.

    The samples of all frames make one signal, which is not cut at frame borders. A convolution and one residual block
    for each of ``widths`` halve its length each; what is left of a frame is averaged.
    """

    def __init__(self, width: int = 128, sensors: int = 2, widths: Sequence[int] = (64, 64, 128)):
        super().__init__()
        self.width = width
        self.norm = TemporalNorm(4 * sensors)
        self.stem = nn.Sequential(
            TemporalConv(4 * sensors, widths[0], 7, 2), TemporalNorm(widths[0]), nn.ReLU()
        )
        self.body = nn.Sequential(*(ResidualBlock(before, after, 5, 2) for before, after in pairwise(widths)))
        self.project = nn.Linear(widths[-1], width)

    def forward(self, inertial: Tensor) -> Tensor:
        signal = with_magnitudes(inertial.flatten(1, 2)).transpose(1, 2)
        x = F.adaptive_avg_pool1d(self.body(self.stem(self.norm(signal))), inertial.shape[1])
        return F.relu(self.project(x.transpose(1, 2)))


@BACKBONES.register_module()
class InertialCNN(Classifier):
    """Residual 1-D CNN; reads ``inertial`` ``(B, T, 3 * sensors)``.

    Accelerations are in g, turn rates scaled to about 1. The blocks are ``width``, 2 and 3 times ``width``
    wide, each halving the length.
    """

    reads = ("inertial",)

    def __init__(
        self,
        num_classes: int,
        sensors: int = 2,
        width: int = 48,
        kernel: int = 5,
        block_dropout: float = 0.1,
        dropout: float = 0.4,
    ):
        super().__init__()
        self.norm = TemporalNorm(4 * sensors)
        self.stem = nn.Sequential(TemporalConv(4 * sensors, width, 7), TemporalNorm(width), nn.ReLU())
        widths = (width, 2 * width, 3 * width)
        self.body = TemporalCNN(width, widths, (2, 2, 2), kernel, block_dropout)
        self._finish(widths[-1], num_classes, dropout, prefixed("body", residual_taps(len(widths))))

    def begin(self, inertial: Tensor) -> Tensor:
        """The map ``(B, C, T)`` that the residual blocks read."""
        return self.stem(self.norm(with_magnitudes(inertial).transpose(1, 2)))

    def features(self, inertial: Tensor) -> Tensor:
        return self.body(self.begin(inertial))


@BACKBONES.register_module()
class InertialTransformer(Classifier):
    """Small transformer over patches of the signal; reads ``inertial`` ``(B, T, 3 * sensors)``.

    A strided convolution makes one token of ``patch`` samples. It wants half the learning rate of the CNN.
    """

    reads = ("inertial",)

    def __init__(
        self,
        num_classes: int,
        sensors: int = 2,
        width: int = 96,
        layers: int = 4,
        heads: int = 4,
        patch: int = 4,
        block_dropout: float = 0.1,
        dropout: float = 0.4,
    ):
        super().__init__()
        self.norm = TemporalNorm(4 * sensors)
        self.stem = TemporalConv(4 * sensors, width, 2 * patch - 1, patch)
        self.body = TemporalTransformer(width, layers, heads, block_dropout)
        blocks: Sequence[int] = range(layers)
        taps = {
            "tokens": [f"body.blocks.{i}" for i in blocks],
            "attention": [f"body.blocks.{i}.attention.softmax" for i in blocks],
        }
        self._finish(width, num_classes, dropout, taps)

    def features(self, inertial: Tensor) -> Tensor:
        return self.body(self.stem(self.norm(with_magnitudes(inertial).transpose(1, 2))))

"""Residual networks for small images: basic blocks of two 3 x 3 convolutions, or bottlenecks."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import BACKBONES
from ..pointwise import PointwiseConv
from .base import ImageClassifier, conv_norm, initialise


class Block(nn.Module):
    """Convolutions and a shortcut: ``(B, C, H, W)`` to ``(B, C', ceil(H / stride), ceil(W / stride))``.

    ``convs`` are normalised, with ReLU between; the sum before the last ReLU is ``act:in``. Where the shape changes
    the shortcut is a 1 x 1 convolution (option B of the paper).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, convs: Sequence[nn.Module]):
        super().__init__()
        self.convs = nn.ModuleList(convs)
        same = stride == 1 and in_channels == out_channels
        self.shortcut: nn.Module = nn.Identity()
        if not same:
            project = PointwiseConv(in_channels, out_channels, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(out_channels))
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for conv in self.convs[:-1]:
            inner = F.relu(conv(inner))
        return self.act(self.convs[-1](inner) + self.shortcut(x))


class BasicBlock(Block):
    """Two 3 x 3 convolutions; the width out is ``width``."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int):
        convs = (conv_norm(in_channels, width, 3, stride), conv_norm(width, width, 3))
        super().__init__(in_channels, width, stride, convs)


class Bottleneck(Block):
    """1 x 1, 3 x 3 (with the stride) and 1 x 1 convolution; the width out is ``4 * width``."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int):
        convs = (
            conv_norm(in_channels, width, 1),
            conv_norm(width, width, 3, stride),
            conv_norm(width, 4 * width, 1),
        )
        super().__init__(in_channels, 4 * width, stride, convs)


@BACKBONES.register_module()
class ResNet(ImageClassifier):
    """Deep Residual Learning for Image Recognition (He et al., CVPR 2016), section 4.2; reads ``image`` (B, 3, H, W).

    A 3 x 3 convolution to ``stem`` channels, then for each stage ``blocks[i]`` blocks of ``widths[i]`` channels
    (four times as many out of a ``bottleneck``), each stage after the first at half the size. ResNet-d of the paper
    has d = 6 n + 2 layers, hence ``blocks=(n, n, n)``. Taps: ``stages`` (B, C, H / 2^i, W / 2^i) after the ReLU,
    ``preacts`` before it.

    Deviation: shortcuts that change the shape are 1 x 1 convolutions, as in the networks of the distillation tables
    (Tian et al., ICLR 2020); the paper pads with zeros on CIFAR. That adds 2.8 k to ResNet-20's parameters.
    """

    def __init__(
        self,
        num_classes: int,
        blocks: Sequence[int] = (3, 3, 3),
        widths: Sequence[int] = (16, 32, 64),
        stem: int = 16,
        bottleneck: bool = False,
    ):
        super().__init__()
        kind = Bottleneck if bottleneck else BasicBlock
        self.stem = nn.Sequential(conv_norm(3, stem, 3), nn.ReLU())
        self.stages = nn.ModuleList()
        channels = stem
        for i, (number, width) in enumerate(zip(blocks, widths, strict=True)):
            stage = []
            for j in range(number):
                stage.append(kind(channels, width, stride=2 if i and not j else 1))
                channels = width * kind.expansion
            self.stages.append(nn.Sequential(*stage))
        stages = [f"stages.{i}" for i in range(len(blocks))]
        preacts = [f"stages.{i}.{number - 1}.act:in" for i, number in enumerate(blocks)]
        self._finish(channels, num_classes, stages, preacts)
        initialise(self)

    def features(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)
        return x

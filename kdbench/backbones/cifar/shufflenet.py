"""ShuffleNets: grouped or split 1 x 1 convolutions whose channels are then mixed."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import BACKBONES
from .base import ImageClassifier, conv_norm

STEM = 24


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Channels ``(B, groups * n, H, W)`` dealt out: first the first of each group, then the second of each.

    >>> shuffled(torch.arange(6.0).reshape(1, 6, 1, 1), 2).flatten().tolist()
    [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
    """
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


class GroupedBlock(nn.Module):
    """Grouped 1 x 1, shuffle, depthwise 3 x 3, grouped 1 x 1, and a shortcut; the sum before the ReLU is ``act:in``.

    With ``stride`` 2 the input, averaged, is appended rather than added: ``out_channels`` counts it.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, groups: int, first_groups: int):
        super().__init__()
        self.stride, self.first_groups = stride, first_groups
        added = out_channels - (in_channels if stride == 2 else 0)
        inner = added // 4
        self.conv1 = conv_norm(in_channels, inner, 1, groups=first_groups)
        self.conv2 = conv_norm(inner, inner, 3, stride, groups=inner)
        self.conv3 = conv_norm(inner, added, 1, groups=groups)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        inner = shuffled(F.relu(self.conv1(x)), self.first_groups)
        inner = self.conv3(F.relu(self.conv2(inner)))
        if self.stride == 1:
            return self.act(inner + x)
        return self.act(torch.cat((inner, F.avg_pool2d(x, 3, 2, 1)), 1))


@BACKBONES.register_module()
class ShuffleNetV1(ImageClassifier):
    """ShuffleNet (Zhang et al., CVPR 2018) with 3 groups at width 1; reads ``image`` (B, 3, H, W).

    Stages of ``blocks[i]`` blocks and ``widths[i]`` channels, each of half the size of the one before. Taps:
    ``stages`` (B, C, H / 2^(i+1), W / 2^(i+1)) after the ReLU, ``preacts`` before it.

    Deviations, as in the network of the distillation tables (Tian et al., ICLR 2020): a 1 x 1 convolution without
    stride or pooling for the stem, and a ReLU behind the depthwise convolution. Linear layer and convolutions start
    as torch starts them.
    """

    def __init__(
        self,
        num_classes: int,
        groups: int = 3,
        blocks: Sequence[int] = (4, 8, 4),
        widths: Sequence[int] = (240, 480, 960),
    ):
        super().__init__()
        self.stem = nn.Sequential(conv_norm(3, STEM, 1), nn.ReLU())
        self.stages = nn.ModuleList()
        channels = STEM
        for i, (number, width) in enumerate(zip(blocks, widths, strict=True)):
            stage = []
            for j in range(number):
                # The paper does not group the very first 1 x 1: it reads too few channels.
                first_groups = groups if i or j else 1
                stage.append(GroupedBlock(channels, width, 1 if j else 2, groups, first_groups))
                channels = width
            self.stages.append(nn.Sequential(*stage))
        stages = [f"stages.{i}" for i in range(len(blocks))]
        preacts = [f"stages.{i}.{number - 1}.act:in" for i, number in enumerate(blocks)]
        self._finish(channels, num_classes, stages, preacts)

    def features(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)
        return x


def _right(in_channels: int, width: int, stride: int) -> nn.Sequential:
    """The branch of 1 x 1, depthwise 3 x 3 and 1 x 1 convolution, up to its last ReLU."""
    return nn.Sequential(
        conv_norm(in_channels, width, 1),
        nn.ReLU(),
        conv_norm(width, width, 3, stride, groups=width),
        conv_norm(width, width, 1),
    )


class DownBlock(nn.Module):
    """Two branches of all channels at half the size, joined and shuffled; before the ReLU is ``act:in``."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        width = out_channels // 2
        self.left = nn.Sequential(
            conv_norm(in_channels, in_channels, 3, 2, groups=in_channels), conv_norm(in_channels, width, 1)
        )
        self.right = _right(in_channels, width, 2)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return shuffled(self.act(torch.cat((self.left(x), self.right(x)), 1)), 2)


class SplitBlock(nn.Module):
    """One half of the channels goes through, the other through three convolutions; joined and shuffled.

    One ReLU serves both halves (``act:in`` is before it): the half that goes through comes from a ReLU already.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.right = _right(channels // 2, channels // 2, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1)
        return shuffled(self.act(torch.cat((left, self.right(right)), 1)), 2)


@BACKBONES.register_module()
class ShuffleNetV2(ImageClassifier):
    """ShuffleNet V2 (Ma et al., ECCV 2018) at width 1; reads ``image`` (B, 3, H, W).

    Stages of one ``DownBlock`` and ``blocks[i]`` ``SplitBlock`` of ``widths[i]`` channels, each of half the size of the
    one before, then a 1 x 1 convolution to ``last_width``. Taps: ``stages`` (B, C, H / 2^(i+1), W / 2^(i+1)) after ReLU
    and shuffle, ``preacts`` before both. What is pooled is another map: CAT-KD wants
    ``taps=dict(stages=[..., "act"], embedding="fc:in")``.

    Deviation, as in the network of the distillation tables (Tian et al., ICLR 2020): a 1 x 1 convolution without
    stride or pooling for the stem. Linear layer and convolutions start as torch starts them.
    """

    def __init__(
        self,
        num_classes: int,
        blocks: Sequence[int] = (3, 7, 3),
        widths: Sequence[int] = (116, 232, 464),
        last_width: int = 1024,
    ):
        super().__init__()
        self.stem = nn.Sequential(conv_norm(3, STEM, 1), nn.ReLU())
        self.stages = nn.ModuleList()
        channels = STEM
        for number, width in zip(blocks, widths, strict=True):
            splits = (SplitBlock(width) for _ in range(number))
            self.stages.append(nn.Sequential(DownBlock(channels, width), *splits))
            channels = width
        self.last = conv_norm(channels, last_width, 1)
        self.act = nn.ReLU()
        stages = [f"stages.{i}" for i in range(len(blocks))]
        preacts = [f"stages.{i}.{number}.act:in" for i, number in enumerate(blocks)]
        self._finish(last_width, num_classes, stages, preacts)

    def features(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)
        return self.act(self.last(x))

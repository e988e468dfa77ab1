"""Wide residual networks: normalisation and ReLU come before each convolution."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import BACKBONES
from ..pointwise import PointwiseConv
from .base import ImageClassifier, initialise


class PreactBlock(nn.Module):
    """Two 3 x 3 convolutions behind normalisation and ReLU, and a shortcut.

    ``(B, C, H, W)`` to ``(B, C', ceil(H / stride), ceil(W / stride))``, a sum that no ReLU follows. ``act`` is what
    the block reads of the sum before. Where the width changes, the shortcut is a 1 x 1 convolution of ``act``.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.act = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.shortcut = (
            None
            if in_channels == out_channels
            else PointwiseConv(in_channels, out_channels, stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        active = self.act(self.norm1(x))
        inner = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return inner + (x if self.shortcut is None else self.shortcut(active))


@BACKBONES.register_module()
class WideResNet(ImageClassifier):
    """Wide Residual Networks (Zagoruyko & Komodakis, BMVC 2016); reads ``image`` (B, 3, H, W).

    WRN-``depth``-``widen`` has ``(depth - 4) / 6`` blocks in each of three stages of 16, 32 and 64 times ``widen``
    channels, without dropout.

    Taps: ``stages`` (B, C, H / 2^i, W / 2^i) are what reads each stage's sum: after the next normalisation and ReLU;
    ``preacts`` are before that ReLU. Deviation: RepDistiller and mdistiller tap the sums themselves as stages (for AT,
    SP, FitNets and the like); ``taps=dict(stages=["stages.0", "stages.1", "stages.2"], embedding="fc:in")`` in the
    model's config does so. CAT-KD and SimKD need the map that is pooled, as it is here.
    """

    def __init__(self, num_classes: int, depth: int = 16, widen: int = 2):
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(
                f"a WRN of depth {depth} is asked; there is: 10, 16, 22, 28, 34, 40 and so on by 6"
            )
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.stages = nn.ModuleList()
        channels = 16
        for i, width in enumerate((16 * widen, 32 * widen, 64 * widen)):
            stage = []
            for j in range((depth - 4) // 6):
                stage.append(PreactBlock(channels, width, stride=2 if i and not j else 1))
                channels = width
            self.stages.append(nn.Sequential(*stage))
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU()
        stages = ["stages.1.0.act", "stages.2.0.act", "act"]
        self._finish(channels, num_classes, stages, [f"{stage}:in" for stage in stages])
        initialise(self)
        nn.init.zeros_(self.fc.bias)

    def features(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for stage in self.stages:
            x = stage(x)
        return self.act(self.norm(x))

"""MobileNets: depthwise separable convolutions, and inverted residuals."""

from torch import Tensor, nn

from ...registry import BACKBONES
from .base import ImageClassifier, conv_norm, initialise, initialise_small

# Of each group of inverted residuals: expansion (0: the network's), channels at width 1, blocks, stride of the first.
GROUPS = (
    (1, 16, 1, 1),
    (0, 24, 2, 1),
    (0, 32, 3, 2),
    (0, 64, 4, 2),
    (0, 96, 3, 1),
    (0, 160, 3, 2),
    (0, 320, 1, 1),
)
LAST_OF_GRID = (1, 2, 4, 6)  # groups that are tapped: the last of each size
# Of each depthwise separable convolution of MobileNetV1: channels at width 1 and stride.
SEPARABLES = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


class InvertedResidual(nn.Module):
    """1 x 1 to ``expansion`` times the width, depthwise 3 x 3, 1 x 1 without ReLU; a shortcut where shapes agree."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int):
        super().__init__()
        inner = in_channels * expansion
        self.convs = nn.Sequential(
            conv_norm(in_channels, inner, 1),
            nn.ReLU(),
            conv_norm(inner, inner, 3, stride, groups=inner),
            nn.ReLU(),
            conv_norm(inner, out_channels, 1),
        )
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convs(x) if self.is_residual else self.convs(x)


@BACKBONES.register_module()
class MobileNetV2(ImageClassifier):
    """MobileNetV2: Inverted Residuals and Linear Bottlenecks (Sandler et al., CVPR 2018); reads ``image`` (B, 3, H, W).

    ``width`` multiplies all channels but the last ``last_width``. The stem halves the size and three groups do so
    again: images of 32 x 32 end as 2 x 2. Taps: ``stages`` are the last maps of each size (1/2, 1/4, 1/8 and 1/16);
    ``preacts`` are the same, since a linear bottleneck has no ReLU. What is pooled is another map: CAT-KD wants
    ``taps=dict(stages=[..., "act"], embedding="fc:in")``.

    Deviations, as in the network of the CIFAR-100 tables (Jin et al., ICCV 2019): ReLU for ReLU6, the second group
    keeps the size, and the first block has a 1 x 1 convolution although it does not expand.
    """

    def __init__(self, num_classes: int, width: float = 0.5, expansion: int = 6, last_width: int = 1280):
        super().__init__()
        channels = int(32 * width)
        self.stem = nn.Sequential(conv_norm(3, channels, 3, 2), nn.ReLU())
        self.groups = nn.ModuleList()
        for factor, base, number, stride in GROUPS:
            group = []
            for j in range(number):
                after = int(base * width)
                group.append(InvertedResidual(channels, after, 1 if j else stride, factor or expansion))
                channels = after
            self.groups.append(nn.Sequential(*group))
        self.last = conv_norm(channels, last_width, 1)
        self.act = nn.ReLU()
        stages = [f"groups.{i}" for i in LAST_OF_GRID]
        self._finish(last_width, num_classes, stages, stages)
        initialise(self)
        initialise_small(self.fc)

    def features(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for group in self.groups:
            x = group(x)
        return self.act(self.last(x))


class Separable(nn.Module):
    """Depthwise 3 x 3 and 1 x 1 convolution, each normalised, with ReLU; before the last ReLU is ``act:in``."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.convs = nn.Sequential(
            conv_norm(in_channels, in_channels, 3, stride, groups=in_channels),
            nn.ReLU(),
            conv_norm(in_channels, out_channels, 1),
        )
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.convs(x))


@BACKBONES.register_module()
class MobileNetV1(ImageClassifier):
    """MobileNets (Howard et al., arXiv 1704.04861, 2017); reads ``image`` (B, 3, H, W).

    This is the student of the ImageNet pair that many tables print as "ResNet-50 to MobileNetV2": the networks behind
    those numbers are MobileNetV1 (megvii-research/mdistiller, issues 4, 18 and 25). The tables on CIFAR-100 do mean
    ``MobileNetV2``. Made for 224 x 224; 32 x 32 end as 1 x 1, or 2 x 2 with ``stem_stride=1``. ``width`` multiplies
    all channels. Taps: ``stages``, the last maps of each size from 1/4 on (1/2 with ``stem_stride=1``), after the
    ReLU, ``preacts`` before it.
    """

    def __init__(self, num_classes: int, width: float = 1.0, stem_stride: int = 2):
        super().__init__()
        channels = int(32 * width)
        self.stem = nn.Sequential(conv_norm(3, channels, 3, stem_stride), nn.ReLU())
        self.blocks = nn.ModuleList()
        for base, stride in SEPARABLES:
            after = int(base * width)
            self.blocks.append(Separable(channels, after, stride))
            channels = after
        starts = [i for i, (_, stride) in enumerate(SEPARABLES) if stride == 2]
        stages = [f"blocks.{i - 1}" for i in (*starts[1:], len(SEPARABLES))]
        self._finish(channels, num_classes, stages, [f"{stage}.act:in" for stage in stages])
        initialise(self)

    def features(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for block in self.blocks:
            x = block(x)
        return x

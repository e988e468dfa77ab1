"""VGG with batch normalisation and one linear layer."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import BACKBONES
from .base import ImageClassifier, conv_norm, initialise, initialise_small

LAST_GRID = 4  # the largest map that the last block reads without another pooling


@BACKBONES.register_module()
class VGG(ImageClassifier):
    """Very Deep Convolutional Networks (Simonyan & Zisserman, ICLR 2015); reads ``image`` (B, 3, H, W).

    Five blocks of ``convs[i]`` 3 x 3 convolutions of ``widths[i]`` channels with batch normalisation and ReLU,
    maxima over 2 x 2 between them. Taps: ``stages`` (B, C, h, w) are the blocks after the first, at 1/2, 1/4, 1/8 and
    1/8 of the size (1/16 from maps larger than 4 x 4 on, so that images of 64 x 64 end as those of 32 x 32 do),
    ``preacts`` those before their last ReLU.

    Deviations, as in the networks of the distillation tables (Tian et al., ICLR 2020): batch normalisation, no pooling
    before the last block of small images, and the mean over positions and one linear layer for the classifier. VGG-8
    is not in the paper: one convolution a block.
    """

    def __init__(
        self,
        num_classes: int,
        convs: Sequence[int] = (1, 1, 1, 1, 1),
        widths: Sequence[int] = (64, 128, 256, 512, 512),
    ):
        super().__init__()
        self.blocks, self.acts = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for number, width in zip(convs, widths, strict=True):
            layers: list[nn.Module] = []
            for _ in range(number):
                layers += [conv_norm(channels, width, 3, bias=True), nn.ReLU()]
                channels = width
            self.blocks.append(nn.Sequential(*layers[:-1]))
            self.acts.append(layers[-1])
        stages = [f"acts.{i}" for i in range(1, len(convs))]
        self._finish(channels, num_classes, stages, [f"{stage}:in" for stage in stages])
        initialise(self)
        initialise_small(self.fc)

    def features(self, image: Tensor) -> Tensor:
        x, last = image, len(self.blocks) - 1
        for i, (block, act) in enumerate(zip(self.blocks, self.acts, strict=True)):
            if 0 < i < last or (i == last and min(x.shape[-2:]) > LAST_GRID):
                x = F.max_pool2d(x, 2)
            x = act(block(x))
        return x

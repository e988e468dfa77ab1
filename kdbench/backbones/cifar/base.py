"""What all image networks share: mean over positions, one linear layer, the usual start of convolutions."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ImageClassifier(nn.Module):
    """The frame of an image network: ``image`` ``(B, 3, H, W)`` to logits ``(B, K)``.

    A subclass gives ``features``, a map ``(B, D, h, w)``, and calls ``_finish`` at the end of its constructor.
    ``embedding`` ``(B, D)`` is the mean of that map over positions, so any ``H`` and ``W`` do that leave one.
    """

    reads = ("image",)
    taps: dict[str, str | list[str]]
    width: int  # of the embedding

    def _finish(self, width: int, num_classes: int, stages: Sequence[str], preacts: Sequence[str]) -> None:
        self.width = width
        self.fc = nn.Linear(width, num_classes)
        self.taps = {"stages": list(stages), "preacts": list(preacts), "embedding": "fc:in"}
        # Channels-last takes a tenth to two fifths off a training step on a CPU, in fp32 and bf16.
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """The map ``(B, D, h, w)`` before pooling."""
        raise NotImplementedError

    def embed(self, image: Tensor) -> Tensor:
        """The embedding ``(B, D)`` before the classifier."""
        return self.features(image.contiguous(memory_format=torch.channels_last)).mean((2, 3))

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.embed(image))


def conv_norm(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Sequential:
    """A convolution that keeps the size (at stride 1) and batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=bias),
        nn.BatchNorm2d(out_channels),
    )


def initialise(network: nn.Module) -> None:
    """Convolutions start normal with variance ``2 / (out_channels * kernel^2)`` (He et al., ICCV 2015), biases at 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def initialise_small(layer: nn.Linear) -> None:
    """A linear layer starts normal with a deviation of 0.01, its bias at 0."""
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)

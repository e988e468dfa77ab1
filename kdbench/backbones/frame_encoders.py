"""Frame encoders at the papers' sizes: residual networks and the vision transformer, from torch's own layers.

Both may start from a local file of the library timm (``weights``), whose names of tensors stand here beside ours.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import near
from ..weights import RANDOM, load_renamed
from .blocks import ENCODERS, TransformerBlock
from .pointwise import PointwiseConv

RESIDUAL_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
RESNET_NAMES = (
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    *((rf"^layer{number + 1}\.", f"stages.{number}.") for number in range(4)),
    (r"\.conv1\.", ".inner.0."),
    (r"\.bn1\.", ".inner.1."),
    (r"\.conv2\.", ".inner.3."),
    (r"\.bn2\.", ".inner.4."),
    (r"\.downsample\.", ".shortcut."),
)
VIT_NAMES = (
    (r"^patch_embed\.proj\.", "cut."),
    (r"^cls_token$", "token"),
    (r"^pos_embed$", "places"),
    (r"\.attn\.qkv\.", ".attention.mixed."),
    (r"\.attn\.proj\.", ".attention.out."),
    (r"\.mlp\.fc1\.", ".feed.0."),
    (r"\.mlp\.fc2\.", ".feed.2."),
)


class Pretrained(nn.Module):
    """A network that starts from ``weights``, a file with timm's names, once ``load_own_weights`` is called.

    ``None`` and ``"random"`` are no file. It is not read when the network is built: checks come before files.
    """

    names: Sequence[tuple[str, str]]
    classifier: str

    def __init__(self, weights: str | None = None):
        super().__init__()
        self.weights = weights

    def load_own_weights(self) -> None:
        """Read the file, if there is one to read; the classifier in it is left out."""
        if self.weights not in (None, RANDOM):
            load_renamed(self, self.weights, self.names, left_out=(self.classifier,))


class ConvBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: ``(B, C, H, W)`` to ``(B, C', ceil(H / stride), ceil(W / stride))``."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                PointwiseConv(in_channels, out_channels, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.inner(x) + self.shortcut(x))


@ENCODERS.register_module()
class FrameResNet(Pretrained):
    """ResNet-18 or -34 (He et al., CVPR 2016) of each frame: ``(B, T, C, H, W)`` to ``(B, T, 8 * channels)``.

    ``channels`` is the width of the first of four stages; 64 is the published one, which gives ``width`` 512 and, for
    RGB, 11,176,512 (depth 18) or 21,284,672 parameters (34). The classifier is left out. ``weights`` is a file with
    timm's names, which are torchvision's as well.
    """

    names, classifier = RESNET_NAMES, "fc."

    def __init__(self, depth: int = 18, in_channels: int = 3, channels: int = 64, weights: str | None = None):
        super().__init__(weights)
        if depth not in RESIDUAL_BLOCKS:
            raise ValueError(f"a ResNet of depth {depth}; {near(str(depth), map(str, RESIDUAL_BLOCKS))}")
        self.width = 8 * channels
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels, 7, 2, 3, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        stages, before = [], channels
        for number, blocks in enumerate(RESIDUAL_BLOCKS[depth]):
            after = channels * 2**number
            strides = (2 if number else 1, *(1,) * (blocks - 1))
            pairs = zip((before, *(after,) * (blocks - 1)), strides, strict=True)
            stages.append(nn.Sequential(*(ConvBlock(width, after, stride) for width, stride in pairs)))
            before = after
        self.stages = nn.Sequential(*stages)
        self.to(memory_format=torch.channels_last)

    def forward(self, video: Tensor) -> Tensor:
        x = video.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.stages(self.stem(x)).mean((2, 3)).unflatten(0, video.shape[:2])


@ENCODERS.register_module()
class FrameViT(Pretrained):
    """Vision transformer (Dosovitskiy et al., ICLR 2021) of each frame: ``(B, T, C, H, W)`` to ``(B, T, width)``.

    The defaults are ViT-S/32 at 224 x 224, the encoder of MultiASL and MultiTSF: 22,493,952 parameters without the
    classifier. The result is the class token after the last norm. Frames have the size ``(height, width)`` of
    ``image_size``, since position codes are learned. ``weights`` is a file with timm's names. Tap: ``frame_attention``
    ``[(B * T, heads, 1 + N, 1 + N)]``.
    """

    names, classifier = VIT_NAMES, "head."

    def __init__(
        self,
        image_size: int | tuple[int, int] = 224,
        patch: int = 32,
        width: int = 384,
        layers: int = 12,
        heads: int = 6,
        ratio: int = 4,
        in_channels: int = 3,
        block_dropout: float = 0.0,
        weights: str | None = None,
    ):
        super().__init__(weights)
        self.size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        if any(side % patch for side in self.size):
            raise ValueError(f"frames of {self.size} cannot be cut into patches of {patch}; take a divisor")
        self.width = width
        self.cut = nn.Conv2d(in_channels, width, patch, patch)
        patches = self.size[0] // patch * (self.size[1] // patch)
        self.token = nn.Parameter(torch.zeros(width))
        self.places = nn.Parameter(0.02 * torch.randn(1 + patches, width))
        options: dict[str, Any] = dict(heads=heads, ratio=ratio, dropout=block_dropout, epsilon=1e-6)
        self.blocks = nn.ModuleList(TransformerBlock(width, **options) for _ in range(layers))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.taps = {"frame_attention": [f"blocks.{i}.attention.softmax" for i in range(layers)]}

    def forward(self, video: Tensor) -> Tensor:
        if tuple(video.shape[-2:]) != self.size:
            raise ValueError(f"frames of {tuple(video.shape[-2:])}; there is: {self.size}")
        patches = self.cut(video.flatten(0, 1)).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(len(patches), 1, -1), patches), 1) + self.places
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 0]).unflatten(0, video.shape[:2])

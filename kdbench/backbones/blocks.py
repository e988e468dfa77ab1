"""Building blocks that several families share: temporal convolution, attention, pooling, classifier."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import Registry
from torch import Tensor, nn

from ..registry import near
from .pointwise import strided_conv2d

# Networks of one frame each, (B, T, ...) to (B, T, D), that the classifiers over time are made of.
ENCODERS = Registry("frame encoder", scope="kdbench", locations=["kdbench.backbones"])


class TemporalConv(nn.Conv1d):
    """``nn.Conv1d`` with odd kernel, no bias and same padding, computed channels-last.

    Reads and gives ``(B, C, T)``; in memory the channels lie next to each other. That takes a quarter off a
    training step on a CPU, in fp32 and bf16. It has a bias once a batch norm was folded into it.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1):
        super().__init__(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        stride, padding = (1, self.stride[0]), (0, self.padding[0])
        return strided_conv2d(x.unsqueeze(2), self.weight.unsqueeze(2), self.bias, stride, padding).squeeze(2)


class TemporalNorm(nn.BatchNorm1d):
    """``nn.BatchNorm1d`` of ``(B, C, T)`` that keeps the channels-last layout in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.unsqueeze(2)).squeeze(2)

    def _check_input_dim(self, x: Tensor) -> None:
        if x.ndim != 4:
            raise ValueError(f"expected (B, C, T), got {x.ndim - 1} dimensions")


class ResidualBlock(nn.Module):
    """Two temporal convolutions and a shortcut: ``(B, C, T)`` to ``(B, C', ceil(T / stride))``.

    The sum before the last activation is ``act:in``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 5, stride: int = 1, dropout: float = 0.1
    ):
        super().__init__()
        self.conv1 = TemporalConv(in_channels, out_channels, kernel, stride)
        self.norm1 = TemporalNorm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = TemporalConv(out_channels, out_channels, kernel)
        self.norm2 = TemporalNorm(out_channels)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(TemporalConv(in_channels, out_channels, 1, stride), TemporalNorm(out_channels))
        )
        self.act = nn.ReLU()

    def forward(self, x: Tensor, read: Tensor | None = None) -> Tensor:
        """With ``read``, of the shape of ``x``, the convolutions read that and the shortcut still ``x``."""
        inner = self.dropout(F.relu(self.norm1(self.conv1(x if read is None else read))))
        return self.act(self.norm2(self.conv2(inner)) + self.shortcut(x))


class MeanMax(nn.Module):
    """Mean and maximum over time: ``(B, C, T)`` to ``(B, 2C)``."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x.mean(-1), x.amax(-1)), 1)


def attended(
    query: Tensor, key: Tensor, value: Tensor, softmax: nn.Module, keep: Tensor | None = None
) -> Tensor:
    """Scaled dot-product attention of split heads: ``(B, heads, N, d)`` to ``(B, N, heads * d)``.

    Only the keys where ``keep`` ``(B, M)`` is true are read; where none is, the result is finite and means nothing.
    """
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if keep is not None:
        scores = scores.masked_fill(~keep[:, None, None], torch.finfo(scores.dtype).min)
    return (softmax(scores) @ value).transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Multi-head self-attention over ``(B, N, D)``; ``softmax`` gives the weights ``(B, heads, N, N)``.

    Written out, since ``nn.MultiheadAttention`` keeps its weights where no tap can read them. ``head_width`` is
    ``width / heads`` unless it is said; ``bias`` is that of queries, keys and values.
    """

    def __init__(self, width: int, heads: int, head_width: int | None = None, bias: bool = True):
        super().__init__()
        if head_width is None and width % heads:
            raise ValueError(f"a width of {width} cannot be split over {heads} heads")
        inner = heads * (head_width or width // heads)
        self.heads = heads
        self.mixed = nn.Linear(width, 3 * inner, bias=bias)
        self.softmax = nn.Softmax(dim=-1)
        self.out = nn.Linear(inner, width)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        query, key, value = self.mixed(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(attended(query, key, value, self.softmax, keep))


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., ECCV 2016): in training a sample's branch is zero with chance ``rate``."""

    def __init__(self, rate: float):
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"drop_path={rate} is no chance to drop a branch; it lies in [0, 1)")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(len(x), *(1,) * (x.ndim - 1), device=x.device) >= self.rate
        return x * kept / (1 - self.rate)


class TransformerBlock(nn.Module):
    """Pre-norm attention and feed-forward layer: ``(B, N, D)`` to ``(B, N, D)``.

    ``ratio * width`` is the width of the feed-forward part, ``head_width`` and ``bias`` are as in ``SelfAttention``.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        ratio: int = 2,
        dropout: float = 0.1,
        head_width: int | None = None,
        bias: bool = True,
        drop_path: float = 0.0,
        epsilon: float = 1e-5,
    ):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, epsilon), nn.LayerNorm(width, epsilon)
        self.attention = SelfAttention(width, heads, head_width, bias)
        self.feed = nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))
        self.dropout, self.drop_path = nn.Dropout(dropout), DropPath(drop_path)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        x = x + self.drop_path(self.dropout(self.attention(self.norm1(x), keep)))
        return x + self.drop_path(self.dropout(self.feed(self.norm2(x))))


def positions(length: int, width: int, like: Tensor) -> Tensor:
    """Sine and cosine position codes ``(length, width)`` (Vaswani et al., NeurIPS 2017), cast as ``like``."""
    index = torch.arange(length, device=like.device, dtype=torch.float32)
    rates = torch.exp(
        torch.arange(0, width, 2, device=like.device, dtype=torch.float32) * (-math.log(1e4) / width)
    )
    angles = index[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)[:, :width].to(like.dtype)


class TemporalTransformer(nn.Module):
    """Self-attention over frames: ``(B, D, T)`` to ``(B, D, T)``, positions added."""

    def __init__(self, width: int, layers: int = 2, heads: int = 4, dropout: float = 0.1):
        super().__init__()
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        x = x + positions(x.shape[1], x.shape[2], x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x).transpose(1, 2)


class TokenTransformer(nn.Module):
    """A learned class token and frames through pre-norm layers: ``(B, T, D)`` to ``(B, 1 + T, D)``.

    ``token_scale`` is the standard deviation with which the token starts. ``drop_path`` is that of the last layer;
    it grows linearly from zero. ``options`` are those of ``TransformerBlock``.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        token_scale: float = 0.0,
        with_positions: bool = False,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        epsilon: float = 1e-5,
        **options: Any,
    ):
        super().__init__()
        self.with_positions = with_positions
        self.token = nn.Parameter(token_scale * torch.randn(width))
        self.dropout = nn.Dropout(dropout)
        rates = [drop_path * i / max(layers - 1, 1) for i in range(layers)]
        self.blocks = nn.ModuleList(
            TransformerBlock(width, drop_path=rate, epsilon=epsilon, **options) for rate in rates
        )
        self.norm = nn.LayerNorm(width, epsilon)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        x = torch.cat((self.token.to(x.dtype).expand(len(x), 1, -1), x), 1)
        if self.with_positions:
            x = x + positions(*x.shape[1:], like=x)
        keep = None if keep is None else F.pad(keep, (1, 0), value=True)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, keep)
        return self.norm(x)


class TemporalCNN(nn.Module):
    """Residual blocks over frames: ``(B, D, T)`` to ``(B, widths[-1], T')``."""

    def __init__(
        self,
        in_width: int,
        widths: Sequence[int],
        strides: Sequence[int],
        kernel: int = 3,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(before, after, kernel, stride, dropout)
            for before, after, stride in zip((in_width, *widths), widths, strides, strict=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


def temporal_network(
    kind: str, width: int, strides: Sequence[int], dropout: float = 0.1
) -> tuple[nn.Module, dict[str, list[str]]]:
    """A network over frames, ``(B, D, T)`` to ``(B, D, T')``, and its taps, counted from itself.

    ``kind`` is ``"conv"`` (a residual block for each of ``strides``) or ``"attention"`` (as many layers).
    """
    if kind == "conv":
        network: nn.Module = TemporalCNN(width, [width] * len(strides), strides, dropout=dropout)
        return network, residual_taps(len(strides))
    if kind == "attention":
        blocks = range(len(strides))
        return TemporalTransformer(width, len(strides), dropout=dropout), {
            "tokens": [f"blocks.{i}" for i in blocks],
            "attention": [f"blocks.{i}.attention.softmax" for i in blocks],
        }
    raise ValueError(f"the temporal network '{kind}' is unknown; {near(kind, ('conv', 'attention'))}")


def residual_taps(blocks: int) -> dict[str, list[str]]:
    """Places of the outputs of residual blocks and of the sums before their last activations."""
    return {
        "stages": [f"blocks.{i}" for i in range(blocks)],
        "preacts": [f"blocks.{i}.act:in" for i in range(blocks)],
    }


def prefixed(prefix: str, taps: dict[str, Any]) -> dict[str, Any]:
    """``taps`` of a part, as seen from the network that holds it as ``prefix``."""
    return {
        name: f"{prefix}.{place}" if isinstance(place, str) else [f"{prefix}.{p}" for p in place]
        for name, place in taps.items()
    }


class Classifier(nn.Module):
    """The frame of every single-clip network: ``features``, ``pool`` and ``fc``.

    A subclass gives ``features(*inputs)``, a map ``(B, C, T)``, and calls ``_finish`` at the end of its
    constructor. ``embed`` is the pooled map ``(B, D)`` and equals the tap ``embedding`` (before dropout).
    ``num_classes=0`` leaves the classifier out, for use inside a larger network.
    """

    reads: tuple[str, ...] = ()
    taps: dict[str, str | list[str]]
    channels: int  # of the feature map
    width: int  # of the embedding

    def _finish(self, channels: int, num_classes: int, dropout: float, taps: dict[str, Any]) -> None:
        self.channels, self.width = channels, 2 * channels
        self.pool = MeanMax()
        self.taps = {**taps, "embedding": "fc:in"}
        self.fc = nn.Identity()
        if num_classes:
            self.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.width, num_classes))

    def features(self, *inputs: Tensor) -> Tensor:
        """The feature map ``(B, C, T)`` before pooling."""
        raise NotImplementedError

    def embed(self, *inputs: Tensor) -> Tensor:
        """The embedding ``(B, D)`` before the classifier."""
        return self.pool(self.features(*inputs))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.fc(self.embed(*inputs))

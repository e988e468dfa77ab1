"""Video networks: a 2-D CNN a frame, then a temporal CNN or self-attention over frames."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import BACKBONES
from .blocks import ENCODERS, Classifier, ResidualBlock, prefixed, temporal_network

CHANNELS = {"depth": 2, "rgb": 3}


def with_difference(video: Tensor) -> Tensor:
    """Append the step to the next frame, zero in the last: ``(B, T, C, H, W)`` to ``(B, T, 2C, H, W)``.

    Differences are taken in the precision of ``video``; the result has that of autocast where it is on.
    """
    if torch.compiler.is_exporting():  # a file would hold the buffer below as a constant of zeros
        step = video[:, 1:] - video[:, :-1]
        return torch.cat((video, F.pad(step, (0, 0, 0, 0, 0, 0, 0, 1))), 2)
    batch, frames, channels, *picture = video.shape
    # One buffer in the final precision: joining and padding wide pictures costs as much as the convolutions.
    joined = video.new_empty((batch, frames, 2 * channels, *picture), dtype=_convolved_as(video))
    joined[:, :, :channels] = video
    joined[:, :-1, channels:] = video[:, 1:] - video[:, :-1]
    joined[:, -1, channels:] = 0
    return joined


def _convolved_as(x: Tensor) -> torch.dtype:
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def with_persons(depth: Tensor) -> Tensor:
    """Rendered depth ``(..., H, W)`` in [0, 1], told from the background: closeness in steps of 0.47 m, and 0.5.

    A byte of 0, nobody, stays 0; one of 128, the person's own distance, becomes 0.5.

    >>> with_persons(torch.tensor([0.0, 88.0, 128.0]) / 255)
    tensor([ 0.0000, -0.5000,  0.5000])
    """
    return torch.where(depth > 0, depth * (255 / 40) + (0.5 - 128 / 40), depth)


@ENCODERS.register_module()
class FrameCNN(nn.Module):
    """2-D CNN of each frame: ``(B, T, C, H, W)`` to ``(B, T, width)``.

    3x3 convolutions of stride 2, then all positions of the last map flattened into one linear layer: where
    the person is stays known. ``grid`` is the height and width of that map; another frame size is pooled to
    it. ``first_stride`` is that of the first convolution, whose kernel is wider by one.
    The stages ``convs.i`` are ``(B * T, C, H, W)``. ``rendered=True`` is for depth renderings as bytes (see
    ``with_persons``): frames that are 0 everywhere, where nobody is, cost nothing and give zeros, and the stages have
    the other frames only. ``context`` residual blocks over time follow, which tell a frame of its neighbours.
    ``shrink`` averages squares of so many pixels a side before all else.
    """

    def __init__(
        self,
        in_channels: int,
        width: int = 128,
        widths: Sequence[int] = (16, 32, 64, 64),
        grid: tuple[int, int] = (4, 3),
        difference: bool = False,
        rendered: bool = False,
        first_stride: int = 2,
        context: int = 0,
        block_dropout: float = 0.1,
        shrink: int = 1,
    ):
        super().__init__()
        self.difference, self.rendered, self.grid, self.width = difference, rendered, tuple(grid), width
        self.in_channels, self.shrink = in_channels, shrink
        first = in_channels * (2 if difference else 1)
        strides = (first_stride, *(2,) * (len(widths) - 1))
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, stride + 1, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
            )
            for before, after, stride in zip((first, *widths), widths, strides, strict=False)
        )
        self.project = nn.Linear(widths[-1] * grid[0] * grid[1], width)
        self.context = nn.Sequential(
            *(ResidualBlock(width, width, dropout=block_dropout) for _ in range(context))
        )
        # Channels-last convolutions take a fifth to a third less time, on CPU and GPU.
        self.to(memory_format=torch.channels_last)

    def forward(self, video: Tensor) -> Tensor:
        if video.ndim != 5 or video.shape[2] != self.in_channels:  # no convolution sees clips without anybody
            raise ValueError(
                f"clips of the shape {tuple(video.shape)}; there is: (B, T, {self.in_channels}, H, W)"
            )
        return self.context(self._frames(video).transpose(1, 2)).transpose(1, 2)

    def _frames(self, video: Tensor) -> Tensor:
        """Features of each frame on its own, ``(B, T, width)``."""
        batch = video.shape[:2]
        shown = video.flatten(2).any(2).flatten() if self.rendered else None
        video = with_persons(video) if self.rendered else video
        if self.shrink > 1:
            video = F.avg_pool2d(video.flatten(0, 1), self.shrink).unflatten(0, batch)
        frames = (with_difference(video) if self.difference else video).flatten(0, 1)
        if shown is None:
            return self._encoded(frames).unflatten(0, batch)
        if torch.compiler.is_exporting():  # a file cannot leave pictures out
            return torch.where(shown[:, None], self._encoded(frames), 0.0).unflatten(0, batch)
        if not shown.any():  # batch norm has no statistics of nothing
            return frames.new_zeros(*batch, self.width)
        found = self._encoded(frames[shown])
        return found.new_zeros(len(shown), self.width).index_put((shown,), found).unflatten(0, batch)

    def _encoded(self, frames: Tensor) -> Tensor:
        """Features of pictures one by one, ``(N, C, H, W)`` to ``(N, width)``."""
        x = frames.contiguous(memory_format=torch.channels_last)
        for conv in self.convs:
            x = conv(x)
        if x.shape[-2:] != self.grid:
            x = F.adaptive_avg_pool2d(x, self.grid)
        return F.relu(self.project(x.flatten(1)))


@BACKBONES.register_module()
class VideoCNN(Classifier):
    """Frame CNN and a network over time for one modality of pictures, ``(B, T, C, H, W)``.

    ``modality`` is what it reads: ``"depth"`` (closeness and person mask), ``"rgb"``, or any name with
    ``in_channels``. ``temporal`` is ``"conv"`` or ``"attention"``; ``strides`` gives its depth and, for
    ``"conv"``, where the length is halved. ``difference`` appends the difference to the next frame; ``shrink`` averages
    squares of so many pixels a side first. Taps:
    ``frames`` ``(B, T, width)``, ``frame_stages`` ``[(B * T, C, H, W)]`` and those of the network over time.
    """

    def __init__(
        self,
        num_classes: int,
        modality: str = "depth",
        in_channels: int | None = None,
        difference: bool = True,
        width: int = 128,
        frame_widths: Sequence[int] = (16, 32, 64, 64),
        grid: tuple[int, int] = (4, 3),
        temporal: str = "conv",
        strides: Sequence[int] = (1, 2),
        block_dropout: float = 0.1,
        dropout: float = 0.4,
        shrink: int = 1,
    ):
        super().__init__()
        if in_channels is None and modality not in CHANNELS:
            raise ValueError(f"the modality '{modality}' needs in_channels; known are: {', '.join(CHANNELS)}")
        self.reads = (modality,)
        channels = CHANNELS[modality] if in_channels is None else in_channels
        self.frames = FrameCNN(channels, width, frame_widths, grid, difference, shrink=shrink)
        self.body, taps = temporal_network(temporal, width, strides, block_dropout)
        stages = [f"frames.convs.{i}" for i in range(len(frame_widths))]
        taps = {**prefixed("body", taps), "frames": "frames", "frame_stages": stages}
        self._finish(width, num_classes, dropout, taps)

    def begin(self, video: Tensor) -> Tensor:
        """The map ``(B, C, T)`` that the network over time reads."""
        return self.frames(video).transpose(1, 2)

    def features(self, video: Tensor) -> Tensor:
        return self.body(self.begin(video))

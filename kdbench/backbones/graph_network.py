"""The frame of all graph networks over skeletons: persons in the batch, blocks, means over joints."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .graphs import bones_of
from .pointwise import PointwiseConv
from .streams import check_streams, stack_streams

MakeBlock = Callable[
    [int, int, int, bool], nn.Module
]  # of channels before and after, stride, whether there is a shortcut


class MeanOverPersons(nn.Module):
    """``(B * M, ...)`` to ``(B, ...)``: a place to tap that has one row for each clip."""

    def __init__(self, persons: int):
        super().__init__()
        self.persons = persons

    def forward(self, x: Tensor) -> Tensor:
        return x if self.persons == 1 else x.unflatten(0, (-1, self.persons)).mean(1)


class MeanOverJoints(nn.Module):
    """``(B, C, T, J)`` to ``(B, C, T)``: a place to tap whose axes mean what those of other networks mean."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(3)


class SkeletonInput(nn.Module):
    """Streams of all persons, standardised: ``(B, T, J, 3)`` or ``(B, M, T, J, 3)`` to ``(B * M, C, T, J)``.

    Batch norm has one mean for each channel of each joint, and of each person where ``norm_persons``. Clips with
    fewer than ``persons`` are filled with zeros, as the data sets do; more are a ``ValueError``.
    """

    def __init__(self, streams: Sequence[str], graph: str, persons: int, norm_persons: bool):
        super().__init__()
        self.streams, self.persons = check_streams(streams), persons
        parents = torch.tensor(bones_of(graph))
        self.register_buffer("parents", parents, persistent=False)
        self.channels = 3 * len(self.streams)
        self.norm_rows = persons if norm_persons else 1
        self.norm = nn.BatchNorm1d(self.norm_rows * len(parents) * self.channels)

    def forward(self, skeleton: Tensor) -> Tensor:
        position = self._all_persons(skeleton)
        joints = stack_streams(position.flatten(0, 1), self.parents, self.streams)  # (B * M, T, J, C)
        rows = joints.permute(0, 2, 3, 1).reshape(-1, self.norm.num_features, joints.shape[1])
        normed = self.norm(rows).reshape(len(joints), *joints.shape[2:], joints.shape[1])
        return normed.permute(0, 2, 3, 1).contiguous(memory_format=torch.channels_last)

    def _all_persons(self, skeleton: Tensor) -> Tensor:
        position = skeleton.unsqueeze(1) if skeleton.ndim == 4 else skeleton
        missing = self.persons - position.shape[1]
        if missing < 0:
            raise ValueError(
                f"{position.shape[1]} persons a clip; the network was built for persons={self.persons}"
            )
        if not missing:
            return position
        return torch.cat((position, position.new_zeros(len(position), missing, *position.shape[2:])), 1)


class GraphNetwork(nn.Module):
    """A stack of graph blocks with a linear classifier; a family gives ``make_block``.

    Reads ``skeleton``: ``(B, T, J, 3)``, or ``(B, M, T, J, 3)`` with ``persons`` M. ``embed`` is the mean over time,
    joints and persons, ``(B, C)``, and the tap ``embedding``; ``stages`` are ``(B, C, T)``, the mean over persons and
    joints after each block. Between two networks of one graph ``taps=dict(stages=["per_clip.0", ...])`` keeps joints,
    ``(B, C, T, J)``, which methods then take for pictures of T rows.
    """

    reads = ("skeleton",)

    def __init__(
        self,
        num_classes: int,
        make_block: MakeBlock,
        streams: Sequence[str],
        graph: str,
        persons: int,
        widths: Sequence[int],
        strides: Sequence[int],
        dropout: float,
        norm_persons: bool,
    ):
        super().__init__()
        if len(widths) != len(strides):
            raise ValueError(f"{len(widths)} widths for {len(strides)} strides; each block has one of both")
        self.input = SkeletonInput(streams, graph, persons, norm_persons)
        before = (self.input.channels, *widths[:-1])
        self.blocks = nn.ModuleList(
            make_block(channels, width, stride, i > 0)
            for i, (channels, width, stride) in enumerate(zip(before, widths, strides, strict=True))
        )
        self.per_clip = nn.ModuleList(MeanOverPersons(persons) for _ in widths)
        self.over_time = nn.ModuleList(MeanOverJoints() for _ in widths)
        self.persons, self.width = persons, widths[-1]
        self.taps = {"stages": [f"over_time.{i}" for i in range(len(widths))], "embedding": "fc:in"}
        self.fc: nn.Module = nn.Identity()
        if num_classes:
            self.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.width, num_classes))

    def features(self, skeleton: Tensor) -> Tensor:
        """The last map, mean over persons, joints as last dimension: ``(B, C, T, J)``."""
        x = self.input(skeleton)
        for block, per_clip, over_time in zip(self.blocks, self.per_clip, self.over_time, strict=True):
            x = block(x)
            clip = per_clip(x)
            over_time(clip)  # only to be tapped
        return clip

    def embed(self, skeleton: Tensor) -> Tensor:
        """The embedding ``(B, C)`` before the classifier."""
        return self.features(skeleton).mean((2, 3))

    def forward(self, skeleton: Tensor) -> Tensor:
        return self.fc(self.embed(skeleton))


class TemporalUnit(nn.Sequential):
    """Convolution over time and batch norm, ``(B, C, T, J)`` to ``(B, C', ceil(T / stride), J)``."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, dilation: int = 1):
        padding = (kernel - 1) // 2 * dilation
        sizes = (in_channels, out_channels)
        over_time: nn.Module = PointwiseConv(*sizes, (stride, 1))
        if kernel > 1:
            over_time = nn.Conv2d(*sizes, (kernel, 1), (stride, 1), (padding, 0), (dilation, 1))
        super().__init__(over_time, nn.BatchNorm2d(out_channels))


class Zero(nn.Module):
    """No shortcut."""

    def forward(self, x: Tensor) -> float:
        return 0.0


def shortcut(in_channels: int, out_channels: int, stride: int, there: bool) -> nn.Module:
    """Around a block: nothing, the input itself, or a 1x1 convolution where the shape changes."""
    if not there:
        return Zero()
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return TemporalUnit(in_channels, out_channels, 1, stride)


def gathered(x: Tensor, weights: Tensor) -> Tensor:
    """Each kind's neighbours summed: ``(B, G, C, T, J)`` by the clips' own graphs ``(B, G, J, J)`` to ``(B, C, T, J)``.

    Row j of a matrix holds what joint j takes of the others.
    """
    return (x @ weights.to(x.dtype).transpose(-1, -2).unsqueeze(2)).sum(1)


def graph_convolution(x: Tensor, neighbours: Tensor, conv: nn.Conv2d) -> Tensor:
    """``gathered(conv(x))`` with one graph for all clips: ``(B, C, T, J)`` by ``(G, J, J)`` to ``(B, C', T, J)``.

    ``conv`` is a 1x1 convolution to ``G * C'`` channels. Neighbours are summed before channels are mixed, which is the
    same, both being linear; there are fewer of them then, and with channels last nothing is copied.
    """
    batch, channels, times, joints = x.shape
    kinds = len(neighbours)
    frames = x.permute(0, 2, 3, 1).reshape(batch * times, joints, channels)
    rows = neighbours.to(x.dtype).transpose(0, 1).reshape(1, joints * kinds, joints)
    summed = torch.bmm(rows.expand(batch * times, -1, -1), frames).view(-1, kinds * channels)
    mixed = F.linear(summed, conv.weight.view(kinds, -1, channels).transpose(0, 1).flatten(1))
    bias = torch.einsum("gij,gc->ic", neighbours, conv.bias.view(kinds, -1)).to(mixed.dtype)
    return (mixed.view(batch, times, joints, -1) + bias).permute(0, 3, 1, 2)


class SpatialTemporal(nn.Module):
    """A graph convolution, a convolution over time and a shortcut."""

    def __init__(self, spatial: nn.Module, temporal: nn.Module, around: nn.Module):
        super().__init__()
        self.spatial, self.temporal, self.around = spatial, temporal, around
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.temporal(self.spatial(x)) + self.around(x))

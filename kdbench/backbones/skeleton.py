"""Skeleton networks: a temporal CNN over flattened joints and a compact spatio-temporal graph network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..registry import BACKBONES
from .blocks import Classifier, TemporalCNN, TemporalNorm, prefixed, residual_taps
from .graph_network import MeanOverJoints
from .graphs import adjacency, bones_of
from .streams import check_streams, stack_streams


@BACKBONES.register_module()
class SkeletonCNN(Classifier):
    """Temporal CNN over all channels of all joints at once; reads ``skeleton`` ``(B, T, J, 3)``.

    Batch norm over channels x joints, a 1x1 convolution, residual blocks, mean and maximum over time. On a
    few hundred clips it beats graph networks, since its first layer knows which joint is which.
    """

    reads = ("skeleton",)

    def __init__(
        self,
        num_classes: int,
        streams: Sequence[str] = ("joint", "bone", "motion"),
        graph: str = "utd_mhad",
        widths: Sequence[int] = (96, 192, 192),
        strides: Sequence[int] = (1, 2, 2),
        kernel: int = 5,
        block_dropout: float = 0.1,
        dropout: float = 0.4,
    ):
        super().__init__()
        self.streams = check_streams(streams)
        parents = torch.tensor(bones_of(graph))
        self.register_buffer("parents", parents, persistent=False)
        channels = 3 * len(self.streams) * len(parents)
        self.norm = TemporalNorm(channels)
        self.stem = nn.Conv1d(channels, widths[0], 1)
        self.body = TemporalCNN(widths[0], widths, strides, kernel, block_dropout)
        self._finish(widths[-1], num_classes, dropout, prefixed("body", residual_taps(len(widths))))

    def begin(self, skeleton: Tensor) -> Tensor:
        """The map ``(B, C, T)`` that the residual blocks read."""
        joints = stack_streams(skeleton, self.parents, self.streams)
        return self.stem(self.norm(joints.flatten(2).transpose(1, 2)))

    def features(self, skeleton: Tensor) -> Tensor:
        return self.body(self.begin(skeleton))


class GraphBlock(nn.Module):
    """Graph convolution, temporal convolution and a shortcut: ``(B, C, T, J)`` to ``(B, C', T', J)``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        neighbours: Tensor,
        kernel: int,
        stride: int,
        dropout: float,
    ):
        super().__init__()
        groups = len(neighbours)
        self.register_buffer("neighbours", neighbours, persistent=False)
        self.learned = nn.Parameter(torch.zeros_like(neighbours))
        self.spatial = nn.Conv2d(in_channels, groups * out_channels, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.temporal = nn.Conv2d(
            out_channels, out_channels, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False
        )
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.dropout = nn.Dropout(dropout)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, (stride, 1), bias=False), nn.BatchNorm2d(out_channels)
            )
        )
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        # One matrix product for all neighbour groups: (B, C', T, G*J) x (G*J, J).
        weights = (self.neighbours + self.learned).transpose(1, 2).flatten(0, 1)
        groups = self.spatial(x).unflatten(1, (-1, len(self.neighbours))).permute(0, 1, 3, 2, 4).flatten(3)
        inner = self.dropout(torch.relu(self.norm1(groups @ weights.to(groups.dtype))))
        return self.act(self.norm2(self.temporal(inner)) + self.shortcut(x))


@BACKBONES.register_module()
class CompactSTGCN(Classifier):
    """Compact spatio-temporal graph network (after Yan et al., AAAI 2018, and Shi et al., CVPR 2019).

    Reads ``skeleton`` ``(B, T, J, 3)``. The graph's neighbours (oneself, parent, children) are summed with a
    learned adjacency a block that starts at zero. Unlike the originals, joints are not averaged at the end
    but mixed into ``mixtures`` learned combinations, which keeps which joint moved. Stages are ``(B, C, T)``,
    means over joints. It wants a high learning rate (5e-3) and small batches.
    """

    reads = ("skeleton",)

    def __init__(
        self,
        num_classes: int,
        streams: Sequence[str] = ("joint", "bone", "motion"),
        graph: str = "utd_mhad",
        widths: Sequence[int] = (48, 48, 96, 96),
        strides: Sequence[int] = (1, 2, 2, 1),
        kernel: int = 3,
        mixtures: int = 4,
        block_dropout: float = 0.1,
        dropout: float = 0.4,
    ):
        super().__init__()
        self.streams = check_streams(streams)
        parents = torch.tensor(bones_of(graph))
        self.register_buffer("parents", parents, persistent=False)
        channels = 3 * len(self.streams)
        self.norm = TemporalNorm(channels * len(parents))
        self.blocks = nn.ModuleList(
            GraphBlock(before, after, adjacency(graph), kernel, stride, block_dropout)
            for before, after, stride in zip((channels, *widths), widths, strides, strict=False)
        )
        self.mix = nn.Linear(len(parents), mixtures, bias=False)
        self.over_time = nn.ModuleList(MeanOverJoints() for _ in widths)
        stages = {"stages": [f"over_time.{i}" for i in range(len(widths))]}
        self._finish(mixtures * widths[-1], num_classes, dropout, stages)

    def joint_features(self, skeleton: Tensor) -> Tensor:
        """The map ``(B, C, T', J)`` of the last block, before joints are mixed."""
        joints = stack_streams(skeleton, self.parents, self.streams)  # (B, T, J, C)
        x = self.norm(joints.flatten(2).transpose(1, 2)).unflatten(1, joints.shape[2:]).permute(0, 2, 3, 1)
        for block, over_time in zip(self.blocks, self.over_time, strict=True):
            x = block(x)
            over_time(x)  # only to be tapped
        return x

    def features(self, skeleton: Tensor) -> Tensor:
        return self.mixed(self.joint_features(skeleton))

    def mixed(self, joint_features: Tensor) -> Tensor:
        """Combinations of joints, ``(B, C, T', J)`` to ``(B, C * mixtures, T')``."""
        return self.mix(joint_features).transpose(2, 3).flatten(1, 2)

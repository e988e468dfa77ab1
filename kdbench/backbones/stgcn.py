"""ST-GCN and ST-GCN++."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import BACKBONES
from .graph_network import GraphNetwork, SpatialTemporal, TemporalUnit, graph_convolution, shortcut
from .graphs import adjacency

WIDTHS = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class ImportanceGraphConv(nn.Module):
    """Neighbours weighted by a learned factor each, then batch norm and ReLU (Yan et al., eq. 10)."""

    def __init__(self, in_channels: int, out_channels: int, neighbours: Tensor):
        super().__init__()
        self.register_buffer("neighbours", neighbours, persistent=False)
        self.importance = nn.Parameter(torch.ones_like(neighbours))
        self.conv = nn.Conv2d(in_channels, len(neighbours) * out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(graph_convolution(x, self.neighbours * self.importance, self.conv)))


@BACKBONES.register_module()
class STGCN(GraphNetwork):
    """Spatial temporal graph convolutional network (Yan et al., AAAI 2018), joints, 10 blocks at the published size.

    Reads ``skeleton`` ``(B, [M,] T, J, 3)``. Published with 300 frames, dropout 0.5 inside the blocks, SGD 0.1.
    """

    def __init__(
        self,
        num_classes: int,
        streams: Sequence[str] = ("joint",),
        graph: str = "ntu",
        persons: int = 2,
        widths: Sequence[int] = WIDTHS,
        strides: Sequence[int] = STRIDES,
        kernel: int = 9,
        block_dropout: float = 0.0,
        dropout: float = 0.0,
    ):
        neighbours = adjacency(graph, joint_degree=True)

        def block(before: int, after: int, stride: int, around: bool) -> nn.Module:
            temporal = nn.Sequential(TemporalUnit(after, after, kernel, stride), nn.Dropout(block_dropout))
            spatial = ImportanceGraphConv(before, after, neighbours)
            return SpatialTemporal(spatial, temporal, shortcut(before, after, stride, around))

        super().__init__(
            num_classes, block, streams, graph, persons, widths, strides, dropout, norm_persons=False
        )


class LearnedGraphConv(nn.Module):
    """A graph that is learned from the skeleton's on, with a shortcut (Duan et al., ACM MM 2022)."""

    def __init__(self, in_channels: int, out_channels: int, neighbours: Tensor):
        super().__init__()
        self.neighbours = nn.Parameter(neighbours.clone())
        self.conv = nn.Conv2d(in_channels, len(neighbours) * out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.around = shortcut(in_channels, out_channels, 1, there=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(graph_convolution(x, self.neighbours, self.conv)) + self.around(x))


class SixBranches(nn.Module):
    """Convolutions over time with dilations 1 to 4, a maximum and a point, side by side, and a mixture of them."""

    def __init__(self, channels: int, stride: int, kernel: int = 3, dilations: Sequence[int] = (1, 2, 3, 4)):
        super().__init__()
        narrow = channels // (len(dilations) + 2)
        first = channels - narrow * (len(dilations) + 1)
        widths = (first, *[narrow] * (len(dilations) - 1))
        self.branches = nn.ModuleList(
            nn.Sequential(*self._reduced(channels, width), self._over_time(width, kernel, stride, dilation))
            for width, dilation in zip(widths, dilations, strict=True)
        )
        pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        self.branches.append(nn.Sequential(*self._reduced(channels, narrow), pool))
        self.branches.append(nn.Conv2d(channels, narrow, 1, (stride, 1)))
        self.mix = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1))
        self.norm = nn.BatchNorm2d(channels)

    @staticmethod
    def _reduced(channels: int, width: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU()

    @staticmethod
    def _over_time(width: int, kernel: int, stride: int, dilation: int) -> nn.Conv2d:
        padding = (kernel - 1) // 2 * dilation
        return nn.Conv2d(width, width, (kernel, 1), (stride, 1), (padding, 0), (dilation, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.mix(torch.cat([branch(x) for branch in self.branches], 1)))


@BACKBONES.register_module()
class STGCNPlusPlus(GraphNetwork):
    """ST-GCN++ (Duan et al., "PYSKL", ACM MM 2022): a learned graph with a shortcut, six branches over time.

    Reads ``skeleton`` ``(B, [M,] T, J, 3)``. Published with 100 frames, SGD 0.1 with Nesterov momentum, cosine.
    """

    def __init__(
        self,
        num_classes: int,
        streams: Sequence[str] = ("joint",),
        graph: str = "ntu",
        persons: int = 2,
        widths: Sequence[int] = WIDTHS,
        strides: Sequence[int] = STRIDES,
        block_dropout: float = 0.0,
        dropout: float = 0.0,
    ):
        neighbours = adjacency(graph)

        def block(before: int, after: int, stride: int, around: bool) -> nn.Module:
            spatial = LearnedGraphConv(before, after, neighbours)
            temporal = nn.Sequential(SixBranches(after, stride), nn.Dropout(block_dropout))
            return SpatialTemporal(spatial, temporal, shortcut(before, after, stride, around))

        super().__init__(
            num_classes, block, streams, graph, persons, widths, strides, dropout, norm_persons=False
        )

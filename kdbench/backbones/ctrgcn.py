"""CTR-GCN: a graph of its own for each channel."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import BACKBONES
from .agcn import START
from .graph_network import GraphNetwork, SpatialTemporal, TemporalUnit, shortcut
from .graphs import adjacency
from .stgcn import STRIDES, WIDTHS

INPUT_WIDTH = 8  # of the relations where the channels are coordinates


class ChannelRefinement(nn.Module):
    """One kind of neighbours, refined for each channel by what two joints differ in (Chen et al., eq. 4 to 7)."""

    def __init__(self, in_channels: int, out_channels: int, reduction: int = 8):
        super().__init__()
        width = INPUT_WIDTH if in_channels < reduction * INPUT_WIDTH else in_channels // reduction
        self.source, self.sink = nn.Conv2d(in_channels, width, 1), nn.Conv2d(in_channels, width, 1)
        self.value = nn.Conv2d(in_channels, out_channels, 1)
        self.relation = nn.Conv2d(width, out_channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What joints give, ``(B, C', T, J)``, and what is added to the graph of each channel, ``(B, C', J, J)``."""
        mean = x.mean(2, keepdim=True)  # over time: a graph for each clip
        difference = self.source(mean).transpose(2, 3) - self.sink(mean)  # (B, R, J, J)
        return self.value(x), self.relation(difference.tanh())


class TopologyGraphConv(nn.Module):
    """The three kinds of neighbours, each refined, and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, neighbours: Tensor):
        super().__init__()
        self.neighbours = nn.Parameter(neighbours.clone())
        self.strength = nn.Parameter(torch.zeros(()))
        self.kinds = nn.ModuleList(ChannelRefinement(in_channels, out_channels) for _ in neighbours)
        self.norm = nn.BatchNorm2d(out_channels)
        nn.init.constant_(self.norm.weight, START)
        self.around = shortcut(in_channels, out_channels, 1, there=True)

    def forward(self, x: Tensor) -> Tensor:
        total = x.new_zeros(())
        for kind, neighbours in zip(self.kinds, self.neighbours, strict=True):
            value, relation = kind(x)
            graph = neighbours + self.strength * relation
            total = total + value @ graph.to(value.dtype).transpose(-1, -2)
        return F.relu(self.norm(total) + self.around(x))


class FourBranches(nn.Module):
    """Convolutions over time with dilations 1 and 2, a maximum and a point, side by side."""

    def __init__(self, channels: int, stride: int, kernel: int = 5, dilations: Sequence[int] = (1, 2)):
        super().__init__()
        width = channels // (len(dilations) + 2)
        if width * (len(dilations) + 2) != channels:
            raise ValueError(f"{channels} channels are no multiple of the {len(dilations) + 2} branches")
        self.branches = nn.ModuleList(
            nn.Sequential(
                TemporalUnit(channels, width, 1), nn.ReLU(), TemporalUnit(width, width, kernel, stride, d)
            )
            for d in dilations
        )
        pool = (nn.MaxPool2d((3, 1), (stride, 1), (1, 0)), nn.BatchNorm2d(width))
        self.branches.append(nn.Sequential(TemporalUnit(channels, width, 1), nn.ReLU(), *pool))
        self.branches.append(TemporalUnit(channels, width, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


@BACKBONES.register_module()
class CTRGCN(GraphNetwork):
    """Channel-wise topology refinement graph convolution (Chen et al., ICCV 2021); one stream.

    Reads ``skeleton`` ``(B, [M,] T, J, 3)``. Published with 64 frames, SGD 0.1 with Nesterov momentum, 65 epochs,
    five of them warm-up. The learned graphs start from means over each joint's neighbours; the authors' start from the
    same neighbours, divided by how many joints each of them is a neighbour of.
    """

    def __init__(
        self,
        num_classes: int,
        streams: Sequence[str] = ("joint",),
        graph: str = "ntu_agcn",
        persons: int = 2,
        widths: Sequence[int] = WIDTHS,
        strides: Sequence[int] = STRIDES,
        dropout: float = 0.0,
    ):
        neighbours = adjacency(graph)

        def block(before: int, after: int, stride: int, around: bool) -> nn.Module:
            spatial = TopologyGraphConv(before, after, neighbours)
            return SpatialTemporal(
                spatial, FourBranches(after, stride), shortcut(before, after, stride, around)
            )

        super().__init__(
            num_classes, block, streams, graph, persons, widths, strides, dropout, norm_persons=True
        )

"""2s-AGCN: a graph that is fixed, learned and seen in each clip."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import BACKBONES
from .graph_network import GraphNetwork, SpatialTemporal, TemporalUnit, gathered, shortcut
from .graphs import adjacency
from .stgcn import STRIDES, WIDTHS

START = 1e-6  # of the learned graph and of the last norm's gain: a block begins as its shortcut


class AdaptiveGraphConv(nn.Module):
    """Neighbours by A + B + C: the skeleton's, learned ones, and the likeness of joints (Shi et al., eq. 3 and 4)."""

    def __init__(self, in_channels: int, out_channels: int, neighbours: Tensor, reduction: int = 4):
        super().__init__()
        kinds, self.inner = len(neighbours), out_channels // reduction
        self.register_buffer("neighbours", neighbours, persistent=False)
        self.learned = nn.Parameter(torch.full_like(neighbours, START))
        self.query = nn.Conv2d(in_channels, kinds * self.inner, 1)
        self.key = nn.Conv2d(in_channels, kinds * self.inner, 1)
        self.value = nn.Conv2d(in_channels, kinds * out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels)
        nn.init.constant_(self.norm.weight, START)
        self.around = shortcut(in_channels, out_channels, 1, there=True)

    def likeness(self, x: Tensor) -> Tensor:
        """How much each joint (row) takes of each other, by the clip's features: ``(B, G, J, J)``, rows sum to one."""
        kinds = len(self.neighbours)
        query, key = (
            layer(x).unflatten(1, (kinds, self.inner)).flatten(2, 3) for layer in (self.query, self.key)
        )
        products = key.transpose(-1, -2) @ query / query.shape[2]
        return products.softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.neighbours + self.learned + self.likeness(x)
        kinds = self.value(x).unflatten(1, (len(self.neighbours), -1))
        return F.relu(self.norm(gathered(kinds, weights)) + self.around(x))


@BACKBONES.register_module()
class AGCN(GraphNetwork):
    """Adaptive graph convolutional network (Shi et al., "2s-AGCN", CVPR 2019); one stream of its two.

    Reads ``skeleton`` ``(B, [M,] T, J, 3)``. Published with 300 frames, SGD 0.1 with Nesterov momentum, 50 epochs.
    The two streams, joint and bone, are two rows whose scores are added (``LateFusion``).
    """

    def __init__(
        self,
        num_classes: int,
        streams: Sequence[str] = ("joint",),
        graph: str = "ntu_agcn",
        persons: int = 2,
        widths: Sequence[int] = WIDTHS,
        strides: Sequence[int] = STRIDES,
        kernel: int = 9,
        dropout: float = 0.0,
    ):
        neighbours = adjacency(graph)

        def block(before: int, after: int, stride: int, around: bool) -> nn.Module:
            spatial = AdaptiveGraphConv(before, after, neighbours)
            temporal = TemporalUnit(after, after, kernel, stride)
            return SpatialTemporal(spatial, temporal, shortcut(before, after, stride, around))

        super().__init__(
            num_classes, block, streams, graph, persons, widths, strides, dropout, norm_persons=True
        )

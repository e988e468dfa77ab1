"""A re-implementation of MultiTrans (Yasuda et al., ICASSP 2022): a transformer over the frames of all sensors."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..registry import BACKBONES
from .blocks import TransformerBlock, positions
from .multiview import checked_share, sequence_logits
from .sensing import Sensing, TimeMean
from .view_fusion import ViewHead, fuse_views


@BACKBONES.register_module()
class MultiTrans(Sensing):
    """Every frame of every view is a token of one transformer; a classifier reads the views and their fusion.

    A re-implementation: beyond "features a frame and sensor, fused by a transformer over sensors and time" the paper's
    architecture could not be read. Layers, heads, fixed sine positions over time and none for the view, and the
    decision by the mean of the highest ``top`` share of a class's frames are ours. ``fusion`` is ``"max"``, ``"mean"``,
    ``"sum"``, ``"concat"`` (which needs ``num_views``) or ``"late"``.

    Gives ``logits`` ``(B, K)``, ``frame_logits`` ``(B, T, K)``, ``view_logits`` ``(B, V, K)``, ``view_frame_logits``
    ``(B, V, T, K)`` (a view here has seen the others), ``fused`` ``(B, T, D)`` (``D`` a view in ``"concat"``) and those
    of ``Sensing``, which takes the further arguments. Taps: ``embedding`` ``(B, D)``, the mean of ``fused`` over
    time; ``tokens`` ``[(B, V * T, D)]`` and ``attention`` ``[(B, heads, V * T, V * T)]``.
    """

    def __init__(
        self,
        num_classes: int,
        encoders: Mapping[str, Mapping[str, Any]],
        fusion: str = "max",
        num_views: int | None = None,
        layers: int = 2,
        heads: int = 4,
        block_dropout: float = 0.1,
        top: float = 0.25,
        **sensing: Any,
    ):
        super().__init__(encoders, **sensing)
        width, self.fusion, self.top = self.features_width, fusion, checked_share(top)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, ratio=4, dropout=block_dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = ViewHead(fusion, width, num_classes, num_views)
        self.pool = TimeMean()
        self.taps.update(
            tokens=[f"blocks.{i}" for i in range(layers)],
            attention=[f"blocks.{i}.attention.softmax" for i in range(layers)],
            embedding="pool",
        )

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        sensed = self.sense(inputs)
        views, frames, width = sensed.features.shape[1:]
        x = (sensed.features + positions(frames, width, like=sensed.features)).flatten(1, 2)
        keep = None if sensed.keep is None else sensed.keep.flatten(1)
        for block in self.blocks:
            x = block(x, keep)
        x = self.norm(x).unflatten(1, (views, frames))
        self.show_stages(sensed.features, x)
        fused = fuse_views(x, self.fusion, sensed.keep)
        self.pool(fused)
        logits = self.head(x, sensed.keep)  # (B, V + 1, T, K)
        sequence = sequence_logits(logits, self.top)
        return {
            "logits": sequence[:, -1],
            "view_logits": sequence[:, :-1],
            "frame_logits": logits[:, -1],
            "view_frame_logits": logits[:, :-1],
            "fused": fused,
            "features": sensed.features,
            **sensed.streams,
        }

"""Multi-view Action Selection Learning (Nguyen et al., ACM Multimedia Asia 2024), and its sequel with sound."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import BACKBONES
from .blocks import TokenTransformer, prefixed
from .selection import best_frames, selected_logits
from .sensing import Sensing, TimeMean
from .view_fusion import ViewHead, fuse_views


@BACKBONES.register_module()
class MultiASL(Sensing):
    """Classes of frames from all views, decided by the frames that look like an action.

    A transformer with a class token runs over the frames of each view. Its input (spatial) and its output (temporal)
    are each fused by the maximum over views; both give the class activation sequence, and each an actionness. The
    best ``1 / portion`` of the frames decide on a class (``best_frames``). Beside that, the class tokens of the views
    are fused by ``fusion`` (``"max"``, ``"mean"``, ``"sum"``, ``"concat"``, which needs ``num_views``, or ``"late"``)
    and classified. From the authors' code; MMASL (Nguyen et al., ACM TOMM) adds the sound and ``"late"``.

    Published: ViT-S/32, ``width`` 384, one layer of 4 heads of 128, feed-forward 4 x, dropout 0.1, ``portion`` 8. What
    is ours: a view's own logits (``view_logits``), for which the same heads read that view alone.

    Gives ``logits`` ``(B, K)`` (the selected frames' mean), ``token_logits`` ``(B, K)`` (the class tokens'),
    ``frame_logits`` ``(B, T, K)`` (the class activation sequence), ``view_logits`` ``(B, V, K)``,
    ``view_frame_logits`` ``(B, V, T, K)``, ``actionness_spatial`` and ``actionness_temporal`` ``(B, T)`` in (0, 1),
    ``best_frames`` ``(B, T, K)`` bool, ``fused`` ``(B, T, 2D)`` (spatial beside temporal) and those of ``Sensing``,
    which takes the further arguments. Taps: ``embedding`` ``(B, 2D)``, the mean of ``fused`` over time; ``tokens``
    ``[(B * V, 1 + T, D)]`` and ``attention`` ``[(B * V, heads, 1 + T, 1 + T)]``.
    """

    def __init__(
        self,
        num_classes: int,
        encoders: Mapping[str, Mapping[str, Any]],
        fusion: str = "max",
        num_views: int | None = None,
        layers: int = 1,
        heads: int = 4,
        head_width: int = 128,
        block_dropout: float = 0.1,
        portion: int = 8,
        **sensing: Any,
    ):
        super().__init__(encoders, **sensing)
        if portion < 1:
            raise ValueError(f"portion={portion} of the frames' number are selected; it is at least 1")
        width, self.portion = self.features_width, portion
        self.body = TokenTransformer(
            width,
            layers,
            token_scale=1.0,
            heads=heads,
            head_width=head_width,
            ratio=4,
            dropout=block_dropout,
            bias=False,
        )
        self.tokens = ViewHead(fusion, width, num_classes, num_views)
        self.classes = nn.Linear(2 * width, num_classes)
        self.spatial, self.temporal = nn.Linear(width, 1), nn.Linear(width, 1)
        self.pool = TimeMean()
        body = {
            "tokens": [f"blocks.{i}" for i in range(layers)],
            "attention": [f"blocks.{i}.attention.softmax" for i in range(layers)],
        }
        self.taps = {**self.taps, **prefixed("body", body), "embedding": "pool"}

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        sensed = self.sense(inputs)
        views, keep = sensed.features.shape[1], sensed.keep
        tokens = self.body(sensed.features.flatten(0, 1), sensed.rows).unflatten(0, (-1, views))
        self.show_stages(sensed.features, tokens[:, :, 1:])
        there = None if keep is None else keep.any(-1)
        token_logits = self.tokens(tokens[:, :, 0], there)[:, -1]
        pair = torch.cat((sensed.features, tokens[:, :, 1:]), -1)
        fused = fuse_views(pair, "max", keep)
        self.pool(fused)
        # The views and their fusion go through the heads at once, each as a clip of its own.
        selected = self._selected(torch.cat((pair, fused[:, None]), 1).flatten(0, 1))
        each = {name: value.unflatten(0, (-1, views + 1)) for name, value in selected.items()}
        return {
            **{name: value[:, -1] for name, value in each.items()},
            "view_logits": each["logits"][:, :-1],
            "view_frame_logits": each["frame_logits"][:, :-1],
            "token_logits": token_logits,
            "fused": fused,
            "features": sensed.features,
            **sensed.streams,
        }

    def _selected(self, pair: Tensor) -> dict[str, Tensor]:
        """Frames ``(N, T, 2D)`` of views or their fusion, classified, and the decision of the best."""
        frames = self.classes(pair)
        spatial, temporal = (
            torch.sigmoid(head(stream).squeeze(-1).float())
            for head, stream in zip((self.spatial, self.temporal), pair.chunk(2, -1), strict=True)
        )
        best = best_frames(frames, (temporal, spatial), self.portion)
        return {
            "logits": selected_logits(frames, best),
            "frame_logits": frames,
            "best_frames": best,
            "actionness_spatial": spatial,
            "actionness_temporal": temporal,
        }

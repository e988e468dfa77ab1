"""MultiTSF: transformer-based sensor fusion for human-centric actions in several views (Nguyen et al., FG 2025)."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..registry import BACKBONES, near
from .blocks import SelfAttention, TokenTransformer, prefixed
from .sensing import Sensing, TimeMean
from .view_fusion import ViewHead, check_views, fuse_views

DECISIONS = ("clip", "both")


class ViewInteraction(nn.Module):
    """A post-norm transformer layer across the views of each frame: ``(B, V, T, D)`` to ``(B, V, T, D)``.

    ``paper_code_compat=True`` reproduces the authors' code, where the layer gets ``(B * T, V, D)`` and takes the first
    axis for the sequence: it attends over all frames of all clips of the batch, and never from view to view. A clip's
    result then depends on what else is in the batch. ``attention.softmax`` gives the weights ``(B * T, heads, V, V)``,
    there ``(V, heads, B * T, B * T)``.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        hidden: int = 256,
        dropout: float = 0.1,
        paper_code_compat: bool = False,
    ):
        super().__init__()
        self.paper_code_compat = paper_code_compat
        self.attention = SelfAttention(width, heads)
        self.feed = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        batch = len(x)
        x, keep = self._sequences(x), None if keep is None else self._sequences(keep)
        x = self.norm1(x + self.dropout(self.attention(x, keep)))
        x = self.norm2(x + self.dropout(self.feed(x)))
        x = x.transpose(0, 1) if self.paper_code_compat else x
        return x.unflatten(0, (batch, -1)).transpose(1, 2)

    def _sequences(self, x: Tensor) -> Tensor:
        """What attends to each other along the second axis: views, ``(B * T, V, ...)``, or else ``(V, B * T, ...)``."""
        frames = x.transpose(1, 2).flatten(0, 1)
        return frames.transpose(0, 1) if self.paper_code_compat else frames


@BACKBONES.register_module()
class MultiTSF(Sensing):
    """Frames of each view with a class token in a transformer, then attention across views.

    Two branches read the transformer's frames: a head a frame and view, of which the maximum over views counts
    (``frame_logits``), and the views' interaction, fused by ``fusion`` and averaged over time (``logits``). With RGB a
    human head says how much a frame shows a person, which a loss may hold against a detector's scores. From the
    authors' code.

    Published: ViT-S/32 and ``SpectrogramMLP``, ``width`` 384, ``layers=2``, ``heads=12``, ``drop_path=0.1``, ``fusion=
    "mean"``. The authors' interaction attends over the wrong axis; ``paper_code_compat=True`` reproduces that. What is
    ours: the other fusions (``"max"``, ``"sum"``, ``"concat"``, which needs ``num_views``, ``"late"``) and a view's own
    logits, its highest frames', which no other view has touched. ``decision="both"`` is the mean of both branches'
    logits (the frames' highest), so that labels of whole clips train the head of frames and views as well; the authors
    train it with labels of frames, and report ``"clip"``, the frames and a mean of both scores.

    Gives ``logits`` ``(B, K)``, ``frame_logits`` ``(B, T, K)``, ``view_logits`` ``(B, V, K)``, ``view_frame_logits``
    ``(B, V, T, K)``, ``fused`` ``(B, T, D)`` (``D`` a view in ``"concat"``), ``human_logits`` ``(B, V, T)`` if RGB is
    read and those of ``Sensing``, which takes the further arguments. Taps: ``tokens`` ``[(B * V, 1 + T, D)]``,
    ``attention`` ``[(B * V, heads, 1 + T, 1 + T)]``, ``view_attention`` (see ``ViewInteraction``) and, except in
    ``"late"``, ``embedding`` ``(B, D)``.
    """

    def __init__(
        self,
        num_classes: int,
        encoders: Mapping[str, Mapping[str, Any]],
        fusion: str = "mean",
        num_views: int | None = None,
        layers: int = 2,
        heads: int = 12,
        block_dropout: float = 0.1,
        drop_path: float = 0.1,
        view_heads: int = 4,
        view_hidden: int = 256,
        decision: str = "clip",
        paper_code_compat: bool = False,
        **sensing: Any,
    ):
        super().__init__(encoders, **sensing)
        if decision not in DECISIONS:
            raise ValueError(f"the decision '{decision}' is unknown; {near(decision, DECISIONS)}")
        self.decision = decision
        width, dropout = self.features_width, block_dropout
        self.body = TokenTransformer(
            width,
            layers,
            with_positions=True,
            dropout=dropout,
            drop_path=drop_path,
            epsilon=1e-6,
            heads=heads,
            ratio=4,
        )
        self.human = nn.Linear(self.stream_width, 1) if "rgb" in self.modalities else None
        self.frame_head = ViewHead("late", width, num_classes)
        self.interact = ViewInteraction(width, view_heads, view_hidden, dropout, paper_code_compat)
        head = ViewHead(fusion, width, num_classes, num_views)
        self.fusion, self.num_views, self.fc = fusion, num_views, head.fc
        self.pool, self.norm = TimeMean(), nn.LayerNorm(self.fc.in_features)
        self.taps.update(self._body_taps(layers))

    def _body_taps(self, layers: int) -> dict[str, Any]:
        body = {
            "tokens": [f"blocks.{i}" for i in range(layers)],
            "attention": [f"blocks.{i}.attention.softmax" for i in range(layers)],
        }
        taps = {**prefixed("body", body), "view_attention": "interact.attention.softmax"}
        # A late fusion classifies the views one by one: there is no embedding of the clip.
        return taps if self.fusion == "late" else {**taps, "embedding": "fc:in"}

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        sensed = self.sense(inputs)
        views = sensed.features.shape[1]
        if self.fusion == "concat":
            check_views(views, self.num_views)
        frames = self.body(sensed.features.flatten(0, 1), sensed.rows)[:, 1:].unflatten(0, (-1, views))
        self.show_stages(sensed.features, frames)
        each = self.frame_head(frames, sensed.keep)  # (B, V + 1, T, K)
        mixed = self.interact(frames, sensed.keep)
        fused = fuse_views(mixed, self.fusion, sensed.keep)
        logits = self._decided(mixed, fused, sensed.keep)
        if self.decision == "both":
            logits = (logits + each[:, -1].amax(1)) / 2
        outputs = {
            "logits": logits,
            "frame_logits": each[:, -1],
            "view_logits": each[:, :-1].amax(2),
            "view_frame_logits": each[:, :-1],
            "fused": fused,
            "features": sensed.features,
            **sensed.streams,
        }
        if self.human is not None:
            outputs["human_logits"] = self.human(sensed.streams["rgb_features"]).squeeze(-1)
        return outputs

    def _decided(self, mixed: Tensor, fused: Tensor, keep: Tensor | None) -> Tensor:
        if self.fusion != "late":
            return self.fc(self.norm(self.pool(fused)))
        there = None if keep is None else keep.any(-1)
        return fuse_views(self.fc(self.norm(self.pool(mixed))), "late", there)

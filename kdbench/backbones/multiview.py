"""A multi-view, multi-modal network: views folded into the batch, modalities joined a frame, views fused."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import BACKBONES, build, near
from .blocks import ENCODERS, prefixed, temporal_network


class ViewFusion(nn.Module):
    """Views of a frame into one: ``(B, V, T, D)`` to ``(B, T, D)``.

    ``"max"`` and ``"mean"`` have no parameters; ``"attention"`` scores each view of each frame, and
    ``softmax`` gives its weights ``(B, V, T, 1)``.
    """

    kinds = ("max", "mean", "attention")

    def __init__(self, kind: str, width: int):
        super().__init__()
        if kind not in self.kinds:
            raise ValueError(f"the view fusion '{kind}' is unknown; {near(kind, self.kinds)}")
        self.kind = kind
        if kind == "attention":
            self.score = nn.Sequential(nn.Linear(width, width // 2), nn.Tanh(), nn.Linear(width // 2, 1))
            self.softmax = nn.Softmax(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "attention":
            return (self.softmax(self.score(x)) * x).sum(1)
        return x.amax(1) if self.kind == "max" else x.mean(1)


def checked_share(top: float) -> float:
    """``top`` if it is a share of the frames, in (0, 1]; else a ``ValueError``."""
    if not 0 < top <= 1:
        raise ValueError(f"top={top} is no share of the frames; it lies in (0, 1]")
    return top


def sequence_logits(frame_logits: Tensor, top: float) -> Tensor:
    """Mean of the highest ``ceil(top * T)`` frames a class: ``(..., T, K)`` to ``(..., K)``.

    >>> sequence_logits(torch.tensor([[1.0], [4.0], [2.0], [0.0]]), top=0.5)
    tensor([3.])
    """
    frames = frame_logits.shape[-2]
    return frame_logits.topk(math.ceil(top * frames), dim=-2).values.mean(-2)


@BACKBONES.register_module()
class MultiView(nn.Module):
    """Several cameras (and microphones); reads the modalities of ``encoders``, each ``(B, V, T, ...)``.

    ``encoders`` maps a modality to the config of a frame encoder. The steps: views folded into the batch,
    each modality encoded a frame, modalities joined, a network over time a view, then fusion of the views.
    One classifier reads the frames of every view and the fused ones. ``top`` is the share of frames that
    decides on a sequence. ``early=True`` fuses the views before the network over time, which then follows a
    person from view to view; it runs on each view alone, too. ``worn`` names those of ``encoders`` that
    belong to no view, ``(B, T, ...)``: every view has their features.

    Gives ``logits`` ``(B, K)``, ``frame_logits`` ``(B, T, K)``, ``view_logits`` ``(B, V, K)``,
    ``view_frame_logits`` ``(B, V, T, K)``, ``features`` ``(B, V, T, D)`` (joined, what the network over time
    reads), ``fused`` ``(B, T, D)``. Taps: ``embedding`` ``(B, D)``, the mean of ``fused`` over time; ``frames``
    ``(B * V, T, D)`` before the network over time; with attention fusion ``view_attention`` ``(B, V, T, 1)``.
    """

    def __init__(
        self,
        num_classes: int,
        encoders: Mapping[str, Mapping[str, Any]],
        width: int = 128,
        fusion: str = "max",
        temporal: str = "conv",
        layers: int = 1,
        top: float = 0.25,
        block_dropout: float = 0.1,
        dropout: float = 0.2,
        early: bool = False,
        worn: Sequence[str] = (),
    ):
        super().__init__()
        self.reads, self.top, self.early = tuple(encoders), checked_share(top), early
        self.worn = tuple(worn)
        if not set(self.reads) - set(self.worn):
            raise ValueError(
                f"worn={self.worn} leaves no modality with views; there is: {', '.join(self.reads)}"
            )
        self.encoders = nn.ModuleDict({name: build(ENCODERS, config) for name, config in encoders.items()})
        self.join = nn.Linear(sum(encoder.width for encoder in self.encoders.values()), width)
        self.body, taps = temporal_network(temporal, width, (1,) * layers, block_dropout)
        self.fuse = ViewFusion(fusion, width)
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.flat = nn.Flatten()
        self.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, num_classes))
        self.taps: dict[str, str | list[str]] = {
            **prefixed("body", taps),
            "frames": "join",
            "embedding": "flat",
        }
        if fusion == "attention":
            self.taps["view_attention"] = "fuse.softmax"

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        values = dict(zip(self.reads, inputs, strict=True))
        views = next(x.shape[1] for name, x in values.items() if name not in self.worn)
        features = F.relu(self.join(torch.cat([self._encoded(n, x, views) for n, x in values.items()], -1)))
        each, fused = self._over_time(features.unflatten(0, (-1, views)))
        self.flat(self.pool(fused.transpose(1, 2)))
        # The views and their fusion go through the classifier at once: it runs once and can be tapped.
        logits = self.fc(torch.cat((each, fused[:, None]), 1))  # (B, V + 1, T, K)
        sequence = sequence_logits(logits, self.top)
        return {
            "logits": sequence[:, -1],
            "view_logits": sequence[:, :-1],
            "frame_logits": logits[:, -1],
            "view_frame_logits": logits[:, :-1],
            "features": features.unflatten(0, (-1, views)),
            "fused": fused,
        }

    def _over_time(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The network over time on each view ``(B, V, T, D)``, and the fused views ``(B, T, D)``."""
        if self.early:
            features = torch.cat((features, self.fuse(features)[:, None]), 1)
        streams = self.body(features.flatten(0, 1).transpose(1, 2)).transpose(1, 2)
        each = streams.unflatten(0, features.shape[:2])
        return (each[:, :-1], each[:, -1]) if self.early else (each, self.fuse(each))

    def _encoded(self, name: str, value: Tensor, views: int) -> Tensor:
        """Features of each frame of each view on its own, ``(B * V, T, width)``."""
        if name in self.worn:
            return self.encoders[name](value).repeat_interleave(views, 0)
        return self.encoders[name](value.flatten(0, 1))

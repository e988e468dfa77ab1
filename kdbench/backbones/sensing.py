"""What the multi-view families start with: encoders, a guess of what is not there, attention across modalities.

``CrossModal`` and ``Adapter`` are reconstructions after View-aware Cross-modal Knowledge Distillation (Nguyen et al.,
WACV 2026): its abstract and captions name them, its equations could not be read.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..registry import build, near
from .blocks import ENCODERS, attended, prefixed
from .frame_encoders import Pretrained

HALLUCINATED = "hallucinated"


class CrossModal(nn.Module):
    """One modality reads others over time: ``LN(x + CA(x, y))``, ``(B, T, D)`` and ``(B, T', D)`` to ``(B, T, D)``.

    ``CA`` is multi-head attention with queries from ``x``, keys and values from ``y``; ``softmax`` gives its weights
    ``(B, heads, T, T')``.
    """

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be split over {heads} heads")
        self.heads = heads
        self.query, self.source = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.softmax = nn.Softmax(dim=-1)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, others: Tensor, keep: Tensor | None = None) -> Tensor:
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.source(others).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.norm(x + self.out(attended(query, key, value, self.softmax, keep)))


class Adapter(nn.Module):
    """Guesses the features of a modality from those of another: ``LN(x + MLP(x))``, ``(..., D)`` to ``(..., D)``.

    The MLP narrows to ``width / ratio``. A reconstruction: the published adapter's layers could not be read.
    """

    def __init__(self, width: int, ratio: int = 4):
        super().__init__()
        narrow = max(1, width // ratio)
        self.inner = nn.Sequential(nn.Linear(width, narrow), nn.GELU(), nn.Linear(narrow, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.inner(x))


class Sensed(NamedTuple):
    """``features`` ``(B, V, T, D)`` of all modalities side by side and, by name, those of each ``(B, V, T, width)``.

    ``keep`` ``(B, V, T)`` bool says which frames are there; ``None`` is all of them.
    """

    features: Tensor
    keep: Tensor | None
    streams: dict[str, Tensor]

    @property
    def rows(self) -> Tensor | None:
        """``keep`` with the views folded into the batch, ``(B * V, T)``."""
        return None if self.keep is None else self.keep.flatten(0, 1)


class Sensing(nn.Module):
    """The base of the multi-view families: ``sense`` turns what is read into features of each view and frame.

    Args:
        encoders: the config of a frame encoder for each modality; each turns ``(B, T, ...)`` into ``(B, T, its
            width)``. Views are folded into the batch: an encoder runs once.
        modalities: those of ``encoders`` that are read; ``None`` is all. One config serves teacher and student.
        width: of the features of each modality; an encoder of another width is followed by a linear layer.
        cross_modal: each modality reads the others over time, within a view (see ``CrossModal``).
        hallucinate: the modality whose features the first one read guesses with an ``Adapter``, in its absence. The
            guess stands beside the features of the others, and ``cross_modal`` reads it.
        view_mask: the name of one more input, ``(B, V)`` or ``(B, V, T)`` of zeros and ones, which is read last: views
            or frames of views with zero are left out of attention over frames and views, and of the fusion.
        cross_heads: heads of the attention across modalities.
        worn: those of ``encoders`` that belong to no view, ``(B, T, ...)``: they are encoded once, and every view has
            their features. Without a modality that has views there is one view.

    Outputs of every family: ``features`` ``(B, V, T, D)`` (all modalities side by side), ``<modality>_features``
    ``(B, V, T, width)`` of each encoder and, with an adapter, ``hallucinated`` ``(B, V, T, width)``, to be compared
    with a teacher's. Taps: ``stages`` ``[(B * V, D, T)]``, before and after the network over time;
    ``cross_attention`` ``[(B * V, heads, T, T')]``, and those of the encoders.
    """

    taps: dict[str, Any]

    def __init__(
        self,
        encoders: Mapping[str, Mapping[str, Any]],
        modalities: Sequence[str] | None = None,
        width: int = 384,
        cross_modal: bool = False,
        hallucinate: str | None = None,
        view_mask: str | None = None,
        cross_heads: int = 4,
        worn: Sequence[str] = (),
    ):
        super().__init__()
        self.modalities, self.worn = _chosen(modalities, encoders), tuple(worn)
        if hallucinate in self.modalities:
            raise ValueError(f"hallucinate='{hallucinate}' is read already; name one that is not there")
        streams = len(self.modalities) + (hallucinate is not None)
        if cross_modal and streams < 2:
            raise ValueError(f"cross_modal=True needs two modalities; there is: {self.modalities[0]}")
        self.view_mask = view_mask
        self.reads = self.modalities + ((view_mask,) if view_mask else ())
        self.stream_width, self.features_width = width, streams * width
        self.encoders = nn.ModuleDict({name: build(ENCODERS, encoders[name]) for name in self.modalities})
        self.projections = nn.ModuleDict(
            {name: _to_width(encoder.width, width) for name, encoder in self.encoders.items()}
        )
        self.adapter = Adapter(width) if hallucinate else None
        crossing = self.modalities if cross_modal else ()
        self.cross = nn.ModuleDict({name: CrossModal(width, cross_heads) for name in crossing})
        self.stages = nn.ModuleList(nn.Identity() for _ in range(2))  # places to tap
        self.taps = {"stages": ["stages.0", "stages.1"]}
        if crossing:
            self.taps["cross_attention"] = [f"cross.{name}.softmax" for name in crossing]
        for name, encoder in self.encoders.items():
            self.taps.update(prefixed(f"encoders.{name}", getattr(encoder, "taps", {})))

    def sense(self, inputs: Sequence[Tensor]) -> Sensed:
        """Features of each view and frame from the values of ``reads``."""
        values = dict(zip(self.modalities, inputs, strict=False))
        views = next((x.shape[1] for name, x in values.items() if name not in self.worn), 1)
        streams = {name: self._encoded(name, x, views) for name, x in values.items()}
        if self.adapter is not None:
            streams[HALLUCINATED] = self.adapter(streams[self.modalities[0]])
        keep = None
        if len(inputs) > len(values):
            mask = inputs[-1] > 0.5
            frames = next(iter(streams.values())).shape[1]
            keep = mask if mask.ndim == 3 else mask[..., None].expand(-1, -1, frames)
        joined = self._joined(streams, None if keep is None else keep.flatten(0, 1))
        named = {
            name if name == HALLUCINATED else f"{name}_features": stream.unflatten(0, (-1, views))
            for name, stream in streams.items()
        }
        return Sensed(joined.unflatten(0, (-1, views)), keep, named)

    def load_own_weights(self) -> None:
        """Read the weight file of every encoder that has one (see ``Pretrained``)."""
        for encoder in self.encoders.values():
            if isinstance(encoder, Pretrained):
                encoder.load_own_weights()

    def show_stages(self, *frames: Tensor) -> None:
        """Let the tap ``stages`` see frames ``(B, V, T, D)``, before and after the network over time."""
        for stage, x in zip(self.stages, frames, strict=True):
            stage(x.flatten(0, 1).transpose(1, 2))

    def _encoded(self, name: str, value: Tensor, views: int) -> Tensor:
        """Features of a modality with the views folded into the batch, ``(B * V, T, width)``."""
        if name in self.worn:
            return self.projections[name](self.encoders[name](value)).repeat_interleave(views, 0)
        return self.projections[name](self.encoders[name](value.flatten(0, 1)))

    def _joined(self, streams: Mapping[str, Tensor], rows: Tensor | None) -> Tensor:
        attended_streams = []
        for name, stream in streams.items():
            if name in self.cross:
                others = [other for key, other in streams.items() if key != name]
                keep = None if rows is None else rows.repeat(1, len(others))
                stream = self.cross[name](stream, torch.cat(others, 1), keep)
            attended_streams.append(stream)
        return torch.cat(attended_streams, -1)


class TimeMean(nn.Module):
    """Mean over frames: ``(..., T, D)`` to ``(..., D)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(-2)


def _to_width(given: int, width: int) -> nn.Module:
    return nn.Identity() if given == width else nn.Linear(given, width)


def _chosen(modalities: Sequence[str] | None, encoders: Mapping[str, Any]) -> tuple[str, ...]:
    chosen = tuple(encoders if modalities is None else modalities)
    strange = [name for name in chosen if name not in encoders]
    if strange:
        raise ValueError(f"no encoder reads the modality '{strange[0]}'; {near(strange[0], encoders)}")
    if not chosen:
        raise ValueError(f"modalities=(); name at least one of {', '.join(encoders) or 'nothing'}")
    return chosen

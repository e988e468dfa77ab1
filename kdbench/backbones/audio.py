"""Audio networks: a 2-D CNN over the log-mel spectrogram, then a temporal CNN or self-attention."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import BACKBONES
from .blocks import ENCODERS, Classifier, prefixed, temporal_network


@ENCODERS.register_module()
class SpectrogramCNN(nn.Module):
    """2-D CNN over a whole log-mel spectrogram: ``(B, T, S, M)`` to ``(B, T, width)``.

    Each of ``T`` frames has ``S`` hops of ``M`` mel bins; the hops of all frames make one picture ``(T * S, M)``,
    so a sound is not cut at frame borders. The convolutions halve the mel axis and, by ``hop_strides``, thin out
    the hops; the last ``bands`` of the mel axis are kept apart (which pitch matters), what is left of a frame's
    hops is averaged.
    """

    def __init__(
        self,
        width: int = 128,
        widths: Sequence[int] = (16, 32, 64),
        hop_strides: Sequence[int] = (1, 2, 2),
        bands: int = 4,
    ):
        super().__init__()
        self.bands, self.width = bands, width
        self.norm = nn.BatchNorm2d(1)
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, (stride, 2), 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
            )
            for before, after, stride in zip((1, *widths), widths, hop_strides, strict=False)
        )
        self.project = nn.Linear(widths[-1] * bands, width)
        self.to(memory_format=torch.channels_last)

    def forward(self, spectrogram: Tensor) -> Tensor:
        frames = spectrogram.shape[1]
        x = self.norm(spectrogram.flatten(1, 2)[:, None])
        for conv in self.convs:
            x = conv(x)
        x = F.adaptive_avg_pool2d(x, (frames, self.bands))  # (B, C, T, bands)
        return F.relu(self.project(x.transpose(1, 2).flatten(2)))


@ENCODERS.register_module()
class SpectrogramMLP(nn.Module):
    """Linear layers over each frame's own piece of the spectrogram: ``(B, T, S, M)`` to ``(B, T, width)``.

    ``hops`` and ``bins`` are ``S`` and ``M``, which the first layer is made for. The defaults are MultiTSF's audio
    branch (Nguyen et al., FG 2025; its code): 1024 x 128 to 512, 256, 128 and 384, a ReLU between; 67.3 M parameters.
    """

    def __init__(
        self, hops: int = 1024, bins: int = 128, width: int = 384, widths: Sequence[int] = (512, 256, 128)
    ):
        super().__init__()
        self.piece, self.width = (hops, bins), width
        layers: list[nn.Module] = []
        for before, after in zip((hops * bins, *widths), (*widths, width), strict=True):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, spectrogram: Tensor) -> Tensor:
        if spectrogram.shape[2:] != self.piece:
            raise ValueError(
                f"frames of {tuple(spectrogram.shape[2:])} hops and bins; there is: {self.piece}"
            )
        return self.layers(spectrogram.flatten(2))


@BACKBONES.register_module()
class AudioCNN(Classifier):
    """Spectrogram CNN and a network over time; reads ``audio`` ``(B, T, S, M)``: log-mel, S hops a frame.

    ``temporal`` is ``"conv"`` or ``"attention"``; ``strides`` gives its depth and, for ``"conv"``, where the
    length is halved. Taps: ``frames`` ``(B, T, width)``, ``frame_stages`` ``[(B, C, T', M')]`` and those
    of the network over time.
    """

    reads = ("audio",)

    def __init__(
        self,
        num_classes: int,
        width: int = 128,
        frame_widths: Sequence[int] = (16, 32, 64),
        hop_strides: Sequence[int] = (1, 2, 2),
        bands: int = 4,
        temporal: str = "conv",
        strides: Sequence[int] = (1, 2),
        block_dropout: float = 0.1,
        dropout: float = 0.4,
    ):
        super().__init__()
        self.frames = SpectrogramCNN(width, frame_widths, hop_strides, bands)
        self.body, taps = temporal_network(temporal, width, strides, block_dropout)
        stages = [f"frames.convs.{i}" for i in range(len(frame_widths))]
        taps = {**prefixed("body", taps), "frames": "frames", "frame_stages": stages}
        self._finish(width, num_classes, dropout, taps)

    def features(self, audio: Tensor) -> Tensor:
        return self.body(self.frames(audio).transpose(1, 2))

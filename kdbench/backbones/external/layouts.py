"""Our clips in the axes that the networks of other packages read, and in the statistics that they want."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import near

# Axes of one clip with its batch, as our data have them (docs/conventions.md).
NDIM = {"video": 5, "audio": 4, "skeleton": 5}
READS = {
    "BCTHW": "video",
    "BTCHW": "video",
    "NCHW": "video",
    "BCFS": "audio",
    "BFS": "audio",
    "BMTVC": "skeleton",
}
STATISTICS = {
    "unit": (0.0, 1.0),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": (0.5, 0.5),
    "kinetics": (0.45, 0.225),
    "mmaction": (
        tuple(mean / 255 for mean in (123.675, 116.28, 103.53)),
        tuple(std / 255 for std in (58.395, 57.12, 57.375)),
    ),
}


def kind_of(reads: str) -> str:
    """What a network with these axes reads: ``"video"``, ``"audio"`` or ``"skeleton"``."""
    if reads not in READS:
        raise ValueError(f"no clip has the axes reads='{reads}'; {near(reads, READS)}")
    return READS[reads]


def single(clip: Tensor, kind: str, views: bool) -> Tensor:
    """A clip in full: pictures ``(B, C, H, W)`` are videos of a frame, one skeleton ``(B, T, J, C)`` is of a person."""
    if kind in ("video", "skeleton") and clip.ndim == 4:
        clip = clip.unsqueeze(1)
    if clip.ndim == NDIM[kind]:
        return clip
    hint = "; its views are to be folded into the batch" if views else ""
    raise ValueError(f"a network for {kind} reads {NDIM[kind]} axes; there is: {tuple(clip.shape)}{hint}")


def laid_out(clip: Tensor, reads: str) -> Tensor:
    """A clip ``(B, T, C, H, W)``, sound ``(B, T, S, M)`` or persons ``(B, M, T, J, C)`` with the axes ``reads``.

    Sound has one axis of time, ``F``, of the hops of all frames.

    >>> laid_out(torch.zeros(2, 8, 3, 6, 5), "BCTHW").shape, laid_out(torch.zeros(2, 8, 5, 32), "BCFS").shape
    (torch.Size([2, 3, 8, 6, 5]), torch.Size([2, 1, 40, 32]))
    """
    if reads == "BCTHW":
        return clip.transpose(1, 2)
    if reads == "NCHW":
        return clip.flatten(0, 1)
    if kind_of(reads) == "audio":
        sound = clip.flatten(1, 2)
        return sound.unsqueeze(1) if reads == "BCFS" else sound
    return clip


class Fitted(nn.Module):
    """Videos ``(B, T, C, H, W)`` as a network wants them: frames, size, channels, statistics; others stay as they are.

    ``frames`` are taken at even distances; ``size`` is the height and width to which frames are scaled (bilinear);
    ``channels`` names, for each channel that the network reads, one of the data's. ``given`` and ``wanted`` are the
    mean and the standard deviation by which the data's preprocessor standardises and by which the network's did, each a
    name of ``STATISTICS`` or ``(mean, std)``; by default values are in [0, 1] for both.
    """

    def __init__(
        self,
        frames: int | None = None,
        size: Sequence[int] | None = None,
        channels: Sequence[int] | None = None,
        given: Any = "unit",
        wanted: Any = "unit",
    ):
        super().__init__()
        self.frames, self.size = frames, None if size is None else tuple(size)
        self.channels = None if channels is None else tuple(channels)
        (given_mean, given_std), (wanted_mean, wanted_std) = (_columns(of) for of in (given, wanted))
        self.register_buffer("scale", given_std / wanted_std, persistent=False)
        self.register_buffer("shift", (given_mean - wanted_mean) / wanted_std, persistent=False)
        self.is_same = given == wanted

    def forward(self, video: Tensor) -> Tensor:
        if self.frames is not None and video.shape[1] != self.frames:
            chosen = torch.linspace(0, video.shape[1] - 1, self.frames, device=video.device)
            video = video[:, chosen.round().long()]
        if self.channels is not None:
            video = video[:, :, list(self.channels)]
        if self.size is not None and tuple(video.shape[-2:]) != self.size:
            flat = F.interpolate(video.flatten(0, 1), self.size, mode="bilinear", align_corners=False)
            video = flat.unflatten(0, video.shape[:2])
        return video if self.is_same else video * self.scale + self.shift


def _columns(of: str | Sequence[Any] | Mapping[str, Any]) -> list[Tensor]:
    """Mean and standard deviation, each as ``(C, 1, 1)``."""
    if isinstance(of, str):
        if of not in STATISTICS:
            raise ValueError(f"statistics '{of}' are unknown; {near(of, STATISTICS)}")
        of = STATISTICS[of]
    return [torch.as_tensor(numbers, dtype=torch.float32).reshape(-1, 1, 1) for numbers in of]

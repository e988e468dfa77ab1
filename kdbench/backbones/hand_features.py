"""Hand-made features of clips and pictures for classical baselines; every function takes a batch and learns nothing.

``B`` batch, ``V`` views, ``T`` frames, ``C`` channels, ``H W`` height and width, ``D`` length of the feature.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

SEGMENTS = (1, 2, 4)  # of the temporal pyramid
ORIENTATIONS, CELLS = 9, 8  # of histograms of gradients: bins of 180 degrees, cells a side
BANDS = 8  # of a spectrum
_FLOOR = 1e-6


def pyramid(x: Tensor, segments: Sequence[int] = SEGMENTS) -> Tensor:
    """Mean, deviation, least and greatest value of each channel in each of ``segments`` equal parts of the time.

    ``(B, T, C)`` gives ``(B, 4 C sum(segments))``; there are at least as many frames as segments.

    >>> pyramid(torch.tensor([[[1.0], [3.0]]]), segments=(1,))
    tensor([[2., 1., 1., 3.]])
    """
    parts = [part for number in segments for part in x.tensor_split(number, dim=1)]
    columns = [(p.mean(1), p.std(1, correction=0), p.amin(1), p.amax(1)) for p in parts]
    return torch.cat([column for four in columns for column in four], dim=1)


def skeleton_features(x: Tensor) -> Tensor:
    """Pyramids of joint positions and of their steps from frame to frame: ``(B, T, J, 3)`` gives ``(B, 168 J)``."""
    positions = x.flatten(2)
    return torch.cat([pyramid(positions), pyramid(positions.diff(dim=1))], dim=1)


def inertial_features(x: Tensor) -> Tensor:
    """Pyramids of a sensor's channels and norms, of their steps, and the logarithm of their energy in 8 bands.

    ``(B, T, 6)``, acceleration before angular speed, gives ``(B, 768)``.
    """
    norms = [part.norm(dim=-1, keepdim=True) for part in x.split(3, dim=-1)]
    signals = torch.cat([x, *norms], dim=-1)
    spectrum = torch.fft.rfft((signals - signals.mean(1, keepdim=True)).float(), dim=1).abs().square()
    half = spectrum[:, 1 : 1 + spectrum.shape[1] // 2].transpose(1, 2)  # what people do is slow
    energy = (functional.adaptive_avg_pool1d(half, BANDS) + _FLOOR).log()
    return torch.cat([pyramid(signals, (1, 2, 4, 8)), pyramid(signals.diff(dim=1)), energy.flatten(1)], dim=1)


def depth_features(x: Tensor) -> Tensor:
    """Pyramids of closeness and of its change in 10 x 8 cells: ``(B, T, 2, H, W)`` gives ``(B, 4480)``."""
    cells = functional.adaptive_avg_pool2d(
        torch.cat([x[:, :, :1], x[:, :, 1:].abs()], 2).flatten(0, 1), (10, 8)
    )
    return pyramid(cells.reshape(*x.shape[:2], -1))


def views_features(x: Tensor) -> Tensor:
    """Of views ``(B, V, T, 1, H, W)``: how close and how wide the person is in 12 strips of height, and how that moves.

    A strip says nothing of where in the picture the person stands. The mean and the greatest value over the views, so
    that their order means nothing, then pyramids of 1 and 3 segments: ``(B, 1536)``.
    """
    views = x[:, :, :, 0]
    rows = torch.cat([views.mean(-1), (views > 0).to(x.dtype).mean(-1), views.amax(-1)], dim=-1)
    strips = functional.adaptive_avg_pool1d(rows.flatten(0, 2)[:, None], 36).reshape(*rows.shape[:3], 36)
    moving = functional.pad(strips.diff(dim=2), (0, 0, 1, 0)).abs()[..., :12]
    both = torch.cat([strips, moving], dim=-1)
    return pyramid(torch.cat([both.mean(1), both.amax(1)], dim=-1), (1, 3))


def image_features(x: Tensor) -> Tensor:
    """Histograms of oriented gradients and colours: ``(B, 3, H, W)`` gives ``(B, 1860)``.

    Gradients are those of the channel where they are largest, in 8 x 8 cells of 9 unsigned orientations, each block of
    2 x 2 cells divided by its norm (Dalal and Triggs, CVPR 2005); colours are mean and deviation in 4 x 4 cells.
    """
    histograms = _orientations(x)
    blocks = functional.unfold(histograms, kernel_size=2)  # (B, 4 * 9, 49)
    for _ in range(2):  # clipped at 0.2 in between, as published
        blocks = (blocks / (blocks.norm(dim=1, keepdim=True) + 1e-3)).clamp(max=0.2)
    mean = functional.adaptive_avg_pool2d(x, 4)
    variance = functional.adaptive_avg_pool2d(x.square(), 4) - mean.square()
    return torch.cat([blocks.flatten(1), mean.flatten(1), variance.clamp(min=0).sqrt().flatten(1)], dim=1)


def _orientations(x: Tensor) -> Tensor:
    """The mean strength of gradients of each orientation in each cell, ``(B, 9, 8, 8)``; bins share what is between."""
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    strength, channel = (across.square() + down.square()).sqrt().max(dim=1, keepdim=True)
    angle = torch.atan2(down.gather(1, channel), across.gather(1, channel)).remainder(math.pi)
    centres = torch.arange(ORIENTATIONS, device=x.device, dtype=x.dtype).reshape(1, -1, 1, 1)
    apart = (angle * ORIENTATIONS / math.pi - centres).remainder(ORIENTATIONS)
    weight = (1 - torch.minimum(apart, ORIENTATIONS - apart)).clamp(min=0)
    return functional.adaptive_avg_pool2d(strength * weight, CELLS)

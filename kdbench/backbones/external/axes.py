"""Axes by letter: what a network reads and gives, as a string such as ``"BCTHW"``.

``B`` batch, ``C`` channels, ``T`` time, ``H W`` height and width, ``L`` tokens; ``M`` persons, ``V`` joints and ``S``
mel bins, over which features are averaged. ``N`` stands for batch and frames in one axis, ``P`` for batch and persons.
"""

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

FOLDED = {"N": "BT", "P": "BM"}
AVERAGED = "MVS"
KEPT = "THW"


def to_map(value: Tensor, axes: str, batch: int, grid: Sequence[int] | None = None) -> Tensor:
    """Features with these ``axes`` as ``(B, C)`` and behind it those of ``T H W`` that they have.

    ``grid`` is how tokens lie in time and space, ``(T, H, W)``, or ``(H, W)`` where time has an axis of its own; what
    comes before them (a class token) is left out. Without it the mean of the tokens is taken.

    >>> import torch
    >>> to_map(torch.zeros(2, 4, 6, 5, 8), "BTHWC", batch=2).shape
    torch.Size([2, 8, 4, 6, 5])
    >>> to_map(torch.zeros(2, 1 + 24, 8), "BLC", batch=2, grid=(4, 3, 2)).shape
    torch.Size([2, 8, 4, 3, 2])
    """
    if value.ndim != len(axes):
        raise ValueError(
            f"a network gives {tuple(value.shape)}, which are not the axes '{axes}'; say its own: 'BC', 'BLC', 'BCTHW'"
        )
    if axes[0] in FOLDED:
        value, axes = value.unflatten(0, (batch, -1)), FOLDED[axes[0]] + axes[1:]
    if "L" in axes:
        value, axes = _tokens_placed(value, axes, grid)
    away = [i for i, axis in enumerate(axes) if axis in AVERAGED]
    if away:
        value, axes = value.mean(away), "".join(axis for axis in axes if axis not in AVERAGED)
    return value.permute([axes.index(axis) for axis in "BC" + KEPT if axis in axes])


def _tokens_placed(value: Tensor, axes: str, grid: Sequence[int] | None) -> tuple[Tensor, str]:
    place = axes.index("L")
    if grid is None:
        return value.mean(place), axes.replace("L", "")
    count, there = math.prod(grid), value.shape[place]
    if count > there:
        raise ValueError(f"{there} tokens do not fill the grid {tuple(grid)}; say the network's own grid")
    value = value.narrow(place, there - count, count).unflatten(place, tuple(grid))
    return value, axes.replace("L", KEPT[-len(grid) :])


def over_time(features: Tensor, frames: int) -> Tensor:
    """A map ``(B, C, [T', ...])`` as ``(B, frames, C)``: the mean over space, and as many steps as there are frames.

    Fewer steps than frames are interpolated, more are averaged; without an axis of time all frames are alike.

    >>> import torch
    >>> over_time(torch.tensor([[[0.0, 1.0]]]), frames=4).flatten()
    tensor([0.0000, 0.2500, 0.7500, 1.0000])
    """
    if features.ndim == 2:
        return features[:, None].expand(-1, frames, -1)
    steps = features.flatten(3).mean(3) if features.ndim > 3 else features
    if steps.shape[2] > frames:
        steps = F.adaptive_avg_pool1d(steps, frames)
    elif steps.shape[2] < frames:
        steps = F.interpolate(steps, frames, mode="linear", align_corners=False)
    return steps.transpose(1, 2)

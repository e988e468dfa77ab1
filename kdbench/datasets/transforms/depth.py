"""Depth clips: rendered bytes to closeness and person mask. Shapes: T frames, H rows, W columns.

A rendered pixel is 0 where there is nobody and 1 to 255 for closeness, 128 at the person's own distance.
"""

from collections.abc import Sequence

import numpy as np

from ...registry import TRANSFORMS
from .base import ClipTransform

GREY_LEVELS = 40.0  # that are closeness 1: about 0.47 m at 127 levels for 1.5 m


def closeness_table(gain: float = 1.0) -> np.ndarray:
    """Closeness, ``(256,)`` float32, of each byte: 0 for background, about -3.2 (far) to 3.2 (near) on the person."""
    table = (np.arange(256, dtype=np.float32) - 128) * np.float32(gain / GREY_LEVELS)
    table[0] = 0
    return table


def closeness_and_mask(clip: np.ndarray, gain: float = 1.0, rows: int = 0, columns: int = 0) -> np.ndarray:
    """``(..., H, W)`` bytes to ``(..., 2, H, W)`` float32: closeness and mask, moved down and right by whole pixels."""
    height, width = clip.shape[-2:]
    made = np.zeros((*clip.shape[:-2], 2, height, width), dtype=np.float32)
    into = np.s_[..., max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)]
    seen = clip[..., max(-rows, 0) : height - max(rows, 0), max(-columns, 0) : width - max(columns, 0)]
    made[..., 0, :, :][into] = closeness_table(gain)[seen]
    made[..., 1, :, :][into] = seen > 0
    return made


@TRANSFORMS.register_module()
class SampleDepth(ClipTransform):
    """The middle frame of each of ``frames`` equal segments of the straight rendering: how clips are tested."""

    modality = "depth"

    def __init__(self, frames: int = 16):
        self.frames = frames

    def apply(self, clip: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Renderings, each ``(T, H, W)`` bytes, to ``(frames, 2, H, W)`` float32; of several views, V before both."""
        middle = ((np.arange(self.frames) + 0.5) * clip[0].shape[-3] / self.frames).astype(np.intp)
        return closeness_and_mask(clip[0][..., middle, :, :])


@TRANSFORMS.register_module()
class AugmentDepth(ClipTransform):
    """A random rendering, a random frame of each of ``frames`` segments, a shift of whole pixels, a gain.

    ``shift`` is the largest move in pixels, ``gain`` the largest relative change of closeness. Views of a clip have the
    same frames, shift and gain.
    """

    modality = "depth"

    def __init__(self, frames: int = 16, shift: int = 4, gain: float = 0.1):
        self.frames, self.shift, self.gain = frames, shift, gain

    def apply(self, clip: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Renderings, each ``(T, H, W)`` bytes, to ``(frames, 2, H, W)`` float32; of several views, V before both."""
        chosen = clip[rng.integers(len(clip))]
        moments = (np.arange(self.frames) + rng.random(self.frames)) * chosen.shape[-3] / self.frames
        picked = moments.astype(np.intp)
        rows, columns = rng.integers(-self.shift, self.shift + 1, 2)
        gain = 1 + self.gain * rng.uniform(-1, 1)
        return closeness_and_mask(chosen[..., picked, :, :], gain, int(rows), int(columns))


@TRANSFORMS.register_module()
class ScaleCloseness(ClipTransform):
    """A random gain of closeness, up to ``gain`` (relative), the same in all views of a clip; for rendered bytes."""

    modality = "depth"

    def __init__(self, gain: float = 0.1):
        self.gain = gain

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Bytes of any shape; persons stay persons and the background stays 0."""
        levels = 128 + (np.arange(256) - 128) * (1 + self.gain * rng.uniform(-1, 1))
        table = np.rint(levels).clip(1, 255).astype(np.uint8)
        table[0] = 0
        return table[clip]

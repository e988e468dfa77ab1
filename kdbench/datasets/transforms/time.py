"""Time: resampling, random crop and smooth warp of a clip. Shapes: T frames, first."""

import functools

import numpy as np

from ...registry import TRANSFORMS
from .base import ClipTransform


def interpolate(clip: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Frames of ``clip``, ``(T, ...)`` float, at fractional ``positions``, ``(P,)`` in [0, T - 1], linearly.

    >>> interpolate(np.array([0.0, 2.0]), np.array([0.25]))
    array([0.5])
    """
    lower = positions.astype(np.intp)
    upper = np.minimum(lower + 1, len(clip) - 1)
    weight = (positions - lower).astype(clip.dtype).reshape(-1, *(1,) * (clip.ndim - 1))
    before = clip[lower]
    return before + weight * (clip[upper] - before)


def resample(clip: np.ndarray, frames: int) -> np.ndarray:
    """``clip``, ``(T, ...)`` float, at ``frames`` evenly spaced times, the first and the last included."""
    return interpolate(clip, np.linspace(0, len(clip) - 1, frames))


@functools.cache
def _even(frames: int) -> np.ndarray:
    """Evenly spaced times in [0, 1], which nobody may write into."""
    times = np.linspace(0, 1, frames)
    times.flags.writeable = False
    return times


def warped_positions(
    rng: np.random.Generator, length: int, frames: int, min_crop: float, max_warp: float
) -> np.ndarray:
    """Positions, ``(frames,)`` rising in [0, length - 1]: a random stretch of the clip at a smoothly varying speed.

    The stretch takes ``min_crop`` to 1 of the clip. Within it time u in [0, 1] runs as
    ``u + a * (sin(2 pi k u + phi) - sin(phi)) / (2 pi k)`` with k in {1, 2} and 0 <= a <= ``max_warp``, so that the
    speed stays within 1 ± ``max_warp`` and both ends stay in place.
    """
    share, begin, strength, phase = rng.random(4) * (1 - min_crop, 1, max_warp, 2 * np.pi)
    cycles = 2 * np.pi * rng.integers(1, 3)
    even, stretch = _even(frames), 1 - share
    time = even + strength * (np.sin(cycles * even + phase) - np.sin(phase)) / cycles
    return np.clip((begin * share + stretch * time) * (length - 1), 0, length - 1)


@TRANSFORMS.register_module()
class Resample(ClipTransform):
    """Evenly spaced frames of one modality, by linear interpolation: how clips are tested."""

    def __init__(self, modality: str, frames: int):
        self.modality, self.frames = modality, frames

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(T, ...)`` float to ``(frames, ...)``."""
        return resample(clip, self.frames)

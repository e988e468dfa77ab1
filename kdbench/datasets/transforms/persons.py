"""Skeleton clips of one or more persons, ``(M, T, J, 3)``: which frames are taken, and turns. Zeros are nobody."""

import numpy as np

from ...registry import TRANSFORMS
from ..timeline import stretch_steps
from .base import ClipTransform
from .rotation import rotation
from .time import interpolate


@TRANSFORMS.register_module()
class UniformFrames(ClipTransform):
    """One frame of each of ``frames`` equal stretches of a clip: a random one, or the middle one.

    As ST-GCN++ and PoseC3D train (Duan et al., 2022); clips shorter than ``frames`` repeat frames.
    """

    modality = "skeleton"

    def __init__(self, frames: int = 100, random: bool = True):
        self.frames, self.random = frames, random

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(M, T, J, 3)`` to ``(M, frames, J, 3)``."""
        within = rng.random(self.frames) if self.random else 0.5
        return clip[:, stretch_steps(clip.shape[1], self.frames, within)]


@TRANSFORMS.register_module()
class CropFrames(ClipTransform):
    """A stretch of a clip at ``frames`` evenly spaced times, by linear interpolation (CTR-GCN; Chen et al., ICCV 2021).

    ``shares`` is the range of its length in that of the clip, at least ``frames`` frames where the clip has them; it
    lies anywhere, or with ``random=False`` in the middle and has the larger share.
    """

    modality = "skeleton"

    def __init__(self, frames: int = 64, shares: tuple[float, float] = (0.5, 1.0), random: bool = True):
        self.frames, self.shares, self.random = frames, shares, random

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(M, T, J, 3)`` to ``(M, frames, J, 3)`` float32."""
        share, place = (rng.uniform(*self.shares), rng.random()) if self.random else (self.shares[1], 0.5)
        total = clip.shape[1]
        length = min(max(share * total, self.frames), total)
        times = place * (total - length) + np.linspace(0, max(length - 1, 0), self.frames)
        moved = interpolate(clip.swapaxes(0, 1), np.clip(times, 0, total - 1))
        return moved.swapaxes(0, 1).astype(np.float32)


@TRANSFORMS.register_module()
class TurnSkeleton(ClipTransform):
    """All persons turned about the origin by up to ``angle`` radians about each axis, one turn a clip."""

    modality = "skeleton"

    def __init__(self, angle: float = 0.3):
        self.angle = angle

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(M, T, J, 3)`` float32 to the same."""
        return clip @ rotation(*rng.uniform(-self.angle, self.angle, 3)).T.astype(np.float32)

"""Skeleton clips: a canonical pose, and random variants of it. Shapes: T frames, J joints; y is up."""

import math
from collections.abc import Sequence

import numpy as np

from ...registry import TRANSFORMS
from .base import ClipTransform
from .rotation import rotation
from .time import interpolate, warped_positions


def canonical_skeleton(
    clip: np.ndarray, hip_centre: int, shoulder_centre: int, left: Sequence[int], right: Sequence[int]
) -> np.ndarray:
    """``clip``, ``(T, J, 3)`` metres, without the place, the direction and the size of its person.

    The median hip centre becomes the origin, the median vector from the ``left`` to the ``right`` joints (hips and
    shoulders) is turned about the vertical axis to +x, and the median distance from hip centre to shoulder centre
    becomes 1. One origin, one angle and one size a clip: movement through the room stays.
    """
    hips = clip[:, hip_centre]
    across = np.median((clip[:, right] - clip[:, left]).mean(axis=1), axis=0)
    length = np.median(np.linalg.norm(clip[:, shoulder_centre] - hips, axis=1))
    turn = rotation(y=np.arctan2(across[2], across[0]))
    return ((clip - np.median(hips, axis=0)) @ (turn.T / length)).astype(np.float32)


@TRANSFORMS.register_module()
class AugmentSkeleton(ClipTransform):
    """Random variants of a canonical skeleton clip: time, view, proportions, joint offsets, noise.

    Angles are in radians, ``offset`` and ``noise`` in torso lengths (standard deviations); ``offset`` is drawn once
    for each joint and clip, ``noise`` for every number. ``scale`` is the largest relative change of each axis. ``into``
    names another input to put the variant into (see ``ClipTransform``).
    """

    modality = "skeleton"

    def __init__(
        self,
        frames: int = 48,
        min_crop: float = 0.75,
        warp: float = 0.15,
        yaw: float = 0.5,
        tilt: float = 0.15,
        scale: float = 0.15,
        offset: float = 0.02,
        noise: float = 0.005,
        into: str | None = None,
    ):
        self.into = into
        self.frames, self.min_crop, self.warp = frames, min_crop, warp
        self.yaw, self.tilt, self.scale, self.offset, self.noise = yaw, tilt, scale, offset, noise

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(T, J, 3)`` float32 to ``(frames, J, 3)``."""
        clip = interpolate(clip, warped_positions(rng, len(clip), self.frames, self.min_crop, self.warp))
        tilt, yaw, roll = rng.uniform(-1, 1, 3) * (self.tilt, self.yaw, self.tilt)
        scale = 1 + self.scale * rng.uniform(-1, 1, 3)
        clip = clip @ (rotation(tilt, yaw, roll) * scale).T.astype(np.float32)
        clip += self.offset * rng.standard_normal(clip.shape[1:], dtype=np.float32)
        clip += self.noise * rng.standard_normal(clip.shape, dtype=np.float32)
        return clip


@TRANSFORMS.register_module()
class BoxSkeleton(ClipTransform):
    """A clip turned, its frames chosen, its joints stretched to fill the box [-1, 1] x [-1, 1] x [-1, 1].

    As CTR-GCN reads N-UCLA (Chen et al., ICCV 2021; their code): random turns of up to ``angle`` radians about x and y;
    then, in each axis, the least coordinate of the clip becomes -1 and the largest 1; then ``frames`` frames, drawn
    with repetition and put in order. With ``random=False`` nothing is turned and the frames are evenly spread.
    """

    modality = "skeleton"

    def __init__(self, frames: int = 52, angle: float = math.pi / 3, random: bool = True):
        self.frames, self.angle, self.random = frames, angle, random

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(T, J, 3)`` float32 to ``(frames, J, 3)``."""
        if not self.random:
            return boxed(clip)[np.linspace(0, len(clip) - 1, self.frames).astype(np.intp)]
        x, y = rng.uniform(-self.angle, self.angle, 2)
        drawn = np.sort(rng.integers(0, len(clip), self.frames))
        return boxed(clip @ rotation(x, y).T.astype(np.float32))[drawn]


def boxed(clip: np.ndarray) -> np.ndarray:
    """Coordinates ``(T, J, 3)`` stretched to -1..1 in each axis, over all frames and joints; a flat axis becomes -1."""
    low, high = clip.min((0, 1)), clip.max((0, 1))
    return (2 * (clip - low) / np.maximum(high - low, 1e-6) - 1).astype(np.float32)

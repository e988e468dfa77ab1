"""Skeleton clips: a canonical pose, and random variants of it. Shapes: T frames, J joints; y is up."""

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

"""Inertial clips: accelerometer and gyroscope, x y z each. Shapes: T samples, 6 channels."""

import numpy as np

from ...registry import TRANSFORMS
from .base import ClipTransform
from .rotation import rotation
from .time import interpolate, warped_positions

_SENSORS = np.eye(2)[:, None, :, None]  # times a matrix gives what np.kron gives, in a tenth of its time
GYROSCOPE_SCALE = 200.0  # deg/s: brings the gyroscope to the magnitude of an accelerometer in g


def scaled_inertial(clip: np.ndarray) -> np.ndarray:
    """``(T, 6)``, acceleration in g and turning rate in deg/s, to float32 of about unit size."""
    return (clip / np.repeat((1.0, GYROSCOPE_SCALE), 3)).astype(np.float32)


def disturbed(
    rng: np.random.Generator, clip: np.ndarray, angle: float, scale: float, channel_scale: float, noise: float
) -> np.ndarray:
    """``(..., 6)`` float32 with both sensors turned, gains changed and noise added; see ``AugmentInertial``."""
    turn = rotation(*rng.uniform(-angle, angle, 3)).T
    gain = (1 + scale * rng.uniform(-1, 1)) * (1 + channel_scale * rng.uniform(-1, 1, 6))
    mix = (_SENSORS * turn[:, None]).reshape(6, 6) * gain
    clip = clip @ mix.astype(np.float32)
    clip += noise * rng.standard_normal(clip.shape, dtype=np.float32)
    return clip


@TRANSFORMS.register_module()
class AugmentInertial(ClipTransform):
    """Random variants of an inertial clip: time, how the sensor sits, its gain, noise.

    One rotation of up to ``angle`` radians about each axis turns both sensors, as when the strap sits askew.
    ``scale`` changes all channels together and ``channel_scale`` each of them, both relative; ``noise`` is a
    standard deviation. ``into`` names another input to put the variant into (see ``ClipTransform``).
    """

    modality = "inertial"

    def __init__(
        self,
        frames: int = 128,
        min_crop: float = 0.75,
        warp: float = 0.15,
        angle: float = 0.3,
        scale: float = 0.2,
        channel_scale: float = 0.1,
        noise: float = 0.03,
        into: str | None = None,
    ):
        self.into = into
        self.frames, self.min_crop, self.warp = frames, min_crop, warp
        self.angle, self.scale, self.channel_scale, self.noise = angle, scale, channel_scale, noise

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(T, 6)`` float32 to ``(frames, 6)``."""
        clip = interpolate(clip, warped_positions(rng, len(clip), self.frames, self.min_crop, self.warp))
        return disturbed(rng, clip, self.angle, self.scale, self.channel_scale, self.noise)


@TRANSFORMS.register_module()
class DisturbInertial(ClipTransform):
    """What ``AugmentInertial`` does to the sensor, its time left alone: for recordings that go with pictures."""

    modality = "inertial"

    def __init__(
        self, angle: float = 0.3, scale: float = 0.2, channel_scale: float = 0.1, noise: float = 0.03
    ):
        self.angle, self.scale, self.channel_scale, self.noise = angle, scale, channel_scale, noise

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(..., 6)`` float32 to the same shape."""
        return disturbed(rng, clip, self.angle, self.scale, self.channel_scale, self.noise)

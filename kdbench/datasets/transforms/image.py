"""Pictures and videos: random crop and mirror. Shapes: 3 channels, H rows, W columns, bytes."""

import numpy as np

from ...registry import TRANSFORMS
from .base import ClipTransform


def moved(image: np.ndarray, rows: int, columns: int, is_mirrored: bool = False) -> np.ndarray:
    """``(..., 3, H, W)`` moved down and right by whole pixels, then mirrored; black comes in from outside.

    >>> moved(np.arange(1, 5).reshape(1, 2, 2), 1, 0, is_mirrored=True).tolist()
    [[[0, 0], [2, 1]]]
    """
    height, width = image.shape[-2:]
    rows, columns = max(-height, min(rows, height)), max(-width, min(columns, width))
    made = np.zeros(image.shape, image.dtype)
    into = made[..., ::-1] if is_mirrored else made
    seen = image[..., max(-rows, 0) : height - max(rows, 0), max(-columns, 0) : width - max(columns, 0)]
    into[..., max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)] = seen
    return made


@TRANSFORMS.register_module()
class AugmentImage(ClipTransform):
    """A random crop of the picture with ``padding`` black pixels around it, mirrored with probability ``mirror``.

    The augmentation of CIFAR (Lee et al., Deeply-Supervised Nets, AISTATS 2015), padding 4 and mirror 1/2.
    """

    def __init__(self, padding: int = 4, mirror: float = 0.5, modality: str = "image"):
        if padding < 0 or not 0 <= mirror <= 1:
            raise ValueError(
                f"padding={padding}, mirror={mirror}; padding is at least 0 and mirror from 0 to 1"
            )
        self.padding, self.mirror, self.modality = padding, mirror, modality

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(..., 3, H, W)`` bytes to the same shape; all pictures of a clip are moved alike."""
        down, right, side = rng.random(3).tolist()  # one draw of three costs a third of three draws
        places = 2 * self.padding + 1
        rows, columns = int(down * places) - self.padding, int(right * places) - self.padding
        return moved(clip, rows, columns, is_mirrored=side < self.mirror)

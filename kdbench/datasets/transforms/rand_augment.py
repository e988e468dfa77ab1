"""RandAugment: Practical Automated Data Augmentation with a Reduced Search Space (Cubuk et al., NeurIPS 2020).

Pictures are ``(3, H, W)`` bytes. Each operation takes a strength from -1 to 1, of which those without a direction read
the size only; at 0 all but ``auto_contrast`` and ``equalize`` change nothing.
"""

import math

import numpy as np

from ...registry import TRANSFORMS
from .base import ClipTransform

LARGEST_TURN, LARGEST_SHEAR, LARGEST_MOVE = math.radians(30), 0.3, 150 / 331  # of AutoAugment, for 331 x 331
LARGEST_CHANGE, LARGEST_LOSS = (
    0.9,
    4,
)  # of colour, contrast, brightness and sharpness; bits that posterize takes
_LEVELS = np.arange(256)
_GREY_WEIGHTS = np.array((0.299, 0.587, 0.114))  # ITU-R 601, as everywhere


def identity(image: np.ndarray, strength: float) -> np.ndarray:
    """The picture itself."""
    return image


def auto_contrast(image: np.ndarray, strength: float) -> np.ndarray:
    """Each channel stretched to 0 to 255."""
    low, high = image.min(axis=(1, 2), keepdims=True), image.max(axis=(1, 2), keepdims=True)
    scale = 255 / np.maximum(high.astype(float) - low, 1)
    return np.where(high > low, ((image - low) * scale).astype(np.uint8), image)


def equalize(image: np.ndarray, strength: float) -> np.ndarray:
    """Each channel with its levels spread so that they are used alike."""
    return np.stack([_equalizing(np.bincount(plane.ravel(), minlength=256))[plane] for plane in image])


def _equalizing(counts: np.ndarray) -> np.ndarray:
    """The table, ``(256,)`` bytes, that spreads the levels of a histogram."""
    step = (counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
    if step == 0:
        return _LEVELS.astype(np.uint8)
    below = np.cumsum(counts) - counts
    return ((below + step // 2) // step).clip(0, 255).astype(np.uint8)


def solarize(image: np.ndarray, strength: float) -> np.ndarray:
    """Levels at or above a threshold inverted; at full strength all of them."""
    threshold = 256 * (1 - abs(strength))
    return np.where(threshold <= _LEVELS, 255 - _LEVELS, _LEVELS).astype(np.uint8)[image]


def posterize(image: np.ndarray, strength: float) -> np.ndarray:
    """The lowest bits of each level taken, up to 4 of 8."""
    return image & np.uint8(256 - (1 << round(LARGEST_LOSS * abs(strength))))


def _blended(neutral: np.ndarray | float, image: np.ndarray, strength: float) -> np.ndarray:
    """``neutral`` for -1 (nearly), the picture for 0, and as far beyond it for 1."""
    factor = 1 + LARGEST_CHANGE * strength
    return (neutral + (image - neutral) * factor).clip(0, 255).astype(np.uint8)


def _grey(image: np.ndarray) -> np.ndarray:
    return np.rint(np.tensordot(_GREY_WEIGHTS, image, 1))


def colour(image: np.ndarray, strength: float) -> np.ndarray:
    """Less or more saturated."""
    return _blended(_grey(image), image, strength)


def contrast(image: np.ndarray, strength: float) -> np.ndarray:
    """Nearer to or farther from the mean grey."""
    return _blended(np.rint(_grey(image).mean()), image, strength)


def brightness(image: np.ndarray, strength: float) -> np.ndarray:
    """Darker or brighter."""
    return _blended(0.0, image, strength)


def sharpness(image: np.ndarray, strength: float) -> np.ndarray:
    """Blurred or sharpened; the outermost pixels stay."""
    blurred = image.astype(float)
    height, width = image.shape[1:]
    if min(height, width) > 2:
        near = sum(
            image[:, row : height - 2 + row, column : width - 2 + column].astype(float)
            for row in range(3)
            for column in range(3)
        )
        blurred[:, 1:-1, 1:-1] = np.rint((near + 4.0 * image[:, 1:-1, 1:-1]) / 13)
    return _blended(blurred, image, strength)


def resampled(image: np.ndarray, matrix: np.ndarray, fill: int) -> np.ndarray:
    """The nearest pixel at ``matrix (2, 3) @ (row, column, 1)`` for each pixel, ``fill`` where there is none.

    >>> resampled(np.array([[[1, 2]]], np.uint8), np.array([[1, 0, 0], [0, 1, 1.0]]), 9).tolist()
    [[[2, 9]]]
    """
    channels, height, width = image.shape
    row, column = np.arange(height)[:, None] + 0.5, np.arange(width) + 0.5
    rows, columns = (np.floor(a * row + b * column + c) for a, b, c in matrix.tolist())
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    pixels = np.full((channels, height * width + 1), fill, dtype=np.uint8)  # the last one is what is outside
    pixels[:, :-1] = image.reshape(channels, -1)
    return pixels.take(np.where(inside, rows * width + columns, height * width).astype(np.intp), axis=1)


def turning(strength: float, height: int, width: int) -> np.ndarray:
    """Matrix ``(2, 3)`` that turns the picture about its middle."""
    cosine, sine = math.cos(LARGEST_TURN * strength), math.sin(LARGEST_TURN * strength)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    middle = np.array([height, width]) / 2
    return np.column_stack((turn, middle - turn @ middle))


def shearing_rows(strength: float, height: int, width: int) -> np.ndarray:
    """Matrix ``(2, 3)`` that slants columns."""
    return np.array([[1, LARGEST_SHEAR * strength, 0], [0, 1, 0]])


def shearing_columns(strength: float, height: int, width: int) -> np.ndarray:
    """Matrix ``(2, 3)`` that slants rows."""
    return np.array([[1, 0, 0], [LARGEST_SHEAR * strength, 1, 0]])


def moving_rows(strength: float, height: int, width: int) -> np.ndarray:
    """Matrix ``(2, 3)`` that moves the picture up or down."""
    return np.array([[1, 0, LARGEST_MOVE * strength * height], [0, 1, 0]])


def moving_columns(strength: float, height: int, width: int) -> np.ndarray:
    """Matrix ``(2, 3)`` that moves the picture left or right."""
    return np.array([[1, 0, 0], [0, 1, LARGEST_MOVE * strength * width]])


LEVELS = (identity, auto_contrast, equalize, solarize, posterize, colour, contrast, brightness, sharpness)
PLACES = (turning, shearing_rows, shearing_columns, moving_rows, moving_columns)


@TRANSFORMS.register_module()
class RandAugment(ClipTransform):
    """``num_ops`` of 14 operations one after the other, each drawn anew, all at one strength.

    The strength is ``magnitude / max_magnitude`` of the largest in AutoAugment, its direction is drawn; pixels that
    come in from outside have the level ``fill``. ``into`` names the input that takes the result: the picture itself,
    or a second one beside it, such as the strong view of MLKD (``into="image_strong"``).

    Deviation: in the authors' code the level is the parameter itself, so that level 0 makes posterize black and
    contrast flat; here, as in their text, a level is how strong the change is. Their text counts levels to 10, their
    experiments and most code to 30.
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 10,
        max_magnitude: int = 30,
        fill: int = 128,
        modality: str = "image",
        into: str | None = None,
    ):
        if num_ops < 0 or not 0 <= magnitude <= max_magnitude or max_magnitude < 1 or not 0 <= fill <= 255:
            raise ValueError(
                f"num_ops={num_ops}, magnitude={magnitude}, max_magnitude={max_magnitude}, fill={fill}; num_ops is at "
                "least 0, magnitude from 0 to max_magnitude, fill from 0 to 255"
            )
        self.num_ops, self.strength, self.fill = num_ops, magnitude / max_magnitude, fill
        self.modality, self.into = modality, into

    def apply(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``(3, H, W)`` bytes to the same shape."""
        for place, side in rng.random((self.num_ops, 2)).tolist():
            number = int(place * (len(LEVELS) + len(PLACES)))
            strength = self.strength if side < 0.5 else -self.strength
            if number < len(LEVELS):
                clip = LEVELS[number](clip, strength)
            else:
                matrix = PLACES[number - len(LEVELS)](strength, *clip.shape[1:])
                clip = resampled(clip, matrix, self.fill)
        return clip

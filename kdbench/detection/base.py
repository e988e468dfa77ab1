"""What finds people in frames: one call for a block of frames, whichever model is behind it."""

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..spec import InvalidDataError


class Found(NamedTuple):
    """The people in one frame.

    ``boxes`` (n, 5) float32: x0, y0, x1, y1 in 0..1 of width and height, confidence in 0..1. ``mask`` (H, W) bool: the
    pixels that show a person, None from a detector that gives boxes alone.
    """

    boxes: np.ndarray
    mask: np.ndarray | None = None


class PersonDetector(ABC):
    """Frames in, people out.

    ``name`` is the kind of detector, ``threshold`` what its confidences are at least, ``settings`` (JSON values) what
    else decides the result.
    """

    name: str
    threshold: float
    settings: dict[str, Any]

    @abstractmethod
    def __call__(self, frames: np.ndarray) -> list[Found]:
        """The people in each of the frames, ``(T, H, W, 3)`` uint8 RGB."""


def relative_boxes(corners: np.ndarray, scores: np.ndarray, height: int, width: int) -> np.ndarray:
    """Boxes ``(n, 5)`` in 0..1 from corners ``(n, 4)`` in pixels; what lies outside of the picture is cut off.

    >>> relative_boxes(np.array([[-5.0, 0.0, 50.0, 100.0]]), np.array([0.5]), height=100, width=200)
    array([[0.  , 0.  , 0.25, 1.  , 0.5 ]], dtype=float32)
    """
    shares = np.asarray(corners, dtype=np.float32).reshape(-1, 4) / np.float32([width, height, width, height])
    boxes = np.concatenate([shares, np.asarray(scores, dtype=np.float32)[:, None]], axis=1).clip(0, 1)
    return boxes[(boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])]


def file_digest(path: Path, remedy: str) -> str:
    """The first 16 digits of the SHA-256 of a model's file, by which a store tells what it was made with."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise InvalidDataError(f"{path} cannot be read ({error.strerror}); {remedy}") from None


def check_threshold(threshold: float) -> float:
    """A threshold that can be one."""
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold={threshold}; a threshold is from 0 to below 1")
    return float(threshold)

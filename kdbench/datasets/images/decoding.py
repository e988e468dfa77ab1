"""Compressed images to one array. A picture is RGB, ``(3, H, W)`` bytes."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ...spec import InvalidDataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG"
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"


def is_whole(content: bytes) -> bool:
    """Whether a JPEG or PNG has its end; other formats pass.

    Decoders fill what is missing of these two with grey, and say so on stderr at most. In a JPEG the end is looked for
    behind the header, since a thumbnail inside that has an end of its own.
    """
    if content.startswith(_PNG):
        return b"IEND" in content[-64:]
    if not content.startswith(_JPEG):
        return True
    at = 2
    while at + 4 <= len(content) and content[at + 1] != _START_OF_SCAN:
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return content.find(_END_OF_IMAGE, at) > 0


def decoded(content: bytes, name: str, size: int | None = None) -> np.ndarray:
    """One picture, ``(3, H, W)`` bytes; ``size`` scales the shorter side to that and takes the middle square."""
    import cv2

    remedy = "take it from the source again"
    if not is_whole(content):
        raise InvalidDataError(f"{name} is truncated ({len(content)} bytes); {remedy}")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if picture is None:
        raise InvalidDataError(f"{name} is no image that can be read ({len(content)} bytes); {remedy}")
    if size is not None:
        picture = _middle_square(picture, size)
    return np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1))


def _middle_square(picture: np.ndarray, size: int) -> np.ndarray:
    import cv2

    height, width = picture.shape[:2]
    if min(height, width) != size:
        scale = size / min(height, width)
        extent = (max(size, round(width * scale)), max(size, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = cv2.resize(picture, extent, interpolation=method)
    top, left = (picture.shape[0] - size) // 2, (picture.shape[1] - size) // 2
    return picture[top : top + size, left : left + size]


def decode_all(names: Sequence[str], read: Callable[[int], bytes], size: int | None = None) -> np.ndarray:
    """Every picture, ``(N, 3, H, W)`` bytes: ``read(i)`` is the content of the one called ``names[i]``.

    Without ``size`` all must have the extent of the first.
    """
    first = decoded(read(0), names[0], size)
    images = np.empty((len(names), *first.shape), dtype=np.uint8)

    def fill(some: np.ndarray) -> None:
        for index in some:
            picture = decoded(read(index), names[index], size)
            if picture.shape != first.shape:
                raise InvalidDataError(
                    f"{names[index]} is {picture.shape[2]} x {picture.shape[1]}, {names[0]} is {first.shape[2]} x "
                    f"{first.shape[1]}; say size= to bring all to one size"
                )
            images[index] = picture

    threads = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, np.array_split(np.arange(len(names)), threads)))
    return images


def content_of(path: Path) -> bytes:
    """The bytes of an image file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidDataError(
            f"{path} cannot be read ({error.strerror}); take it from the source again"
        ) from None

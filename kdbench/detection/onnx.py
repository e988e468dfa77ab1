"""YOLOX (Ge et al., arXiv 2107.08430): person boxes from an exported network, without the package that trained it.

The network reads BGR bytes as floats, ``(1, 3, S, S)``, letterboxed into the top left corner with grey 114, and gives
``(1, N, 5 + K)``: for each place of the grids of strides 8, 16 and 32 the centre of a box, the logarithm of its
size, its objectness and K class probabilities.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..compat import load_onnxruntime, load_opencv
from ..spec import InvalidDataError, MissingPackageError
from .base import Found, PersonDetector, check_threshold, file_digest, relative_boxes

STRIDES = (8, 16, 32)
GREY = 114
_INPUT = re.compile(r"<Input> \w+ \[1 x 3 x (\d+) x (\d+)\]")


class OnnxDetector(PersonDetector):
    """Person boxes from a YOLOX network in an ONNX file.

    ``size`` is the side of its square input, read from the file unless given. ``person`` is the class that counts.
    ``overlap`` is the intersection over union above which the surer of two boxes stays. ``runtime`` is onnxruntime
    where it is installed, else OpenCV; both give the same boxes but for rounding.
    """

    name = "onnx"

    def __init__(
        self,
        model: str | Path,
        threshold: float = 0.3,
        overlap: float = 0.5,
        size: int | None = None,
        person: int = 0,
        runtime: str | None = None,
    ):
        path = Path(model)
        digest = file_digest(path, "name an ONNX file of a YOLOX network")
        self.threshold, self.overlap, self.person = check_threshold(threshold), overlap, person
        self._run, found = _RUNTIMES[_chosen(runtime)](path)
        self.size = size or found
        if not self.size or self.size % max(STRIDES):
            raise ValueError(
                f"{path}: size={self.size}; say the side of the square input, a multiple of 32 (--size)"
            )
        self._grid, self._stride = _places(self.size)
        self.settings = {"model": path.name, "sha256": digest, "overlap": overlap, "size": self.size}

    def __call__(self, frames: np.ndarray) -> list[Found]:
        """One frame after the other: exported files take one at a time."""
        return [Found(self._boxes(frame)) for frame in frames]

    def _boxes(self, frame: np.ndarray) -> np.ndarray:
        picture, ratio = letterboxed(frame, self.size)
        given = self._run(picture[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32))
        if given.ndim != 3 or given.shape[1] != len(self._grid) or given.shape[2] <= 5 + self.person:
            raise InvalidDataError(
                f"{self.settings['model']} gives {given.shape}; a YOLOX network gives (1, {len(self._grid)}, "
                f"{6 + self.person} or more) for {self.size} x {self.size}"
            )
        corners, scores = decoded(given[0], self._grid, self._stride, self.person)
        kept = self._kept(corners, scores)
        return relative_boxes(corners[kept] / ratio, scores[kept], *frame.shape[:2])

    def _kept(self, corners: np.ndarray, scores: np.ndarray) -> np.ndarray:
        sure = np.flatnonzero(scores >= self.threshold)
        if not len(sure):
            return sure
        low, high = corners[sure, :2], corners[sure, 2:]
        boxes = np.concatenate([low, high - low], axis=1).tolist()
        kept = load_opencv().dnn.NMSBoxes(boxes, scores[sure].tolist(), 0.0, self.overlap)
        return sure[np.asarray(kept, dtype=np.int64).ravel()]


def letterboxed(frame: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """A frame ``(H, W, 3)`` in the top left corner of a grey ``(size, size, 3)``, and how much it was enlarged."""
    ratio = min(size / frame.shape[0], size / frame.shape[1])
    height, width = max(1, int(frame.shape[0] * ratio)), max(1, int(frame.shape[1] * ratio))
    picture = np.full((size, size, 3), GREY, dtype=np.uint8)
    picture[:height, :width] = load_opencv().resize(np.ascontiguousarray(frame), (width, height))
    return picture, ratio


def decoded(
    given: np.ndarray, grid: np.ndarray, stride: np.ndarray, person: int
) -> tuple[np.ndarray, np.ndarray]:
    """Corners ``(N, 4)`` in pixels of the letterboxed picture, and the confidence ``(N,)`` that it is a person."""
    centre = (given[:, :2] + grid) * stride
    half = (
        np.exp(np.minimum(given[:, 2:4], 20)) * stride / 2
    )  # 20: no overflow from a place that shows nothing
    return np.concatenate([centre - half, centre + half], axis=1), given[:, 4] * given[:, 5 + person]


def _places(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row ``(N, 2)`` of each place and its stride ``(N, 1)``, as the network lists them."""
    grids, strides = [], []
    for stride in STRIDES:
        row, column = np.indices((size // stride, size // stride))
        grids.append(np.stack([column.ravel(), row.ravel()], axis=1))
        strides.append(np.full((row.size, 1), stride))
    return np.concatenate(grids).astype(np.float32), np.concatenate(strides).astype(np.float32)


Network = Callable[[np.ndarray], np.ndarray]


def _with_opencv(path: Path) -> tuple[Network, int | None]:
    """The network, and the side of its input as far as OpenCV tells it (from 5.0 on)."""
    cv2 = load_opencv()
    try:
        network = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise _unreadable(path, error) from error

    def run(picture: np.ndarray) -> np.ndarray:
        network.setInput(picture)
        return network.forward()

    sides = _INPUT.search(network.dump())
    return run, int(sides[1]) if sides and sides[1] == sides[2] else None


def _with_onnxruntime(path: Path) -> tuple[Network, int | None]:
    runtime = load_onnxruntime()
    try:
        session = runtime.InferenceSession(str(path), providers=runtime.get_available_providers())
    except Exception as error:  # its errors share no base class
        raise _unreadable(path, error) from error
    name, side = session.get_inputs()[0].name, session.get_inputs()[0].shape[-1]
    return lambda picture: session.run(None, {name: picture})[0], side if isinstance(side, int) else None


_RUNTIMES: dict[str, Callable[[Path], Any]] = {"onnxruntime": _with_onnxruntime, "opencv": _with_opencv}


def _chosen(runtime: str | None) -> str:
    if runtime is None:
        try:
            load_onnxruntime()
        except MissingPackageError:
            return "opencv"
        return "onnxruntime"
    if runtime not in _RUNTIMES:
        raise ValueError(f"runtime '{runtime}' is unknown; there is: {', '.join(_RUNTIMES)}")
    return runtime


def _unreadable(path: Path, error: object) -> InvalidDataError:
    return InvalidDataError(
        f"{path} is no ONNX file or damaged ({str(error).strip()[:200]}); take it from its source"
    )

"""Where people are in videos: a score, boxes and a coarse mask of every frame, read from disk in training.

A store is the folder ``ROOT/persons/<name>/``: ``.npy`` files that are mapped into memory, and an ``index.json`` that
says where each video begins, by its path below ``ROOT``. ``PersonWriter`` (person_writer.py) makes it.
Shapes: F frames of a video, N boxes in all of them, (h, w) cells of a mask, T gathered frames.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from ..registry import near
from ..spec import InvalidDataError
from .files import BROKEN

GRID = (12, 16)  # cells of a mask, rows and columns; 4 : 3, and close to square cells in 16 : 9
SHARE = 0.5  # of a cell that must show a person
COMMAND = (
    "python tools/prepare/person_masks.py --detector {detector} --model FILE --root {root} --name {name}"
)
FORMAT = 1  # of the files; raise it when they change
_EARLY = 1e-3  # of a frame: k / fps seconds is frame k, whichever way the quotient was rounded


class Persons(NamedTuple):
    """The people in each frame of one video.

    ``scores`` (F,) float32 in 0..1: the mean confidence of a frame's person boxes, 0 without one (MultiTSF,
    ``main_object_detection.py``). ``masks`` (F, h, w) bool. ``boxes`` (N, 5) float32: x0, y0, x1, y1 in 0..1 of width
    and height, confidence; frame after frame, ``counts`` (F,) of them in each. ``fps`` frames make a second.
    """

    scores: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray
    counts: np.ndarray
    fps: float

    @classmethod
    def from_boxes(
        cls,
        frames: Sequence[np.ndarray],
        fps: float,
        masks: np.ndarray | None = None,
        grid: tuple[int, int] = GRID,
        share: float = SHARE,
    ) -> "Persons":
        """The boxes ``(n, 5)`` of each frame; ``masks`` (F, H, W) bool where the detector has exact ones.

        >>> Persons.from_boxes([np.array([[0.0, 0.0, 0.5, 1.0, 0.8]]), np.zeros((0, 5))], fps=25.0).scores
        array([0.8, 0. ], dtype=float32)
        """
        frames = [np.asarray(boxes, dtype=np.float32).reshape(-1, 5) for boxes in frames]
        scores = np.array([boxes[:, 4].mean() if len(boxes) else 0 for boxes in frames], dtype=np.float32)
        if masks is None:
            cells = np.array([cells_of_boxes(boxes, grid, share) for boxes in frames]).reshape(-1, *grid)
        else:
            cells = cells_of_masks(masks, grid, share)
        counts = np.array([len(boxes) for boxes in frames], dtype=np.int32)
        return cls(scores, cells, np.concatenate([np.zeros((0, 5), np.float32), *frames]), counts, float(fps))

    @classmethod
    def from_masks(
        cls,
        masks: np.ndarray,
        fps: float,
        scores: np.ndarray | None = None,
        grid: tuple[int, int] = GRID,
        share: float = SHARE,
    ) -> "Persons":
        """Exact masks ``(F, H, W)`` bool without boxes; the score is 1 where a cell shows a person unless given.

        >>> Persons.from_masks(np.ones((3, 60, 80), dtype=bool), fps=30.0).masks.shape
        (3, 12, 16)
        """
        cells = cells_of_masks(masks, grid, share)
        found = cells.any(axis=(1, 2)) if scores is None else np.asarray(scores)
        none = np.zeros((0, 5), dtype=np.float32), np.zeros(len(cells), dtype=np.int32)
        return cls(found.astype(np.float32), cells, *none, float(fps))

    @classmethod
    def joined(cls, parts: Sequence["Persons"]) -> "Persons":
        """Parts of one video, one after the other."""
        arrays = [np.concatenate(each) for each in zip(*(part[:4] for part in parts), strict=True)]
        return cls(*arrays, parts[0].fps)

    def take(self, frames: Sequence[int] | np.ndarray) -> "Persons":
        """The record of these frames ``(T,)``, in this order; repeats are allowed.

        >>> Persons.from_boxes([np.array([[0.0, 0.0, 0.5, 1.0, 0.8]]), np.zeros((0, 5))], 5.0).take([1, 0, 0]).counts
        array([0, 1, 1], dtype=int32)
        """
        of_frame = np.split(self.boxes, np.cumsum(self.counts)[:-1])
        boxes = np.concatenate([of_frame[frame] for frame in frames])
        return Persons(self.scores[frames], self.masks[frames], boxes, self.counts[frames], self.fps)


def cells_of_boxes(boxes: np.ndarray, grid: tuple[int, int] = GRID, share: float = SHARE) -> np.ndarray:
    """The cells ``(h, w)`` bool of which one of the boxes, ``(n, 4 or more)`` in 0..1, covers at least ``share``.

    A box that is too small for that has the cell that it covers most, so that no person is lost.

    >>> cells_of_boxes(np.array([[0.0, 0.0, 0.3, 1.0]]), grid=(1, 4))
    array([[ True, False, False, False]])
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    rows, columns = _covered(boxes[:, 1], boxes[:, 3], grid[0]), _covered(boxes[:, 0], boxes[:, 2], grid[1])
    covered = rows[:, :, None] * columns[:, None, :]
    most = covered.max(axis=(1, 2), keepdims=True, initial=0)
    return ((covered >= np.minimum(share, most)) & (most > 0)).any(axis=0)


def cells_of_masks(
    masks: np.ndarray, grid: tuple[int, int] = GRID, share: float = SHARE, block: int = 256
) -> np.ndarray:
    """The cells ``(F, h, w)`` bool of which the pixels of ``(F, H, W)`` cover at least ``share``; ``block`` at once.

    >>> cells_of_masks(np.array([[[1, 1, 0], [1, 0, 0]]], dtype=bool), grid=(1, 1), share=0.5)
    array([[[ True]]])
    """
    height, width = masks.shape[1:]
    rows, columns = _pixels(height, grid[0]), _pixels(width, grid[1])
    parts = [masks[at : at + block].astype(np.float64) for at in range(0, len(masks), block)]
    covered = [rows.T @ part @ columns for part in parts]
    return np.concatenate([np.zeros((0, *grid), dtype=bool), *(part >= share - 1e-9 for part in covered)])


def _covered(low: np.ndarray, high: np.ndarray, cells: int) -> np.ndarray:
    """The share ``(n, cells)`` of each of the equal cells of 0..1 that lies in the intervals."""
    edges = np.arange(cells + 1) / cells
    return np.clip(np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1]), 0, 1) * cells


def _pixels(pixels: int, cells: int) -> np.ndarray:
    edges = np.arange(pixels + 1) / pixels
    return _covered(edges[:-1], edges[1:], cells)


def check_persons(persons: Persons, grid: tuple[int, int]) -> None:
    """Refuse a record whose arrays do not belong together or leave 0..1."""
    scores, masks, boxes, counts, fps = persons
    frames = len(scores)
    if not frames or scores.shape != (frames,) or masks.shape != (frames, *grid) or counts.shape != (frames,):
        shapes = f"scores {scores.shape}, masks {masks.shape}, counts {counts.shape}"
        raise ValueError(
            f"{shapes}; a store of {grid[0]} x {grid[1]} cells takes (F,), (F, {grid[0]}, {grid[1]}), (F,)"
        )
    if boxes.shape != (int(counts.sum()), 5) or counts.min() < 0:
        raise ValueError(f"boxes {boxes.shape}; counts add up to {counts.sum()} boxes of 5 numbers")
    values = np.concatenate([scores.ravel(), boxes.ravel()])
    if not ((values >= 0) & (values <= 1)).all():  # false for a NaN
        raise ValueError(f"scores or boxes from {values.min()} to {values.max()}; they lie in 0 to 1")
    if (boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any():
        raise ValueError("a box ends before it begins; boxes are x0, y0, x1, y1, score")
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"fps={fps}; fps is above 0")


def video_key(video: str | os.PathLike) -> str:
    """The path of a video below the root, with slashes.

    >>> video_key("./s1/a-View1.mp4")
    's1/a-View1.mp4'
    """
    path = PurePosixPath(Path(video).as_posix())
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(
            f"video {str(video)!r}; videos are named by their path below the root, as in s1/a-View1.mp4"
        )
    return path.as_posix()


class PersonStore:
    """The people of all videos of a data set, gathered frame by frame; the files are opened at the first use.

    A video is named by its path below the root. Frames are chosen by times in ``seconds`` (frame k is shown from
    k / fps until the next; a time after the end gives the last frame, as a view may stop before the others) or by
    ``frames``, their numbers; all of them without either. ``remedy`` makes a store that is not there.
    A store, or a video, that is missing raises ``InvalidDataError``, which names the command that makes it.
    """

    def __init__(self, folder: str | os.PathLike, remedy: str | None = None):
        self.folder = Path(folder)
        name, root = self.folder.name, self.folder.parent.parent
        detector = name if name in ("onnx", "depth") else "mmdet"
        self.remedy = remedy or COMMAND.format(detector=detector, root=root, name=name)
        self._index: dict[str, Any] | None = None
        self._arrays: dict[str, np.ndarray] | None = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_arrays": None}  # a memory map would travel to a worker as its content

    def __contains__(self, video: str | os.PathLike) -> bool:
        return video_key(video) in self.index["videos"]

    @property
    def index(self) -> dict[str, Any]:
        """What ``index.json`` says: ``made_by`` (detector, threshold, grid ...), ``command``, ``videos``."""
        if self._index is None:
            path = self.folder / "index.json"
            self._index = read_json(path)
            if self._index is None:
                raise InvalidDataError(f"{path} is missing; run: {self.remedy}")
            if self._index.get("format") != FORMAT:
                raise InvalidDataError(
                    f"{path} is not an index of format {FORMAT}; remove it and run: {self.remedy}"
                )
        return self._index

    @property
    def videos(self) -> tuple[str, ...]:
        """The paths of all videos."""
        return tuple(self.index["videos"])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of a mask."""
        rows, columns = self.index["made_by"]["grid"]
        return rows, columns

    def fps(self, video: str | os.PathLike) -> float:
        """Frames a second of a video."""
        return float(self._entry(video)["fps"])

    def num_frames(self, video: str | os.PathLike) -> int:
        """Frames of a video."""
        return int(self._entry(video)["frames"])

    def scores(self, video: str | os.PathLike, seconds: Any = None, frames: Any = None) -> np.ndarray:
        """``(T,)`` float32 in 0..1: how sure the detector is that people are in the frame."""
        return np.asarray(self._files()["scores"][self._rows(video, seconds, frames)])

    def masks(self, video: str | os.PathLike, seconds: Any = None, frames: Any = None) -> np.ndarray:
        """``(T, h, w)`` bool: the cells that show a person."""
        return unpacked(self._files()["masks"][self._rows(video, seconds, frames)], self.grid)

    def boxes(self, video: str | os.PathLike, seconds: Any = None, frames: Any = None) -> list[np.ndarray]:
        """T arrays ``(n, 5)`` float32: x0, y0, x1, y1 in 0..1 and the score of each person."""
        files = self._files()
        rows = self._rows(video, seconds, frames)
        begins, ends = files["ends"][rows], files["ends"][rows + 1]
        return [np.array(files["boxes"][begin:end]) for begin, end in zip(begins, ends, strict=True)]

    def persons(self, video: str | os.PathLike) -> Persons:
        """The whole record of a video."""
        boxes = self.boxes(video)
        counts = np.array([len(each) for each in boxes], dtype=np.int32)
        joined = np.concatenate([np.zeros((0, 5), dtype=np.float32), *boxes])
        return Persons(self.scores(video), self.masks(video), joined, counts, self.fps(video))

    def _entry(self, video: str | os.PathLike) -> dict[str, Any]:
        key, videos = video_key(video), self.index["videos"]
        if key not in videos:
            raise InvalidDataError(
                f"{self.folder} has no video '{key}'; {near(key, videos)}; run: {self.index['command']}"
            )
        return videos[key]

    def _rows(self, video: str | os.PathLike, seconds: Any, frames: Any) -> np.ndarray:
        entry = self._entry(video)
        if seconds is not None and frames is not None:
            raise ValueError("seconds and frames; give one of them")
        if seconds is not None:
            chosen = _frames_at(np.asarray(seconds, dtype=np.float64), entry["fps"], entry["frames"])
        else:
            chosen = np.arange(entry["frames"]) if frames is None else np.asarray(frames)
        if chosen.ndim != 1 or ((chosen < 0) | (chosen >= entry["frames"])).any():
            raise ValueError(
                f"frames {chosen} of {video}; there is: a list of numbers from 0 to {entry['frames'] - 1}"
            )
        return entry["start"] + chosen.astype(np.int64)

    def _files(self) -> dict[str, np.ndarray]:
        if self._arrays is None:
            wanted = layout(self.index["frames"], self.index["boxes"], self.grid)
            self._arrays = {name: self._mapped(name, *form) for name, form in wanted.items()}
        return self._arrays

    def _mapped(self, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        path = self.folder / self.index["files"][name]
        remedy = f"remove {self.folder} and run: {self.index['command']}"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise InvalidDataError(f"{path} is missing; {remedy}") from None
        except BROKEN as error:
            raise InvalidDataError(f"{path} is truncated or damaged ({error}); {remedy}") from error
        if array.shape != shape or array.dtype != dtype:
            raise InvalidDataError(f"{path} holds {array.dtype} {array.shape}, not {dtype} {shape}; {remedy}")
        return array


def layout(frames: int, boxes: int, grid: tuple[int, int]) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of each file of a pack; ``ends[f]`` is the number of boxes before frame f."""
    return {
        "scores": ((frames,), "float32"),
        "masks": ((frames, -(-grid[0] * grid[1] // 8)), "uint8"),  # a bit a cell
        "boxes": ((boxes, 5), "float32"),
        "ends": ((frames + 1,), "int64"),
    }


def unpacked(bits: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The masks ``(F, h, w)`` bool in a file's bits ``(F, bytes)``."""
    return np.unpackbits(bits, axis=1, count=grid[0] * grid[1]).reshape(-1, *grid).astype(bool)


def read_json(path: Path, remedy: str = "remove it") -> dict[str, Any] | None:
    """The content of a file that holds one object; ``None`` without the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise InvalidDataError(f"{path} is truncated or damaged ({error}); {remedy}") from error
    if not isinstance(content, dict):
        raise InvalidDataError(f"{path} holds no object; {remedy}")
    return content


def _frames_at(seconds: np.ndarray, fps: float, frames: int) -> np.ndarray:
    if not (seconds >= 0).all():  # false for a NaN
        raise ValueError(f"seconds from {seconds.min()}; times begin at 0")
    return np.minimum(np.floor(seconds * fps + _EARLY), frames - 1).astype(np.int64)

"""Rendered depth of UTD-MHAD: front or turned views, made once a subject and kept as memory-mapped files.

A cache file is named after the content of its source and of the rendering, written atomically under a lock, and made
again when it is missing or truncated. Shapes: N clips of a subject, V views, 32 frames, H rows, W columns.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from ..atomic import atomic_path, remove_leftovers
from ..spec import InvalidDataError
from .depth_rendering import Camera, Points, front_view, to_points
from .files import folder_lock, read_npz
from .transforms.rotation import rotation

CAMERA = Camera(focal=142.8, centre_column=79.5, centre_row=59.5)  # Kinect v1, its 320 x 240 halved
FRAMES, HEIGHT, WIDTH = 32, 64, 48
SIZE = 48  # rows and columns of the square renderings of several views
YAW, TILT, SCALE = 0.35, 0.12, 0.15  # the largest change of a random rendering: radians, radians, relative
RENDERING = "1"  # raise when the rendering changes, so that old cache files are not read


def metres(stored: np.ndarray) -> np.ndarray:
    """Depth in metres, float32, of the stored bytes: 0 is background, else 1.7 m and 24 mm a step."""
    return np.where(stored > 0, stored * np.float32(0.024) + np.float32(1.676), np.float32(0))


def turn_of(variant: int, clip: int) -> np.ndarray:
    """The linear map, ``(3, 3)``, of a rendering: none for variant 0, else random but the same at every call."""
    if variant == 0:
        return np.eye(3)
    rng = np.random.Generator(np.random.Philox(key=np.array([variant, clip], dtype=np.uint64)))
    tilt, yaw, roll = rng.uniform(-1, 1, 3) * (TILT, YAW, TILT)
    return rotation(tilt, yaw, roll) * (1 + SCALE * rng.uniform(-1, 1))


def clip_points(stored: np.ndarray) -> Points:
    """32 evenly spaced frames of one stored clip, ``(T, 120, 160)`` bytes, as points."""
    return to_points(metres(stored[np.linspace(0, len(stored) - 1, FRAMES).round().astype(int)]), CAMERA)


class Rendering(NamedTuple):
    """How a clip is seen: the size of its pictures and the views' angles about the vertical axis, in degrees.

    No angle is the front view alone, without an axis for views.
    """

    height: int = HEIGHT
    width: int = WIDTH
    angles: tuple[float, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one rendered clip, ``(32, H, W)`` or ``(V, 32, H, W)``."""
        views = (len(self.angles),) if self.angles else ()
        return *views, FRAMES, self.height, self.width

    def of(self, points: Points, turn: np.ndarray) -> np.ndarray:
        """The clip's pictures, bytes, after the linear map ``turn``, ``(3, 3)``."""
        turns = [rotation(y=angle) @ turn for angle in np.radians(self.angles)] or [turn]
        pictures = [front_view(points, each, self.height, self.width) for each in turns]
        return np.stack(pictures).reshape(self.shape)


FRONT = Rendering()


def turned(angles: Sequence[float]) -> Rendering:
    """Square pictures from these angles about the vertical axis, in degrees."""
    return Rendering(SIZE, SIZE, tuple(float(angle) for angle in angles))


class DepthViews:
    """The rendered clips of one subject: ``views[variant]`` is ``(N, *rendering.shape)`` bytes, memory-mapped.

    ``names`` are the clips that the subject's file must hold. Processes may render different subjects at once where
    the views have angles.
    """

    def __init__(
        self,
        source: Path,
        subject: int,
        names: list[str],
        cache_dir: Path,
        variants: int,
        remedy: str,
        rendering: Rendering = FRONT,
    ):
        self.source, self.subject, self.names, self.remedy = source, subject, names, remedy
        self.variants, self.rendering = variants, rendering
        self.folder = cache_dir / "utd_mhad"
        if rendering.angles:
            self.folder = self.folder / "virtual_views" / f"s{subject}"  # a lock of its own
        self._views: list[np.ndarray] | None = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_views": None}  # a memory map would travel to a worker as its whole content

    def clip(self, position: int) -> tuple[np.ndarray, ...]:
        """Each variant, ``rendering.shape`` bytes, of the subject's clip at ``position``."""
        return tuple(view[position] for view in self.views())

    def views(self) -> list[np.ndarray]:
        """The memory map of each variant; missing cache files are rendered first."""
        if self._views is None:
            paths = self._paths()
            found = [self._mapped(path) for path in paths]
            if any(view is None for view in found):
                with folder_lock(self.folder):  # another process may have made them while this one waited
                    self._render([path for path in paths if self._mapped(path) is None], paths)
                found = [self._mapped(path) for path in paths]
            self._views = found
        return self._views

    def _paths(self) -> list[Path]:
        try:
            content = hashlib.sha256(self.source.read_bytes())
        except OSError as error:
            raise InvalidDataError(f"{self.source} cannot be read ({error}); {self.remedy}") from None
        height, width, angles = self.rendering
        how = (RENDERING, CAMERA, FRAMES, height, width, YAW, TILT, SCALE, *([angles] if angles else []))
        content.update(repr(how).encode())
        stem = f"depth_s{self.subject}_{content.hexdigest()[:16]}"
        return [self.folder / f"{stem}_v{variant}.npy" for variant in range(self.variants)]

    def _mapped(self, path: Path) -> np.ndarray | None:
        try:
            view = np.asarray(np.load(path, mmap_mode="r"))
        except (OSError, ValueError, EOFError):
            return None
        return view if view.shape == (len(self.names), *self.rendering.shape) else None

    def _render(self, missing: list[Path], paths: list[Path]) -> None:
        if not missing:
            return
        stored, ends = self._read()
        made = {path: np.empty((len(ends), *self.rendering.shape), dtype=np.uint8) for path in missing}
        for clip, end in track(
            list(enumerate(ends)),
            description=f"rendering depth of subject {self.subject} into {self.folder}",
            console=Console(stderr=True),
            transient=True,
        ):
            points = self._points(clip, stored[ends[clip - 1] if clip else 0 : end])
            for path in missing:
                made[path][clip] = self.rendering.of(points, turn_of(paths.index(path), clip))
        for path, views in made.items():
            remove_leftovers(path)
            with atomic_path(path) as temporary:
                np.save(temporary, views)

    def _points(self, clip: int, stored: np.ndarray) -> Points:
        try:
            return clip_points(stored)
        except ValueError as error:
            raise InvalidDataError(f"{self.source}: {self.names[clip]}: {error}; {self.remedy}") from None

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        arrays = read_npz(self.source, ("depth", "length", "name"), self.remedy)
        if arrays["name"].tolist() != self.names:
            raise InvalidDataError(
                f"{self.source} holds {len(arrays['name'])} clips, not the {len(self.names)} of subject "
                f"{self.subject} in their order; {self.remedy}"
            )
        ends = np.cumsum(arrays["length"])
        if ends[-1] != len(arrays["depth"]) or arrays["length"].min() < 1:
            raise InvalidDataError(
                f"{self.source} holds {len(arrays['depth'])} frames; its lengths add up to {ends[-1]}; {self.remedy}"
            )
        return arrays["depth"], ends

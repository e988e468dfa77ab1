"""The RGB videos of NTU RGB+D samples: the official ``NAME_rgb.avi``, or ``NAME.mp4`` as mmaction2 re-encodes them."""

from pathlib import Path

import numpy as np

from ...spec import InvalidDataError
from ..files import default_cache_dir
from ..media.cache import ArrayCache
from ..media.video import VideoInfo, probe, read_frames
from ..timeline import num_steps, stretch_steps
from .names import Name

FILES = ("{}_rgb.avi", "{}.mp4")
DECODING = 1  # raise when frames are made another way, so that old cache files are not read


class Videos:
    """Frames of the videos in a folder, ``(frames, 3, size, size)`` bytes of the middle square of the picture.

    ``frames`` of every ``every``-th frame are chosen, one of each of as many equal stretches: the first, or a random
    one. A clip with fewer repeats them. With ``cache`` every ``every``-th frame of a video stays on disk below
    ``cache_dir`` once it was decoded, 3 ``size``^2 bytes each: 38 kB at 112 pixels, some 3 MB a video with ``every=1``.
    """

    def __init__(
        self,
        root: str | Path,
        frames: int = 16,
        size: int = 112,
        every: int = 1,
        cache: bool = False,
        cache_dir: str | Path | None = None,
    ):
        if min(frames, size, every) < 1:
            raise ValueError(f"frames={frames}, size={size}, every={every}; all are 1 or more")
        self.root, self.frames, self.size, self.every = Path(root), frames, size, every
        self._kept = (
            ArrayCache(Path(cache_dir or default_cache_dir()).expanduser() / "ntu") if cache else None
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """That of ``read``."""
        return self.frames, 3, self.size, self.size

    def path(self, name: Name) -> Path | None:
        """Where the video of a sample is; None if there is none."""
        found = (self.root / file.format(name) for file in FILES)
        return next((path for path in found if path.is_file()), None)

    def read(self, name: Name, rng: np.random.Generator | None) -> np.ndarray:
        """The frames of a sample, random ones if ``rng`` is given; a bad file is an ``InvalidDataError``."""
        path = self.path(name)
        if path is None:
            wanted = " or ".join(file.format(name) for file in FILES)
            raise InvalidDataError(f"{self.root} has no video of {name}: no {wanted}")
        info = probe(path)
        steps = self._steps(num_steps(info.frames, self.every), rng)
        if self._kept is None:
            return self._square(path, info, steps * self.every)
        options = ("middle square", DECODING, self.every, self.size)
        whole = range(0, info.frames, self.every)
        return self._kept.get(path, options, lambda: self._square(path, info, np.asarray(whole)))[steps]

    def _steps(self, length: int, rng: np.random.Generator | None) -> np.ndarray:
        return stretch_steps(length, self.frames, 0.0 if rng is None else rng.random(self.frames))

    def _square(self, path: Path, info: VideoInfo, numbers: np.ndarray) -> np.ndarray:
        """Frames by number, the shorter side resized to ``size``, the middle of the longer one cut out."""
        share = self.size / min(info.height, info.width)
        height, width = round(info.height * share), round(info.width * share)
        top, left = (height - self.size) // 2, (width - self.size) // 2
        found = read_frames(path, numbers, (height, width)).numpy()
        return np.ascontiguousarray(found[:, :, top : top + self.size, left : left + self.size])

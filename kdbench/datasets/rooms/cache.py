"""A lazily filled store of rendered clips that workers, or runs, share."""

import contextlib
import math
import mmap
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_FILLED = "filled"


class ClipCache:
    """Arrays of clips by index. Without a ``folder`` the memory is anonymous and shared by forked workers.

    ``layout`` maps a name to the shape and dtype of one clip's array. A page of memory is used only once a clip was
    written to it. A spawned worker starts with an empty cache of its own. With a ``folder`` the arrays are
    memory-mapped .npy files there, which all runs share; the folder must be named after all that shapes the clips.
    """

    def __init__(
        self,
        num_clips: int,
        layout: Mapping[str, tuple[tuple[int, ...], Any]],
        folder: Path | None = None,
    ):
        self.num_clips, self.layout, self.folder = num_clips, dict(layout), folder
        self._filled = self._array(_FILLED, (num_clips,), bool)
        self._arrays = {
            name: self._array(name, (num_clips, *shape), dtype) for name, (shape, dtype) in layout.items()
        }

    def _array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return _shared(shape, dtype) if self.folder is None else _mapped(self.folder, name, shape, dtype)

    def get(self, index: int) -> dict[str, np.ndarray] | None:
        """A copy of the clip, or None if it was not yet put."""
        return (
            {name: array[index].copy() for name, array in self._arrays.items()}
            if self._filled[index]
            else None
        )

    def put(self, index: int, clip: Mapping[str, np.ndarray]) -> None:
        """Keep a clip; two writers of one index write the same bytes."""
        for name, array in self._arrays.items():
            array[index] = clip[name]
        self._filled[index] = True

    def __getstate__(self) -> dict[str, Any]:
        return {"num_clips": self.num_clips, "layout": self.layout, "folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)


def _shared(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    count, dtype = math.prod(shape), np.dtype(dtype)
    return np.frombuffer(mmap.mmap(-1, count * dtype.itemsize), dtype=dtype, count=count).reshape(shape)


def _mapped(folder: Path, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """The file of zeros is linked into place whole, so that of two runs that make it one wins."""
    path = folder / f"{name}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as new:
            np.lib.format.open_memmap(Path(new, "new.npy"), "w+", np.dtype(dtype), shape)
            with contextlib.suppress(FileExistsError):
                os.link(Path(new, "new.npy"), path)
    return np.lib.format.open_memmap(path, "r+")

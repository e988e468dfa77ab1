"""Arrays computed once from a file and kept on disk, memory-mapped and shared by all processes."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import atomic_path, remove_leftovers
from ..files import BROKEN, folder_lock

_CHUNK = 1 << 20


class ArrayCache:
    """A folder of ``.npy`` files, each named after the content of its source and the options of what was computed.

    A file is written atomically under a lock, so several workers compute an array once, and a kill leaves nothing
    half written; one that is truncated is made again. Nothing is ever removed: delete the folder to get its space
    back.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def get(self, source: Path, options: tuple[Any, ...], compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The array that ``compute`` makes of ``source``, as a memory map."""
        path = self.path(source, options)
        found = _mapped(path)
        if found is None:
            with folder_lock(path.parent):
                found = _mapped(path)  # another process may have made it while this one waited
                if found is None:
                    remove_leftovers(path)
                    with atomic_path(path) as temporary:
                        np.save(temporary, compute())
                    found = _mapped(path)
        return found

    def path(self, source: Path, options: tuple[Any, ...]) -> Path:
        """Where the array is kept."""
        key = hashlib.blake2b(f"{_fingerprint(source)} {options!r}".encode(), digest_size=12).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"


def _fingerprint(source: Path) -> str:
    state = source.stat()
    return _digest(source, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=65536)
def _digest(source: Path, size: int, changed: int) -> str:
    """Of the file's content, read once as long as size and time stay."""
    digest = hashlib.blake2b(digest_size=16)
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _mapped(path: Path) -> np.ndarray | None:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except BROKEN:
        return None

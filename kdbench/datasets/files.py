"""Reading data files with errors that name the file, and the lock of a folder."""

import contextlib
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from ..spec import InvalidDataError

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError)  # what a damaged .npz or .npy raises


def default_cache_dir() -> Path:
    """``$KDBENCH_CACHE``, or ``~/.cache/kdbench``."""
    return Path(os.environ.get("KDBENCH_CACHE", Path.home() / ".cache" / "kdbench")).expanduser()


def root_folder(root: str | Path | None, name: str, problem: str, remedy: str) -> Path:
    """``root``, or ``$KDBENCH_DATA_ROOT/<name>``; without either an ``InvalidDataError`` that says ``problem``."""
    if root is None:
        if "KDBENCH_DATA_ROOT" not in os.environ:
            raise InvalidDataError(f"{problem}; {remedy}")
        root = Path(os.environ["KDBENCH_DATA_ROOT"], name)
    return Path(root).expanduser()


def existing_folder(path: Path, remedy: str) -> Path:
    """The path, which must be a folder."""
    if not path.is_dir():
        raise InvalidDataError(f"{path} is not a folder; {remedy}")
    return path


def read_npz(path: Path, names: Sequence[str], remedy: str) -> dict[str, np.ndarray]:
    """The named arrays of an ``.npz``, each unzipped once and checked by the archive's own CRC.

    ``remedy`` tells the reader what to do; it ends the message of the ``InvalidDataError`` that a missing, truncated
    or damaged file raises.
    """
    try:
        with path.open("rb") as file, NpzFile(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except FileNotFoundError:
        raise InvalidDataError(f"{path} is missing; {remedy}") from None
    except KeyError as error:
        raise InvalidDataError(f"{path} is not a file of this data set ({error.args[0]}); {remedy}") from None
    except BROKEN as error:
        raise InvalidDataError(f"{path} is truncated or damaged ({error}); {remedy}") from error


def check_finite(
    path: Path, stream: str, values: np.ndarray, lengths: np.ndarray, names: Sequence[str]
) -> None:
    """Refuse recordings, ``(sum of lengths, ...)``, that hold a NaN or an infinity, and name the first of them."""
    if np.isfinite(values).all():
        return
    first = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))[0]
    clip = int(np.searchsorted(np.cumsum(lengths), first, side="right"))
    raise InvalidDataError(
        f"{path}: the {stream} recording of {names[clip]} holds values that are not finite; "
        "take that recording from the source again"
    )


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Waits until no other process holds the folder; the lock ends with its process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        try:
            import fcntl
        except ImportError:  # Windows: writes are atomic all the same, two processes only do the work twice
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

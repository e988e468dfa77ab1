"""All skeletons of NTU RGB+D in one memory-mapped file, and the index that says where each sample is.

``skeletons.npy`` holds the persons of every sample end to end, ``(sum of M * T, 25, 3)`` float32 metres; ``index.npz``
the ``name``, the number of ``persons`` M (1 or 2) and of ``frames`` T of each, in the order of names, and which were
``skipped``, with the ``reason``.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...atomic import atomic_path
from ...spec import InvalidDataError
from ..files import read_npz
from .names import Name
from .skeleton_file import JOINTS

SKELETONS, INDEX = "skeletons.npy", "index.npz"
_ARRAYS = ("name", "persons", "frames", "skipped", "reason")  # of an index
REMEDY = "make it with tools/prepare/ntu.py, or set KDBENCH_DATA_ROOT to the folder that has ntu/"


class Part(NamedTuple):
    """Some samples of a store: their persons ``(sum of M * T, 25, 3)`` end to end, and the shape of each.

    ``fingerprint`` tells what the part was made from; a store does not keep it.
    """

    names: tuple[str, ...]
    persons: np.ndarray
    frames: np.ndarray
    skeletons: np.ndarray
    skipped: Mapping[str, str]
    fingerprint: str = ""

    @classmethod
    def of(cls, samples: Mapping[str, np.ndarray], skipped: Mapping[str, str]) -> "Part":
        """A part of samples ``(M, T, 25, 3)`` by name."""
        names = tuple(sorted(samples))
        shapes = np.array([samples[name].shape[:2] for name in names], np.int32).reshape(-1, 2)
        flat = [samples[name].reshape(-1, JOINTS, 3) for name in names]
        joined = np.concatenate(flat) if flat else np.zeros((0, JOINTS, 3), np.float32)
        return cls(
            names, shapes[:, 0], shapes[:, 1], joined.astype(np.float32), dict(sorted(skipped.items()))
        )


def write_part(path: Path, part: Part) -> None:
    """One part in an uncompressed ``.npz``, there whole or not at all."""
    with atomic_path(path) as temporary:
        np.savez(temporary, skeletons=part.skeletons, fingerprint=part.fingerprint, **_index(part))


def read_part(path: Path) -> Part:
    """A part that ``write_part`` wrote; a damaged one is an ``InvalidDataError``."""
    arrays = read_npz(path, (*_ARRAYS, "skeletons", "fingerprint"), "it is made again")
    return _part(arrays, arrays["skeletons"])._replace(fingerprint=str(arrays["fingerprint"]))


def write_store(folder: Path, parts: Iterable[Path]) -> int:
    """Join parts into one store, a part in memory at a time; returns the number of samples.

    The index comes last, so that a store with an index is whole. An earlier store stays until then.
    """
    paths = list(parts)
    heads = [read_part(path)._replace(skeletons=np.zeros((0, JOINTS, 3), np.float32)) for path in paths]
    total = sum(int((head.persons * head.frames).sum()) for head in heads)
    with atomic_path(folder / SKELETONS) as temporary:
        try:
            _write_skeletons(temporary, paths, total)
        except OSError as error:
            needed = f"{error.strerror or error}; {total * JOINTS * 3 * 4 / 1e6:.0f} MB are needed"
            raise OSError(error.errno, needed, str(folder / SKELETONS)) from error
        (folder / INDEX).unlink(missing_ok=True)
    joined = Part(
        tuple(name for head in heads for name in head.names),
        np.concatenate([head.persons for head in heads]),
        np.concatenate([head.frames for head in heads]),
        np.zeros((0, JOINTS, 3), np.float32),
        {name: reason for head in heads for name, reason in head.skipped.items()},
    )
    with atomic_path(folder / INDEX) as temporary:
        np.savez_compressed(temporary, **_index(joined))
    return len(joined.names)


def _write_skeletons(path: Path, parts: Iterable[Path], rows: int) -> None:
    """Append the skeletons of all parts; a full disk is an error here, and a fatal signal in a memory-mapped file."""
    header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": (rows, JOINTS, 3)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(read_part(part).skeletons, np.float32).data)


def _index(part: Part) -> dict[str, np.ndarray]:
    return {
        "name": np.array(part.names, dtype=np.str_),
        "persons": part.persons.astype(np.int8),
        "frames": part.frames.astype(np.int32),
        "skipped": np.array([*part.skipped], dtype=np.str_),
        "reason": np.array([*part.skipped.values()], dtype=np.str_),
    }


def _part(arrays: Mapping[str, np.ndarray], skeletons: np.ndarray) -> Part:
    skipped = dict(zip(arrays["skipped"].tolist(), arrays["reason"].tolist(), strict=True))
    return Part(tuple(arrays["name"].tolist()), arrays["persons"], arrays["frames"], skeletons, skipped)


class SkeletonStore:
    """The samples of a folder, read by name without copying; ``names`` are those that are there, in their order."""

    def __init__(self, folder: Path):
        self.file = folder / SKELETONS
        arrays = read_npz(folder / INDEX, _ARRAYS, REMEDY)
        self.index = _part(arrays, np.zeros((0, JOINTS, 3), np.float32))
        sizes = self.index.persons.astype(np.int64) * self.index.frames
        self._ends = np.cumsum(sizes)
        self._rows = {name: row for row, name in enumerate(self.index.names)}
        self._mapped: np.ndarray | None = None
        self._check()

    @property
    def names(self) -> Sequence[Name]:
        """Every sample of the store."""
        return [Name.parse(name) for name in self.index.names]

    def __len__(self) -> int:
        return len(self.index.names)

    def __contains__(self, name: object) -> bool:
        return str(name) in self._rows

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_mapped": None}  # each process maps the file itself

    def persons(self, name: Name | str) -> np.ndarray:
        """The persons of a sample, ``(M, T, 25, 3)`` float32 metres, a view of the file."""
        row = self._rows[str(name)]
        shape = int(self.index.persons[row]), int(self.index.frames[row]), JOINTS, 3
        end = int(self._ends[row])
        return self._skeletons()[end - shape[0] * shape[1] : end].reshape(shape)

    def _skeletons(self) -> np.ndarray:
        if self._mapped is None:
            try:
                self._mapped = np.load(self.file, mmap_mode="r", allow_pickle=False)
            except FileNotFoundError:
                raise InvalidDataError(f"{self.file} is missing; {REMEDY}") from None
            except (ValueError, OSError, EOFError) as error:
                raise InvalidDataError(f"{self.file} is truncated or damaged ({error}); {REMEDY}") from error
        return self._mapped

    def _check(self) -> None:
        rows = int(self._ends[-1]) if len(self) else 0
        found = self._skeletons().shape
        if found != (rows, JOINTS, 3):
            raise InvalidDataError(
                f"{self.file} has the shape {found}, its index wants {(rows, JOINTS, 3)}; {REMEDY}"
            )

"""Making a store of persons: one shard a video, then one pack; resumable, and never half written.

``ROOT/persons/<name>/shards/<video>.npz`` holds what is known of a video until ``pack`` joins all of them into ``.npy``
files. ``index.json`` names those files and is replaced last, so a writer that is killed leaves the old pack or the new.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from ..atomic import atomic_path, remove_leftovers
from ..spec import InvalidDataError
from .files import folder_lock, read_npz
from .persons import FORMAT, GRID, Persons, PersonStore, check_persons, layout, read_json, unpacked, video_key


class PersonWriter:
    """Makes a store: ``add`` each video that it does not ``has`` yet, then ``pack``.

    ``detector`` and ``threshold`` say where the persons come from (threshold 0: exact), ``settings`` what else decides
    the result (JSON values). Records of other settings do not mix: they raise ``ValueError`` unless ``anew``, which
    makes all videos again. ``command`` made the store; the reader's errors name it. Several processes may ``add``
    different videos.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        detector: str,
        threshold: float,
        command: str,
        grid: tuple[int, int] = GRID,
        settings: Mapping[str, Any] | None = None,
        anew: bool = False,
    ):
        self.folder, self.command, self.grid = Path(folder), command, (int(grid[0]), int(grid[1]))
        made_by = {"detector": detector, "threshold": threshold, "grid": self.grid, **(settings or {})}
        self.made_by = json.loads(json.dumps(made_by))  # as it will be read: tuples are lists
        self.shards = self.folder / "shards"
        with folder_lock(self.folder):
            if anew:
                self._clear()
            for path in (self.folder / "index.json", self.shards / "made_by.json"):
                self._refuse_other_settings(path)
            _write_json(self.shards / "made_by.json", {"made_by": self.made_by})

    def _clear(self) -> None:
        shards = [self._shard(video) for video in self._videos_in_shards()]
        for path in (self.folder / "index.json", self.shards / "made_by.json", *shards):
            path.unlink(missing_ok=True)

    def _refuse_other_settings(self, path: Path) -> None:
        there = read_json(path)
        if there is not None and there.get("made_by") != self.made_by:
            raise ValueError(
                f"{self.made_by} for {self.folder}; there is: {there.get('made_by')}; "
                "give the store another name, or make all of it anew (--force)"
            )

    def has(self, video: str | os.PathLike) -> bool:
        """Whether a video is packed or lies in a shard that reads to its end; a damaged shard is removed."""
        path = self._shard(video_key(video))
        if path.is_file():
            try:
                self._read(path)
                return True
            except InvalidDataError:
                path.unlink()
        return self._is_packed and video in PersonStore(self.folder)

    def add(self, video: str | os.PathLike, persons: Persons) -> None:
        """Write the shard of a video, there whole or not at all; it goes before what is packed of that video."""
        check_persons(persons, self.grid)
        bits = np.packbits(persons.masks.reshape(len(persons.masks), -1), axis=1)
        path = self._shard(video_key(video))
        remove_leftovers(path)
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, **{**persons._asdict(), "masks": bits})

    def pack(self) -> PersonStore:
        """Join what is packed and all shards into one pack; the shards are removed then."""
        with folder_lock(self.folder):
            old = PersonStore(self.folder) if self._is_packed else None
            shards = self._videos_in_shards()
            videos = sorted({*shards, *(old.videos if old else ())})

            def persons_of(video: str) -> Persons:
                return self._read(self._shard(video)) if video in shards else old.persons(video)

            index = self._fill(videos, persons_of)
            _write_json(self.folder / "index.json", index)
            self._tidy(shards, set(index["files"].values()))
        return PersonStore(self.folder)

    @property
    def _is_packed(self) -> bool:
        return (self.folder / "index.json").is_file()

    def _shard(self, key: str) -> Path:
        return self.shards / f"{key}.npz"

    def _videos_in_shards(self) -> set[str]:
        found = self.shards.rglob("*.npz")  # also a folder, of the clips in a file depth_s1.npz
        paths = (path for path in found if path.is_file() and not path.name.startswith("."))
        return {path.relative_to(self.shards).as_posix().removesuffix(".npz") for path in paths}

    def _read(self, path: Path) -> Persons:
        remedy = f"remove it and run: {self.command}"
        arrays = read_npz(path, Persons._fields, remedy)
        try:
            masks = unpacked(arrays["masks"], self.grid)
            persons = Persons(**{**arrays, "masks": masks, "fps": float(arrays["fps"])})
            check_persons(persons, self.grid)
        except (ValueError, TypeError) as error:
            raise InvalidDataError(f"{path} is no record of persons ({error}); {remedy}") from error
        return persons

    def _fill(self, videos: list[str], persons_of: Callable[[str], Persons]) -> dict[str, Any]:
        """Write the files of a new generation; returns the index that belongs to them."""
        sizes = [(len(persons.scores), len(persons.boxes)) for persons in map(persons_of, videos)]
        frames, boxes = (sum(column) for column in zip(*sizes, strict=True)) if sizes else (0, 0)
        index = {"format": FORMAT, "made_by": self.made_by, "command": self.command}
        index |= {"frames": frames, "boxes": boxes, "files": self._new_files(), "videos": {}}
        with contextlib.ExitStack() as opened:
            arrays = {}
            for name, (shape, dtype) in layout(frames, boxes, self.grid).items():
                temporary = opened.enter_context(atomic_path(self.folder / index["files"][name]))
                arrays[name] = open_memmap(temporary, "w+", dtype, shape)
            start = 0
            for video in videos:
                persons = persons_of(video)
                _put(arrays, start, persons)
                index["videos"][video] = {"start": start, "frames": len(persons.scores), "fps": persons.fps}
                start += len(persons.scores)
            for array in arrays.values():
                array.flush()
        return index

    def _new_files(self) -> dict[str, str]:
        """Names that no file of an earlier pack has: readers may still have those open."""
        there = [re.search(r"-(\d+)\.npy$", path.name) for path in self.folder.glob("*.npy")]
        generation = 1 + max((int(match[1]) for match in there if match), default=0)
        return {name: f"{name}-{generation}.npy" for name in layout(0, 0, self.grid)}

    def _tidy(self, shards: set[str], files: set[str]) -> None:
        for path in self.folder.glob("*.npy"):
            if path.name not in files:
                path.unlink()
        for path in [self.shards / "made_by.json", *map(self._shard, shards)]:
            path.unlink(missing_ok=True)
        for folder in sorted((path for path in self.shards.rglob("*") if path.is_dir()), reverse=True):
            _remove_if_empty(folder)
        _remove_if_empty(self.shards)


def _put(arrays: Mapping[str, np.ndarray], start: int, persons: Persons) -> None:
    """Copy a record to its place, from frame ``start`` on; ``ends`` has its number of boxes already there."""
    stop, box = start + len(persons.scores), int(arrays["ends"][start])
    arrays["scores"][start:stop] = persons.scores
    arrays["masks"][start:stop] = np.packbits(persons.masks.reshape(stop - start, -1), axis=1)
    arrays["boxes"][box : box + len(persons.boxes)] = persons.boxes
    arrays["ends"][start + 1 : stop + 1] = box + np.cumsum(persons.counts)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    remove_leftovers(path)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

"""A cache on disk: a manifest, records of fixed size, and a journal of the blocks that are whole.

    DIR/<key16>/manifest.json   what the key was made from, and the layout, readable
    DIR/<key16>/records.bin     the records, nothing else
    DIR/<key16>/blocks.log      a line for each block that was written, with its checksum

A block counts once its line stands in the journal, which is after its records are on the disk. So a kill costs the
blocks in work; what is cut, altered or missing is found when it is read and is an ``InvalidDataError``.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import atomic_path, write_text
from ..spec import InvalidDataError
from .layout import Layout

FORMAT = "kdbench-teacher-cache-1"
MANIFEST, RECORDS, JOURNAL = "manifest.json", "records.bin", "blocks.log"
BUILD = "python tools/cache_teacher.py build ROW --cache DIR"
BLOCK_BYTES = 1 << 16  # a line of the journal is then a thousandth of what it vouches for
SHORT = 16  # digits of the key in a folder's name


def digest(value: Any) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def new_manifest(
    facts: Mapping[str, Any], layout: Layout, records: int, batch_size: int, **about: Any
) -> dict[str, Any]:
    """The manifest of a cache of so many records; ``about`` is for people and in no key."""
    rows = max(batch_size, -(-BLOCK_BYTES // layout.record.itemsize))
    content = {
        "format": FORMAT,
        "key": digest(facts),
        "facts": dict(facts),
        "layout": {
            "shapes": {name: list(shape) for name, shape in layout.shapes.items()},
            "dtype": layout.dtype,
            "top_k": layout.top_k,
            "record_bytes": layout.record.itemsize,
            "records": records,
            "block_records": rows,
        },
        **about,
    }
    return {**content, "sha256": digest(content)}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write it whole or not at all."""
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a cache; one that is missing, damaged or altered is an ``InvalidDataError``."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        content = {name: value for name, value in found.items() if name != "sha256"}
        is_whole = found["sha256"] == digest(content) and found["key"] == digest(found["facts"])
        is_ours = found["format"] == FORMAT
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidDataError(f"{path} is no manifest of a cache ({error}); {remedy()}") from None
    if not is_whole or not is_ours:
        raise InvalidDataError(f"{path} was altered, or is of another version; {remedy()}")
    return dict(found)


def remedy(manifest: Mapping[str, Any] | None = None) -> str:
    """What to do about a damaged cache."""
    return f"build it again, which keeps what is whole: {(manifest or {}).get('command') or BUILD}"


def layout_of(manifest: Mapping[str, Any]) -> Layout:
    """The layout that a manifest describes."""
    said = manifest["layout"]
    return Layout(
        {name: tuple(shape) for name, shape in said["shapes"].items()}, said["dtype"], said["top_k"]
    )


class Blocks:
    """The blocks of a cache: where each lies, its checksum, and which ones the journal vouches for."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]):
        said = manifest["layout"]
        self.folder, self.key = folder, manifest["key"]
        self.records, self.size, self.record_bytes = (
            said["records"],
            said["block_records"],
            said["record_bytes"],
        )

    def __len__(self) -> int:
        return -(-self.records // self.size)

    @property
    def bytes(self) -> int:
        """The size that ``records.bin`` has."""
        return int(self.records * self.record_bytes)

    def rows(self, block: int) -> tuple[int, int]:
        """The first record of a block, and the first that is none of it any more."""
        return block * self.size, min((block + 1) * self.size, self.records)

    def checksum(self, block: int, content: Any) -> str:
        """Of a block's bytes, of this cache and at this place."""
        made = hashlib.blake2b(f"{self.key} {block} ".encode(), digest_size=16)
        made.update(content)
        return made.hexdigest()

    def line(self, block: int, checksum: str) -> bytes:
        """The journal's line of a block, with a checksum of its own."""
        return f"{block:08d} {checksum} {self._seal(block, checksum)}\n".encode()

    def _seal(self, block: int, checksum: str) -> str:
        return hashlib.blake2b(f"{self.key} {block} {checksum}".encode(), digest_size=4).hexdigest()

    def journal(self) -> dict[int, str]:
        """Block -> its checksum, of all whole lines; what a kill left of a line is none."""
        try:
            lines = (self.folder / JOURNAL).read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        found = {}
        for words in (line.decode("ascii", "replace").split(" ") for line in lines):
            if len(words) == 3 and words[0].isdecimal():
                block, checksum, seal = int(words[0]), words[1], words[2]
                if block < len(self) and seal == self._seal(block, checksum):
                    found[block] = checksum
        return found

    def whole(self) -> dict[int, str]:
        """The journal's blocks whose records are still what was written."""
        path = self.folder / RECORDS
        if not path.is_file():
            return {}
        with path.open("rb") as file:
            return {
                block: checksum
                for block, checksum in self.journal().items()
                if self.checksum(block, self._read(file, block)) == checksum
            }

    def _read(self, file: Any, block: int) -> bytes:
        start, stop = (row * self.record_bytes for row in self.rows(block))
        file.seek(start)
        return bytes(file.read(stop - start))


class Writer:
    """Adds blocks to a cache; several processes may, each with a writer of its own and other blocks."""

    def __init__(self, blocks: Blocks):
        self.blocks = blocks
        self._records = os.open(blocks.folder / RECORDS, os.O_WRONLY)
        self._journal = os.open(blocks.folder / JOURNAL, os.O_WRONLY | os.O_APPEND)

    def commit(self, block: int, records: np.ndarray) -> None:
        """Put a block's records on the disk, and only then its line into the journal."""
        start, stop = self.blocks.rows(block)
        if records.shape != (stop - start,) or records.dtype.itemsize != self.blocks.record_bytes:
            raise ValueError(f"block {block} has {stop - start} records; there is: {records.shape}")
        content = memoryview(records.view(np.uint8).reshape(-1))
        place = start * self.blocks.record_bytes
        done = 0
        while done < len(content):  # a signal or a full disk may cut a write short
            done += os.pwrite(self._records, content[done:], place + done)
        os.fsync(self._records)
        os.write(self._journal, self.blocks.line(block, self.blocks.checksum(block, content)))
        os.fsync(self._journal)

    def close(self) -> None:
        os.close(self._records)
        os.close(self._journal)


def prepare(blocks: Blocks) -> list[int]:
    """Make the files of a cache, or keep what is whole of them; the blocks that are missing.

    Only who holds the lock of the folder may call it. Too little room on the disk is an ``InvalidDataError``.
    """
    path = blocks.folder / RECORDS
    present = path.stat().st_blocks * 512 if path.is_file() else 0
    free = shutil.disk_usage(blocks.folder).free
    if free + present < blocks.bytes:
        raise InvalidDataError(
            f"{blocks.folder} needs {blocks.bytes:,} bytes; the disk has {free:,}; free some"
        )
    kept = blocks.whole()
    with atomic_path(blocks.folder / JOURNAL) as temporary:
        temporary.write_bytes(b"".join(blocks.line(*item) for item in sorted(kept.items())))
    with path.open("ab") as file:
        file.truncate(blocks.bytes)
    return [block for block in range(len(blocks)) if block not in kept]


class Records:
    """The records of a whole cache, memory-mapped. Each block is checked when it is first read.

    A cache that is half built, cut or altered is an ``InvalidDataError``; it never gives a wrong record.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        self.layout, self._blocks = layout_of(self.manifest), Blocks(self.folder, self.manifest)
        if self.layout.record.itemsize != self._blocks.record_bytes:
            raise InvalidDataError(
                f"{self.folder}: the layout and the records differ; {remedy(self.manifest)}"
            )
        self._journal = self._whole_journal()
        self._bytes = self._mapped()
        self._is_checked = np.zeros(len(self._blocks), dtype=bool)

    def _whole_journal(self) -> dict[int, str]:
        journal = self._blocks.journal()
        if len(journal) < len(self._blocks):
            raise InvalidDataError(
                f"{self.folder} is half built or damaged: {len(journal)} of {len(self._blocks)} blocks are there; "
                f"{remedy(self.manifest)}"
            )
        return journal

    def _mapped(self) -> np.ndarray:
        path = self.folder / RECORDS
        size = path.stat().st_size if path.is_file() else -1
        if size != self._blocks.bytes:
            found = "is missing" if size < 0 else f"has {size:,} bytes"
            raise InvalidDataError(f"{path} {found}, of {self._blocks.bytes:,}; {remedy(self.manifest)}")
        flat = np.memmap(
            path, dtype=np.uint8, mode="r", shape=(self._blocks.records, self._blocks.record_bytes)
        )
        return np.asarray(flat)  # indexing the subclass costs several times as much

    def __len__(self) -> int:
        return int(self._blocks.records)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The records ``(B,)`` at these rows ``(B,)``, copied."""
        blocks = rows // self._blocks.size
        if not self._is_checked[blocks].all():
            self.check(np.unique(blocks))
        return np.take(self._bytes, rows, axis=0).view(self.layout.record)[:, 0]

    def check(self, blocks: np.ndarray | None = None) -> None:
        """Compare blocks, by default all, with their checksums."""
        for block in range(len(self._blocks)) if blocks is None else blocks.tolist():
            start, stop = self._blocks.rows(block)
            if self._blocks.checksum(block, self._bytes[start:stop].data) != self._journal[block]:
                raise InvalidDataError(
                    f"{self.folder / RECORDS}: records {start} to {stop - 1} are not what was written; "
                    f"{remedy(self.manifest)}"
                )
            self._is_checked[block] = True

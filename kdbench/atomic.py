"""Files that are whole: whenever a writer dies, a path holds its old content or its new one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def refuse_folder(path: Path) -> None:
    """A ``ValueError`` where a file is to be written and a folder stands."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder, and a file is to be written; give the name of one")


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and vanishes otherwise.

    Until then ``path`` is as it was, so a kill leaves a hidden file at most (see ``remove_leftovers``). A folder at
    ``path`` is a ``ValueError``; what the system refuses is an ``OSError``, and comes before the block where the
    folder lets nobody write.
    """
    refuse_folder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    temporary.touch(exist_ok=False)
    try:
        mode = temporary.stat().st_mode & 0o777
        yield temporary
        temporary.chmod(mode)  # some writers make a file of their own there that only its owner reads
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of ``path`` left; call it only where no other process can be writing it.

    The name of ``path`` may be a pattern: ``step_*.safetensors``.
    """
    for leftover in path.parent.glob(f".{path.stem}.*.tmp{path.suffix}"):
        leftover.unlink(missing_ok=True)

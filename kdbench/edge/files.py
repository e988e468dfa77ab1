"""Files that are whole and checked, or as they were before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def refuse_folder(path: Path) -> None:
    """A ``ValueError`` where a file is to be written and a folder stands."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder, and a file is to be written; give the name of one")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and vanishes otherwise.

    Until then ``path`` is as it was, so a kill leaves a hidden file at most. What the system refuses is an ``OSError``,
    and comes before the block where the folder lets nobody write.
    """
    refuse_folder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.tmp-{os.getpid()}{path.suffix}")
    try:
        temporary.touch()
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

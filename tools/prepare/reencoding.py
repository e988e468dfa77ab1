"""A folder of videos, written anew into another: smaller, with short groups of pictures, resumable, all cores.

A finished file is one that has as many frames as its source; it stays. Which sizes were asked for is kept in
``prepared.json``, so that two of them do not mix in one folder.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from parallel import each

# Everything heavy is imported inside functions, so that --help answers at once.
SETTINGS = "prepared.json"


class Sizes(NamedTuple):
    """How videos are written: pixels of the shorter side, frames of a group, x264's constant rate factor."""

    short_side: int
    gop: int
    quality: int


class Video(NamedTuple):
    """One file on its way."""

    source: Path
    path: Path
    sizes: Sizes


def reencode(
    source: Path, out: Path, names: Iterable[str], sizes: Sizes, jobs: int, force: bool
) -> list[str]:
    """Write the videos ``names``, below ``source``, into ``out``; what cannot be read comes back, a line each."""
    videos = [Video(source / name, out / name, sizes) for name in names]
    claim(out, sizes, videos, force)
    return [str(result) for result in each(write, videos, jobs, f"writing {out.name}") if result is not None]


def write(video: Video) -> None:
    """Re-encode one video unless an earlier run finished it."""
    from kdbench.atomic import remove_leftovers
    from kdbench.datasets.media.encode import transcode

    if not is_done(video):
        remove_leftovers(video.path)
        transcode(video.source, video.path, *video.sizes)


def is_done(video: Video) -> bool:
    """Whether the file is there with all frames of its source."""
    from kdbench.datasets.media.video import probe
    from kdbench.spec import InvalidDataError

    if not video.path.is_file():
        return False
    try:
        return probe(video.path, backend="pyav").frames == probe(video.source, backend="pyav").frames
    except InvalidDataError:
        return False


def claim(out: Path, sizes: Sizes, videos: list[Video], force: bool) -> None:
    """Note in the folder how its videos are written; other sizes are refused, or removed by ``force``."""
    from kdbench.atomic import write_text
    from kdbench.spec import InvalidDataError

    path = out / SETTINGS
    there = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if there not in (None, sizes._asdict()) and not force:
        raise InvalidDataError(
            f"{sizes._asdict()} for {out}; there is: {there}; give another folder, or --force"
        )
    if force:
        for video in videos:
            video.path.unlink(missing_ok=True)
    write_text(path, json.dumps(sizes._asdict()))


def take_along(source: Path, out: Path, names: Iterable[str], link: bool = False) -> None:
    """Copy what needs no change, never half a file; ``link`` saves the space of large ones on one disk."""
    from kdbench.atomic import atomic_path, remove_leftovers

    for name in names:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        if not (link and linked(source / name, path)):
            with atomic_path(path) as temporary:
                shutil.copyfile(source / name, temporary)


def linked(source: Path, path: Path) -> bool:
    """Whether ``path`` is now another name of ``source``; file systems that have no links say no."""
    try:
        path.unlink(missing_ok=True)
        path.hardlink_to(source)
    except OSError:
        return False
    return True

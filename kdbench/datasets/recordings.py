"""A recording of several cameras: its files and labels, what can be wrong with them, and a count of that."""

import logging
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..registry import near
from ..spec import InvalidDataError
from .media.sound import Sound, read_sound
from .media.video import VideoInfo, probe
from .timeline import Interval

KINDS = (
    "missing view",
    "unreadable view",
    "unreadable recording",
    "no sound",
    "unknown class",
    "bad interval",
    "overlapping intervals",
)
SHOWN = 5  # messages of a kind that are logged one by one


class Record(NamedTuple):
    """One recording: files by their path below the data set's folder, a view each, in the order of the cameras.

    ``sounds`` are wav files, or the videos for their own tracks. ``labels`` are the classes that occur; ``intervals``
    say when, None where only the former is known.
    """

    name: str
    videos: tuple[str, ...]
    sounds: tuple[str, ...]
    labels: tuple[str, ...]
    intervals: tuple[Interval, ...] | None = None

    def only(self, views: Sequence[int] | None) -> "Record":
        """The record with these of its views, counted from 0; all of them for None."""
        if views is None:
            return self
        for view in views:
            if not 0 <= view < len(self.videos):
                raise ValueError(f"view {view} of {self.name}; there is: 0 to {len(self.videos) - 1}")
        if not views:
            raise ValueError(f"views=(); name at least one of 0 to {len(self.videos) - 1}")
        videos, sounds = (tuple(paths[view] for view in views) for paths in (self.videos, self.sounds))
        return self._replace(videos=videos, sounds=sounds)


class Problem(NamedTuple):
    """What is wrong with a record: the kind, one of ``KINDS``, and one sentence."""

    kind: str
    message: str


def annotation_problems(record: Record, classes: Sequence[str]) -> Iterator[Problem]:
    """Unknown classes, intervals that end before they begin, and intervals of one class that overlap."""
    for label in dict.fromkeys(record.labels):
        if label not in classes:
            yield Problem(
                "unknown class", f"{record.name}: the class '{label}' is unknown; {near(label, classes)}"
            )
    before: dict[str, Interval] = {}
    for interval in sorted(record.intervals or (), key=lambda interval: interval.start):
        label, start, end = interval
        last = before.get(label)
        if not 0 <= start <= end < float("inf"):  # true for a NaN
            yield Problem(
                "bad interval",
                f"{record.name}: '{label}' from {start:g} s to {end:g} s; it begins at 0 or later and ends after that",
            )
        elif last is not None and start < last.end:
            yield Problem(
                "overlapping intervals",
                f"{record.name}: '{label}' from {start:g} s to {end:g} s overlaps that from {last.start:g} s to "
                f"{last.end:g} s; join them",
            )
        before[label] = interval if last is None or end > last.end else last


def opened(record: Record, view: int, path: Path) -> VideoInfo | Problem:
    """What a view's video is, or what is wrong with it."""
    if not path.is_file():
        return Problem("missing view", f"{record.name}: view {view + 1} is missing, {path}")
    try:
        return probe(path)
    except InvalidDataError as error:
        return Problem("unreadable view", f"{record.name}: view {view + 1}: {error}")


def heard(record: Record, view: int, path: Path) -> Sound | Problem:
    """The sound of a view, or what is wrong with it: no file, no track, damage, or nothing but silence."""
    try:
        sound = read_sound(path)
    except InvalidDataError as error:
        return Problem("no sound", f"{record.name}: view {view + 1}: {error}")
    if sound is None:
        return Problem("no sound", f"{record.name}: view {view + 1} has no sound track, {path}")
    if sound.is_silent:
        return Problem("no sound", f"{record.name}: view {view + 1} is silent, {path}")
    return sound


def file_problems(record: Record, root: Path, with_sound: bool) -> Iterator[Problem]:
    """What is wrong with the files of a record, each read to its end, and intervals that begin after it."""
    views = [opened(record, view, root / video) for view, video in enumerate(record.videos)]
    yield from (view for view in views if isinstance(view, Problem))
    if with_sound:
        sounds = (heard(record, view, root / sound) for view, sound in enumerate(record.sounds))
        broken = {view for view, info in enumerate(views) if isinstance(info, Problem)}
        own_track = {view for view in broken if record.sounds[view] == record.videos[view]}
        yield from (s for view, s in enumerate(sounds) if isinstance(s, Problem) and view not in own_track)
    seconds = [info.frames / info.fps for info in views if isinstance(info, VideoInfo)]
    for label, start, end in record.intervals or ():
        if seconds and start >= min(seconds):
            yield Problem(
                "bad interval",
                f"{record.name}: '{label}' from {start:g} s to {end:g} s; the recording ends at {min(seconds):.1f} s",
            )


class Substitutes:
    """Which records needed a substitute, by kind of defect: a table in memory that forked workers share.

    A record counts once a kind, however often it is drawn. The first messages of each kind are logged. A spawned
    worker starts with an empty table of its own.
    """

    def __init__(self, num_records: int):
        self._num_records = num_records
        shape = (len(KINDS), max(num_records, 1))
        self._table = np.frombuffer(mmap.mmap(-1, shape[0] * shape[1]), dtype=bool).reshape(shape)

    def add(self, index: int, problem: Problem) -> None:
        """Count a record; say so if its kind is still rare."""
        row = self._table[KINDS.index(problem.kind)]
        if row[index]:
            return
        row[index] = True
        count = int(row.sum())
        if count <= SHOWN:
            rest = "; more of this kind are only counted" if count == SHOWN else ""
            logging.getLogger(__name__).warning("%s: %s%s", problem.kind, problem.message, rest)

    def counts(self) -> dict[str, int]:
        """The number of records by kind, without kinds that did not occur."""
        found = zip(KINDS, self._table.sum(axis=1).tolist(), strict=True)
        return {kind: count for kind, count in found if count}

    def __getstate__(self) -> dict[str, Any]:
        return {"num_records": self._num_records}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

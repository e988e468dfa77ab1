"""What a downloaded folder of recordings holds: every defect, a table of counts; then the same, re-encoded.

The command line that ``multisensor_home.py`` and ``mm_office.py`` share; each says how its folder is read.
"""

import argparse
import contextlib
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from parallel import all_cores, each
from reencoding import Sizes, reencode, take_along

if TYPE_CHECKING:
    from kdbench.datasets.recordings import Record

# Everything heavy is imported inside functions, so that --help answers at once.
_EARLY_SECONDS = 0.5


class Tree(NamedTuple):
    """A folder as its annotation tells.

    ``recordings`` by split; ``annotation`` and ``sounds`` are files, by their path below the root, that go along
    unchanged; ``defects`` are those of the annotation.
    """

    recordings: Mapping[str, Sequence["Record"]]
    classes: Sequence[str]
    annotation: Sequence[str]
    sounds: Sequence[str] = ()
    defects: Sequence[str] = ()

    @property
    def all(self) -> list["Record"]:
        """The recordings of every split, each once."""
        return list(dict.fromkeys(record for records in self.recordings.values() for record in records))

    @property
    def videos(self) -> list[str]:
        """Every video that a recording names, once."""
        return list(dict.fromkeys(video for record in self.all for video in record.videos))


class Found(NamedTuple):
    """What the files of one recording are: its defects, and the seconds of its shortest view (0 if none is whole)."""

    defects: tuple[str, ...]
    seconds: float


def examine(root: Path, classes: Sequence[str], record: "Record") -> Found:
    """Read every file of a recording to its end."""
    from kdbench.datasets.media.video import VideoInfo
    from kdbench.datasets.recordings import annotation_problems, file_problems, opened

    problems = [*annotation_problems(record, classes), *file_problems(record, root, with_sound=True)]
    views = [opened(record, view, root / video) for view, video in enumerate(record.videos)]
    seconds = min((info.frames / info.fps for info in views if isinstance(info, VideoInfo)), default=0.0)
    return Found((*(problem.message for problem in problems), *short_sounds(root, record, seconds)), seconds)


def short_sounds(root: Path, record: "Record", seconds: float) -> Iterator[str]:
    """Sound files that end well before the pictures: a wav that is cut off reads to its end like any other."""
    from kdbench.compat import load_soundfile

    for number, sound in enumerate(record.sounds, start=1):
        path = root / sound
        if path.suffix == ".wav" and path.is_file():
            with contextlib.suppress(RuntimeError):  # one that cannot be opened has been named
                lasts = load_soundfile().info(str(path)).duration
                if lasts < seconds - _EARLY_SECONDS:
                    yield f"{record.name}: sound {number} lasts {lasts:.1f} s of {seconds:.1f} s, {path}"


def shared_videos(tree: Tree) -> Iterator[str]:
    """Videos that two recordings name: what is trained on must not be tested on."""
    owner: dict[str, str] = {}
    for split, records in tree.recordings.items():
        for record in records:
            for video in record.videos:
                here = f"{record.name} ({split})"
                if owner.setdefault(video, here) != here:
                    yield f"{video} belongs to two recordings, {owner[video]} and {here}"


def show(root: Path, tree: Tree, seconds: Mapping["Record", float]) -> None:
    """Two tables: a row a split, and a row a class."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "split",
        "recordings",
        "videos",
        "sessions",
        "classes",
        "intervals",
        "hours",
        "seconds",
        title=str(root),
    )
    for split, records in tree.recordings.items():
        times = [seconds[record] for record in records]
        sessions = {video.rpartition("/")[0] for record in records for video in record.videos}
        labels = {label for record in records for label in record.labels}
        counts = [len(records), sum(len(r.videos) for r in records), len(sessions), len(labels)]
        counts.append(sum(len(record.intervals or ()) for record in records))
        spread = f"{min(times):.1f} to {max(times):.1f}" if times else "none"
        table.add_row(split, *map(str, counts), f"{sum(times) / 3600:.2f}", spread)
    by_class = Table("class", *tree.recordings, title="recordings that show a class")
    shown = {s: Counter(label for r in rs for label in set(r.labels)) for s, rs in tree.recordings.items()}
    for label in tree.classes:
        by_class.add_row(label, *(str(shown[split][label]) for split in tree.recordings))
    console = Console(width=max(100, Console().width))
    console.print(table, by_class)


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """The data sets log the first defects that they meet; here all are listed."""
    logger = logging.getLogger("kdbench.datasets.recordings")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


def parser(description: str) -> argparse.ArgumentParser:
    """The arguments of a folder of recordings."""
    made = argparse.ArgumentParser(
        description=description,
        epilog="A run that was stopped goes on where it was.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("source", type=Path, help="the downloaded folder")
    made.add_argument(
        "out", type=Path, nargs="?", help="the folder to write; without it, source is only checked"
    )
    made.add_argument(
        "--short-side", type=int, default=256, help="pixels of the shorter side; nothing is enlarged"
    )
    made.add_argument("--gop", type=int, default=16, help="frames from one key frame to the next")
    made.add_argument("--quality", type=int, default=23, help="x264's constant rate factor, 0 (best) to 51")
    made.add_argument("--jobs", type=int, default=all_cores(), help="processes")
    made.add_argument(
        "--allow-partial", action="store_true", help="go on with what there is, in spite of defects"
    )
    made.add_argument("--force", action="store_true", help="write files anew that an earlier run finished")
    return made


def run(read: Callable[[Path], Tree], next_steps: str, options: argparse.Namespace) -> int:
    """Check the source, re-encode it if a folder is given; 1 when something is not as it should be."""
    from kdbench.spec import KDBenchError

    try:
        defects = prepare(read, next_steps, options)
    except KDBenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if defects and not options.allow_partial else 0


def prepare(read: Callable[[Path], Tree], next_steps: str, options: argparse.Namespace) -> list[str]:
    """What ``run`` does; the defects."""
    from kdbench.datasets.files import folder_lock

    tree = read(options.source)
    found = each(partial(examine, options.source, tree.classes), tree.all, options.jobs, "checking")
    show(options.source, tree, {record: f.seconds for record, f in zip(tree.all, found, strict=True)})
    defects = [*tree.defects, *shared_videos(tree), *(line for f in found for line in f.defects)]
    tell(options.source, defects)
    if options.out is None or (defects and not options.allow_partial):
        return defects
    with folder_lock(options.out):
        lost = write(tree, options)
    tell(options.source, [line for line in lost if not any(line in defect for defect in defects)])
    print(f"{options.out}: {len(tree.videos)} videos named, {written(tree, options.out)} written")
    print(next_steps.format(out=options.out))
    return [*defects, *lost]


def write(tree: Tree, options: argparse.Namespace) -> list[str]:
    """Re-encode the videos and copy the rest, the annotation last: it says that all is there."""
    source, out = options.source, options.out
    sizes = Sizes(options.short_side, options.gop, options.quality)
    there = [video for video in tree.videos if (source / video).is_file()]
    lost = reencode(source, out, there, sizes, options.jobs, options.force)
    take_along(source, out, [sound for sound in tree.sounds if (source / sound).is_file()], link=True)
    take_along(source, out, tree.annotation)
    return lost


def written(tree: Tree, out: Path) -> int:
    """How many of the videos are there."""
    return sum((out / video).is_file() for video in tree.videos)


def tell(root: Path, defects: Sequence[str]) -> None:
    """List the defects on the standard error."""
    if defects:
        lines = "".join(f"\n  - {line}" for line in defects)
        print(f"{root}: {len(defects)} defects:{lines}", file=sys.stderr)

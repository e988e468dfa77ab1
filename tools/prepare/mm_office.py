#!/usr/bin/env python
"""MM-Office as downloaded: every file checked and counted, then the videos re-encoded into another folder."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from checking import Tree, parser, run

if TYPE_CHECKING:
    from kdbench.datasets.recordings import Record

# Everything heavy is imported inside functions, so that --help answers at once.
SPLITS = ("train", "test", "strong")
NEXT = """next: python tools/prepare/person_masks.py --detector mmdet --model rtmdet.pth --root {out}
log-mel spectrograms are computed when they are first read, and kept in $KDBENCH_CACHE"""


def read(root: Path) -> Tree:
    """The folder: MultiASL's 492 and 212 halves, which are MMASL's too, and the 88 recordings with times."""
    from kdbench.datasets.mm_office import CLASSES, MICROPHONES, read_records, split_clips
    from kdbench.spec import InvalidDataError

    if absent := [name for name in ("video", "audio", "label") if not (root / name).is_dir()]:
        raise InvalidDataError(
            f"{root} has no folder {absent[0]}/; give the folder that holds video, audio, label"
        )
    recordings = {split: read_records(root, split_clips(split), MICROPHONES) for split in SPLITS}
    everything = [record for records in recordings.values() for record in records]
    annotation = sorted(
        path.relative_to(root).as_posix() for path in (root / "label").rglob("*") if path.is_file()
    )
    sounds = dict.fromkeys(sound for record in everything for sound in record.sounds)
    return Tree(recordings, CLASSES, annotation, list(sounds), list(unclaimed(root, recordings)))


def unclaimed(root: Path, recordings: Mapping[str, Sequence["Record"]]) -> Iterator[str]:
    """Videos and sounds that belong to no recording of a split: a wrong name, or another edition of the data."""
    records = [record for group in recordings.values() for record in group]
    claimed = {name for record in records for name in (*record.videos, *record.sounds)}
    for pattern in ("video/*/*.mp4", "audio/*/*.wav"):
        for path in sorted(root.glob(pattern)):
            if path.relative_to(root).as_posix() not in claimed:
                yield f"{path} belongs to no recording; files are named as in split0_id00_s00_recid000_0.mp4"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the source is not as it should be."""
    return run(read, NEXT, parser(__doc__ or "").parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())

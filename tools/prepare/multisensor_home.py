#!/usr/bin/env python
"""MultiSensor-Home as downloaded: every file checked and counted, then re-encoded into another folder."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from checking import Tree, parser, run, unlogged

if TYPE_CHECKING:
    from kdbench.datasets.recordings import Record

# Everything heavy is imported inside functions, so that --help answers at once.
VIEWS = 5
TAKEN = ("*.json", "*.png", "*.md", "LICENSE*")  # beside the videos; the archive itself stays behind
NEXT = """next: python tools/prepare/person_masks.py --detector mmdet --model rtmdet.pth --root {out}
log-mel spectrograms are computed when they are first read, and kept in $KDBENCH_CACHE"""
_NAME = re.compile(r"(?P<recording>.+)-View(?P<view>\d+)-Part(?P<part>\d+)\.mp4")


def read(root: Path, home: int | None, classes: Sequence[str] | None) -> Tree:
    """The folder of a home; which one it is tells the name of its annotation unless it is given."""
    from kdbench.datasets.multisensor_home import SPLITS, MultiSensorHome

    home = home or (2 if (root / "train_data.json").is_file() else 1)
    with unlogged():
        data = {split: MultiSensorHome(root, split, home=home, classes=classes) for split in SPLITS}
    recordings = {split: data[split].records for split in SPLITS}
    taken = sorted(path.name for pattern in TAKEN for path in root.glob(pattern) if path.is_file())
    defects = [*wrong_names(recordings), *wrong_classes(recordings), *wrong_labels(root, recordings)]
    return Tree(recordings, data["train"].classes, taken, defects=defects)


def wrong_names(recordings: Mapping[str, Sequence["Record"]]) -> Iterator[str]:
    """Views that are not 1 to 5 of one recording and part, in that order."""
    for record in (record for records in recordings.values() for record in records):
        found = [_NAME.fullmatch(Path(video).name) for video in record.videos]
        if len(found) != VIEWS:
            yield f"{record.name}: {len(found)} views, not {VIEWS}"
        for number, (video, name) in enumerate(zip(record.videos, found, strict=True), start=1):
            if name is None:
                yield f"{record.name}: view {number} is {video}, not as in 00-View{number}-Part1.mp4"
            elif int(name["view"]) != number:
                yield f"{record.name}: view {number} is {video}"
        if len({(name["recording"], name["part"]) for name in found if name}) > 1:
            yield f"{record.name}: its views are of different recordings, {', '.join(record.videos)}"


def wrong_classes(recordings: Mapping[str, Sequence["Record"]]) -> Iterator[str]:
    """Classes that are tested and not trained."""
    named = {split: {label for r in records for label in r.labels} for split, records in recordings.items()}
    for label in sorted(named["test"] - named["train"]):
        yield f"the class '{label}' occurs in the test split only"


def wrong_labels(root: Path, recordings: Mapping[str, Sequence["Record"]]) -> Iterator[str]:
    """Recordings that all_labels.json, where there is one, has and no split, or the other way round."""
    from kdbench.datasets.multisensor_home import read_records

    path = root / "all_labels.json"
    if path.is_file() and isinstance(json.loads(path.read_text(encoding="utf-8")), list):
        listed = {record.name for record in read_records(path)}
        split = {record.name for records in recordings.values() for record in records}
        for name in sorted(listed ^ split):
            yield f"{name}: in {'all_labels.json' if name in listed else 'a split'} only"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the source is not as it should be."""
    made = parser(__doc__ or "")
    made.add_argument("--home", type=int, choices=(1, 2), help="by default told from the annotation's name")
    made.add_argument("--classes", nargs="+", metavar="NAME", help="by default those of the home")
    options = made.parse_args(arguments)
    return run(partial(read, home=options.home, classes=options.classes), NEXT, options)


if __name__ == "__main__":
    sys.exit(main())

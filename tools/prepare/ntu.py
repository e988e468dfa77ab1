#!/usr/bin/env python
"""Skeletons of NTU RGB+D, .skeleton files or a pickle of mmaction2 or PYSKL, turned into one memory-mapped file."""

import argparse
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from parallel import all_cores, each

if TYPE_CHECKING:
    from kdbench.datasets.ntu.store import Part

# Everything heavy is imported inside functions, so that --help answers at once.
SHOWN = 20


class Setup(NamedTuple):
    """The files of one setup and where its part goes; ``missing`` are samples that the authors' list names."""

    files: tuple[Path, ...]
    missing: frozenset[str]
    part: Path


def find_setups(source: Path, missing: frozenset[str], parts: Path) -> list[Setup]:
    """The .skeleton files below a folder, by the setup in their names."""
    from kdbench.datasets.ntu.names import Name
    from kdbench.spec import InvalidDataError

    found, places = defaultdict(list), {}
    for path in sorted(source.rglob("*.skeleton")):
        if path.stem in places:
            raise InvalidDataError(f"{path.stem} is there twice: {places[path.stem]} and {path}; keep one")
        places[path.stem] = path
        found[Name.parse(path.name).setup].append(path)
    if not found:
        raise InvalidDataError(f"{source} holds no .skeleton file; unpack the authors' archives there")
    return [
        Setup(tuple(files), missing & {path.stem for path in files}, parts / f"S{setup:03}.npz")
        for setup, files in sorted(found.items())
    ]


def convert(setup: Setup) -> int:
    """Write the part of a setup, unless an earlier run has; returns the number of its files."""
    from kdbench.datasets.ntu.store import write_part

    if not is_done(setup):
        write_part(setup.part, part_of(setup))
    return len(setup.files)


def is_done(setup: Setup) -> bool:
    """Whether an earlier run has written the part of these very files."""
    from kdbench.datasets.ntu.store import read_part
    from kdbench.spec import InvalidDataError

    try:
        part = read_part(setup.part)
    except InvalidDataError:
        return False
    return {*part.names, *part.skipped} == {path.stem for path in setup.files}


def part_of(setup: Setup) -> "Part":
    """Persons of every file; what cannot be read, or shows nobody, is skipped with its reason."""
    from kdbench.datasets.ntu.persons import two_persons
    from kdbench.datasets.ntu.skeleton_file import read_skeleton_file
    from kdbench.datasets.ntu.store import Part
    from kdbench.spec import InvalidDataError

    samples, skipped = {}, {name: "in the list of missing skeletons" for name in setup.missing}
    for path in setup.files:
        if path.stem in skipped:
            continue
        try:
            samples[path.stem] = two_persons(read_skeleton_file(path))
        except InvalidDataError as error:
            skipped[path.stem] = str(error).removeprefix(f"{path}: ")
    return Part.of(samples, skipped)


def pickled_part(source: Path, missing: frozenset[str]) -> "Part":
    """The samples of a pickle with 25 joints in space."""
    from kdbench.datasets.ntu.annotation import read_annotations
    from kdbench.datasets.ntu.store import Part
    from kdbench.spec import InvalidDataError

    samples = {}
    for annotation in read_annotations(source)[1]:
        if annotation.keypoint.shape[2:] != (25, 3):
            shape = annotation.keypoint.shape
            raise InvalidDataError(
                f"{source}: {annotation.name} has keypoints {shape}, not 25 joints in space"
            )
        samples[annotation.name] = annotation.keypoint[:2]
    skipped = {name: "in the list of missing skeletons" for name in missing & {*samples}}
    return Part.of({name: persons for name, persons in samples.items() if name not in skipped}, skipped)


def prepare(source: Path, out: Path, missing: frozenset[str], jobs: int) -> dict[str, str]:
    """Write the store into ``out``; returns what was skipped, by sample."""
    from kdbench.datasets.files import folder_lock
    from kdbench.datasets.ntu.store import SkeletonStore, write_part, write_store

    parts = out / "parts"
    with folder_lock(out):
        if source.is_file():
            written = [parts / "all.npz"]
            write_part(written[0], pickled_part(source, missing))
        else:
            setups = find_setups(source, missing, parts)
            setups.sort(
                key=lambda setup: -len(setup.files)
            )  # the longest first, so that all cores end together
            for result in each(convert, setups, jobs, "setups"):
                if isinstance(result, Exception):
                    raise result
            written = sorted(setup.part for setup in setups)
        count = write_store(out, written)
        shutil.rmtree(parts)
    store = SkeletonStore(out)
    print(f"wrote {store.file}: {count} samples, {len(store.index.skipped)} skipped")
    return dict(store.index.skipped)


def report(out: Path, skipped: dict[str, str]) -> None:
    """How many samples each protocol has, beside the published numbers, and what was skipped."""
    from kdbench.datasets.ntu.names import COUNTS, in_split
    from kdbench.datasets.ntu.store import SkeletonStore

    names = SkeletonStore(out).names
    for protocol, published in COUNTS.items():
        found = tuple(len(in_split(names, protocol, split)) for split in ("train", "test"))
        print(f"{protocol}: {found[0]} train, {found[1]} test; whole: {published[0]} and {published[1]}")
    report_names({*map(str, names), *skipped})
    reasons = {name: reason for name, reason in skipped.items() if "missing skeletons" not in reason}
    for name, reason in list(reasons.items())[:SHOWN]:
        print(f"skipped {name}: {reason}")
    if len(reasons) > SHOWN:
        print(f"and {len(reasons) - SHOWN} more; the index names all")


def report_names(found: set[str]) -> None:
    """Which samples of the edition were not in the source at all, and which names no edition has."""
    from kdbench.datasets.ntu.every_name import every_name
    from kdbench.datasets.ntu.names import Name

    edition = "60" if all(Name.parse(name).is_in("60") for name in found) else "120"
    official = {str(name) for name in every_name(edition)}
    for what, names in (
        (f"of the {len(official)} of NTU RGB+D {edition} were not in the source", official - found),
        (f"have names that NTU RGB+D {edition} has not", found - official),
    ):
        if names:
            print(f"{len(names)} samples {what}, the first {min(names)}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the source is not as it should be, or, with --strict, when anything was skipped."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="A run that was stopped goes on where it was."
    )
    parser.add_argument("source", type=Path, help="a folder of .skeleton files, or a .pkl with 3-D skeletons")
    parser.add_argument("out", type=Path, help="the folder to write, best called ntu")
    parser.add_argument("--missing", type=Path, help="the authors' list of samples with missing skeletons")
    parser.add_argument("--jobs", type=int, default=all_cores(), help="processes (default: all cores)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a file could not be used")
    options = parser.parse_args(arguments)
    from kdbench.datasets.ntu.names import read_missing
    from kdbench.spec import InvalidDataError

    try:
        listed = read_missing(options.missing) if options.missing else ()
        skipped = prepare(options.source, options.out, frozenset(map(str, listed)), options.jobs)
    except InvalidDataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    report(options.out, skipped)
    return int(options.strict and any("missing skeletons" not in reason for reason in skipped.values()))


if __name__ == "__main__":
    sys.exit(main())

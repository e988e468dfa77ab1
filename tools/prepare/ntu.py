#!/usr/bin/env python
"""Skeletons of NTU RGB+D, .skeleton files or a pickle of mmaction2 or PYSKL, turned into one memory-mapped file."""

import argparse
import hashlib
import os
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from parallel import all_cores, each

if TYPE_CHECKING:
    import numpy as np

    from kdbench.datasets.ntu.store import Part

# Everything heavy is imported inside functions, so that --help answers at once.
SHOWN = 20
CONVERSION = 1  # raise when persons are made another way, so that parts of an earlier run are not taken
LISTED = "in the list of missing skeletons"


class Setup(NamedTuple):
    """The files of one setup and where its part goes; ``missing`` are samples that the authors' list names."""

    files: tuple[Path, ...]
    missing: frozenset[str]
    part: Path


def find_setups(source: Path, missing: frozenset[str], parts: Path) -> tuple[list[Setup], dict[str, str]]:
    """The .skeleton files below a folder, by the setup in their names; those without a proper one, with the reason."""
    from kdbench.spec import InvalidDataError

    os.scandir(source).close()  # rglob takes a folder that cannot be read for an empty one
    files, strange = by_sample(source)
    if not files:
        nothing = f"{source} holds no .skeleton file; unpack the authors' archives there"
        raise InvalidDataError(next(iter(strange.values()), nothing))
    found = defaultdict(list)
    for name, path in files.items():
        found[name[:4]].append(path)
    setups = [
        Setup(tuple(paths), missing & {sample_of(path) for path in paths}, parts / f"{setup}.npz")
        for setup, paths in sorted(found.items())
    ]
    return setups, strange


def by_sample(source: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The .skeleton files of a folder by sample, and those without a proper name, with the reason."""
    from kdbench.spec import InvalidDataError

    files: dict[str, Path] = {}
    strange = {}
    for path in sorted(source.rglob("*.skeleton")):
        try:
            name = sample_of(path)
        except InvalidDataError as error:
            # a name that is no UTF-8 could not be printed
            shown = str(path.relative_to(source)).encode("utf-8", "backslashreplace").decode()
            strange[shown] = str(error)
            continue
        if name in files:
            raise InvalidDataError(f"{name} is there twice: {files[name]} and {path}; keep one")
        files[name] = path
    return files, strange


def sample_of(path: Path) -> str:
    """The sample in a file's name."""
    from kdbench.datasets.ntu.names import Name

    return str(Name.parse(path.name))


def convert(setup: Setup) -> int:
    """Write the part of a setup, unless an earlier run has; returns the number of its files."""
    from kdbench.datasets.ntu.store import write_part

    mark = fingerprint(setup)  # of the files before they are read: one that changes meanwhile is read again
    if not is_done(setup, mark):
        write_part(setup.part, part_of(setup)._replace(fingerprint=mark))
    return len(setup.files)


def is_done(setup: Setup, mark: str) -> bool:
    """Whether an earlier run has made the part of these very files, in this way."""
    from kdbench.datasets.ntu.store import read_part
    from kdbench.spec import InvalidDataError

    try:
        return read_part(setup.part).fingerprint == mark
    except InvalidDataError:
        return False


def fingerprint(setup: Setup) -> str:
    """A hash of what a part is made from: names, sizes and times of the files, missing samples, the conversion."""
    files = sorted((path.name, *size_and_time(path)) for path in setup.files)
    return hashlib.sha256(repr((CONVERSION, files, sorted(setup.missing))).encode()).hexdigest()


def size_and_time(path: Path) -> tuple[int, int]:
    """Bytes, and nanoseconds of the last change; of a file that cannot be found, what none has."""
    try:
        found = path.stat()
    except OSError:  # its reading tells why
        return -1, -1
    return found.st_size, found.st_mtime_ns


def part_of(setup: Setup) -> "Part":
    """Persons of every file; what cannot be read, or shows nobody, is skipped with its reason."""
    from kdbench.datasets.ntu.persons import two_persons
    from kdbench.datasets.ntu.skeleton_file import read_skeleton_file
    from kdbench.datasets.ntu.store import Part
    from kdbench.spec import InvalidDataError

    samples, skipped = {}, dict.fromkeys(setup.missing, LISTED)
    for path in setup.files:
        name = sample_of(path)
        if name in skipped:
            continue
        try:
            samples[name] = two_persons(read_skeleton_file(path))
        except InvalidDataError as error:
            skipped[name] = str(error).removeprefix(f"{path}: ")
    return Part.of(samples, skipped)


def pickled_part(source: Path, missing: frozenset[str]) -> "Part":
    """The samples of a pickle with 25 joints in space; others are skipped with their reason."""
    from kdbench.datasets.ntu.annotation import read_annotations
    from kdbench.datasets.ntu.store import Part
    from kdbench.spec import InvalidDataError

    samples: dict[str, np.ndarray] = {}
    skipped: dict[str, str] = {}
    for annotation in read_annotations(source, skipped)[1]:
        reason = unusable(annotation.keypoint)
        if reason:
            skipped[annotation.name] = reason
        else:
            samples[annotation.name] = annotation.keypoint[:2]
    if not samples:
        name, reason = next(iter(skipped.items()), ("it", "has no annotation"))
        raise InvalidDataError(f"{source} has no sample of 25 joints in space: {name} {reason}")
    skipped |= dict.fromkeys(missing & {*samples, *skipped}, LISTED)
    return Part.of({name: persons for name, persons in samples.items() if name not in skipped}, skipped)


def unusable(keypoint: "np.ndarray") -> str:
    """Why persons ``(M, T, V, C)`` make no sample; nothing where they do."""
    if keypoint.shape[2:] != (25, 3):
        return f"has keypoints {keypoint.shape}, not 25 joints in space"
    return "" if keypoint[:2].any() else "all positions are zero"


def find(source: Path, missing: frozenset[str], parts: Path) -> tuple[list[Setup], "Part"]:
    """The setups of a folder, and a part of what belongs to none of them; a pickle is such a part as a whole."""
    from kdbench.datasets.ntu.store import Part

    if source.is_file():
        return [], pickled_part(source, missing)
    setups, strange = find_setups(source, missing, parts)
    # the longest first, so that all cores end together
    return sorted(setups, key=lambda setup: -len(setup.files)), Part.of({}, strange)


def prepare(source: Path, out: Path, missing: frozenset[str], jobs: int) -> dict[str, str]:
    """Write the store into ``out``; returns what was skipped, by sample. A source that is refused leaves no ``out``."""
    from kdbench.atomic import remove_leftovers
    from kdbench.datasets.files import folder_lock
    from kdbench.datasets.ntu.store import INDEX, SKELETONS, SkeletonStore, write_part, write_store
    from kdbench.spec import InvalidDataError

    if out.exists() and not out.is_dir():
        raise InvalidDataError(f"{out} is there and no folder; name a folder to write")
    parts = out / "parts"
    setups, others = find(source, missing, parts)
    with folder_lock(out):
        for file in (SKELETONS, INDEX):
            remove_leftovers(out / file)
        for result in each(convert, setups, jobs, "setups") if setups else ():
            if isinstance(result, Exception):
                raise result
        write_part(parts / "others.npz", others)
        count = write_store(out, [*sorted(setup.part for setup in setups), parts / "others.npz"])
        shutil.rmtree(parts)
    store = SkeletonStore(out)
    print(f"wrote {store.file}: {count} samples, {len(store.index.skipped)} skipped")
    return dict(store.index.skipped)


def report(out: Path, skipped: dict[str, str]) -> None:
    """How many samples each protocol has, beside the published numbers, and what was skipped."""
    from kdbench.datasets.ntu.names import COUNTS, in_split, is_name
    from kdbench.datasets.ntu.store import SkeletonStore

    names = SkeletonStore(out).names
    for protocol, published in COUNTS.items():
        found = tuple(len(in_split(names, protocol, split)) for split in ("train", "test"))
        print(f"{protocol}: {found[0]} train, {found[1]} test; whole: {published[0]} and {published[1]}")
    report_names({*map(str, names), *filter(is_name, skipped)})
    reasons = {name: reason for name, reason in skipped.items() if reason != LISTED}
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


def positive(text: str) -> int:
    """A number of processes."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the source is not as it should be, or, with --strict, when anything was skipped."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="A run that was stopped goes on where it was."
    )
    parser.add_argument("source", type=Path, help="a folder of .skeleton files, or a .pkl with 3-D skeletons")
    parser.add_argument("out", type=Path, help="the folder to write, best called ntu")
    parser.add_argument("--missing", type=Path, help="the authors' list of samples with missing skeletons")
    parser.add_argument("--jobs", type=positive, default=all_cores(), help="processes (default: all cores)")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if a file or sample could not be used"
    )
    options = parser.parse_args(arguments)
    from kdbench.datasets.ntu.names import read_missing
    from kdbench.spec import InvalidDataError

    try:
        listed = read_missing(options.missing) if options.missing else ()
        skipped = prepare(options.source, options.out, frozenset(map(str, listed)), options.jobs)
    except (InvalidDataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    report(options.out, skipped)
    return int(options.strict and any(reason != LISTED for reason in skipped.values()))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
"""Depth of UTD-MHAD as pictures with mmaction2's annotation files, for its RawframeDataset."""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

if TYPE_CHECKING:
    import numpy as np

# Everything heavy is imported inside functions, so that --help answers at once.
TEMPLATE = "img_{:05}.png"  # filename_tmpl of the data set; it counts from 1
PROTOCOL = "cross-subject"
REMEDY = "make it again with tools/prepare/utd_mhad.py"


def write_picture(path: Path, frame: "np.ndarray") -> None:
    """A frame ``(120, 160)``, bytes, as a picture; an ``OSError`` that names the file where it cannot be written.

    Not by ``cv2.imwrite``: that returns True also where a full disk had no room for the end of the file.
    """
    from kdbench.compat import load_opencv

    encoded, content = load_opencv().imencode(path.suffix, frame)
    if not encoded:
        raise OSError(f"{path}: OpenCV could not encode the picture")
    try:
        path.write_bytes(content)
    except OSError as error:  # of a file that is open it does not say which
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_clip(folder: Path, depth: "np.ndarray") -> None:
    """The frames ``(T, 120, 160)`` of a clip, bytes, as pictures; the folder appears when it is whole."""
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        for number, frame in enumerate(depth, start=1):
            write_picture(unfinished / TEMPLATE.format(number), frame)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_subject(root: Path, out: Path, subject: int) -> dict[str, int]:
    """The clips of a subject that are not there yet; the number of frames of each, by name."""
    from kdbench.datasets.files import read_npz

    clips = read_npz(root / f"depth_s{subject}.npz", ("depth", "length", "name"), REMEDY)
    frames, first = {}, 0
    for name, length in zip(clips["name"].tolist(), clips["length"].tolist(), strict=True):
        if not (out / "frames" / name).is_dir():
            write_clip(out / "frames" / name, clips["depth"][first : first + length])
        frames[name], first = length, first + length
    return frames


def write_list(path: Path, subjects: tuple[int, ...], frames: dict[str, int]) -> None:
    """One line a clip, ``<folder> <number of frames> <label>``."""
    from kdbench.atomic import write_text
    from kdbench.datasets.utd_mhad import all_clips

    clips = all_clips()
    rows = [row for row in range(len(clips.name)) if clips.subject[row] in subjects]
    lines = [f"{clips.name[row]} {frames[str(clips.name[row])]} {clips.label[row]}\n" for row in rows]
    write_text(path, "".join(lines))
    print(f"{path}: {len(lines)} clips")


def prepare(root: Path, out: Path) -> None:
    """Write all pictures that are missing, then the list of each split."""
    from rich.console import Console
    from rich.progress import track

    from kdbench.datasets.utd_mhad import PROTOCOLS, SUBJECTS

    frames: dict[str, int] = {}
    for subject in track(SUBJECTS, "writing pictures", console=Console(stderr=True)):
        frames.update(write_subject(root, out, subject))
    for split, subjects in PROTOCOLS[PROTOCOL].items():
        write_list(out / f"{split}.txt", subjects, frames)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the data are not as they should be or cannot be written."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="A run that was stopped goes on where it was."
    )
    parser.add_argument("out", type=Path, help="a folder for frames/, train.txt and test.txt")
    parser.add_argument(
        "--root", type=Path, help="folder of UTD-MHAD's files; default: $KDBENCH_DATA_ROOT/utd_mhad"
    )
    options = parser.parse_args(arguments)
    from kdbench.datasets.files import folder_lock, root_folder
    from kdbench.spec import KDBenchError

    try:
        root = root_folder(options.root, "utd_mhad", "UTD-MHAD has no folder", "give --root")
        with folder_lock(options.out):
            prepare(root, options.out)
    except (KDBenchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
"""The original .mat folders of UTD-MHAD, turned into the files that kdbench reads."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

# Everything heavy is imported inside functions, so that --help answers at once.
FOLDERS = {"skeleton": "Skeleton", "inertial": "Inertial", "depth": "Depth"}
KEYS = {"skeleton": "d_skel", "inertial": "d_iner", "depth": "d_depth"}


class Clip(NamedTuple):
    """One clip of the source: numbers as in its file names, which count from 1."""

    action: int
    subject: int
    trial: int

    @property
    def name(self) -> str:
        """As in ``a1_s1_t1``."""
        return f"a{self.action}_s{self.subject}_t{self.trial}"

    def path(self, source: Path, modality: str) -> Path:
        """The clip's .mat file of a modality."""
        return source / FOLDERS[modality] / f"{self.name}_{modality}.mat"


def listed(names: list[str]) -> str:
    """The first names of a list that may be long."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def find_clips(source: Path, allow_partial: bool) -> list[Clip]:
    """The clips that all three folders hold; fewer than the data set has are refused unless that is allowed."""
    from kdbench.datasets.utd_mhad import all_clips
    from kdbench.spec import InvalidDataError

    table = all_clips()
    expected = [
        Clip(int(label) + 1, int(subject), int(trial))
        for label, subject, trial in zip(table.label, table.subject, table.trial, strict=True)
    ]
    for folder in FOLDERS.values():
        if not (source / folder).is_dir():
            raise InvalidDataError(
                f"{source} has no folder {folder}/; give the folder that holds {', '.join(FOLDERS.values())}"
            )
    absent = [
        str(clip.path(source, m)) for clip in expected for m in FOLDERS if not clip.path(source, m).is_file()
    ]
    if absent and not allow_partial:
        raise InvalidDataError(
            f"{source} lacks {len(absent)} of {len(expected) * len(FOLDERS)} files: {listed(absent)}; "
            "unpack the archives again, or say --allow-partial"
        )
    clips = [clip for clip in expected if all(clip.path(source, m).is_file() for m in FOLDERS)]
    if not clips:
        raise InvalidDataError(f"{source} holds no clip with all of {', '.join(FOLDERS.values())}")
    return clips


def read_mat(path: Path, modality: str) -> "np.ndarray":
    """The recording in a .mat file, checked for its shape and for finite values."""
    import numpy as np
    from scipy.io import loadmat

    from kdbench.spec import InvalidDataError

    remedy = "take that file from the source again"
    try:
        content = loadmat(path)
    except (
        Exception
    ) as error:  # a damaged .mat raises about anything: TypeError, zlib.error, MatReadError ...
        raise InvalidDataError(f"{path} is truncated or damaged ({error}); {remedy}") from error
    if KEYS[modality] not in content:
        known = ", ".join(key for key in content if not key.startswith("__"))
        raise InvalidDataError(f"{path} has no '{KEYS[modality]}'; there is: {known or 'nothing'}; {remedy}")
    values = np.asarray(content[KEYS[modality]])
    shape = {"skeleton": (20, 3, None), "inertial": (None, 6), "depth": (240, 320, None)}[modality]
    fits = len(values.shape) == len(shape) and all(
        b in (a, None) for a, b in zip(values.shape, shape, strict=True)
    )
    if not fits or not values.size:
        wanted = str(shape).replace("None", "any")
        raise InvalidDataError(
            f"{path}: '{KEYS[modality]}' has the shape {values.shape}, not {wanted}; {remedy}"
        )
    if not np.isfinite(values).all():
        raise InvalidDataError(f"{path} holds values that are not finite; {remedy}")
    return values


def read_skeleton(path: Path) -> "np.ndarray":
    """``(T, 20, 3)`` float32 metres."""
    return read_mat(path, "skeleton").transpose(2, 0, 1).astype("float32")


def read_inertial(path: Path) -> "np.ndarray":
    """``(T, 6)`` float32: acceleration in g, turning rate in deg/s."""
    return read_mat(path, "inertial").astype("float32")


def read_depth(path: Path) -> "np.ndarray":
    """``(T, 120, 160)`` bytes: 0 is background, else 1700 mm and 24 mm a step.

    Each byte stands for 2 x 2 pixels of the source, millimetres with 0 for background: the mean of those that are not
    background.
    """
    import numpy as np

    blocks = read_mat(path, "depth").transpose(2, 0, 1).reshape(-1, 120, 2, 160, 2)
    valid = (blocks > 0).sum(axis=(2, 4))
    mean = blocks.sum(axis=(2, 4), dtype=np.float64) / np.maximum(valid, 1)
    return np.where(valid > 0, np.clip(np.rint((mean - 1700) / 24) + 1, 1, 255), 0).astype(np.uint8)


def joined(clips: list[Clip], source: Path, modality: str, read: Callable, description: str) -> "tuple":
    """All recordings of a modality end to end, and the length of each."""
    import numpy as np
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    parts = [
        read(clip.path(source, modality)) for clip in track(clips, description=description, console=console)
    ]
    return np.concatenate(parts), np.array([len(part) for part in parts], dtype=np.int32)


def depth_frames(path: Path) -> int:
    """Number of frames in a depth file, from its header."""
    from scipy.io import whosmat

    from kdbench.spec import InvalidDataError

    try:
        shapes = {key: shape for key, shape, _ in whosmat(path)}
        return int(shapes[KEYS["depth"]][2])
    except Exception as error:
        raise InvalidDataError(
            f"{path} is truncated or damaged ({error}); take it from the source again"
        ) from error


def streams(clips: list[Clip], source: Path) -> dict:
    """Content of the file of skeleton and inertial recordings."""
    import numpy as np

    from kdbench.spec import InvalidDataError

    skeleton, skeleton_length = joined(clips, source, "skeleton", read_skeleton, "skeleton")
    inertial, inertial_length = joined(clips, source, "inertial", read_inertial, "inertial")
    depth_length = np.array([depth_frames(clip.path(source, "depth")) for clip in clips], dtype=np.int32)
    if (skeleton_length != depth_length).any():
        differing = [
            clip.name for clip, same in zip(clips, skeleton_length == depth_length, strict=True) if not same
        ]
        raise InvalidDataError(
            f"{source}: skeleton and depth have different numbers of frames in {listed(differing)}; "
            "take those files from the source again"
        )
    return {
        "skeleton": skeleton,
        "skeleton_length": skeleton_length,
        "inertial": inertial,
        "inertial_length": inertial_length,
        "label": np.array([clip.action - 1 for clip in clips]),
        "subject": np.array([clip.subject for clip in clips]),
        "trial": np.array([clip.trial for clip in clips]),
        "name": np.array([clip.name for clip in clips]),
        "depth_length": depth_length,
    }


def depth_of(subject: int, clips: list[Clip], source: Path) -> dict:
    """Content of the depth file of one subject."""
    import numpy as np

    depth, length = joined(clips, source, "depth", read_depth, f"depth of subject {subject}")
    return {"depth": depth, "length": length, "name": np.array([clip.name for clip in clips])}


def is_done(path: Path, clips: list[Clip], arrays: tuple[str, ...]) -> bool:
    """Whether an earlier run has written ``path`` for these very clips; all is read, as a damaged file is not done."""
    from kdbench.datasets.files import read_npz
    from kdbench.spec import InvalidDataError

    try:
        names = read_npz(path, ("name", *arrays), "")["name"]
    except InvalidDataError:
        return False
    return names.tolist() == [clip.name for clip in clips]


def write(path: Path, arrays: dict) -> None:
    """A compressed .npz, there whole or not at all."""
    import numpy as np

    from kdbench.atomic import atomic_path, remove_leftovers

    remove_leftovers(path)
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")


def prepare(source: Path, out: Path, allow_partial: bool = False, force: bool = False) -> None:
    """Write the nine files into ``out``; those that an earlier run finished stay unless ``force``."""
    from kdbench.datasets.files import folder_lock
    from kdbench.datasets.utd_mhad import STREAMS

    clips = find_clips(source, allow_partial)
    subjects = sorted({clip.subject for clip in clips})
    print(f"{source}: {len(clips)} clips, {len({c.action for c in clips})} classes, {len(subjects)} subjects")
    with folder_lock(out):
        if force or not is_done(out / STREAMS, clips, ("skeleton", "inertial", "depth_length")):
            write(out / STREAMS, streams(clips, source))
        for subject in subjects:
            own = [clip for clip in clips if clip.subject == subject]
            path = out / f"depth_s{subject}.npz"
            if force or not is_done(path, own, ("depth", "length")):
                write(path, depth_of(subject, own, source))
    print(
        f"{out} is complete; set KDBENCH_DATA_ROOT={out.parent}"
        if out.name == "utd_mhad"
        else f"{out} is complete"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the source is not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="A run that was stopped goes on where it was."
    )
    parser.add_argument("source", type=Path, help="the folder that holds Skeleton/, Inertial/ and Depth/")
    parser.add_argument("out", type=Path, help="the folder to write, best called utd_mhad")
    parser.add_argument(
        "--allow-partial", action="store_true", help="take what there is, even if not all 861 clips"
    )
    parser.add_argument("--force", action="store_true", help="write files anew that an earlier run finished")
    options = parser.parse_args(arguments)
    from kdbench.spec import InvalidDataError

    try:
        prepare(options.source, options.out, options.allow_partial, options.force)
    except InvalidDataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
"""The .json files of N-UCLA's skeletons, one a clip, turned into the file that kdbench reads."""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Everything heavy is imported inside functions, so that --help answers at once.
NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)")
COUNTS = {1: 516, 2: 504, 3: 464}  # clips of each view


def find_files(source: Path, allow_partial: bool) -> list[Path]:
    """The clips' files in the order of their names; another number than published is refused unless that is allowed."""
    from kdbench.spec import InvalidDataError

    files = sorted(path for path in source.glob("*.json") if NAME.fullmatch(path.stem))
    views = [int(NAME.fullmatch(path.stem)[4]) for path in files]
    found = {view: views.count(view) for view in COUNTS}
    if not files or (found != COUNTS and not allow_partial):
        raise InvalidDataError(
            f"{source} holds {len(files)} files aNN_sNN_eNN_vNN.json, by view {found}; there should be {COUNTS}; "
            "unpack the archive again, or say --allow-partial"
        )
    return files


def read_clip(path: Path) -> "np.ndarray":
    """The ``skeletons`` of a file, ``(T, 20, 3)`` float32 metres, checked for shape and finite values."""
    import json

    import numpy as np

    from kdbench.spec import InvalidDataError

    remedy = "take that file from the source again"
    try:
        values = np.asarray(json.loads(path.read_text(encoding="utf-8"))["skeletons"], dtype=np.float32)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidDataError(f"{path} is truncated or damaged ({error!r}); {remedy}") from error
    if values.ndim != 3 or values.shape[1:] != (20, 3) or not len(values):
        raise InvalidDataError(
            f"{path}: 'skeletons' has the shape {values.shape}, not (any, 20, 3); {remedy}"
        )
    if not np.isfinite(values).all():
        raise InvalidDataError(f"{path} holds values that are not finite; {remedy}")
    return values


def table(files: list[Path]) -> dict:
    """Everything but the recordings, from the files' names."""
    import numpy as np

    from kdbench.datasets.nucla import ACTIONS
    from kdbench.spec import InvalidDataError

    numbers = np.array([[int(n) for n in NAME.fullmatch(path.stem).groups()] for path in files])
    action, subject, episode, view = numbers.T
    strange = ~np.isin(action, ACTIONS)
    if strange.any():
        raise InvalidDataError(
            f"{files[int(strange.argmax())]} is of an action that N-UCLA lacks; it has {ACTIONS}"
        )
    return {
        "name": np.array([path.stem for path in files]),
        "label": np.searchsorted(ACTIONS, action),
        "subject": subject,
        "episode": episode,
        "view": view,
    }


def prepare(source: Path, out: Path, allow_partial: bool = False) -> None:
    """Write ``nucla_skeleton.npz`` into ``out``, whole or not at all."""
    import numpy as np
    from rich.console import Console
    from rich.progress import track

    from kdbench.atomic import atomic_path
    from kdbench.datasets.nucla import FILE

    files = find_files(source, allow_partial)
    columns = table(files)
    shown = track(files, description="skeletons", console=Console(stderr=True))
    clips = [read_clip(path) for path in shown]
    lengths = np.array([len(clip) for clip in clips], dtype=np.int32)
    with atomic_path(out / FILE) as temporary:
        np.savez_compressed(temporary, skeleton=np.concatenate(clips), length=lengths, **columns)
    print(f"wrote {out / FILE}: {len(clips)} clips, {lengths.sum()} frames")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the source is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the folder that holds a01_s01_e00_v01.json and the others")
    parser.add_argument("out", type=Path, help="the folder to write, best called nucla")
    parser.add_argument(
        "--allow-partial", action="store_true", help="take what there is, even if not 1,484 clips"
    )
    options = parser.parse_args(arguments)
    from kdbench.spec import InvalidDataError

    try:
        prepare(options.source, options.out, options.allow_partial)
    except InvalidDataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

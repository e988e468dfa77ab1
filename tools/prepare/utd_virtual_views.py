#!/usr/bin/env python
"""Virtual views of UTD-MHAD's depth, rendered on all cores, and the list of the sequences that are made of them."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from parallel import all_cores

if TYPE_CHECKING:
    from kdbench.datasets.utd_virtual_views import Sequences

# Everything heavy is imported inside functions, so that --help answers at once.


def render(root: Path, subject: int, cache: Path, angles: tuple[float, ...], variants: int) -> float:
    """Render one subject's clips unless an earlier run has; the size of its files in MB."""
    import numpy as np

    from kdbench.datasets.utd_mhad import all_clips, depth_views
    from kdbench.datasets.utd_virtual_views import rendering

    rows = np.flatnonzero(all_clips().subject == subject)
    views = depth_views(root, rows, variants, cache, rendering(angles))[subject].views()
    return sum(view.nbytes for view in views) / 1e6


def render_all(root: Path, cache: Path, angles: tuple[float, ...], variants: int, workers: int) -> None:
    """Render all subjects, those that train in ``variants`` ways; each is whole or absent when this is stopped."""
    from rich.console import Console
    from rich.progress import track

    from kdbench.datasets.utd_mhad import PROTOCOLS, SUBJECTS

    train = PROTOCOLS["cross-subject"]["train"]
    with ProcessPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(render, root, subject, cache, angles, variants if subject in train else 1)
            for subject in sorted(SUBJECTS, key=lambda subject: subject not in train)  # the long ones first
        ]
        done = track(as_completed(jobs), "rendering", len(jobs), console=Console(stderr=True))
        total = sum(job.result() for job in done)
    print(f"{cache} holds virtual views of {len(SUBJECTS)} subjects, {total:.0f} MB")


def write_list(path: Path, sequences: "Sequences") -> None:
    """One line a sequence: the subject, and for each action its clip and its X and Z in millimetres."""
    from kdbench.atomic import write_text
    from kdbench.datasets.utd_mhad import all_clips

    clips = all_clips()
    lines = []
    for row, (chosen, places) in enumerate(zip(sequences.clips, sequences.places, strict=True)):
        actions = [f"{clips.name[clip]},{x},{z}" for clip, (x, z) in zip(chosen, places, strict=True)]
        lines.append(f"{clips.subject[row]},{','.join(actions)}\n")
    write_text(path, "".join(lines))
    print(f"{path}: {len(lines)} sequences, SHA-256 {sequences.sha256}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the data are not as they should be."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="A run that was stopped goes on where it was. Data sets render by themselves, too.",
    )
    parser.add_argument(
        "--root", type=Path, help="folder of UTD-MHAD's files; default: $KDBENCH_DATA_ROOT/utd_mhad"
    )
    parser.add_argument("--cache", type=Path, help="default: $KDBENCH_CACHE, else ~/.cache/kdbench")
    parser.add_argument("--angles", type=float, nargs="+", help="of the cameras, degrees; default: -45 0 45")
    parser.add_argument(
        "--reach", type=float, default=2.0, help="how far out actions stand, metres; default: 2"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sequences; default: 0")
    parser.add_argument("--variants", type=int, default=4, help="renderings of a training clip; default: 4")
    parser.add_argument("--workers", type=int, default=all_cores(), help="processes; default: one a core")
    options = parser.parse_args(arguments)
    from kdbench.datasets.files import default_cache_dir
    from kdbench.datasets.utd_mhad import data_folder
    from kdbench.datasets.utd_virtual_views import ANGLES, check_dials, make_sequences
    from kdbench.spec import InvalidDataError

    angles, cache = tuple(options.angles or ANGLES), options.cache or default_cache_dir()
    try:
        check_dials(angles, options.reach, variants=options.variants)
        root = data_folder(options.root)
        render_all(root, cache, angles, options.variants, options.workers)
        sequences = make_sequences(angles, options.reach, options.seed)
        folder = cache / "utd_mhad" / "virtual_views"
        write_list(folder / f"sequences_{sequences.sha256[:16]}.csv", sequences)
    except (InvalidDataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

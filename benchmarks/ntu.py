"""What a million frames of NTU RGB+D cost from `.skeleton` files to persons: bound two minutes on two processes.

Files are made in a temporary folder, with one body or two and as many digits as the authors write. Each process reads
its share as `tools/prepare/ntu.py` does, which is timed as CPU seconds of a process: the elapsed time of a machine that
does nothing else. The elapsed time of this one is printed too. A frame is one of a file, whoever it shows; the papers
count more than 4 million in NTU RGB+D 60 and 8 million in 120.

    python benchmarks/ntu.py --frames 1000000 --jobs 2
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it is in no package

import numpy as np

BOUND = 120.0  # seconds for a million frames
LENGTH = 84  # frames of a file, about the mean of the authors'
FILES = 24  # different ones, one in four of two bodies, read again and again


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000, help="so many are read; more tell more")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def text_of(seed: int, bodies: int, frames: int = LENGTH) -> str:
    """A file by the grammar: ``bodies`` people who walk at random for ``frames`` frames."""
    rng = np.random.default_rng(seed)
    lines = [str(frames)]
    places = rng.normal(size=(bodies, 25, 11)) + np.cumsum(rng.normal(size=(frames, bodies, 1, 11)), 0) / 50
    for frame in places:
        lines.append(str(bodies))
        for identity, joints in enumerate(frame):
            lines += [f"{72057594037931101 + identity} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            lines += [" ".join(f"{number:.7g}" for number in joint) + " 2" for joint in joints]
    return "\n".join(lines) + "\n"


def make_files(folder: Path) -> list[Path]:
    """The files, written."""
    paths = [folder / f"S001C001P001R001A{number:03}.skeleton" for number in range(1, FILES + 1)]
    for number, path in enumerate(paths):
        path.write_text(text_of(number, bodies=1 + (number % 4 == 3)))
    return paths


def read_all(paths: Sequence[Path], times: int) -> tuple[int, float]:
    """Read every file ``times`` times; the frames and the CPU seconds of this process."""
    from kdbench.datasets.ntu.persons import two_persons
    from kdbench.datasets.ntu.skeleton_file import read_skeleton_file

    start, frames = time.process_time(), 0
    for _ in range(times):
        for path in paths:
            recording = read_skeleton_file(path)
            two_persons(recording)
            frames += recording.frames
    return frames, time.process_time() - start


def measure(frames: int, jobs: int, folder: Path) -> dict[str, Any]:
    """Seconds for a million frames by ``jobs`` processes that are already there: CPU of the slowest, and elapsed."""
    paths = make_files(folder)
    times = -(-frames // (jobs * FILES * LENGTH))
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        list(pool.map(read_all, [paths] * jobs, [1] * jobs))  # start, import, fill the page cache
        start = time.perf_counter()
        shares = list(pool.map(read_all, [paths] * jobs, [times] * jobs))
        elapsed = time.perf_counter() - start
    read = sum(count for count, _ in shares)
    return {
        "frames": read,
        "jobs": jobs,
        "megabytes": round(1e-6 * statistics.fmean(path.stat().st_size for path in paths) * read / LENGTH, 1),
        "cpu_s_of_a_process": round(1e6 * max(seconds for _, seconds in shares) / read, 1),
        "elapsed_s": round(1e6 * elapsed / read, 1),
        "bound_s": BOUND,
    }


def main() -> None:
    from kdbench.engine import environment

    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments.frames, arguments.jobs, Path(folder))
    versions = environment.packages()
    machine = f"{environment.processor()}, NumPy {versions.get('numpy', np.__version__)}, Python {versions['python']}"
    figures = {"machine": machine, "date": date.today().isoformat(), **found}
    print("\n".join(f"{key}: {value}" for key, value in figures.items()))
    kept = "kept" if found["cpu_s_of_a_process"] <= BOUND else "missed"
    print(
        f"a million frames: {found['cpu_s_of_a_process']} s of CPU in each of {found['jobs']} processes "
        f"(bound {BOUND:g}: {kept}), {found['elapsed_s']} s elapsed here"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

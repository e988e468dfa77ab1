"""What several views cost: folded into the batch or in a loop, beside clips of one view, and from video files.

1. A training step with the views folded into the batch, and with a Python loop over them; losses and gradients are
   equal before any time is printed.
2. A step of clips of five views over a step of five times as many clips of one view: bound 1.1.
3. An epoch by the loader over decoding the same frames and nothing else; log-mel and person masks from memory-mapped
   files, and computed anew. Files are made with PyAV; the masks need the detector under $KDBENCH_DATA_ROOT.

Times are CPU seconds of one process, candidates take turns; quote the ratios: median [quartiles] over turns.

    nice -n 5 python benchmarks/multiview.py --only step
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it is in no package

import torch

from benchmarks import multiview_cases as cases
from benchmarks import multiview_files as files
from benchmarks.interleaved import interleaved, ratio
from kdbench.engine import environment

PARTS = ("loop", "step", "files")
BOUND = 1.1
TOLERANCE = 1e-4  # of a gradient's length
Figures = dict[str, Any]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="above 1 elapsed time is measured, not CPU time"
    )
    parser.add_argument("--repeats", type=int, default=7, help="turns of each candidate")
    parser.add_argument(
        "--clips", type=int, nargs="+", default=[1, 16], help="batches of so many clips of five views"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return parser.parse_args()


class Turns:
    """How the candidates of one run take turns, and what is printed of them."""

    def __init__(self, threads: int, repeats: int):
        self.repeats, self.now = repeats, time.process_time if threads == 1 else time.perf_counter

    def __call__(
        self, what: str, candidates: files.Candidates, bound: str, target: float | None = None
    ) -> Figures:
        """Time all candidates and print each over ``bound``."""
        seconds = interleaved(candidates, rounds=self.repeats, inner=None, clock=self.now)
        print(f"{what}; {bound} {1e3 * statistics.median(seconds[bound]):.2f} ms")
        figures: Figures = {"seconds": {name: statistics.median(values) for name, values in seconds.items()}}
        for name in candidates:
            if name != bound:
                found = ratio(seconds, name, bound)
                goal = f" (bound {target:g})" if target else ""
                print(f"  {name} / {bound} = {found}{goal}", flush=True)
                figures[name] = {"ratio": found.median, "quartiles": [found.low, found.high], "bound": target}
        return figures


def same(what: str, ours: list[torch.Tensor], other: list[torch.Tensor]) -> None:
    """Refuse to go on unless losses and gradients are equal."""
    for one, two in zip(ours, other, strict=True):
        gap, length = float((one - two).norm()), float(two.norm())
        if not gap <= TOLERANCE * max(length, 1e-3):
            raise AssertionError(f"{what}: a loss or gradient differs by {gap:.3g} of {length:.3g}")


def loop(turns: Turns, clips: int) -> Figures:
    """The views folded into the batch against one after the other."""
    found = {}
    for name in cases.NAMES:
        folded, looped = cases.model(name), cases.model(name, looped=True)
        batch = cases.batch(clips)
        same(name, cases.gradients(folded, batch), cases.gradients(looped, batch))
        candidates = {"folded": cases.step(folded, batch), "loop over views": cases.step(looped, batch)}
        found[name] = turns(f"{name}, {clips} clips of {cases.VIEWS} views", candidates, "folded")
    return found


def step(turns: Turns, clips: int) -> Figures:
    """Five views of a clip against as many clips of one view."""
    found = {}
    for name in cases.NAMES:
        five, one = cases.model(name), cases.model(name, views=1)
        candidates = {
            "five views": cases.step(five, cases.batch(clips)),
            "single views": cases.step(one, cases.batch(clips, views=1)),
        }
        what = f"{name}, {clips} clips of {cases.VIEWS} views, {clips * cases.VIEWS} of one"
        found[name] = turns(what, candidates, "single views", BOUND)
    return found


def from_files(turns: Turns) -> Figures:
    """Loader, log-mel and masks."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        root = files.make_home(Path(folder))
        found["loader"] = turns(
            f"2 recordings of {files.VIEWS} views, {files.STEPS} frames each",
            files.loading(root),
            "decoding alone",
        )
        found["log-mel"] = turns(f"log-mel of {files.STEPS} steps", files.sounding(root), "mapped")
        if files.DETECTOR.is_file() and files.PEOPLE.is_file():
            what = f"person scores and masks of {files.STEPS} frames"
            found["masks"] = turns(what, files.masking(root), "mapped")
        else:
            print(f"person masks are left out: {files.DETECTOR} or {files.PEOPLE} is not there")
    return found


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    turns = Turns(arguments.threads, arguments.repeats)
    versions, commit = environment.packages(), environment.commit()
    figures: Figures = {
        "machine": f"{environment.processor()}, torch {versions['torch']}, Python {versions['python']}",
        "date": date.today().isoformat(),
        "commit": f"{commit['git_commit']}{' and changes' if commit['git_dirty'] else ''}",
        "threads": arguments.threads,
        "repeats": arguments.repeats,
    }
    print("\n".join(f"{key}: {value}" for key, value in figures.items()))
    steps: dict[str, Callable[[Turns, int], Figures]] = {"loop": loop, "step": step}
    for part in arguments.only:
        print(f"\n{part}")
        if part == "files":
            figures[part] = from_files(turns)
        else:
            figures[part] = {str(clips): steps[part](turns, clips) for clips in arguments.clips}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

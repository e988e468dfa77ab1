"""The teacher read from a cache: a training step, a read, bytes on disk and memory, each beside its bound.

1. A training step that reads the teacher from a cache over one of the student alone (bound 1.05), and over one that
   runs the teacher. What caching can give at best is (T + S) / S of the networks' own times.
2. One file a sample, read by torch.load, over reads in batches of 32 from a cache (at least 200), and the bytes of
   the cache over those of the numbers in it (bound 1.05); the values are equal first.
3. Peak memory of a process that trains so, libraries and all, over one that trains the student alone (bound 1.05).

Times are CPU seconds of one thread, files being in the system's cache. Candidates take turns; quote the ratios: median
[quartiles] over turns.

    python benchmarks/cache.py --only step read memory
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it is in no package

import numpy as np
import torch
from mmengine.optim import OptimWrapper

from benchmarks.interleaved import Ratio, interleaved, ratio
from kdbench.cache import Book, Layout, Lessons, fill
from kdbench.cache.store import new_manifest
from kdbench.datasets import EpochSampler
from kdbench.engine import environment
from kdbench.models import Distillation

PARTS = ("step", "read", "memory")
SKELETON = {"type": "SkeletonCNN", "streams": ("joint", "bone", "motion")}
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "skeleton to inertial": (SKELETON, {"type": "InertialCNN"}),
    "skeleton to depth": (SKELETON, {"type": "VideoCNN"}),
}
DATA = {
    "name": "random",
    "inputs": {"skeleton": (48, 20, 3), "inertial": (128, 6), "depth": (16, 2, 64, 48)},
    "num_classes": 27,
}
CLIPS, EPOCHS, BATCH = 431, 40, 32
READ_CLIPS, READ_SHAPES = 4096, {"embedding": (512,), "logits": (60,)}
STEP_BOUND, READ_BOUND, SIZE_BOUND, MEMORY_BOUND = 1.05, 200.0, 1.05, 1.05
Figures = dict[str, Any]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--repeats", type=int, default=15, help="turns of each candidate")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--train", nargs=3, metavar=("PAIR", "HOW", "CACHE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def cache(
    folder: Path, shapes: dict[str, tuple[int, ...]], clips: int = CLIPS, epochs: int = EPOCHS
) -> Lessons:
    """A cache of random numbers."""
    rng, layout, book = np.random.default_rng(0), Layout(shapes), drawn(clips, epochs)

    def teach(draws: list[Any]) -> dict[str, np.ndarray]:
        return {name: rng.normal(size=(len(draws), *shape)).astype("f4") for name, shape in shapes.items()}

    fill(folder, new_manifest({"random": 0}, layout, len(book), BATCH), book, teach)
    return Lessons(folder, book, tuple(shapes))


def drawn(clips: int, epochs: int) -> Book:
    """The draws of a training run."""
    return Book(EpochSampler(range(clips), seed=0), epochs, BATCH)


def model(pair: str, how: str) -> Distillation:
    """The pair with a live teacher, with a cached one, or the student alone; the same student always."""
    torch.manual_seed(0)
    teacher, student = PAIRS[pair]
    if how == "alone":
        return Distillation(DATA, student).train()
    settings = {"teacher": {**teacher, "weights": "random"}, "distiller": {"type": "KD", "tau": 4.0}}
    return Distillation(DATA, student, **settings, cached=how == "cached").train()


def step(network: Distillation, lessons: Lessons | None) -> Callable[[], Any]:
    """A training step on a batch that is there already; with ``lessons`` the teacher is read for other clips."""
    rng, wrapper = np.random.default_rng(1), OptimWrapper(torch.optim.AdamW(network.student.parameters()))
    numbers = torch.Generator().manual_seed(1)
    inputs = {name: torch.randn(BATCH, *DATA["inputs"][name], generator=numbers) for name in network.reads}

    def run() -> Any:
        batch = {"inputs": inputs, "target": torch.arange(BATCH) % 27, "index": torch.arange(BATCH)}
        if lessons is not None:
            batch["lesson"] = lessons(int(rng.integers(EPOCHS)), rng.integers(CLIPS, size=BATCH))
        return network.train_step(batch, wrapper)

    return run


def steps(repeats: int, folder: Path) -> Figures:
    """Cached against alone, and live against cached; two take turns at a time, so that no third favours one."""
    lessons, found = cache(folder, {"logits": (27,)}), {}
    for pair in PAIRS:
        models = {how: model(pair, how) for how in ("alone", "cached", "live")}
        run = {how: step(net, lessons if how == "cached" else None) for how, net in models.items()}
        told = {name: torch.randn(BATCH, *DATA["inputs"][name]) for name in models["live"].reads}
        run["teacher"] = lambda live=models["live"], told=told: live._teach(told)
        over = times(run, "cached", "alone", repeats)
        gain = times(run, "live", "cached", repeats)
        share = times(run, "teacher", "alone", repeats)
        print(f"{pair}: cached / student alone = {over} (bound {STEP_BOUND:g})")
        print(f"  live / cached = {gain} (at best {1 + share.median:.3g})", flush=True)
        found[pair] = {"cached / alone": over, "live / cached": gain, "at best": 1 + share.median}
    return found


def times(run: dict[str, Callable[[], Any]], one: str, other: str, repeats: int) -> Ratio:
    """How many times as long one takes as the other."""
    seconds = interleaved({name: run[name] for name in (one, other)}, rounds=repeats, inner=None)
    return ratio(seconds, one, other)


def reads(repeats: int, folder: Path) -> Figures:
    """A cache against a file a sample."""
    lessons = cache(folder / "cache", READ_SHAPES, READ_CLIPS, 1)
    every = np.arange(READ_CLIPS)
    all_of_it = lessons(0, every)
    for clip in every:
        torch.save({name: all_of_it[name][clip].clone() for name in READ_SHAPES}, folder / f"{clip}.pt")
    rng = np.random.default_rng(2)

    def from_files(clips: np.ndarray) -> dict[str, torch.Tensor]:
        found = [torch.load(folder / f"{clip}.pt", weights_only=True) for clip in clips]
        return {name: torch.stack([one[name] for one in found]) for name in READ_SHAPES}

    some = rng.integers(READ_CLIPS, size=BATCH)
    ours, theirs = lessons(0, some), from_files(some)
    if not all(torch.equal(ours[name], theirs[name]) for name in READ_SHAPES):
        raise AssertionError("the cache and the files differ")
    candidates = {
        "cache": lambda: lessons(0, rng.integers(READ_CLIPS, size=BATCH)),
        "a file a sample": lambda: from_files(rng.integers(READ_CLIPS, size=BATCH)),
    }
    seconds = interleaved(candidates, rounds=repeats, inner=None)
    micro = {name: 1e6 * statistics.median(values) / BATCH for name, values in seconds.items()}
    gain = ratio(seconds, "a file a sample", "cache")
    on_disk = sum(path.stat().st_size for path in (folder / "cache").iterdir())
    size = on_disk / (READ_CLIPS * lessons.records.layout.record.itemsize)
    print(", ".join(f"{name} {value:.2f} us a sample" for name, value in micro.items()))
    print(f"  a file a sample / cache = {gain} (at least {READ_BOUND:g})")
    print(f"  bytes on disk / payload = {size:.4f} (bound {SIZE_BOUND:g})", flush=True)
    return {"microseconds": micro, "gain": gain, "bytes / payload": size}


def memory(folder: Path) -> Figures:
    """Peak memory of processes of their own."""
    cache(folder / "cache", {"logits": (27,)})
    found: Figures = {}
    for pair in PAIRS:
        peak = {how: peak_of(pair, how, folder) for how in ("alone", "cached", "live")}
        over = {how: peak[how] / peak["alone"] for how in ("cached", "live")}
        more = {how: (peak[how] - peak["alone"]) / 1024 for how in over}
        print(f"{pair}: student alone {peak['alone'] / 1024:.0f} MiB")
        print(f"  cached / alone = {over['cached']:.3f} (bound {MEMORY_BOUND:g}), {more['cached']:+.1f} MiB")
        print(f"  live / alone = {over['live']:.3f}, {more['live']:+.1f} MiB", flush=True)
        found[pair] = {"kilobytes": peak, **over}
    return found


def peak_of(pair: str, how: str, folder: Path) -> int:
    """Kilobytes that a process of its own has at its peak when it has taken some steps."""
    command = [sys.executable, __file__, "--train", pair, how, str(folder / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def train(pair: str, how: str, folder: str) -> None:
    """Take some steps and print this process's peak memory in kilobytes."""
    lessons = Lessons(folder, drawn(CLIPS, EPOCHS), ("logits",)) if how == "cached" else None
    run = step(model(pair, how), lessons)
    for _ in range(10):
        run()
    print(
        status("VmHWM")
    )  # getrusage would tell the peak of the process that started this one, if that was larger


def status(name: str) -> int:
    """A number of kilobytes that the system knows of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def main() -> None:
    arguments = parse()
    torch.set_num_threads(1)
    if arguments.train:
        train(*arguments.train)
        return
    versions, commit = environment.packages(), environment.commit()
    figures: Figures = {
        "machine": f"{environment.processor()}, torch {versions['torch']}, Python {versions['python']}",
        "date": date.today().isoformat(),
        "commit": f"{commit['git_commit']}{' and changes' if commit['git_dirty'] else ''}",
        "load": os.getloadavg(),
        "repeats": arguments.repeats,
    }
    print("\n".join(f"{key}: {value}" for key, value in figures.items()))
    for part in arguments.only:
        print(f"\n{part}")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            figures[part] = (
                memory(folder)
                if part == "memory"
                else {"step": steps, "read": reads}[part](arguments.repeats, folder)
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

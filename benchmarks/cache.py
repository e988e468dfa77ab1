"""The teacher read from a cache: a training step, a read, bytes on disk and memory, each beside its bound.

1. A training step that reads the teacher from a cache over one of the student alone, and the one that runs the teacher
   over it. What caching can give at best is (T + S) / S of the networks' own times.
2. The most that torch's allocator holds at once during such a step, over that of the student alone.
3. One file a sample, read by torch.load, over reads in batches of 32 from a cache, and the bytes of the cache over
   those of the numbers in it; the values are equal first. Files are in the system's cache.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.optim import OptimWrapper

from kdbench.cache import Book, Layout, Lessons, fill
from kdbench.cache.store import new_manifest
from kdbench.datasets import EpochSampler
from kdbench.models import Distillation

from .allocations import peak_bytes
from .figures import Figure, Figures, cost, exact, gain
from .interleaved import interleaved

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


def figures(quick: bool) -> Figures:
    """Steps, memory and reads."""
    repeats = 1 if quick else 15
    with tempfile.TemporaryDirectory() as folder:
        yield from steps(repeats, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from reads(repeats, Path(folder), READ_CLIPS // (16 if quick else 1))


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


def steps(repeats: int, folder: Path) -> Iterator[Figure]:
    """Cached against alone, and live against cached; two take turns at a time, so that no third favours one."""
    lessons = cache(folder, {"logits": (27,)})
    for pair in PAIRS:
        models = {how: model(pair, how) for how in ("alone", "cached", "live")}
        run = {how: step(net, lessons if how == "cached" else None) for how, net in models.items()}
        told = {name: torch.randn(BATCH, *DATA["inputs"][name]) for name in models["live"].reads}
        run["teacher"] = lambda live=models["live"], told=told: live._teach(told)
        share = cost("", turns(run, "teacher", "alone", repeats), "teacher", "alone").ratio.median
        yield cost(f"{pair}, step", turns(run, "cached", "alone", repeats), "cached", "alone", STEP_BOUND)
        seconds = turns(run, "live", "cached", repeats)
        yield gain(f"{pair}, what it saves", seconds, "cached", "live", note=f", at best {1 + share:.3g}")
        held = {how: peak_bytes(run[how]) for how in models}
        mib = {how: f"{how} {value / 2**20:.2f} MiB" for how, value in held.items()}
        over = held["cached"] / held["alone"]
        what = f"{mib['alone']} ({mib['live']})"
        yield exact(f"{pair}, peak allocation of a step", mib["cached"], what, over, MEMORY_BOUND)


def turns(run: dict[str, Callable[[], Any]], one: str, other: str, repeats: int) -> dict[str, list[float]]:
    """Seconds of two that take turns."""
    return interleaved({name: run[name] for name in (one, other)}, rounds=repeats, inner=None)


def reads(repeats: int, folder: Path, clips: int) -> Iterator[Figure]:
    """A cache against a file a sample."""
    lessons = cache(folder / "cache", READ_SHAPES, clips, 1)
    every = np.arange(clips)
    all_of_it = lessons(0, every)
    for clip in every:
        torch.save({name: all_of_it[name][clip].clone() for name in READ_SHAPES}, folder / f"{clip}.pt")
    rng = np.random.default_rng(2)

    def from_files(clips: np.ndarray) -> dict[str, torch.Tensor]:
        found = [torch.load(folder / f"{clip}.pt", weights_only=True) for clip in clips]
        return {name: torch.stack([one[name] for one in found]) for name in READ_SHAPES}

    some = rng.integers(clips, size=BATCH)
    ours, theirs = lessons(0, some), from_files(some)
    if not all(torch.equal(ours[name], theirs[name]) for name in READ_SHAPES):
        raise AssertionError("the cache and the files differ")
    candidates = {
        "cache": lambda: lessons(0, rng.integers(clips, size=BATCH)),
        "a file a sample": lambda: from_files(rng.integers(clips, size=BATCH)),
    }
    seconds = interleaved(candidates, rounds=repeats, inner=None)
    a_sample = {name: [value / BATCH for value in values] for name, values in seconds.items()}
    yield gain("reading 60 logits and 512 features", a_sample, "cache", "a file a sample", READ_BOUND)
    on_disk = sum(path.stat().st_size for path in (folder / "cache").iterdir())
    payload = clips * lessons.records.layout.record.itemsize
    shown = f"{on_disk:,} bytes", f"{payload:,} bytes of numbers"
    yield exact("bytes on disk", *shown, on_disk / payload, SIZE_BOUND)

"""Students of one teacher together in a process, against one after the other; each trains as it does alone.

1. Four students of one teacher whose forward costs twice a student's step (T = 2 x 3S), which is the case that issue
   and table are about: four runs, against a cohort of four. At best n (T + 3S) / (T + 3nS).
2. Twelve cells, four students with three seeds: all runs in a row, against three cohorts (a seed each: another seed
   meets other batches), and against three cohorts that read the teacher from a cache, which is built first.

Each is timed twice over: whole, with the building of models and the cohort's own checks, which weighs much in runs as
short as these; and from the first batch on to the record of the last test. Runs are mmengine's Runner, with clips that
are in memory. Times are CPU seconds of one thread; candidates take turns; quote the ratios: median [quartiles] over
turns. Weights are compared before any time is printed.

    python benchmarks/cohort.py --only four twelve --repeats 5
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it is in no package

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from benchmarks.interleaved import interleaved, ratio
from kdbench.backbones import InertialCNN
from kdbench.cache import Book, Layout, ReadLessons, fill
from kdbench.cache.store import new_manifest
from kdbench.datasets import ClipDataset, EpochSampler
from kdbench.distillers import KD
from kdbench.engine import PrecisionOptimWrapper, Runner, environment
from kdbench.engine.checkpoint import save_weights
from kdbench.engine.cohort import Cohort, Member
from kdbench.engine.course import course
from kdbench.models import Distillation
from kdbench.models.cohort import shared_teachers

PARTS = ("four", "twelve")
CLIPS, BATCH, CLASSES, SHAPE = 256, 32, 27, (128, 6)
STUDENTS, SEEDS = 4, (0, 1, 2)
RATES = (1e-3, 2e-3, 3e-3, 4e-3)
WIDTH, WIDTHS = 16, tuple(range(16, 129, 4))  # of the student, and of teachers that are tried
TEACHER_OVER_STEP = 2.0
TARGETS = {"four": 1.8, "twelve": 4.0}


class Clips(ClipDataset):
    """Random signals in memory."""

    metainfo: dict = {}

    def __init__(self, count: int = CLIPS):
        super().__init__()
        rng = np.random.default_rng(0)
        self.signals = rng.normal(size=(count, *SHAPE)).astype("f4")
        self.labels = np.arange(count) % CLASSES

    @property
    def targets(self) -> np.ndarray:
        return self.labels

    def load(self, index: int) -> dict[str, Any]:
        return {"inputs": {"inertial": self.signals[index]}, "target": int(self.labels[index])}

    def __len__(self) -> int:
        return len(self.labels)


class Accuracy(BaseMetric):
    """Per cent of clips whose largest score is their class's."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        self.results += [float(s["score"].argmax() == s["target"]) for s in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return {"top1": 100 * float(np.mean(results))}


class Timed(Cohort):
    """A cohort that knows when its first batch came."""

    began = 0.0

    def _join(self) -> Any:
        stream = super()._join()
        self.began = time.process_time()
        return stream


class Bench:
    """The runs of one teacher, in a folder of their own."""

    def __init__(self, folder: Path, epochs: int):
        self.folder, self.epochs, self.data, self.held_out = folder, epochs, Clips(), Clips(BATCH)
        self.width = teacher_width()
        self.weights = folder / "teacher.safetensors"
        torch.manual_seed(0)
        save_weights(self.weights, InertialCNN(num_classes=CLASSES, width=self.width).state_dict())

    def runner(self, place: str, number: int, seed: int, cache: Path | None = None) -> Runner:
        """A run of one student."""
        hooks = [{"type": ReadLessons, "folder": str(cache), "taps": ["logits"]}] if cache else None
        settings: dict[str, Any] = {
            "model": model(self.width, str(self.weights), cached=cache is not None),
            "work_dir": str(self.folder / place / f"{number}-{seed}"),
            "train_dataloader": loader(self.data, True),
            "train_cfg": {"max_epochs": self.epochs},
            "test_dataloader": loader(self.held_out, False),
            "test_cfg": {},
            "test_evaluator": [Accuracy()],
            "optim_wrapper": {
                "type": PrecisionOptimWrapper,
                "optimizer": {"type": "AdamW", "lr": RATES[number]},
            },
            "default_hooks": {"checkpoint": {"epochs": None}},
            "custom_hooks": hooks,
            "randomness": {"seed": seed},
            "log_level": "ERROR",
            "default_scope": None,
        }
        return Runner(**settings)

    def serial(self, place: str, seeds: Sequence[int]) -> float:
        """One after the other; seconds from first batches on."""
        spent = 0.0
        for seed in seeds:
            for number in range(STUDENTS):
                whole = course(self.runner(place, number, seed))
                next(whole)
                began = time.process_time()
                for _ in whole:
                    pass
                spent += time.process_time() - began
        return spent

    def cohorts(self, place: str, seeds: Sequence[int], cached: bool = False) -> float:
        """A cohort a seed; seconds from first batches on, and of the caches."""
        spent = 0.0
        for seed in seeds:
            began = time.process_time()
            cache = self.cache(seed) if cached else None
            spent += time.process_time() - began
            members = [self.member(place, number, seed, cache) for number in range(STUDENTS)]
            cohort = Timed(members, shared_teachers, print)
            assert cohort.run() == 0
            spent += time.process_time() - cohort.began
        return spent

    def member(self, place: str, number: int, seed: int, cache: Path | None) -> Member:
        """A student as a member."""
        return Member(f"{number}", lambda: self.runner(place, number, seed, cache))

    def cache(self, seed: int) -> Path:
        """What the teacher says of all draws of a seed; clips do not vary, so each has one record for all epochs."""
        sampler = EpochSampler(self.data, seed=seed)
        book, layout = (
            Book(sampler, self.epochs, BATCH, varies=False),
            Layout({"logits": (CLASSES,)}, "float32"),
        )
        teacher = model(self.width, str(self.weights)).teacher

        def teach(draws: Sequence[Any]) -> dict[str, np.ndarray]:
            clips = torch.from_numpy(self.data.signals[[draw.index for draw in draws]])
            with torch.no_grad():
                return {"logits": teacher(clips).numpy()}

        place = self.folder / f"cache-{seed}-{time.monotonic_ns()}"
        fill(place, new_manifest({"seed": seed}, layout, len(book), BATCH), book, teach)
        return place

    def weights_of(self, place: str, seeds: Sequence[int]) -> list[bytes]:
        """The students' weights as they ended."""
        folders = [self.folder / place / f"{number}-{seed}" for seed in seeds for number in range(STUDENTS)]
        return [(folder / "student.safetensors").read_bytes() for folder in folders]


def loader(data: Clips, shuffle: bool) -> dict[str, Any]:
    """How clips are read."""
    sampler = {"type": EpochSampler, "shuffle": shuffle}
    collate = {"type": "default_collate"}
    return {"dataset": data, "sampler": sampler, "batch_size": BATCH, "num_workers": 0, "collate_fn": collate}


def model(width: int, weights: str, cached: bool = False) -> Any:
    """A teacher of ``width`` and a student; as a config where a runner builds it."""
    data = {"name": "random", "inputs": {"inertial": SHAPE}, "num_classes": CLASSES, "num_train": CLIPS}
    teacher = {"type": InertialCNN, "width": width, "weights": weights}
    settings = {
        "student": {"type": InertialCNN, "width": WIDTH},
        "teacher": teacher,
        "distiller": {"type": KD},
    }
    return Model(type=Distillation, data=data, **settings, cached=cached)


class Model(dict):
    """A model's config that can also give the teacher itself."""

    @property
    def teacher(self) -> torch.nn.Module:
        """The network with its weights, as training has it."""
        from kdbench.registry import MODELS, build

        return build(MODELS, dict(self)).teacher


def costs(width: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A forward of a teacher without gradients, and a student's step, on a batch."""
    clips, target = torch.randn(BATCH, *SHAPE), torch.arange(BATCH) % CLASSES
    teacher = InertialCNN(num_classes=CLASSES, width=width).eval().requires_grad_(False)
    student = InertialCNN(num_classes=CLASSES, width=WIDTH)
    optimizer = torch.optim.AdamW(student.parameters())

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(student(clips), target).backward()
        optimizer.step()

    def teach() -> None:
        with torch.no_grad():
            teacher(clips)

    return teach, step


def teacher_over_step(width: int, rounds: int = 5) -> float:
    """How many times as long as a student's step a teacher's forward takes."""
    teach, step = costs(width)
    return ratio(
        interleaved({"teacher": teach, "step": step}, rounds=rounds, inner=None), "teacher", "step"
    ).median


def teacher_width() -> int:
    """The width whose forward is nearest to twice a student's step, by bisection."""
    low, high = 0, len(WIDTHS) - 1
    while low < high:
        middle = (low + high) // 2
        if teacher_over_step(WIDTHS[middle]) < TEACHER_OVER_STEP:
            low = middle + 1
        else:
            high = middle
    return WIDTHS[low]


def compared(
    bench: Bench, part: str, candidates: dict[str, Callable[[], float]], repeats: int
) -> dict[str, Any]:
    """Time the candidates, the first turn being warm-up, and print each gain over runs in a row."""
    whole: dict[str, list[float]] = {name: [] for name in candidates}
    training: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats + 1):
        for name in sorted(candidates, reverse=bool(turn % 2)):
            began = time.process_time()
            spent = candidates[name]()
            if turn:
                whole[name].append(time.process_time() - began)
                training[name].append(spent)
        if not turn:
            same_weights(bench, part)
    found: dict[str, Any] = {}
    for name in candidates:
        for what, seconds in {"training": training, "whole": whole}.items():
            if name != "in a row":
                gain = ratio(seconds, "in a row", name)
                print(f"{part}, {what}: in a row / {name} = {gain} (target {TARGETS[part]:g})", flush=True)
                found[f"{name}, {what}"] = list(gain)
            found[f"{name}, {what} seconds"] = seconds[name]
    return found


def same_weights(bench: Bench, part: str) -> None:
    """Refuse to go on unless all ways end with equal bytes."""
    places, seeds = (("row", "cohort"), (0,)) if part == "four" else (("row", "cohort", "cached"), SEEDS)
    ends = [bench.weights_of(place, seeds) for place in places]
    if ends[1:] != ends[:-1]:
        raise AssertionError(f"{', '.join(places)} end with other weights")
    print("weights: equal bit for bit", flush=True)


def four(bench: Bench, repeats: int) -> dict[str, Any]:
    """A cohort of four against four runs."""
    ways = {"in a row": lambda: bench.serial("row", (0,)), "cohort": lambda: bench.cohorts("cohort", (0,))}
    return compared(bench, "four", ways, repeats)


def twelve(bench: Bench, repeats: int) -> dict[str, Any]:
    """Four students with three seeds."""
    ways = {
        "in a row": lambda: bench.serial("row", SEEDS),
        "cohorts": lambda: bench.cohorts("cohort", SEEDS),
        "cohorts and cache": lambda: bench.cohorts("cached", SEEDS, cached=True),
    }
    return compared(bench, "twelve", ways, repeats)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each candidate")
    parser.add_argument("--epochs", type=int, default=4, help="of each run, 8 batches each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def main() -> None:
    """Measure."""
    arguments = parse()
    torch.set_num_threads(1)
    print(
        f"{environment.processor()}, torch {torch.__version__}, commit {environment.commit()['git_commit']}"
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.epochs)
        share, count = teacher_over_step(bench.width, 15), STUDENTS
        best = count * (share + 1) / (share + count)
        print(
            f"teacher of width {bench.width}: T / 3S = {share:.2f}; at best {best:.2f} by a cohort of {count}",
            end="",
        )
        print(f", {share + 1:.2f} by a teacher that costs nothing")
        found: dict[str, Any] = {"T / 3S": share, "at best": best, "teacher for nothing": share + 1}
        for part in arguments.only:
            found[part] = {"four": four, "twelve": twelve}[part](bench, arguments.repeats)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

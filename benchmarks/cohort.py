"""Students of one teacher together in a process, against one after the other; each trains as it does alone.

Four students of one teacher whose forward costs twice a student's step (T = 2 x 3S): four runs, against a cohort of
four. At best n (T + 3S) / (T + 3nS).

It is timed twice over: whole, with the building of models and the cohort's own checks, which weighs much in runs as
short as these; and from the first batch on to the record of the last test. Runs are mmengine's Runner, with clips that
are in memory. Weights are compared before any time is told.
"""

import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from kdbench.backbones import InertialCNN
from kdbench.datasets import ClipDataset, EpochSampler
from kdbench.distillers import KD
from kdbench.engine import PrecisionOptimWrapper, Runner
from kdbench.engine.checkpoint import save_weights
from kdbench.engine.cohort import Cohort, Member
from kdbench.engine.course import course
from kdbench.models import Distillation
from kdbench.models.cohort import shared_teachers

from .figures import Figures, gain
from .interleaved import interleaved, ratio

CLIPS, BATCH, CLASSES, SHAPE = 256, 32, 27, (128, 6)
STUDENTS, EPOCHS, TURNS = 4, 16, 4
RATES = (1e-3, 2e-3, 3e-3, 4e-3)
WIDTH, WIDTHS = 16, tuple(range(16, 129, 4))  # of the student, and of teachers that are tried
TEACHER_OVER_STEP = 2.0
TARGET = 1.8


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

    def runner(self, place: str, number: int) -> Runner:
        """A run of one student."""
        settings: dict[str, Any] = {
            "model": model(self.width, str(self.weights)),
            "work_dir": str(self.folder / place / f"{number}"),
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
            "randomness": {"seed": 0},
            "log_level": "ERROR",
            "default_scope": None,
        }
        return Runner(**settings)

    def serial(self) -> float:
        """One after the other; seconds from first batches on."""
        spent = 0.0
        for number in range(STUDENTS):
            whole = course(self.runner("row", number))
            next(whole)
            began = time.process_time()
            for _ in whole:
                pass
            spent += time.process_time() - began
        return spent

    def cohort(self) -> float:
        """All together; seconds from the first batch on."""
        members = [Member(f"{n}", lambda n=n: self.runner("cohort", n)) for n in range(STUDENTS)]
        cohort = Timed(members, shared_teachers, print)
        if cohort.run():
            raise AssertionError("a member of the cohort failed")
        return time.process_time() - cohort.began

    def check_weights(self) -> None:
        """Refuse to go on unless both ways end with equal bytes."""
        for number in range(STUDENTS):
            alone, together = (
                self.folder / place / f"{number}" / "student.safetensors" for place in ("row", "cohort")
            )
            if alone.read_bytes() != together.read_bytes():
                raise AssertionError(f"student {number} ends with other weights in a cohort")


def loader(data: Clips, shuffle: bool) -> dict[str, Any]:
    """How clips are read."""
    sampler = {"type": EpochSampler, "shuffle": shuffle}
    collate = {"type": "default_collate"}
    return {"dataset": data, "sampler": sampler, "batch_size": BATCH, "num_workers": 0, "collate_fn": collate}


def model(width: int, weights: str) -> dict[str, Any]:
    """A teacher of ``width`` and a student, as a config."""
    data = {"name": "random", "inputs": {"inertial": SHAPE}, "num_classes": CLASSES, "num_train": CLIPS}
    return {
        "type": Distillation,
        "data": data,
        "student": {"type": InertialCNN, "width": WIDTH},
        "teacher": {"type": InertialCNN, "width": width, "weights": weights},
        "distiller": {"type": KD},
    }


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


def figures(quick: bool) -> Figures:
    """A cohort of four against four runs; what the runs print is not repeated."""
    nowhere = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, nowhere:
        bench = Bench(Path(folder), 1 if quick else EPOCHS)
        share = teacher_over_step(bench.width, 15)
        ways = {"four runs": bench.serial, "cohort": bench.cohort}
        whole, training = timed(ways, bench.check_weights, 1 if quick else TURNS)
    best = STUDENTS * (share + 1) / (share + STUDENTS)
    note = f", at best {best:.3g} at T / 3S = {share:.3g}"
    yield gain("four students, from the first batch on", training, "cohort", "four runs", TARGET, note)
    yield gain("four students, whole runs", whole, "cohort", "four runs", TARGET, note)


def timed(
    ways: dict[str, Callable[[], float]], check: Callable[[], None], turns: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """CPU seconds of whole runs, and those that the runs tell, in turns; the first one is warm-up and checked."""
    whole: dict[str, list[float]] = {name: [] for name in ways}
    told: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name in sorted(ways, reverse=bool(turn % 2)):
            began = time.process_time()
            spent = ways[name]()
            if turn:
                whole[name].append(time.process_time() - began)
                told[name].append(spent)
        if not turn:
            check()
    return whole, told

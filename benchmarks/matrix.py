"""A matrix of twelve cells, four students with three seeds, by tools/matrix.py: as it goes, and one after the other.

Inertial students of one graph network on UTD-MHAD's skeletons, eight epochs of real clips whose augmentation repeats
after two (``draws``), in both ways. One way is what the tool does with ``--cache``: caches built by the cells, cohorts
of a seed's students, as many places as there are cores. The other is ``--jobs 1 --no-cohort`` and a live teacher.
Everything counts: starting, reading, the cohorts' own checks, tests, records.

With n students of one seed, T a teacher's forward and S a student's step, E epochs and d draws: at best
E (nT + sum S) / (d T + E sum S). With d = E, each epoch augmented anew, a cache saves nothing that a cohort does not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from kdbench.compose.parts import parts
from kdbench.engine.checkpoint import save_weights
from kdbench.registry import BACKBONES, build

from .figures import Figure, Figures, Seconds, gain
from .interleaved import interleaved
from .loader import UTD
from .losses_cases import CONFIGS
from .startup import ROOT, of_children

TARGET = 4.0
ROW, TEACHER = "kd/utd_skeleton_cnn_inertial_cnn", "ctrgcn_small_utd"
STUDENTS = ("inertial_cnn", "inertial_cnn_w12", "inertial_cnn_w6", "inertial_transformer")
SEEDS, EPOCHS, DRAWS, BATCH, CLASSES = (0, 1, 2), 8, 2, 32, 27
SHAPES = {"teacher": (48, 20, 3), "student": (128, 6)}
WAYS = {"one by one": ["--jobs", "1", "--no-cohort"], "as it goes": ["--cache", "caches"]}


def figures(quick: bool) -> Figures:
    """CPU seconds and elapsed seconds of both ways."""
    if not UTD.is_dir():
        yield "UTD-MHAD is not under $KDBENCH_DATA_ROOT"
        return
    epochs, seeds = (1, (0,)) if quick else (EPOCHS, SEEDS)
    spent: dict[str, dict[str, list[float]]] = {"CPU": {}, "elapsed": {}}
    for way, arguments in WAYS.items():
        with tempfile.TemporaryDirectory() as folder:
            make_project(Path(folder), epochs, seeds)
            before, began = of_children(), time.perf_counter()
            run(Path(folder), arguments, cells=len(STUDENTS) * len(seeds))
            spent["CPU"][way] = [of_children() - before]
            spent["elapsed"][way] = [time.perf_counter() - began]
    yield from told(spent, f", at best {at_best(1 if quick else 9):.3g} in one place")


def told(spent: dict[str, Seconds], note: str) -> Iterator[Figure]:
    """Both clocks; one run each, so there is no spread."""
    title = f"{len(STUDENTS)} students, {len(SEEDS)} seeds"
    yield gain(f"{title}, CPU seconds", spent["CPU"], "as it goes", "one by one", TARGET, note)
    places = f", {os.cpu_count()} places to one"
    yield gain(f"{title}, elapsed", spent["elapsed"], "as it goes", "one by one", TARGET, places)


def make_project(folder: Path, epochs: int, seeds: tuple[int, ...]) -> None:
    """The rows of this checkout, a teacher, and the matrix."""
    shutil.copytree(CONFIGS, folder / "configs")
    torch.manual_seed(0)
    save_weights(folder / "teacher.safetensors", network(TEACHER).state_dict())
    options = {
        "train_cfg.max_epochs": epochs,
        "train_dataloader.sampler.draws": DRAWS,
        "model.teacher.weights": str(folder / "teacher.safetensors"),
    }
    entry = {"row": ROW, "teacher": TEACHER, "student": STUDENTS, "options": options}
    text = f"seeds = {seeds}\nrows = [{entry!r}]\n"
    (folder / "configs/matrices/twelve.py").write_text(text, encoding="utf-8")


def run(folder: Path, arguments: list[str], cells: int) -> None:
    """The tool, to its end; every cell has a result."""
    command = [
        sys.executable,
        str(ROOT / "tools/matrix.py"),
        "configs/matrices/twelve.py",
        "--plain",
        *arguments,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    results = len(list((folder / "work_dirs").glob("**/seed*/result.yml")))
    if done.returncode or results != cells:
        raise AssertionError(f"{results} of {cells} cells have a result:\n{done.stdout}\n{done.stderr}")


def network(name: str) -> torch.nn.Module:
    """A part as it is built here."""
    return build(BACKBONES, {**parts(CONFIGS, "models")[name].config, "num_classes": CLASSES})


def at_best(rounds: int) -> float:
    """What the costs of the networks alone allow."""
    teacher, clips = network(TEACHER).eval(), torch.randn(BATCH, *SHAPES["teacher"])
    calls: dict[str, Callable[[], Any]] = {name: step_of(network(name).train()) for name in STUDENTS}

    def teach() -> None:
        with torch.no_grad():
            teacher(clips)

    seconds = interleaved({"teacher": teach, **calls}, rounds)
    middle = {name: sorted(values)[len(values) // 2] for name, values in seconds.items()}
    t, s = middle["teacher"], sum(middle[name] for name in STUDENTS)
    return EPOCHS * (len(STUDENTS) * t + s) / (DRAWS * t + EPOCHS * s)


def step_of(student: torch.nn.Module) -> Callable[[], None]:
    """A student's step."""
    clips, target = torch.randn(BATCH, *SHAPES["student"]), torch.arange(BATCH) % CLASSES
    optimizer = torch.optim.AdamW(student.parameters())

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(student(clips), target).backward()
        optimizer.step()

    return step

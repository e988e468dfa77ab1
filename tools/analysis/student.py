"""The student of a row or of a run, with its weights, and clips of its data as it reads them."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Clip = dict[str, Tensor]


class Student(NamedTuple):
    """A network in eval mode; ``weights`` is None where the row was not trained here, and it is random."""

    row: str
    seed: int
    network: nn.Module
    reads: tuple[str, ...]
    weights: Path | None
    config: Any


def read(place: str, seed: int = 0) -> Student:
    """The student of a config (with the weights in its work directory, if any) or of the folder of a run."""
    from kdbench.models.role import Role
    from kdbench.spec import DataSpec
    from kdbench.weights import load_weights

    config, weights = _of_run(Path(place)) if Path(place).is_dir() else _of_row(place, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        role = Role("student", config.model.student, DataSpec(**config.model.data))
    if hasattr(role.model, "fit"):
        raise ValueError(f"{place} has a student that is fitted, not a network; there is: rows of networks")
    if weights:
        load_weights(role.model, weights)
    return Student(
        config.row.name, config.row.seed, role.model.eval().requires_grad_(False), role.reads, weights, config
    )


def _of_run(folder: Path) -> tuple[Any, Path]:
    from kdbench.compose import recompose
    from kdbench.engine.hooks import STUDENT_FILE
    from kdbench.engine.lineage import read_result
    from kdbench.records import RESULT_FILE

    weights, record = folder / STUDENT_FILE, read_result(folder / RESULT_FILE)
    if not record or not weights.is_file():
        listed = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise ValueError(
            f"{folder} is no folder of a run: it lacks {STUDENT_FILE} or its record; there is: {listed}"
        )
    return recompose(record["config"]), weights


def _of_row(path: str, seed: int) -> tuple[Any, Path | None]:
    from kdbench.compose import compose, work_dir
    from kdbench.engine.hooks import STUDENT_FILE

    config = compose(path, seed=seed)
    weights = Path(work_dir(config), STUDENT_FILE)
    return config, weights if weights.is_file() else None


def blank_clip(student: Student) -> Clip:
    """One clip of random numbers in the shapes of the student's data, ``(1, ...)`` by modality."""
    generator = torch.Generator().manual_seed(0)
    shapes = student.config.model.data["inputs"]
    return {name: torch.rand(1, *shapes[name], generator=generator) for name in student.reads}


def clips(student: Student, split: str, limit: int | None = None) -> Iterator[tuple[Clip, Tensor]]:
    """Clips ``(1, ...)`` of ``"train"`` or ``"test"`` with their targets, as they are tested on: not augmented.

    ``limit`` takes so many, evenly over the split.
    """
    from kdbench.engine import Runner
    from kdbench.engine.modalities import read_only
    from kdbench.models import Preprocessor

    loader = {**student.config.test_dataloader, "num_workers": 0, "batch_size": 1}
    loader["dataset"] = _training(student) if split == "train" else {**loader["dataset"]}
    read_only([loader], student.reads)
    built = Runner.build_dataloader(loader, seed=0)
    data = built.dataset
    if split == "train":  # such data may draw by themselves; as recorded they do not
        data = data.prepared_as(data)
    prepare = Preprocessor(**(student.config.model.get("preprocessor") or {}))
    total = len(data)
    for place in range(total) if limit is None or limit >= total else _evenly(total, limit):
        batch = prepare(built.collate_fn([data[place]]))
        yield {name: batch["inputs"][name].contiguous() for name in student.reads}, batch["target"]


def _training(student: Student) -> dict[str, Any]:
    """The data set of training with the transforms of testing."""
    trained, tested = ({**student.config[f"{stage}_dataloader"].dataset} for stage in ("train", "test"))
    if trained["type"] is not tested["type"]:
        kinds = " and tests on ".join(data["type"].__name__ for data in (trained, tested))
        raise ValueError(f"{student.row} trains on {kinds}; there is calibration where both are of one kind")
    return {**trained, "transforms": tested.get("transforms", ())}


def _evenly(total: int, count: int) -> Iterator[int]:
    return itertools.islice((int((i + 0.5) * total / count) for i in itertools.count()), count)

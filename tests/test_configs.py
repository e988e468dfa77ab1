"""The shipped rows and parts: what they promise is what is there."""

import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench.compose import compose, imported_parts, rows
from kdbench.compose.parts import load
from kdbench.datasets import CIFAR10, CIFAR100
from kdbench.datasets.images.cifar_jpeg import FILES as JPEG_COPY
from kdbench.datasets.images.tiny_imagenet import FOLDER as TINY_IMAGENET
from kdbench.engine import Runner
from kdbench.engine.lineage import student_labels
from kdbench.engine.modalities import read_only
from kdbench.spec import STRONG, MissingPackageError
from tests.scripts import script

CONFIGS = Path(__file__).parent.parent / "configs"
ROWS = rows(CONFIGS)
DATA = sorted((CONFIGS / "_base_" / "datasets").glob("*.py"))
ROOT = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"))
CHECK = script("check")
PASSED: set[str] = set()  # models that passed in this process: rows that differ by places of files have one


def packings(kind: type[CIFAR10] | type[CIFAR100]) -> list[str]:
    """Every folder and archive that serves, below the data root."""
    return [f"{kind.folder}/{name}" for p in kind.packings.values() for name in (p.folder, p.archive)]


# What the data parts whose names begin so read, below the data root; one of each list is enough, Rooms reads nothing.
READ = {
    "cifar100": packings(CIFAR100),
    "cifar10_jpeg": [f"cifar10/{JPEG_COPY['train']}"],
    "cifar10": packings(CIFAR10),
    "tiny_imagenet": [TINY_IMAGENET],
    "utd": ["utd_mhad"],
    "home1": ["multisensor_home1"],
    "home2": ["multisensor_home2"],
    "mm_office": ["mm_office"],
    "rooms_files": ["rooms_files"],
    "ntu": ["ntu"],
    "nucla": ["nucla"],
}


def name(path: Path) -> str:
    return str(path.relative_to(CONFIGS).with_suffix(""))


def skip_without_files(stem: str) -> None:
    """Skip a test of a data part whose files are not on this machine."""
    wanted = next((files for prefix, files in READ.items() if stem.startswith(prefix)), [])
    if wanted and not any((ROOT / file).exists() for file in wanted):
        pytest.skip(f"there is no {' or '.join(wanted)} under $KDBENCH_DATA_ROOT")


# Of papers' sizes one home and one protocol, of few labels one share, of a validation split none.
LATER = re.compile(
    r"home1_frame|home2|mm_office|ntu60_xview|ntu120|nucla_(single|published)|utd_(views_)?three"
    r"|\w+_(p5|p25|p50|s1|s13)(_|$)"
)


def in_turn(paths: list[Path]) -> list[Any]:
    """Rows and data parts, those that differ little from others in the slow pass."""
    return [pytest.param(path, marks=pytest.mark.slow) if LATER.match(path.stem) else path for path in paths]


@pytest.mark.filterwarnings("ignore:.*meshgrid.*:UserWarning")  # of networks of other packages
@pytest.mark.parametrize("path", in_turn(ROWS), ids=name)
def test_a_row_is_what_its_name_says_and_passes_every_check(path: Path) -> None:
    try:
        assert not [*CHECK.problems(path, PASSED)]
    except MissingPackageError as error:
        pytest.skip(str(error))
    assert bool(compose(path).model.get("teacher")) == ("teacher" in imported_parts(path))


def test_no_part_stands_twice() -> None:
    assert not [*CHECK.part_problems(CONFIGS)]


@pytest.mark.parametrize("path", in_turn(DATA), ids=lambda path: path.stem)
def test_samples_are_as_the_data_part_promises(path: Path) -> None:
    skip_without_files(path.stem)
    config = load(path)
    loaders = {stage: config.get(f"{stage}_dataloader") for stage in ("train", "val", "test")}
    read_only(loaders.values(), [name for name in config.data.inputs if not name.endswith(STRONG)])
    for stage, settings in loaders.items():
        if settings is None:
            continue
        for few in {"num_clips", "num_images"} & {*inspect.signature(settings.dataset.type).parameters}:
            settings.dataset[few] = 8
        loader = Runner.build_dataloader(dict(settings, batch_size=2, num_workers=0), seed=0)
        batch = next(iter(loader))
        promised = {k: v for k, v in config.data.inputs.items() if stage == "train" or not k.endswith(STRONG)}
        assert {k: tuple(v.shape[1:]) for k, v in batch["inputs"].items()} == promised, stage
        wanted = config.data.get("fields", {}) if stage == "train" else {}
        assert {k: tuple(batch[k].shape[1:]) for k in wanted} == dict(wanted)
        assert torch.isfinite(next(iter(batch["inputs"].values())).float()).all()


@pytest.mark.parametrize("path", in_turn(DATA), ids=lambda path: path.stem)
def test_num_train_is_the_number_of_training_clips(path: Path) -> None:
    skip_without_files(path.stem)
    config = load(path)
    settings = config.train_dataloader
    read_only([settings], tuple(config.data.inputs)[:1])
    promised = getattr(settings.dataset.type, "promises", lambda **_: {})(**settings.dataset)
    num_train = promised.get("num_train", config.data.num_train)
    assert len(Runner.build_dataloader(dict(settings), seed=0).dataset) == num_train


def test_every_base_file_is_used_by_some_row() -> None:
    used = {imported_parts(row).get("data") for row in ROWS}
    assert used >= {path.stem for path in DATA}


PARTS = {path: imported_parts(path) for path in ROWS}
WITH_TEACHER_LABELS = {path.stem for path in DATA if "teacher_labels" in load(path)}
FEW_LABELS = [
    path for path in ROWS if "teacher" in PARTS[path] and PARTS[path]["data"] in WITH_TEACHER_LABELS
]


def test_few_labels_of_utd_come_in_both_settings() -> None:
    data = {imported_parts(path)["data"] for path in FEW_LABELS}
    fractions = ("p5", "p10", "p25", "p50")
    few = {f"utd_{few}" for few in ("s13", "s1", *fractions)}
    seen_from_three_sides = {f"{name}_depth_views" for name in few}
    ntu = {f"ntu60_xsub_{fraction}" for fraction in (*fractions, "p10_takes")}
    nucla = {f"nucla_boxed_{fraction}" for fraction in fractions}
    assert data == few | {f"{name}_labelled_teacher" for name in few} | seen_from_three_sides | ntu | nucla


@pytest.mark.parametrize("path", FEW_LABELS, ids=name)
def test_a_teacher_saw_the_labels_that_its_row_says(path: Path) -> None:
    """All of them where the data part is called so; else those of its student, so that it gives none away."""
    config = compose(path, seed=0)
    is_labelled = imported_parts(path)["data"].endswith("_labelled_teacher")
    assert config.teacher_labels == ("all" if is_labelled else student_labels(config))
    row = Path(config.model.teacher.weights).relative_to("work_dirs").parents[1]
    assert student_labels(compose(CONFIGS / f"{row}.py")) == config.teacher_labels


@pytest.mark.parametrize(
    ("options", "milestones"),
    [
        ({}, [150, 180, 210]),
        ({"train_cfg.max_epochs": 60}, [38, 45, 52]),
        ({"train_cfg.max_epochs": 60, "param_scheduler.0.milestones": [30, 50]}, [30, 50]),
    ],
)
def test_milestones_stay_at_their_share_of_training(options, milestones):
    config = compose(CONFIGS / "kd/cifar100_resnet110_resnet20.py", options=options)
    assert config.param_scheduler[0].milestones == milestones

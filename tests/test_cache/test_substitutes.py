"""Data that put substitutes for broken clips have a cache only where student and teacher find the same ones broken."""

from typing import Any

import numpy as np
import pytest

from kdbench.cache import Live
from kdbench.datasets import EpochSampler
from kdbench.datasets.base import ClipDataset
from kdbench.spec import IncompatibleError
from tests.test_models.toys import DATA


class Whole(ClipDataset):
    """Clips of which nothing is missing."""

    def __init__(self, modalities: tuple[str, ...] = (), on_problem: str = "substitute"):
        super().__init__()
        self.modalities, self.on_problem = modalities, on_problem

    @property
    def targets(self) -> np.ndarray:
        return np.zeros(len(self), np.int64)

    def __len__(self) -> int:
        return 12

    def load(self, index: int) -> dict[str, Any]:
        inputs = {name: np.zeros(DATA["inputs"][name], np.float32) for name in self.modalities}
        return {"inputs": inputs, "target": 0}


class Broken(Whole):
    """Clips of which anything may be missing."""

    substituted = {"missing view": 1}


class Silent(Broken):
    """Clips of which inertial signals may be missing."""

    substituted_by = ("inertial",)


def live(dataset: type[Whole], student: str, teacher: str, **settings: Any) -> Live:
    model = {
        "type": "Distillation",
        "data": DATA,
        "student": {"type": student},
        "teacher": {"type": teacher, "weights": "random"},
        "distiller": {"type": "KD"},
    }
    loader = {
        "batch_size": 4,
        "dataset": {"type": dataset, **settings},
        "sampler": {"type": EpochSampler},
    }
    return Live({"model": model, "train_dataloader": loader, "train_cfg": {"max_epochs": 2}})


@pytest.mark.parametrize(
    ("dataset", "student", "teacher", "alone"),
    [
        (Broken, "ToyInertial", "ToySkeleton", "inertial, skeleton"),
        (Broken, "ToyInertial", "ToyBoth", "skeleton"),
        (Silent, "ToyBoth", "ToySkeleton", "inertial"),
        (Silent, "ToySkeleton", "ToyBoth", "inertial"),
    ],
)
def test_what_one_of_them_finds_broken_and_the_other_not_is_refused(dataset, student, teacher, alone) -> None:
    says = (
        f"^{dataset.__name__} puts substitutes for what is missing or damaged of {alone}, which only one of"
    )
    with pytest.raises(IncompatibleError, match=says) as caught:
        live(dataset, student, teacher)
    assert "set train_dataloader.dataset.on_problem=fail, which" in str(caught.value)
    live(dataset, student, teacher, on_problem="fail")


@pytest.mark.parametrize(
    ("dataset", "student", "teacher", "settings"),
    [
        (Whole, "ToyInertial", "ToySkeleton", {}),
        (Broken, "ToyBoth", "ToyBoth", {}),
        (Silent, "ToyInertial", "ToyBoth", {}),
        (Broken, "ToyInertial", "ToySkeleton", {"modalities": ("inertial", "skeleton")}),
    ],
)
def test_where_both_find_the_same_broken_there_is_a_cache(dataset, student, teacher, settings) -> None:
    assert live(dataset, student, teacher, **settings).book.epochs == 2

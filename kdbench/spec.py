"""What data promise, what methods ask, and the errors when they do not meet.

    KDBenchError
    ├── IncompatibleError      teacher, student, distiller and data cannot work together
    ├── MissingWeightsError    a model should start from a file that is not there
    ├── MissingPackageError    an optional package is not installed or does not import
    └── InvalidDataError       a file or recording is missing, truncated or not finite

An ordinary bad argument is a ``ValueError``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .registry import near

SINGLE_LABEL = "single-label"
MULTI_LABEL = "multi-label"
STRONG = "_strong"  # behind a modality's name: the same clip, augmented more; behind "logits": what it gives
LESSON = (
    "lesson"  # the batch field with what a teacher said, by tap, from a cache or for several students at once
)
IGNORED = -100  # the target of a clip whose label may not be used (torch's default ``ignore_index``)


def is_labelled(targets: np.ndarray) -> np.ndarray:
    """Mask, ``(N,)`` bool, of the clips that show a label; a target is a class or ``K`` of 0 and 1, negative if hidden.

    >>> is_labelled(np.array([3, IGNORED])), is_labelled(np.array([[0, 1], [-1, -1]]))
    (array([ True, False]), array([ True, False]))
    """
    known = np.asarray(targets) >= 0
    return np.asarray(known.any(axis=tuple(range(1, known.ndim))))


class KDBenchError(Exception):
    """What kdbench refuses to do."""


class IncompatibleError(KDBenchError):
    """Teacher, student, distiller and data do not fit; the message lists every reason."""


class MissingWeightsError(KDBenchError):
    """A model that should start from a file has none."""


class MissingPackageError(KDBenchError):
    """An optional package is needed and cannot be imported."""


class InvalidDataError(KDBenchError):
    """A file or recording is missing, truncated or not finite."""


class Fields(dict[str, Any]):
    """Named tensors, read by attribute; a miss says what there is.

    >>> Fields(logits=1).logits
    1
    >>> Fields(logits=1).logit
    Traceback (most recent call last):
    AttributeError: no field 'logit'; did you mean: logits?
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no field '{name}'; {near(name, self)}") from None


@dataclass(frozen=True)
class DataSpec:
    """One sample of a data set, the batch dimension left out.

    ``inputs`` maps a modality to its shape, ``fields`` every other named tensor of a batch to its shape.
    ``task`` is ``"single-label"`` (``target`` is a class index, -100 where unlabelled) or ``"multi-label"``
    (``target`` is a row of zeros and ones, -1 where unlabelled). ``num_train`` is the number of training samples,
    that is, one more than the largest ``index``. An input ``<modality>_strong`` is a second, stronger augmentation of
    the same clip; only training samples have it.
    """

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    num_classes: int
    task: str = SINGLE_LABEL
    num_train: int = 0
    fields: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.task not in (SINGLE_LABEL, MULTI_LABEL):
            raise ValueError(f"task '{self.task}' is unknown; there is: {SINGLE_LABEL}, {MULTI_LABEL}")


@dataclass(frozen=True)
class Needs:
    """What a distiller or a task loss reads: taps of the student and of the teacher, fields of the batch.

    ``teacher=()`` says that the method has no teacher. ``heads`` names the roles whose last linear layer the method
    borrows (``Distiller.borrow``); ``"teacher_members"`` are the last linear layers of a teacher made of several.
    """

    student: tuple[str, ...] = ("logits",)
    teacher: tuple[str, ...] = ("logits",)
    batch: tuple[str, ...] = ()
    tasks: tuple[str, ...] = (SINGLE_LABEL, MULTI_LABEL)
    heads: tuple[str, ...] = ()

    def compares(self, role: str) -> bool:
        """Whether the method may compare numbers of a role: how its last linear layer is fed from its stages."""
        return role in self.heads and "stages" in getattr(self, role)


def missing(reader: str, owner: str, wanted: Iterable[str], there: Iterable[str]) -> list[str]:
    """One sentence for each wanted name that is not there."""
    there = tuple(there)
    known = ", ".join(there) or "nothing"
    return [f"{reader} reads {owner} '{name}'; there is: {known}" for name in wanted if name not in there]


def refusal(subject: str, data: str, problems: list[str]) -> IncompatibleError:
    """The error that says who cannot run on what, and lists all reasons."""
    lines = "".join(f"\n  - {problem}" for problem in problems)
    return IncompatibleError(f"{subject} cannot run on {data}:{lines}")


def refuse(subject: str, data: str, problems: list[str]) -> None:
    """Raise one ``IncompatibleError`` that lists all problems, if there are any."""
    if problems:
        raise refusal(subject, data, problems)

"""The base of image data sets: pictures of one size in one array, labels that may be hidden."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...registry import near
from ..base import ClipDataset, Sample, Transform
from ..files import existing_folder, root_folder
from ..labels import with_labels


def data_folder(root: str | Path | None, folder: str, remedy: str) -> Path:
    """``root``, or ``$KDBENCH_DATA_ROOT/<folder>``; it must be a folder."""
    problem = "no root was given and KDBENCH_DATA_ROOT is not set"
    return existing_folder(root_folder(root, folder, problem, remedy), remedy)


def known_split(split: str, splits: Sequence[str]) -> str:
    """The split, if the data set has it."""
    if split not in splits:
        raise ValueError(f"there is no split '{split}'; {near(split, splits)}")
    return split


def select(
    labels: np.ndarray,
    is_training: bool,
    labelled: Mapping | None = None,
    unlabelled: str = "keep",
    num_images: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The images of a split that are used, and their targets; both ``(N,)`` int64.

    ``num_images`` takes so many, evenly spaced in the order of the files. ``labelled`` and ``unlabelled`` change
    training only.
    """
    if labelled is not None and "subjects" in labelled:
        raise ValueError(
            f"labelled={dict(labelled)}; images have no subjects, it is None or dict(fraction=, seed=)"
        )
    if num_images is not None and not 0 < num_images <= len(labels):
        raise ValueError(f"num_images={num_images}; the split has 1 to {len(labels)}")
    rows = np.arange(len(labels))
    if num_images is not None:
        rows = (rows[:num_images] * len(labels)) // num_images
    nobody = np.zeros(len(labels), np.int64)
    return with_labels(labelled if is_training else None, unlabelled, rows, labels, nobody)


class ImageDataset(ClipDataset):
    """Images as ``{"inputs": {"image": (3, H, W) uint8}, "target": class or -100, "index": position in the split}``.

    ``images`` ``(N, 3, H, W)`` and ``targets`` ``(N,)`` are all of them, decoded once; workers that are forked share
    the memory. A subclass sets ``title`` (the data set's name in every report) and ``classes``.
    """

    title: str
    classes: tuple[str, ...]

    def __init__(self, images: np.ndarray, targets: np.ndarray, transforms: Sequence[dict | Transform] = ()):
        super().__init__(transforms)
        self.images, self._targets = images, targets

    @property
    def metainfo(self) -> dict[str, Any]:
        """The data set's name and class names, for evaluation and reports."""
        return {"dataset": self.title, "classes": self.classes}

    @property
    def targets(self) -> np.ndarray:
        """Class of each image, ``(N,)`` int64; -100 where the label may not be used."""
        return self._targets

    def __len__(self) -> int:
        return len(self.images)

    def load(self, index: int) -> Sample:
        """The image at ``index`` before any transform."""
        return {"inputs": {"image": self.images[index]}, "target": int(self._targets[index])}

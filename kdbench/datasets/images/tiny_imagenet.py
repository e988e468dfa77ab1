"""Tiny-ImageNet: 200 classes of ImageNet at 64 x 64 (Le and Yang, Stanford CS 231N, 2015)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...registry import DATASETS
from ...spec import InvalidDataError
from ..base import Transform
from .base import ImageDataset, data_folder, known_split, select
from .decoding import content_of, decode_all

FOLDER = "tiny-imagenet-200"
SPLITS = ("train", "val")
REMEDY = (
    f"get it with: curl -LO http://cs231n.stanford.edu/{FOLDER}.zip && "  # MD5 90528d7ca1a48142e341f4ef8d21d0de
    f"unzip -q {FOLDER}.zip -d $KDBENCH_DATA_ROOT"
)


@DATASETS.register_module()
class TinyImageNet(ImageDataset):
    """Tiny-ImageNet in its published layout, ``image`` (3, 64, 64) bytes; 100,000 to train, 10,000 to validate.

    The labels of its test split were never published; ``val`` is what everybody tests on. Classes are in the order of
    the sorted WordNet numbers. ``root`` is the unpacked folder, by default ``$KDBENCH_DATA_ROOT/tiny-imagenet-200``.
    The other options are those of ``CIFAR10``. All pictures are decoded when the set is opened: 1.2 GB.
    """

    title = "Tiny-ImageNet"
    counts: Mapping[str, int] = {"classes": 200, "train": 100_000, "val": 10_000}

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        labelled: Mapping | None = None,
        unlabelled: str = "keep",
        num_images: int | None = None,
        transforms: Sequence[dict | Transform] = (),
    ):
        known_split(split, SPLITS)
        root = data_folder(root, FOLDER, REMEDY)
        self.classes = tuple(sorted(_lines(root / "wnids.txt")))
        self._count(root / "wnids.txt", "classes", len(set(self.classes)))
        paths, labels = (training if split == "train" else validation)(root, self.classes)
        self._count(root / split, split, len(paths))
        rows, targets = select(labels, split == "train", labelled, unlabelled, num_images)
        paths = [paths[row] for row in rows]
        images = decode_all([str(path) for path in paths], lambda index: content_of(paths[index]))
        super().__init__(images, targets, transforms)

    def _count(self, path: Path, what: str, found: int) -> None:
        if found != self.counts[what]:
            kind = "classes" if what == "classes" else "pictures"
            raise InvalidDataError(f"{path} has {found} {kind}, not {self.counts[what]}; {REMEDY}")


def training(root: Path, classes: Sequence[str]) -> tuple[list[Path], np.ndarray]:
    """The training pictures, ``train/<wnid>/images/*.JPEG``, and their labels ``(N,)`` int64."""
    paths = [sorted((root / "train" / name / "images").glob("*.JPEG")) for name in classes]
    for name, found in zip(classes, paths, strict=True):
        if not found:
            raise InvalidDataError(f"{root / 'train' / name / 'images'} holds no *.JPEG; {REMEDY}")
    labels = np.repeat(np.arange(len(classes)), [len(found) for found in paths])
    return [path for found in paths for path in found], labels


def validation(root: Path, classes: Sequence[str]) -> tuple[list[Path], np.ndarray]:
    """The validation pictures in the order of ``val/val_annotations.txt``, and their labels ``(N,)`` int64."""
    source, number = root / "val" / "val_annotations.txt", {name: i for i, name in enumerate(classes)}
    rows = [line.split("\t") for line in _lines(source)]  # picture, wnid, bounding box
    for line, row in enumerate(rows, 1):
        if len(row) < 2 or row[1] not in number:
            raise InvalidDataError(f"{source}, line {line}: no class of wnids.txt in {row!r}; {REMEDY}")
    return [root / "val" / "images" / row[0] for row in rows], np.array([number[row[1]] for row in rows])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDataError(f"{path} cannot be read ({error}); {REMEDY}") from None

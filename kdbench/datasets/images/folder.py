"""Pictures in folders, one a class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...registry import DATASETS
from ...spec import InvalidDataError
from ..base import Transform
from .base import ImageDataset, known_split, select
from .decoding import SUFFIXES, content_of, decode_all

LAYOUT = "the layout is <root>/<split>/<class>/<picture>"


@DATASETS.register_module()
class ImageFolder(ImageDataset):
    """Pictures below ``<root>/<split>/<class>/``, ``image`` (3, H, W) bytes.

    The classes are the folders of ``train`` in sorted order, for every split, so that a class has one number
    everywhere; pictures (jpg, png, bmp, webp, ppm, tif) are sorted by path. All are decoded when the set is opened and
    must fit into memory. ``size`` scales the shorter side to so many pixels and takes the middle square; without it
    all pictures must have one size. ``num_classes`` refuses another number of classes. ``title`` names the set in
    reports. The other options are those of ``CIFAR10``.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        size: int | None = None,
        num_classes: int | None = None,
        title: str | None = None,
        labelled: Mapping | None = None,
        unlabelled: str = "keep",
        num_images: int | None = None,
        transforms: Sequence[dict | Transform] = (),
    ):
        root = Path(root).expanduser()
        known_split(split, folders(root))
        self.title, self.classes = title or root.name, tuple(folders(root / "train"))
        if num_classes is not None and len(self.classes) != num_classes:
            raise InvalidDataError(
                f"{root / 'train'} has {len(self.classes)} classes, not {num_classes}: {_listed(self.classes)}"
            )
        paths, labels = pictures(root / split, self.classes)
        rows, targets = select(labels, split == "train", labelled, unlabelled, num_images)
        paths = [paths[row] for row in rows]
        images = decode_all([str(path) for path in paths], lambda index: content_of(paths[index]), size)
        super().__init__(images, targets, transforms)


def folders(root: Path) -> list[str]:
    """The names of the folders in ``root``, sorted; there must be some."""
    found = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    if not found:
        raise InvalidDataError(
            f"{root} {'holds no folders' if root.is_dir() else 'is not a folder'}; {LAYOUT}"
        )
    return found


def pictures(split: Path, classes: Sequence[str]) -> tuple[list[Path], np.ndarray]:
    """The pictures of a split, class by class, and their labels ``(N,)`` int64."""
    foreign = [name for name in folders(split) if name not in classes]
    if foreign:
        raise InvalidDataError(f"{split} has classes that train has not: {_listed(foreign)}; {LAYOUT}")
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(path for path in (split / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise InvalidDataError(f"{split / name} holds no picture ({' '.join(SUFFIXES)}); {LAYOUT}")
        paths += found
        labels += [label] * len(found)
    return paths, np.array(labels)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
